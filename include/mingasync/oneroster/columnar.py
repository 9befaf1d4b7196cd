"""Pages of plain JSON straight into columns by Arrow, without a Python object per record.

Most servers send most pages in one plain form: texts as texts, lists as lists, links as GUIDRefs. Those never become
Python objects. Anything else is NotPlain, and the caller reads it with patience (``decode``).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from include.mingasync.oneroster.fields import FIELDS
from include.mingasync.oneroster.records import COLUMNS, PARENT_ROLES

_REF = pa.struct([("sourcedId", pa.string())])
_ROLE = pa.struct([
    ("role", pa.string()), ("roleType", pa.string()), ("org", _REF), ("beginDate", pa.string()), ("endDate", pa.string()),
])  # fmt: skip
_TRUE, _FALSE = pa.array(["true", "yes", "1"]), pa.array(["false", "no", "0"])
#: OneRoster 1.1 writes yes/no as text, 1.2 as JSON booleans, and servers mix the two up.
_YES_TYPES = (pa.bool_(), pa.string())
_GIVE_UP_AFTER = 3
_OF_USERS = {
    "phone": pa.string(), "sms": pa.string(), "role": pa.string(), "roles": pa.list_(_ROLE),
    "primaryOrg": _REF, "orgs": pa.list_(_REF), "agents": pa.list_(_REF),
}  # fmt: skip


class NotPlain(Exception):
    """A page that has to be read record by record."""


class Columnar:
    """Reads the pages of one collection; remembers which form this server sends."""

    def __init__(self, collection: str, *, parents: bool) -> None:
        self._collection, self._parents = collection, parents
        self._yes = list(_YES_TYPES)
        self._failures = 0

    def table(self, body: bytes) -> pa.Table:
        """The rows of a page in the collection's columns, in the server's order; NotPlain when Arrow alone cannot tell them."""
        if self._failures >= _GIVE_UP_AFTER:
            raise NotPlain
        try:
            if not body.isascii():
                body.decode()
            records = self._records(body)
        except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeDecodeError):
            self._failures += 1
            raise NotPlain from None
        self._failures = 0
        return pa.table(self._columns(records), schema=COLUMNS[self._collection])

    def _records(self, body: bytes) -> dict[str, pa.Array]:
        key = self._collection
        # Arrow takes a line for a document. In JSON a raw line break is never part of a text, so any may be a space.
        body = body.replace(b"\n", b" ").replace(b"\r", b" ")
        if body[:1] == b"[":
            body = b'{"%s":%s}' % (key.encode(), body)
        for place, yes in enumerate(self._yes):
            options = pa.json.ParseOptions(
                explicit_schema=pa.schema([(key, pa.list_(_record_type(key, yes)))]),
                unexpected_field_behavior="ignore",
            )
            try:
                page = pa.json.read_json(
                    io.BytesIO(body), pa.json.ReadOptions(use_threads=False, block_size=len(body) + 1), options
                )
            except pa.ArrowInvalid:
                if place + 1 == len(self._yes):
                    raise
                continue
            if place:
                self._yes = [yes]
            rows = page.column(0).combine_chunks()
            if isinstance(rows, pa.ChunkedArray):
                rows = rows.chunk(0)
            if len(rows) != 1 or not rows.is_valid()[0].as_py():
                raise NotPlain  # another envelope key, or nothing like a page
            records = rows.flatten()
            return dict(zip([field.name for field in records.type], records.flatten(), strict=True))
        raise NotPlain

    def _columns(self, records: dict[str, pa.Array]) -> dict[str, pa.Array]:
        columns = {"sourced_id": _text(records["sourcedId"]), "status": _status(records["status"])}
        for column, (key, kind) in FIELDS[self._collection].items():
            columns[column] = _READERS[kind](records[key])
        if self._collection == "users":
            columns |= self._of_users(records)
        return columns

    def _of_users(self, records: dict[str, pa.Array]) -> dict[str, pa.Array]:
        roles, types, role_orgs, begins, ends, ids = _roles(records)
        count = len(roles)
        phone = pa.nulls(count, pa.string())
        if self._parents:
            phone = pc.if_else(only_parents(roles), pc.coalesce(_text(records["phone"]), _text(records["sms"])), phone)
        return {
            "phone": phone,
            "roles": roles,
            "role_types": types,
            "role_org_ids": role_orgs,
            "role_begin_dates": begins,
            "role_end_dates": ends,
            "role_ids": ids,
            "org_ids": _orgs(_text(records["primaryOrg"].flatten()[0]), _links(records["orgs"]), role_orgs),
            "agent_ids": _links(records["agents"]) if self._parents else _nothing(count),
        }


def only_parents(roles: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Which of the users have roles, and none but a parent's."""
    if isinstance(roles, pa.ChunkedArray):
        roles = roles.combine_chunks()
    sizes = np.asarray(pc.fill_null(pc.list_value_length(roles), 0))
    folded = pc.utf8_lower(pc.utf8_trim_whitespace(roles.flatten()))
    parent = np.asarray(pc.is_in(folded, pa.array(sorted(PARENT_ROLES)))).astype(np.int64)
    ends = np.cumsum(sizes)
    running = np.concatenate([[0], np.cumsum(parent)])
    return pa.array((sizes > 0) & (running[ends] - running[ends - sizes] == sizes))


