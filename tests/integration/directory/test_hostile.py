"""Hostile values in one record, at each field of each collection, on their whole way into PostgreSQL: everybody else is there.

A night throws values at every field at once, each at a victim of its own, over REST page by page, record by record, or as a
bundle. A victim lands, or is set aside and named. Nothing else may happen, and nobody clean may miss anything.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.mingasync.oneroster import read as reading
from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.csv_columns import FIELDS as HEADERS
from include.mingasync.oneroster.decode import Pages
from include.mingasync.oneroster.fields import FIELDS
from include.mingasync.oneroster.records import READING_ORDER
from include.mingasync.snapshot import Snapshot
from tests.integration.directory.test_dirt import a_night
from tests.integration.directory.world import Directory
from tests.unit.oneroster.bundles import district
from tests.unit.quality.dirt import clean

Records = dict[str, list[dict[str, Any]]]
_numbers = itertools.count(1)
_OF_USERS = {"role": "roles", "orgs": "org_ids", "primaryOrg": "org_ids", "agents": "agent_ids", "phone": "phone"}
KEYS = {name: ["sourcedId", "status", *(key for key, _ in own.values())] for name, own in FIELDS.items()}
KEYS["users"] += _OF_USERS

#: Values that did harm once, and what is near to them.
KNOWN: list[Any] = [
    "\x00", "a\x00b", "\ud800", "x\udfffy", "\x1f", "\x7f", "\x85", "\u2028", "\u202eevil", "\u200f", "\ufeff", "\uffff",
    "x" * 20_000, "".join(map(chr, range(0x4E00, 0x4E00 + 7_000))), "é" * 700, ["²"], ["①"], ["٩"], "\U0001f600" * 400, "²", "①", "٩", "09", "1e5", "-0", "NaN", "null", "NULL", "''; drop table people; --",
    "{a,b}", '{"a"', "\\", "\\N", "a,b", "=cmd|x", "12/18/2026", "2026-13-40", "20261124", "46250", "9999-12-31", "0000-00-00",
    "a\r\nb", '"', " ", "\t", "%s", "{0}", "tobedeleted", "TRUE", "\x1e", "\x1fa\x1f",
    0, 1, -1, 1e5, 1.5, 1e300, 10**30, 10**60, True, False, [], {}, [[]], [None], [1, "1"], ["x"] * 6_000, {"sourcedId": None},
    {"sourcedId": "\x00"}, {"sourcedId": {"sourcedId": "a"}}, [{"sourcedId": "a\u202e"}], {"a": [{"b": []}]}, ["\x00", "09"],
]  # fmt: skip
_values = st.one_of(
    st.sampled_from(KNOWN),
    st.text(st.characters(), min_size=1, max_size=12),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters()),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["sourcedId", "role", "x"]), inner, max_size=3)
        ),
        max_leaves=8,
    ),
)


def thrown(*values: Any) -> Records:
    """Every collection's records, with a victim per field and value, on which nothing clean leans."""
    made = {name: [as_json(name, row) for row in own] for name, own in clean().items()}
    for name, own in made.items():
        # Grades become lists for students only.
        pattern = next((one for one in own if one.get("role") == "student"), own[-1])
        for number, key in itertools.product(range(len(values)), KEYS[name]):
            one = victim(name, key, number)
            own_keys = {"identifier": one, "email": f"{one}@example.org", "username": one} if name == "users" else {}
            own.append(pattern | own_keys | {"sourcedId": one} | {key: values[number]})
    return made


def victim(name: str, key: str, number: int = 0) -> str:
    """The sourcedId of the record of a collection at whose field the value of that number is thrown."""
    return f"v-{name}-{key}-{number}"


def as_json(name: str, row: dict[str, Any]) -> dict[str, Any]:
    """A row of a snapshot as a server of OneRoster 1.1 sends it."""
    plain = {
        "link": lambda value: value and {"sourcedId": value},
        "links": lambda value: [{"sourcedId": one} for one in value or []],
    }
    record = {"sourcedId": row["sourced_id"], "status": row["status"]}
    record |= {key: plain.get(kind, lambda value: value)(row.get(column)) for column, (key, kind) in FIELDS[name].items()}
    if name == "users":
        record |= {"role": row["roles"][0], "orgs": [{"sourcedId": one} for one in row["org_ids"]]}
    return record


