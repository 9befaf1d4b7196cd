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


def _change(row: dict[str, Any], changes: Sequence[dict[str, Any]]) -> None:
    given = zip(row["roles"], row["role_types"], row["role_org_ids"], strict=True)
    # A role is known by itself and its org: the snapshot does not keep the sourcedIds of roles.
    roles = {(role, org): kind for role, kind, org in given}
    for change in changes:
        if (change["role"] or "").casefold() in PARENT_ROLES and not row["roles"]:
            continue
        key = (change["role"] or "", change["org"])
        if change["status"] == "tobedeleted":
            roles.pop(key, None)
        else:
            roles[key] = change["roleType"] or ""
    first = row["org_ids"][:1]
    row["roles"] = [role for role, _ in roles]
    row["role_types"] = list(roles.values())
    row["role_org_ids"] = [org for _, org in roles]
    orgs = [org for _, org in roles if org]
    row["org_ids"] = list(dict.fromkeys([*(org for org in first if org in orgs), *orgs]))
