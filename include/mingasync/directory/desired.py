"""What a snapshot asks of the directory, with the proof that decides whether anybody may leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow as pa

from include.mingasync.directory.load import Desired
from include.mingasync.rosters.derive import DERIVED

if TYPE_CHECKING:
    from include.mingasync.snapshot import Snapshot

#: A collection under this share of its last complete size is taken for a broken pull, not for leavers.
_SHRUNK_BELOW = 0.5


def desired_from(
    connection: psycopg.Connection[Any], snapshot: Snapshot, district: str, run_no: int, accept_smaller: bool = False
) -> Desired:
    """The staging tables of a derived snapshot, and why its pull proves no absence, if it does not.

    ``accept_smaller``: a person says that the smaller numbers are right, such as after a school closed.
    """
    tables = {name: pa.Table.from_pandas(snapshot.read_frame(f"derived_{name}"), preserve_index=False) for name in DERIVED}
    sizes = {
        name: {"rows": proof.rows, "state": proof.state, "sha256": proof.sha256} for name, proof in snapshot.proofs().items()
    }
    because = _incomplete(snapshot)
    if because is None and not accept_smaller:
        because = _shrunken(connection, sizes, district, run_no) or _school_gone(connection, tables["schools"], district)
    return Desired(
        tables=tables,
        snapshot_at=snapshot.taken_at,
        lost_terms=tuple((snapshot.read_json("derived") or {}).get("lost_terms", ())),
        unproven_because=because,
        only_changes=snapshot.has_only_changes(),
        collections=sizes,
    )


def _incomplete(snapshot: Snapshot) -> str | None:
    reasons = [f"{name}: {reason}." for name, reason in sorted(snapshot.incomplete_reasons().items())]
    return f"The pull was not proven complete ({' '.join(reasons)})" if reasons else None


def _shrunken(
    connection: psycopg.Connection[Any], sizes: Mapping[str, Mapping[str, Any]], district: str, run_no: int
) -> str | None:
    row = connection.execute(
        """select collections from directory.sync_runs
           where district = %s and run_no <> %s and loaded_at is not null and proven
           order by snapshot_at desc limit 1""",
        (district, run_no),
    ).fetchone()
    for name, before in (row[0] or {}).items() if row else ():
        rows = sizes.get(name, {}).get("rows", 0)
        if rows < before["rows"] * _SHRUNK_BELOW:
            return f"The SIS sent {rows} {name}, under half of the {before['rows']} of the last complete night."
    return None


def _school_gone(connection: psycopg.Connection[Any], schools: pa.Table, district: str) -> str | None:
    gone = connection.execute(
        "select school_id from directory.schools where district = %s and school_id <> all (%s::text[]) order by 1",
        (district, schools.column("school_id").to_pylist()),
    ).fetchall()
    if not gone:
        return None
    return f"{len(gone)} school(s) are gone from the SIS's orgs: {', '.join(row[0] for row in gone)}."
