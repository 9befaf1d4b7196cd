"""Faults as JSON sets them, and what those of records do to records."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from include.rehearsal.district import build
from include.rehearsal.faults import Faults, read_faults
from include.rehearsal.queries import Query
from include.rehearsal.records import Record
from include.rehearsal.rows import Rows
from include.rehearsal.shapes import shape_key, shape_of

USER: Record = {
    "sourcedId": "u1",
    "enabledUser": "true",
    "email": "",
    "roles": [{"roleType": "primary", "role": "aide", "org": {"href": "/orgs/s1", "sourcedId": "s1", "type": "org"}}],
    "agents": [{"href": "/users/u2", "sourcedId": "u2", "type": "user"}],
    "grades": ["05"],
    "userIds": [{"type": "SIS", "identifier": "1"}],
}
SEAT: Record = {
    "sourcedId": "e1",
    "user": {"href": "/users/u1", "sourcedId": "u1", "type": "user"},
    "role": "student",
    "primary": "false",
}


def shaped(collection: str, record: Record, **faults: Any) -> Record:
    for change in shape_of(Faults(**faults)):
        record = change(collection, record)
    return record


def test_a_server_that_behaves_changes_nothing() -> None:
    assert shape_of(Faults()) == ()


def test_grades_come_as_text_and_in_words() -> None:
    assert shaped("users", USER, grades_as_text=True)["grades"] == "05"
    assert shaped("users", USER, grade_words=True)["grades"] == ["Fifth grade"]
    assert shaped("users", USER, grade_words=True, grades_as_text=True)["grades"] == "Fifth grade"
    assert "grades" not in shaped("enrollments", SEAT, grade_words=True, grades_as_text=True)


def test_roles_come_in_mixed_case_and_unknown() -> None:
    assert shaped("users", USER, mixed_case_roles=True)["roles"][0]["role"] == "Aide"
    assert shaped("users", USER, unknown_role="wizard")["roles"][0]["role"] == "wizard"
    assert shaped("enrollments", SEAT, mixed_case_roles=True)["role"] == "Student"
    assert shaped("users", {"role": "teacher"}, mixed_case_roles=True)["role"] == "TEACHER"
    assert USER["roles"][0]["role"] == "aide", "the district's own record was changed"


def test_roles_come_with_dates_in_1p2() -> None:
    role = shaped("users", USER, role_begins="2026-08-17", role_ends="2026-12-18")["roles"][0]
    assert (role["role"], role["beginDate"], role["endDate"]) == ("aide", "2026-08-17", "2026-12-18")
    assert shaped("users", {"role": "teacher"}, role_ends="2026-12-18") == {"role": "teacher"}
    assert "endDate" not in USER["roles"][0], "the district's own record was changed"


def test_nulls_booleans_and_plain_ids() -> None:
    nulls = shaped("users", USER, nulls=True)
    assert (nulls["email"], nulls["sms"], nulls["metadata"]) == (None, None, None)
    assert nulls["grades"] == ["05"]
    assert shaped("enrollments", SEAT, nulls=True)["primary"] is None
    assert shaped("users", USER, json_booleans=True)["enabledUser"] is True
    assert shaped("enrollments", SEAT, json_booleans=True)["primary"] is False
    plain = shaped("users", USER, plain_ids=True)
    assert (plain["agents"], plain["roles"][0]["org"]) == (["u2"], "s1")
    assert plain["userIds"] == USER["userIds"]
    assert shaped("enrollments", SEAT, plain_ids=True)["user"] == "u1"


def test_new_ids_are_new_everywhere() -> None:
    assert shaped("users", USER, new_ids=True)["sourcedId"] == "new-u1"
    assert shaped("users", USER, new_ids=True)["agents"][0]["sourcedId"] == "new-u2"
    assert shaped("enrollments", SEAT, new_ids=True)["user"]["sourcedId"] == "new-u1"


@pytest.mark.parametrize("name", Faults.__struct_fields__)
def test_rows_are_encoded_anew_for_every_fault_of_records(name: str) -> None:
    value = getattr(Faults(), name)
    allowed = {"empty_status": 204, "shift": "insert", "credentials": "body", "not_shared_status": 404}
    allowed |= {"reset_where": "body"}
    other = {bool: True, str: "x", int: 7, float: 7.0, list: ["x"], dict: {"x": 1}}[type(value)]
    faults = msgspec.convert({name: allowed.get(name, other)}, Faults)
    assert (shape_of(faults) != ()) == (shape_key(faults) != shape_key(Faults()))


def test_faults_are_read_whole_or_in_part() -> None:
    before = read_faults(b'{"clamp": 5, "shrink": {"users": 40}}')
    assert (before.clamp, before.shrink) == (5, {"users": 40})
    assert read_faults(b'{"delay_ms": 1}').clamp == 0
    assert read_faults(b'{"delay_ms": 1}', before).clamp == 5
    assert read_faults(b"") == Faults()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"klamp": 5}', "klamp"),
        (b'{"clamp": "five"}', "clamp"),
        (b'{"empty_status": 500}', "empty_status"),
        (b"[]", "object"),
        (b"{", "truncated"),
    ],
)
def test_faults_that_are_none_are_refused_by_name(body: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_faults(body)


def test_only_some_collections_and_how_much_is_left() -> None:
    assert Faults().befalls("users")
    assert not Faults(only=["classes"]).befalls("users")
    assert not Faults(not_shared="users").shares("users")
    assert not Faults(not_shared=["users", "orgs"]).shares("orgs")
    assert Faults(not_shared="users").shares("user")
    assert Faults(shrink={"users": 40}).left("users") == 40
    assert Faults(shrink_percent=60).left("classes") == 40
    assert Faults(empty=["users"]).left("users") == 0
    assert Faults().left("users") == 100


def test_records_that_a_fault_hides_or_moves() -> None:
    rows = Rows(build(60, 3))
    whole = rows.of("1.2", "users", Faults(), Query())
    assert rows.of("1.2", "users", Faults(shift="rotate"), Query(), 2) == whole[2:] + whole[:2]
    assert rows.of("1.2", "users", Faults(shift="remove"), Query(), 1) == whole[1:]
    inserted = rows.of("1.2", "users", Faults(shift="insert"), Query(), 2)
    assert inserted[2:] == whole
    assert b"-inserted-2" in inserted[0] and b"-inserted-1" in inserted[1]
    assert rows.of("1.2", "users", Faults(only=["orgs"], shift="remove"), Query(), 1) == whole
    assert len(rows.of("1.2", "users", Faults(repeat_every=10), Query())) == len(whole) + len(whole) // 10
    gone = rows.of("1.2", "students", Faults(gone_school="school-1", gone_percent=50), Query())
    assert len(gone) == 50
    assert len(rows.of("1.1", "schools", Faults(missing_schools=["school-2"]), Query())) == 2
