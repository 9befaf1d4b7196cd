"""What a pull is held to: the last complete sizes of its collections, and the schools that the directory knows."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import psycopg

from include.mingasync.errors import CriticalData
from include.mingasync.quality.whose import Identity, another_district, identity_of, is_right
from include.mingasync.snapshot import Snapshot


def last_complete_sizes(connection: psycopg.Connection[Any], district: str, but: int | None) -> dict[str, int]:
    """How many rows each collection had when a loaded night last proved it complete; ``but`` leaves out one run.

    Behind its name stand the numbers that count, as ``users.student.here``, unless that night's version did not keep them.
    """
    rows = connection.execute(
        """
        select distinct on (one.key) one.key, (one.value ->> 'rows')::integer, coalesce(one.value -> 'sizes', '{}')
        from directory.sync_runs as r
        cross join lateral jsonb_each(r.collections) as one
        where r.district = %s and r.run_no is distinct from %s and r.loaded_at is not null
          and one.value ->> 'state' in ('complete', 'changes')
          -- Nights before it was kept per collection were proven as a whole or not at all.
          and case when one.value ? 'unproven' then one.value ->> 'unproven' is null else r.proven end
        order by one.key, r.snapshot_at desc
        """,
        (district, but),
    ).fetchall()
    return {name: number for name, number, _ in rows} | {
        f"{name}.{part}": number for name, _, sizes in rows for part, number in sizes.items()
    }


def known_schools(connection: psycopg.Connection[Any], district: str) -> list[str]:
    """The schools that the directory knows, of which none may be gone unnoticed."""
    rows = connection.execute("select school_id from directory.schools where district = %s order by 1", (district,))
    return [row[0] for row in rows]


def whose(connection: psycopg.Connection[Any], district: str, but: int, snapshot: Snapshot, accepted: str | None) -> str | None:
    """Why the snapshot seems to be another district's than that of the night loaded before it; None when it does not.

    ``accepted``: the org of which a person says with the run that it is the district now.
    """
    orgs = snapshot.frame("orgs", ["sourced_id", "name", "type"])
    tonight, known = identity_of(orgs), _known_identity(connection, district, but, snapshot.taken_at)
    ids = {*orgs["sourced_id"].dropna(), *snapshot.unreadable("orgs")["sourced_id"]}
    why = another_district(tonight, known, ids)
    if why is None or not accepted:
        return why
    if is_right(tonight, accepted):
        return None
    return f"{why} {accepted}, which this run accepts, is not among its district orgs or schools."


def refuse_another_district(
    connection: psycopg.Connection[Any], district: str, but: int, snapshot: Snapshot, accepted: str | None
) -> None:
    """Raise CriticalData for a snapshot that seems to be another district's: whoever loads asks again."""
    why = whose(connection, district, but, snapshot, accepted)
    if why is not None:
        raise CriticalData(f"{why} Nothing was changed.")


def _known_identity(connection: psycopg.Connection[Any], district: str, but: int, before: dt.datetime) -> Identity:
    """Whose the newest night was that was loaded before a moment, so that an older night replayed is held to its own past."""
    row = connection.execute(
        """select identity from directory.sync_runs
           where district = %s and run_no <> %s and loaded_at is not null and snapshot_at < %s
           order by snapshot_at desc limit 1""",
        (district, but, before),
    ).fetchone()
    if row is None:
        return Identity()
    if row[0] is not None:
        return msgspec.convert(row[0], Identity)
    # A night of a version that did not keep it: the schools are known all the same.
    known = connection.execute("select school_id, name from directory.schools where district = %s", (district,)).fetchall()
    return Identity(schools=dict(known))