class Service:
    """An SIS whose collections are a page each."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def pages(self, collection: str, tally: Any, *, parents: bool = False, **_: Any) -> Iterator[pa.Table]:
        """The page."""
        tally.pages, tally.ended = 1, True
        yield Pages(collection, parents=parents).table(json.dumps({collection: self._records[collection]}).encode())


def as_csv(name: str, records: list[dict[str, Any]]) -> bytes:
    """The records as a file of a bundle of 1.1."""
    keys = {**{key: key for key in HEADERS[name]}, "sourcedId": "sourcedId", "status": "status"}
    of = {"orgSourcedId": "org", "parentSourcedId": "parent", "courseSourcedId": "course", "schoolSourcedId": "school",
          "termSourcedIds": "terms", "orgSourcedIds": "orgs", "classSourcedId": "class", "userSourcedId": "user",
          "agentSourcedIds": "agents", "primaryOrgSourcedId": "primaryOrg", "preferredGivenName": "preferredFirstName"}  # fmt: skip
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(keys)
    writer.writerows([[_cell(record.get(of.get(key, key))) for key in keys] for record in records])
    return written.getvalue().encode("utf-8", "surrogatepass")


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_cell, value))
    if isinstance(value, dict):
        return _cell(value.get("sourcedId"))
    return {None: "", True: "true", False: "false"}.get(value, value if isinstance(value, str) else json.dumps(value))


def taken(folder: Path, way: str, records: Records, monkeypatch: pytest.MonkeyPatch) -> Snapshot:
    """What a night reads of these records."""
    snapshot, access, of = Snapshot(folder.as_uri()), Access(root_url="https://sis.example"), district(source="rest", url=None)
    if way == "bundle":
        bundle = folder.with_suffix(".bundle")
        bundle.mkdir()
        for name, own in records.items():
            (bundle / f"{name}.csv").write_bytes(as_csv(name, own))
        access, of = Access.to_bundle(str(bundle)), district(str(bundle))
    if way == "record by record":
        for own in records.values():
            own[0]["unread"], own[1]["status"] = 1, ["active"]
    monkeypatch.setattr(reading.RestSource, "of", lambda *_: Service(records))
    for name in READING_ORDER:
        reading.read_collection(name, of, access, snapshot, parents=False)
    return snapshot


@pytest.mark.parametrize("way", ["columns", "record by record", "bundle"])
def test_a_hostile_value_takes_nobody_with_it(
    way: str, directory: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lands = "select l.source_id, p.sourced_id, m.member_role from directory.list_members m join directory.user_lists l using (list_id)"
    lands += " join directory.people p using (person_id) where l.kind = 'class' and l.status = 'active' and p.status = 'active'"
    assert a_night(directory, taken(tmp_path / "clean", "columns", thrown(), monkeypatch)) == []
    all_people = "select sourced_id, given_name, email, school_ids::text, grades::text from directory.people"
    people = set(directory.rows(all_people))
    members = set(directory.rows(lands))
    assert len(people) == 8 and len(members) == 37

    def night(values: list[Any]) -> None:
        folder, records = tmp_path / f"night-{next(_numbers)}", thrown(*values)
        snapshot = taken(folder, way, records, monkeypatch)
        assert a_night(directory, snapshot) == []
        assert people <= set(directory.rows(all_people + " where status = 'active'"))
        assert members <= set(directory.rows(lands))
        for name in READING_ORDER:
            # Whoever has a sourcedId is known, whatever else they say.
            read = set(snapshot.table(name).column("sourced_id").to_pylist())
            keys = [key for key in KEYS[name] if key != "sourcedId"]
            assert read >= {victim(name, key, number) for key, number in itertools.product(keys, range(len(values)))}
            assert snapshot.table(name).num_rows + snapshot.proofs()[name].nameless == len(records[name])
        assert set(snapshot.read_frame("set_aside")["sourced_id"].dropna()).isdisjoint(one for one, *_ in people)
        shutil.rmtree(folder)

    night(KNOWN)

    @settings(max_examples=8, deadline=None, derandomize=True)
    @given(st.lists(_values, min_size=6, max_size=6))
    def nights(values: list[Any]) -> None:
        night(values)

    nights()


def test_issues_name_whom_they_are_about(directory: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = taken(tmp_path / "one", "columns", thrown("a\x00"), monkeypatch)
    told = snapshot.unreadable()
    for name, keys in KEYS.items():
        own = told[told["resource"] == name]
        by_field = dict(zip(own["sourced_id"], own["reason"], strict=True))
        for key in keys:
            reason = by_field.get("" if key == "sourcedId" else victim(name, key), "")
            expected = {
                "enabledUser",
                "primary",
                "agents",
                "phone",
            }  # a yes/no that is none is unknown; parents' data are not read
            assert key in expected or key in reason or key in ("status", "primaryOrg"), (name, key, reason)
    assert a_night(directory, snapshot) == []
