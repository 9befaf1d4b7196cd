"""Pages of JSON, decoded once, straight into columns; tolerant of what providers really send."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from include.mingasync.errors import SourceError
from include.mingasync.oneroster.columnar import Columnar, NotPlain, only_parents
from include.mingasync.oneroster.fields import FIELDS
from include.mingasync.oneroster.records import COLUMNS, PARENT_ROLES
from include.mingasync.oneroster.repairing import id_of, records_of, repaired
from include.mingasync.oneroster.values import UNREADABLE

#: Numbers above are not exact in JSON (RFC 8259 section 6), and longer ones are no id of anybody.
_EXACT, _LARGEST = 2**53, 10**40
#: Envelope keys under which providers send a collection, beside its own name.
_ENVELOPES = {
    "orgs": ("schools",),
    "academicSessions": ("terms", "gradingPeriods"),
    "users": ("students", "teachers"),
}


class Row(msgspec.Struct, rename="camel"):
    """Every field that any collection keeps; what a provider sends beside them is passed over undecoded."""

    sourced_id: Any = None
    status: Any = None
    name: Any = None
    title: Any = None
    type: Any = None
    identifier: Any = None
    parent: Any = None
    start_date: Any = None
    end_date: Any = None
    school_year: Any = None
    course_code: Any = None
    org: Any = None
    grades: Any = None
    subjects: Any = None
    subject_codes: Any = None
    class_code: Any = None
    class_type: Any = None
    course: Any = None
    school: Any = None
    terms: Any = None
    periods: Any = None
    enabled_user: Any = None
    username: Any = None
    given_name: Any = None
    family_name: Any = None
    preferred_first_name: Any = None
    email: Any = None
    phone: Any = None
    sms: Any = None
    role: Any = None
    roles: Any = None
    orgs: Any = None
    primary_org: Any = None
    agents: Any = None
    user: Any = None
    class_: Any = msgspec.field(default=None, name="class")
    primary: Any = None
    begin_date: Any = None
    date_last_modified: Any = None


def rows_of(body: bytes, collection: str) -> list[Row]:
    """The rows of a page, from under any of the collection's envelope keys or a bare list.

    Raises SourceError when the body is no OneRoster page.
    """
    body = body.removeprefix(b"\xef\xbb\xbf").lstrip()
    keys = (collection, *_ENVELOPES.get(collection, ()))
    try:
        if body[:1] == b"[":
            return msgspec.json.decode(body, type=list[Row])
        envelope = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        found = next((envelope[key] for key in keys if key in envelope), None)
        if found is not None:
            return msgspec.json.decode(found, type=list[Row] | None) or []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        records = records_of(body, keys)
        if records is not None:
            return [_one(raw) for raw in records]
        raise SourceError(f"The SIS answered {collection} with something that is no OneRoster page.") from None
    raise SourceError(f"The SIS answered {collection} without the key '{collection}'.")


def _one(raw: bytes) -> Row:
    """The row of one record, repaired where it can be read so; else one that only says which record cannot be read."""
    for content in (raw, repaired(raw)):
        try:
            return msgspec.json.decode(content, type=Row)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
    return Row(sourced_id=id_of(repaired(raw)), status=UNREADABLE)


def text(value: Any) -> str | None:
    """A value as text; None for none, and UNREADABLE for what is no text: unknown is not blank."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return _number(value)
    return UNREADABLE if value else None


def _number(value: float) -> str:
    """A whole number as its digits; one with a fraction, or too large to be exact, is nobody's id."""
    if isinstance(value, float) and not (value.is_integer() and abs(value) < _EXACT):
        return UNREADABLE
    return str(int(value)) if abs(value) < _LARGEST else UNREADABLE


def texts(value: Any) -> list[str]:
    """A list of texts from a list, or from a provider's single text."""
    values = value if isinstance(value, list) else [value]
    return [one for one in map(text, values) if one]


