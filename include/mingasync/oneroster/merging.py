"""What changed, of a delta bundle or an incremental pull, merged into the table that the last snapshot kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from include.mingasync.oneroster.records import PARENT_ROLES

if TYPE_CHECKING:
    from include.mingasync.snapshot import Snapshot


def apply_changes(base: pa.Table, changes: pa.Table, *, keep: Set[str] = frozenset()) -> pa.Table:
    """The base with each changed row in place of the old one, new rows at the end.

    A row to be deleted keeps what was known of it and takes the status; one that was never there is left out. Columns in
    ``keep`` stay as they were (roles that another file of the bundle changes).
    """
    touched = base.filter(pc.is_in(base.column("sourced_id"), changes.column("sourced_id").combine_chunks()))
    known = {row["sourced_id"]: row for row in touched.to_pylist()}
    rows: dict[str, dict[str, Any]] = {}
    for change in changes.to_pylist():
        sourced_id = change["sourced_id"]
        before = rows.get(sourced_id) or known.get(sourced_id)
        if change["status"] == "tobedeleted":
            if before is not None:
                rows[sourced_id] = before | {"status": "tobedeleted"}
        else:
            rows[sourced_id] = change | ({name: before[name] for name in keep} if before is not None else {})
    changed = pa.Table.from_pylist(list(rows.values()), schema=base.schema)
    # Only what changed becomes Python objects: the place of every row is worked out by number.
    place = pc.index_in(base.column("sourced_id"), changed.column("sourced_id").combine_chunks())
    ordered = pc.if_else(place.is_valid(), pc.add(place, base.num_rows), pa.array(range(base.num_rows), pa.int32()))
    new = [base.num_rows + at for at, sourced_id in enumerate(rows) if sourced_id not in known]
    return pa.concat_tables([base, changed]).take(pa.concat_arrays([*ordered.cast(pa.int64()).chunks, pa.array(new, pa.int64())]))


def still_unreadable(base: Snapshot, collection: str, changes: pa.Table) -> list[tuple[str, str, str]]:
    """The records that could not be read when the base was made and did not come again: they are as unknown as they were."""
    came = set(changes.column("sourced_id").to_pylist())
    before = base.unreadable(collection)[["resource", "sourced_id", "reason"]].itertuples(index=False, name=None)
    return [row for row in before if row[1] and row[1] not in came]


def change_roles(users: pa.Table, changes: Mapping[str, Sequence[dict[str, Any]]]) -> pa.Table:
    """The users with the changes of a roles.csv in delta mode: roles added, renewed, or taken away."""
    rows = users.to_pylist()
    for row in rows:
        if own := changes.get(row["sourced_id"]):
            _change(row, own)
    return pa.Table.from_pylist(rows, schema=users.schema)


#: What is known of a role, in the order of the columns that run in parallel.
_ROLE = ("roles", "role_types", "role_org_ids", "role_begin_dates", "role_end_dates")


def _change(row: dict[str, Any], changes: Sequence[dict[str, Any]]) -> None:
    # Of a snapshot of an older version the dates are not known.
    given = [list(row[name]) if row[name] is not None else [None] * len(row["roles"]) for name in _ROLE]
    roles = [list(one) for one in zip(*given, strict=True)]
    for change in changes:
        if (change["role"] or "").casefold() in PARENT_ROLES and not row["roles"]:
            continue
        one = [change["role"] or "", change["roleType"] or "", change["org"], change["beginDate"], change["endDate"]]
        deleted = change["status"] == "tobedeleted"
        place = _place(roles, one, deleted)
        if deleted:
            roles = [role for at, role in enumerate(roles) if at != place]
        elif place is None:
            roles.append(one)
        else:
            roles[place] = one
    first = row["org_ids"][:1]
    for name, values in zip(_ROLE, zip(*roles, strict=True) if roles else [()] * len(_ROLE), strict=True):
        row[name] = list(values)
    orgs = [org for org in row["role_org_ids"] if org]
    row["org_ids"] = list(dict.fromkeys([*(org for org in first if org in orgs), *orgs]))


def _place(roles: Sequence[Sequence[Any]], one: Sequence[Any], deleted: bool) -> int | None:
    """Where a role stands that a change is about: the same role at the same org, of several the one that begins when it does.

    The snapshot does not keep the sourcedIds of roles.
    """
    same = [place for place, role in enumerate(roles) if (role[0], role[2]) == (one[0], one[2])]
    exact = [place for place in same if roles[place][3] == one[3]]
    if exact or len(same) != 1:
        return exact[0] if exact else None
    # The only one at all: with another begin it may be changed by this, but is not what is deleted.
    return None if deleted and one[3] and roles[same[0]][3] else same[0]
