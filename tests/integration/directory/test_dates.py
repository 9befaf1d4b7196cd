"""Roles and enrollments that have a period: who counts on a night, who is gone, who is still to come, and what contradicts itself."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.integration.directory.test_lists import members
from tests.integration.directory.world import Directory, Sis, enrollment, everything_on, klass, school, term, user

LISTS: dict[str, Any] = {
    "class_lists": {"enabled": True, "terms": ["T1", "T2"]},
    "auto_lists": {"role": True, "grade": True, "subject": True, "teacher": True},
}
PEOPLE = "select sourced_id, role, status, school_ids from directory.people order by 1"
OUTCOMES = (
    "select coalesce(p.sourced_id, c.after ->> 'sourced_id'), c.action, c.status, c.reason from directory.sync_changes c"
    " left join directory.people p using (person_id) where c.run_id = 'tonight' and c.entity = 'person' order by 1"
)


def a_class() -> Sis:
    return Sis(
        users=[user("a"), user("b"), user("t", "teacher")],
        orgs=[school("S1"), school("S2")],
        terms=[term("T1"), term("T2", start_date="2027-01-05", end_date="2027-06-15")],
        classes=[klass("C"), klass("D", terms=["T2"])],
        enrollments=[enrollment("C", "a"), enrollment("C", "b"), enrollment("C", "t", "teacher")],
    )


def two_roles(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Two roles of one user, each with role, org and dates."""
    roles = [first, second]
    return {
        "roles": [one["role"] for one in roles],
        "role_types": [one.get("type", "secondary") for one in roles],
        "role_org_ids": [one["org"] for one in roles],
        "role_begin_dates": [one.get("begin") for one in roles],
        "role_end_dates": [one.get("end") for one in roles],
        "org_ids": [one["org"] for one in roles],
    }


@pytest.mark.parametrize(
    ("dates", "outcome"),
    [
        ({"role_end_dates": ["2026-11-23"]}, ("archive", "applied", "role_ended")),
        ({"role_end_dates": ["2026-11-24"]}, None),
        ({"role_end_dates": ["2026-11-23T23:59:59Z"]}, ("archive", "applied", "role_ended")),
        ({"role_end_dates": ["11/01/2026"]}, None),
        ({"role_begin_dates": ["2026-11-25"]}, ("skip", "suppressed", "role_not_begun")),
        ({"role_begin_dates": ["2026-11-24"]}, None),
        ({"role_begin_dates": ["2026-11-20"], "role_end_dates": ["2026-11-01"]}, None),
    ],
)
def test_a_role_counts_from_its_begin_through_its_end(
    directory: Directory, dates: dict[str, Any], outcome: tuple[str, str, str] | None
) -> None:
    directory.settings = everything_on(**LISTS)
    sis = a_class()
    directory.night(sis)
    before = directory.state()
    sis.users[0] |= dates
    directory.night(sis, run_id="tonight")
    assert directory.rows(OUTCOMES) == ([("a", *outcome)] if outcome else [])
    gone = outcome is not None and outcome[0] == "archive"
    assert (("a", "member") in members(directory)) == (not gone)
    if not gone:
        assert directory.state() == before


def test_whose_role_has_ended_leaves_at_once_whatever_absence_must_last(directory: Directory) -> None:
    directory.settings = everything_on(safety={"archive_percent": 100, "archive_minimum": 0, "absent_nights": 3})
    sis = a_class()
    directory.night(sis)
    sis.users[0]["role_end_dates"] = ["2026-11-23"]
    del sis.users[1]
    directory.night(sis, run_id="tonight")
    assert directory.rows(OUTCOMES) == [
        ("a", "archive", "applied", "role_ended"), ("b", "archive", "suppressed", "absent_nights"),
    ]  # fmt: skip


def test_nobody_new_is_made_for_a_role_that_has_ended_or_is_still_to_begin(directory: Directory) -> None:
    sis = a_class()
    sis.users += [user("over", role_end_dates=["2026-06-30"]), user("later", role_begin_dates=["2027-01-05"])]
    counts = directory.night(sis, run_id="tonight")
    assert [row[0] for row in directory.rows(PEOPLE)] == ["a", "b", "t"]
    assert ("later", "create", "suppressed", "role_not_begun") in directory.rows(OUTCOMES)
    assert counts["people"]["student"]["skipped"] == 1
    directory.night(sis, night=dt.date(2027, 1, 5))
    assert [row[0] for row in directory.rows(PEOPLE)] == ["a", "b", "later", "t"]


def test_somebody_archived_comes_back_on_the_day_their_role_begins(directory: Directory) -> None:
    sis = a_class()
    directory.night(sis)
    a = sis.users.pop(0)
    directory.night(sis)
    sis.users.append(a | {"role_begin_dates": ["2026-12-01"]})
    directory.night(sis)
    assert directory.value("select status from directory.people where sourced_id = 'a'") == "archived"
    directory.night(sis, night=dt.date(2026, 12, 1))
    assert directory.value("select status from directory.people where sourced_id = 'a'") == "active"


def test_of_several_roles_those_that_count_tonight_decide_role_and_school(directory: Directory) -> None:
    sis = a_class()
    was = {"role": "principal", "type": "primary", "org": "S1", "end": "2026-10-31"}
    now = {"role": "teacher", "org": "S2", "begin": "2026-11-01"}
    to_be = {"role": "administrator", "type": "primary", "org": "S1", "begin": "2027-01-01"}
    sis.users += [user("moved") | two_roles(was, now), user("will") | two_roles(to_be, now)]
    directory.night(sis)
    moved = [row for row in directory.rows(PEOPLE) if row[0] in ("moved", "will")]
    assert moved == [("moved", "teacher", "active", ["S2"]), ("will", "teacher", "active", ["S2"])]
    directory.night(sis, night=dt.date(2027, 1, 1))
    assert ("will", "admin", "active", ["S1", "S2"]) in directory.rows(PEOPLE)