def link(value: Any) -> str | None:
    """The sourcedId that a GUIDRef, or a provider's bare id, points at."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return text(value.get("sourcedId")) if isinstance(value, dict) else text(value)


def links(value: Any) -> list[str]:
    """The sourcedIds of a list of GUIDRefs."""
    values = value if isinstance(value, list) else [value]
    return [one for one in map(link, values) if one]


def yes(value: Any) -> bool | None:
    """A yes/no that may come as JSON boolean or as text in any case; None for none."""
    folded = (text(value) or "").strip().lower()
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(folded)


def status(value: Any) -> str:
    """The status, lower-case; a blank one is active (bulk data leave it out)."""
    return (text(value) or "active").strip().lower()


def _roles(row: Row) -> list[dict[str, Any]]:
    given = row.roles if isinstance(row.roles, list) else []
    roles = [one if isinstance(one, dict) else {"role": one} for one in given]
    return roles or ([{"role": row.role, "roleType": "primary"}] if text(row.role) else [])


def _user_columns(rows: Sequence[Row], parents: bool) -> dict[str, list[Any]]:
    roles = [_roles(row) for row in rows]
    org_ids = [
        list(dict.fromkeys([*links(row.primary_org), *links(row.orgs), *(i for r in own if (i := link(r.get("org"))))]))
        for row, own in zip(rows, roles, strict=True)
    ]
    return {
        "phone": [
            (text(row.phone) or text(row.sms)) if parents and _only_parent(own) else None
            for row, own in zip(rows, roles, strict=True)
        ],
        "roles": [[text(one.get("role")) or "" for one in own] for own in roles],
        "role_types": [[text(one.get("roleType")) or "" for one in own] for own in roles],
        "role_org_ids": [[link(one.get("org")) for one in own] for own in roles],
        "role_begin_dates": [[text(one.get("beginDate")) for one in own] for own in roles],
        "role_end_dates": [[text(one.get("endDate")) for one in own] for own in roles],
        "role_ids": [[text(one.get("idInFile")) for one in own] for own in roles],
        "org_ids": org_ids,
        "agent_ids": [links(row.agents) if parents else [] for row in rows],
    }


def _only_parent(roles: Sequence[dict[str, Any]]) -> bool:
    return bool(roles) and all((text(one.get("role")) or "").strip().lower() in PARENT_ROLES for one in roles)


_READERS: dict[str, Callable[[Any], Any]] = {"text": text, "texts": texts, "link": link, "links": links, "yes": yes}
#: JSON's names -> the attributes of Row.
_ATTRIBUTES = {field.encode_name: field.name for field in msgspec.structs.fields(Row)}


def table_of(rows: Sequence[Row], collection: str, *, parents: bool) -> tuple[pa.Table, int]:
    """The rows as a table of the collection's columns, and how many parents were left out (privacy)."""
    left_out = 0
    if collection == "users" and not parents:
        kept = [row for row in rows if not _only_parent(_roles(row))]
        left_out, rows = len(rows) - len(kept), kept
    return pa.table(_columns(rows, collection, parents), schema=COLUMNS[collection]), left_out


def _columns(rows: Sequence[Row], collection: str, parents: bool) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {
        "sourced_id": [text(row.sourced_id) for row in rows],
        "status": [status(row.status) for row in rows],
    }
    for column, (key, kind) in FIELDS[collection].items():
        read, name = _READERS[kind], _ATTRIBUTES[key]
        columns[column] = [read(getattr(row, name)) for row in rows]
    if collection == "users":
        columns |= _user_columns(rows, parents)
    return columns


class Pages:
    """Reads the pages of one collection into tables: as plain columns where they are plain, else record by record."""

    def __init__(self, collection: str, *, parents: bool, dated: bool = False) -> None:
        """``dated`` adds the column ``modified``: dateLastModified as it came."""
        self.collection, self._parents, self._dated = collection, parents, dated
        self._columnar = Columnar(collection, parents=parents)

    @property
    def schema(self) -> pa.Schema:
        """The columns of a page."""
        schema = COLUMNS[self.collection]
        return schema.append(pa.field("modified", pa.string())) if self._dated else schema

    def table(self, body: bytes) -> pa.Table:
        """Every row of a page in the collection's columns, parents among them; one that is no record has no sourced_id.

        Raises SourceError when the body is no OneRoster page.
        """
        body = body.removeprefix(b"\xef\xbb\xbf").lstrip()
        if not self._dated:
            with suppress(NotPlain):
                return self._columnar.table(body)
        rows = rows_of(body, self.collection)
        columns = _columns(rows, self.collection, self._parents)
        if self._dated:
            columns["modified"] = [text(row.date_last_modified) for row in rows]
        return pa.table(columns, schema=self.schema)


def without_parents(users: pa.Table) -> pa.Table:
    """The users who are not merely somebody's parent (privacy)."""
    return users.filter(pc.invert(only_parents(users.column("roles"))))
