"""What changed, of a delta bundle or an incremental pull, merged into the table that the last snapshot kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

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


def without(base: pa.Table, sourced_ids: Set[str]) -> pa.Table:
    """The base without the records of these sourcedIds."""
    return base.filter(pc.invert(pc.is_in(base.column("sourced_id"), pa.array(sorted(sourced_ids), pa.string()))))


#: An end that lies before every night, also before one that is done once more later.
_LONG_OVER = "1900-01-01"


def with_roles_over(users: pa.Table, sourced_ids: Set[str]) -> pa.Table:
    """The users, of whom these have no role any more: the SIS says that they are only parents, whose records are not kept."""
    if not sourced_ids:
        return users
    rows = users.filter(pc.is_in(users.column("sourced_id"), pa.array(sorted(sourced_ids), pa.string()))).to_pylist()
    for row in rows:
        number = len(row["roles"] or ())
        row |= {"role_begin_dates": [None] * number, "role_end_dates": [_LONG_OVER] * number}
    return apply_changes(users, pa.Table.from_pylist(rows, schema=users.schema))


def still_unreadable(base: Snapshot, collection: str, changes: pa.Table) -> list[tuple[str, str, str]]:
    """The records that could not be read when the base was made and did not come again: they are as unknown as they were."""
    came = set(changes.column("sourced_id").to_pylist())
    before = base.unreadable(collection)[["resource", "sourced_id", "reason"]].itertuples(index=False, name=None)
    return [row for row in before if row[1] and row[1] not in came]


def change_roles(users: pa.Table, changes: Mapping[str, Sequence[dict[str, Any]]]) -> tuple[pa.Table, int]:
    """The users with the changes of a roles.csv in delta mode: roles added, renewed, or taken away; and how many of the changes
    may be about a role of which the snapshot does not say which one it is."""
    rows, open_ones = users.to_pylist(), 0
    for row in rows:
        if own := changes.get(row["sourced_id"]):
            open_ones += _change(row, own)
    return pa.Table.from_pylist(rows, schema=users.schema), open_ones


def set_roles(users: pa.Table, roles: Mapping[str, Sequence[dict[str, Any]]]) -> pa.Table:
    """The users with the roles of a roles.csv that is whole; whoever is to be deleted keeps what was known of them."""
    rows = users.to_pylist()
    for row in rows:
        own = roles.get(row["sourced_id"], ())
        if own or row["status"] != "tobedeleted":
            _keep(row, [_as_kept(one) for one in own])
    return pa.Table.from_pylist(rows, schema=users.schema)


#: What is known of a role, in the order of the columns that run in parallel.
_ROLE = ("roles", "role_types", "role_org_ids", "role_begin_dates", "role_end_dates", "role_ids")
_NAME, _ORG, _BEGIN, _ID = 0, 2, 3, 5


def _as_kept(role: Mapping[str, Any]) -> list[Any]:
    return [role["role"] or "", role["roleType"] or "", role["org"], role["beginDate"], role["endDate"], role["idInFile"]]


def _change(row: dict[str, Any], changes: Sequence[dict[str, Any]]) -> int:
    """How many of the changes leave open which role they are about; the others are made to the user's row."""
    # Of a snapshot of an older version the dates and the ids are not known.
    given = [list(row[name]) if row[name] else [None] * len(row["roles"] or ()) for name in _ROLE]
    roles, open_ones = [list(one) for one in zip(*given, strict=True)], 0
    for change in changes:
        one, deleted = _as_kept(change), change["status"] == "tobedeleted"
        place = _place(roles, one, deleted)
        if place is None and any(not role[_ID] for role in roles) and (one[_ID] or (deleted and not one[_NAME])):
            open_ones += 1
        if deleted:
            roles = [role for at, role in enumerate(roles) if at != place]
        elif place is None:
            roles.append(one)
        else:
            roles[place] = one
    _keep(row, roles)
    return open_ones


def _keep(row: dict[str, Any], roles: Sequence[Sequence[Any]]) -> None:
    """Write the roles into a user's row, with the orgs that follow from them."""
    first = (row["org_ids"] or [])[:1]
    for name, values in zip(_ROLE, zip(*roles, strict=True) if roles else [()] * len(_ROLE), strict=True):
        row[name] = list(values)
    orgs = [org for org in row["role_org_ids"] if org]
    row["org_ids"] = list(dict.fromkeys([*(org for org in first if org in orgs), *orgs]))


def _place(roles: Sequence[Sequence[Any]], one: Sequence[Any], deleted: bool) -> int | None:
    """Where a role stands that a change is about: the one of its sourcedId, whatever else it was.

    Of roles without one, the same role at the same org, of several the one that begins when it does.
    """
    if one[_ID] and (known := [place for place, role in enumerate(roles) if role[_ID] == one[_ID]]):
        return known[0]
    same = [
        place
        for place, role in enumerate(roles)
        if not (one[_ID] and role[_ID]) and (_folded(role[_NAME]), role[_ORG]) == (_folded(one[_NAME]), one[_ORG])
    ]
    exact = [place for place in same if roles[place][_BEGIN] == one[_BEGIN]]
    if exact or len(same) != 1:
        return exact[0] if exact else None
    # The only one at all: with another begin it may be changed by this, but is not what is deleted.
    return None if deleted and one[_BEGIN] and roles[same[0]][_BEGIN] else same[0]


def _folded(role: str | None) -> str:
    return (role or "").strip().casefold()
