"""The rows that the server sends: a district's records, encoded once and joined into pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from include.rehearsal.faults import Faults
from include.rehearsal.queries import Query
from include.rehearsal.records import (
    COLLECTIONS,
    District,
    Record,
    in_version,
    mapped_role,
    org_ids,
    roles_of,
)
from include.rehearsal.shapes import shape_key, shape_of


def _has_role(role: str) -> Callable[[Record], bool]:
    return lambda user: any(str(one.get("role")).lower() == role for one in roles_of(user))


#: Collections that are a part of another: that one's name, and who belongs.
PARTS: dict[str, tuple[str, Callable[[Record], bool]]] = {
    "schools": ("orgs", lambda org: org.get("type") == "school"),
    "terms": ("academicSessions", lambda session: session.get("type") in ("term", "semester")),
    "gradingPeriods": ("academicSessions", lambda session: session.get("type") == "gradingPeriod"),
    "students": ("users", _has_role("student")),
    "teachers": ("users", _has_role("teacher")),
}
ALL = (*COLLECTIONS, *PARTS)
_SINGLES = {
    "orgs": "org",
    "academicSessions": "academicSession",
    "courses": "course",
    "classes": "class",
    "users": "user",
    "enrollments": "enrollment",
}
_OTHER_ENVELOPES = {"users": "students", "orgs": "schools", "academicSessions": "terms"}
_KEPT_LISTS = 40


def whole(collection: str) -> str:
    """The collection of which this one is a part, or itself."""
    return PARTS[collection][0] if collection in PARTS else collection


def envelope(collection: str, faults: Faults) -> str:
    """The key under which a page's rows are sent."""
    key = whole(collection)
    if not faults.other_envelope or not faults.befalls(collection):
        return key
    return collection if collection in PARTS else _OTHER_ENVELOPES.get(key, key)


class Rows:
    """A district's rows under any faults, each list made when it is first asked for."""

    def __init__(self, district: District) -> None:
        self.district = district
        self._encoded: dict[tuple[Any, ...], list[bytes]] = {}
        self._lists: dict[tuple[Any, ...], list[bytes]] = {}
        self._places: dict[str, dict[str, Record]] = {}

    def of(self, version: str, collection: str, faults: Faults, query: Query, shifts: int = 0) -> list[bytes]:
        """All rows of a collection as they are served, after it was shifted so many times."""
        gone = (tuple(faults.missing_schools), faults.gone_school, faults.gone_percent)
        moves = (faults.repeat_every, faults.shift, shifts) if faults.befalls(collection) else ()
        key = (version, collection, shape_key(faults), query, gone, faults.left(collection), moves)
        if key not in self._lists:
            if len(self._lists) >= _KEPT_LISTS:
                self._lists.clear()
            self._lists[key] = self._served(version, collection, faults, query, shifts)
        return self._lists[key]

    def single(self, version: str, collection: str, sourced_id: str, faults: Faults) -> bytes | None:
        """One record in its envelope, or None."""
        name, wanted = whole(collection), sourced_id
        if faults.new_ids and name in ("users", "enrollments"):
            wanted = sourced_id.removeprefix("new-")
        places = self._places.setdefault(name, {})
        if not places:
            places.update({record["sourcedId"]: record for record in getattr(self.district, name)})
        if wanted not in places or wanted in self._gone(name, faults):
            return None
        for record in self._records(version, collection, [places[wanted]]):
            shaped = _shaped(name, record, faults)
            if shaped["sourcedId"] == sourced_id:
                return msgspec.json.encode({_SINGLES[name]: shaped})
        return None

    def _served(self, version: str, collection: str, faults: Faults, query: Query, shifts: int) -> list[bytes]:
        rows = self._queried(version, collection, faults, query)
        if (left := faults.left(collection)) < 100:
            rows = rows[: len(rows) * left // 100]
        if not faults.befalls(collection):
            return rows
        if shifts:
            rows = _shifted(rows, faults.shift, shifts)
        if faults.repeat_every:
            rows = [row for n, row in enumerate(rows, 1) for row in [row] * (1 + (n % faults.repeat_every == 0))]
        return rows

    def _queried(self, version: str, collection: str, faults: Faults, query: Query) -> list[bytes]:
        name = whole(collection)
        gone = self._gone(name, faults)
        if not query.asks() and not gone:
            return self._all(version, collection, faults)
        left = [record for record in getattr(self.district, name) if record["sourcedId"] not in gone]
        shaped = [_shaped(name, record, faults) for record in self._records(version, collection, left)]
        known = {key for record in shaped for key in record}
        return [msgspec.json.encode(record) for record in query.answer(shaped, known)]

    def _all(self, version: str, collection: str, faults: Faults) -> list[bytes]:
        name = whole(collection)
        # Only users differ between the versions; a large district's enrollments are encoded once.
        key = (version if name == "users" else "", collection, shape_key(faults))
        if key not in self._encoded:
            encode, changes = msgspec.json.Encoder().encode, shape_of(faults)
            rows = []
            for record in self._records(version, collection, getattr(self.district, name)):
                shaped = record
                for change in changes:
                    shaped = change(name, shaped)
                rows.append(encode(shaped))
            self._encoded[key] = rows
        return self._encoded[key]

    def _records(self, version: str, collection: str, records: list[Record]) -> Iterator[Record]:
        """Those of the records that belong to a collection, in the shape of a version."""
        name, belongs = PARTS.get(collection, (collection, None))
        for record in records:
            found = in_version(version, self.district, name, record)
            if belongs is None or belongs(found):
                yield found

    def _gone(self, collection: str, faults: Faults) -> set[str]:
        """The sourcedIds that a fault hides."""
        if collection == "orgs":
            return set(faults.missing_schools)
        if collection != "users" or not faults.gone_school:
            return set()
        pupils = [
            user["sourcedId"]
            for user in self.district.users
            if mapped_role(user) == "student" and faults.gone_school in org_ids(user)
        ]
        return set(pupils[: len(pupils) * faults.gone_percent // 100])


def _shaped(name: str, record: Record, faults: Faults) -> Record:
    for change in shape_of(faults):
        record = change(name, record)
    return record


def _shifted(rows: list[bytes], how: str, times: int) -> list[bytes]:
    """The rows after so many of them came in at the head, went from it, or went from it to the end."""
    if how == "remove":
        return rows[times:]
    if how == "rotate":
        times %= max(len(rows), 1)
        return rows[times:] + rows[:times]
    return [*(_newcomer(rows[-1], number) for number in range(times, 0, -1)), *rows]


def _newcomer(row: bytes, number: int) -> bytes:
    """A row like another under its own id, and a user's own name and address."""
    record = msgspec.json.decode(row)
    for key in ("sourcedId", "username", "identifier"):
        if record.get(key):
            record[key] = f"{record[key]}-inserted-{number}"
    if record.get("email"):
        record["email"] = f"inserted-{number}.{record['email']}"
    return msgspec.json.encode(record)