def _record_type(collection: str, yes: pa.DataType) -> pa.DataType:
    types = {"text": pa.string(), "texts": pa.list_(pa.string()), "link": _REF, "links": pa.list_(_REF), "yes": yes}
    fields = {"sourcedId": pa.string(), "status": pa.string()}
    fields |= {key: types[kind] for key, kind in FIELDS[collection].values()}
    return pa.struct([*(fields | (_OF_USERS if collection == "users" else {})).items()])


def _text(values: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(values, ""), None, values)


def _status(values: pa.Array) -> pa.Array:
    return pc.utf8_trim_whitespace(pc.utf8_lower(pc.fill_null(_text(values), "active")))


def _yes(values: pa.Array) -> pa.Array:
    if pa.types.is_boolean(values.type):
        return values
    folded = pc.utf8_trim_whitespace(pc.utf8_lower(values))
    yes = pc.is_in(folded, _TRUE)
    return pc.if_else(pc.or_(yes, pc.is_in(folded, _FALSE)), yes, None)


def _link(values: pa.Array) -> pa.Array:
    return _text(values.flatten()[0])


def _texts(lists: pa.Array) -> pa.Array:
    return _without_blanks(_whole(lists, lists.flatten()))


def _links(lists: pa.Array) -> pa.Array:
    return _without_blanks(_whole(lists, lists.flatten().flatten()[0]))


def _whole(lists: pa.Array, values: pa.Array) -> pa.Array:
    """Lists of the same lengths, null ones empty, of other values."""
    return _lists(np.asarray(pc.fill_null(pc.list_value_length(lists), 0)), values)


def _lists(sizes: np.ndarray, values: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(np.concatenate([[0], np.cumsum(sizes)]), pa.int32()), values)


def _without_blanks(lists: pa.Array) -> pa.Array:
    values = lists.values
    if not values.null_count and not pc.any(pc.equal(values, "")).as_py():
        return lists
    return pa.array([[one for one in each if one] for each in lists.to_pylist()], lists.type)


def _nothing(count: int) -> pa.Array:
    return pa.array([[]] * count, pa.list_(pa.string()))


def _roles(records: dict[str, pa.Array]) -> tuple[pa.Array, ...]:
    """Roles, types, orgs, begin and end dates, ids (none) in parallel: 1.2's list, else 1.1's single role as the primary one."""
    given, single = records["roles"], _text(records["role"])
    sizes = pc.fill_null(pc.list_value_length(given), 0)
    if pc.all(pc.equal(sizes, 0)).as_py():
        there = np.asarray(single.is_valid()).astype(np.int32)
        values = single.drop_null()
        primary = pa.array(["primary"] * len(values), pa.string())
        nothing = _lists(there, pa.nulls(len(values), pa.string()))
        return _lists(there, values), _lists(there, primary), nothing, nothing, nothing, nothing
    if pc.any(pc.equal(sizes, 0)).as_py() and pc.any(pc.and_(pc.equal(sizes, 0), single.is_valid())).as_py():
        raise NotPlain  # both forms in one page
    role, kind, org, begin, end = given.flatten().flatten()
    return (
        _whole(given, pc.fill_null(role, "")),
        _whole(given, pc.fill_null(kind, "")),
        _whole(given, _text(org.flatten()[0])),
        _whole(given, _text(begin)),
        _whole(given, _text(end)),
        _whole(given, pa.nulls(len(role), pa.string())),
    )


def _orgs(primary: pa.Array, orgs: pa.Array, role_orgs: pa.Array) -> pa.Array:
    """Every org of a user once, the primary one first, then those of the record, then those of the roles."""
    lists = [
        list(dict.fromkeys(one for one in (first, *own, *by_role) if one))
        for first, own, by_role in zip(primary.to_pylist(), orgs.to_pylist(), role_orgs.to_pylist(), strict=True)
    ]
    return pa.array(lists, pa.list_(pa.string()))


_READERS: dict[str, Callable[[Any], pa.Array]] = {"text": _text, "texts": _texts, "link": _link, "links": _links, "yes": _yes}
