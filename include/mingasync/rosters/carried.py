"""Records set aside, as they were when they were last good: a bad row says nothing, so what it said before holds on.

Each snapshot keeps, beside its collections, the records that were carried on in it. So the next night finds a record that
is bad for many nights in the snapshot before, and no further back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from include.mingasync.errors import SnapshotUnusable
from include.mingasync.oneroster.records import COLUMNS

if TYPE_CHECKING:
    from include.mingasync.snapshot import Snapshot


@dataclass(frozen=True)
class Carried:
    """``rows``: per collection the last good rows of records set aside. ``unknown``: per collection the sourcedIds of which
    nobody can say what they were, since the snapshot that knew is not there any more."""

    rows: Mapping[str, pa.Table] = field(default_factory=dict)
    unknown: Mapping[str, set[str]] = field(default_factory=dict)


def carry(aside: Mapping[str, set[str]], earlier: Iterable[Snapshot | None]) -> Carried:
    """What is carried on of the records set aside tonight (sourcedIds per collection).

    ``earlier``: the snapshots that were loaded before, newest first; None for one that is not there any more. A record that the
    newest does not have is new, and so is carried on as nothing.
    """
    wanted = {name: {one for one in ids if one} for name, ids in aside.items() if name in COLUMNS}
    found: dict[str, list[pa.Table]] = {name: [] for name in wanted}
    unknown: dict[str, set[str]] = {name: set() for name in wanted}
    is_gap = False
    for snapshot in earlier:
        if not any(wanted.values()):
            break
        try:
            if snapshot is None:
                raise SnapshotUnusable("it is not there any more")
            for name in [name for name, ids in wanted.items() if ids]:
                said = _in(snapshot, name, wanted[name])
                here = set(said.rows.column("sourced_id").to_pylist())
                found[name].append(said.rows)
                unknown[name] |= said.unknown - here
                # Behind a gap, that a snapshot does not have a record does not make it new.
                left = wanted[name] if is_gap else said.bad_too
                wanted[name] = left - here - unknown[name]
        except SnapshotUnusable:
            is_gap = True
    if is_gap:
        unknown = {name: ids | wanted[name] for name, ids in unknown.items()}
    rows = {name: pa.concat_tables(tables) for name, tables in found.items() if tables}
    return Carried(
        rows={name: table for name, table in rows.items() if table.num_rows},
        unknown={name: ids for name, ids in unknown.items() if ids},
    )


@dataclass(frozen=True)
class _Said:
    """What one snapshot says of records: their rows, good or carried on; the ids that it had looked for in vain itself; and those
    that were bad in it as well, in a version that carried nothing on."""

    rows: pa.Table
    unknown: set[str]
    bad_too: set[str]


def _in(snapshot: Snapshot, collection: str, ids: set[str]) -> _Said:
    values = pa.array(sorted(ids), pa.string())
    aside = snapshot.read_table("set_aside")
    bad = set(aside.filter(pc.equal(aside.column("resource"), collection)).column("sourced_id").to_pylist())
    table = snapshot.table(collection)
    rows = table.filter(pc.is_in(table.column("sourced_id"), values))
    rows = rows.filter(pc.invert(pc.is_in(rows.column("sourced_id"), pa.array(sorted(filter(None, bad)), pa.string()))))
    derived = snapshot.read_json("derived")
    if derived is None:
        raise SnapshotUnusable("what was made from it is not there any more")
    if "carried" not in derived:
        return _Said(rows, set(), ids & bad)
    if collection in derived["carried"]:
        kept = snapshot.read_table(f"derived_carried_{collection}")
        rows = pa.concat_tables([rows, kept.filter(pc.is_in(kept.column("sourced_id"), values)).cast(rows.schema)])
    return _Said(rows, ids & set(derived["unknown"].get(collection, ())), set())