def test_between_two_roles_nobody_is_archived_and_a_parent_is_no_role(directory: Directory) -> None:
    sis = a_class()
    over, later = {"role": "teacher", "org": "S1", "end": "2026-11-01"}, {"role": "teacher", "org": "S2", "begin": "2026-12-01"}
    sis.users += [user("between", "teacher"), user("parent too", "teacher"), user("wizard too", "teacher")]
    directory.night(sis)
    sis.users[3] |= two_roles(over, later)
    sis.users[4] |= two_roles(over, {"role": "parent", "org": "S1"})
    sis.users[5] |= two_roles(over, {"role": "wizard", "org": "S1"})
    directory.night(sis, run_id="tonight")
    assert directory.rows(OUTCOMES) == [
        ("between", "skip", "suppressed", "role_not_begun"),
        ("parent too", "archive", "applied", "role_ended"),
        ("wizard too", "skip", "suppressed", "role_unknown"),
    ]


def test_one_human_with_a_role_that_ended_in_one_record_and_counts_in_another_is_here(directory: Directory) -> None:
    sis = a_class()
    sis.users.append(sis.users[0] | {"sourced_id": "a2", "org_ids": ["S2"]})
    directory.night(sis)
    sis.users[0]["role_end_dates"] = ["2026-11-01"]
    directory.night(sis)
    assert ("a2", "student", "active", ["S2"]) in directory.rows(PEOPLE)


def test_a_parent_whose_role_has_ended_is_nobodys_contact(directory: Directory) -> None:
    directory.settings = everything_on(include_primary_parent_contact=True)
    parent = user("p", "guardian", given_name="Pat", family_name="Parent", phone="555")
    sis = Sis(users=[user("a", agent_ids=["p"]), parent])
    directory.night(sis)
    assert directory.value("select parent_name from directory.people") == "Pat Parent"
    parent["role_end_dates"] = ["2026-11-01"]
    directory.night(sis)
    assert directory.value("select parent_name from directory.people") is None


def test_who_begins_later_than_their_class_is_not_on_it_yet(directory: Directory) -> None:
    directory.settings = everything_on(**LISTS)
    sis = a_class()
    sis.enrollments[1]["begin_date"] = "2026-12-01"
    # A class of a term that is still to come shows everybody, so that a district can choose it ahead.
    sis.enrollments += [enrollment("D", "a", begin_date="2027-01-05"), enrollment("D", "t", "teacher", begin_date="2027-01-05")]
    directory.night(sis)
    assert members(directory) == {("a", "member"), ("t", "manager")}
    assert members(directory, "D") == {("a", "member"), ("t", "manager")}
    directory.night(sis, night=dt.date(2026, 12, 1))
    assert members(directory) == {("a", "member"), ("b", "member"), ("t", "manager")}


@pytest.mark.parametrize("date", ["12/01/2026", "soon", "2026-13-01"])
def test_a_begin_that_is_no_date_keeps_nobody_away(directory: Directory, date: str) -> None:
    directory.settings = everything_on(**LISTS)
    sis = a_class()
    sis.enrollments[1]["begin_date"] = date
    directory.night(sis)
    assert ("b", "member") in members(directory)


@pytest.mark.parametrize("date", ["10/30/2026", "1.2.2026", "0"])
def test_an_end_that_is_no_date_takes_nobody_off(directory: Directory, date: str) -> None:
    directory.settings = everything_on(**LISTS)
    sis = a_class()
    directory.night(sis)
    sis.enrollments[1]["end_date"] = date
    directory.night(sis)
    assert ("b", "member") in members(directory)


def test_a_deleted_enrollment_says_nothing_of_when_its_class_ends(directory: Directory) -> None:
    directory.settings = everything_on(**LISTS)
    sis = a_class()
    for seat in sis.enrollments:
        seat["end_date"] = "2026-11-20"
    sis.enrollments.append(enrollment("C", "gone", status="tobedeleted"))
    directory.night(sis)
    assert members(directory) == {("a", "member"), ("b", "member"), ("t", "manager")}


def test_a_teacher_may_be_taught_and_a_student_manages_nothing(directory: Directory) -> None:
    directory.settings = everything_on(**LISTS)
    sis = a_class()
    sis.users.append(user("u", "teacher"))
    sis.enrollments[1]["role"] = " Teacher "
    sis.enrollments.append(enrollment("C", "u"))
    directory.night(sis)
    assert members(directory) == {("a", "member"), ("u", "member"), ("t", "manager")}
    assert directory.value("select count(*) from directory.user_lists where source_id = 'b'") == 0
    # Who managed as a teacher and is a student now manages no more.
    sis.users[2] |= {"roles": ["student"]}
    directory.night(sis)
    assert members(directory) == {("a", "member"), ("u", "member")}


@pytest.mark.parametrize("status", ["inactive", "tobedeleted"])
def test_a_session_that_is_over_ends_no_list_whose_class_is_active(directory: Directory, status: str) -> None:
    directory.settings = everything_on(**LISTS)
    sis = a_class()
    directory.night(sis)
    before = directory.state()
    sis.terms[0]["status"] = status
    directory.night(sis)
    assert directory.state() == before
    sis.enrollments.pop(1)
    sis.classes[1]["status"] = "tobedeleted"
    directory.night(sis)
    assert members(directory) == {("a", "member"), ("t", "manager")}
    assert directory.rows("select source_id, status from directory.user_lists where kind = 'class' order by 1") == [
        ("C", "active"), ("D", "inactive"),
    ]  # fmt: skip
