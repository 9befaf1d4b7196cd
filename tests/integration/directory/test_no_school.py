"""Nobody at a school: such a district lands, and one issue says what follows."""

from __future__ import annotations

import copy

import pytest

from tests.integration.directory.tasks import Tasks, every_list, oak
from tests.integration.directory.world import Sis, user


def departments() -> Sis:
    """A district that shares no org of type school."""
    sis = oak()
    for one in sis.orgs[1:]:
        one["type"] = "department"
    return sis


def one_org() -> Sis:
    """A district whose people are all at the district itself, though it has schools."""
    sis = oak()
    for one in sis.users:
        one["org_ids"] = ["D1"]
    return sis


@pytest.mark.parametrize(("sis", "rule"), [(departments(), "orgs.no_schools"), (one_org(), "users.no_school")])
@pytest.mark.parametrize("contacts", [False, True])
def test_a_district_without_schools_lands_and_is_told_what_follows(sis: Sis, rule: str, contacts: bool, tasks: Tasks) -> None:
    tasks.directory.settings = every_list() | {"include_primary_parent_contact": contacts}
    sis = copy.deepcopy(sis)
    sis.users += [user("p1", "guardian", sis.users[0]["org_ids"])] * contacts
    for _ in range(2):
        told = tasks.night(sis)
        assert told.state == "success"
        assert tasks.directory.value("select count(*) from directory.people where school_ids = '{}'") == 16
        made = tasks.directory.rows("select kind, count(*) from directory.user_lists group by 1 order by 1")
        assert made == [("class", 4), ("subject", 3), ("teacher", 4)]
        (issue,) = [one for one in told.issues if one[3] == rule]
        assert "role and grade lists" in issue[4]


def test_a_district_with_nothing_in_any_optional_field_lands(tasks: Tasks) -> None:
    """Columns in which every value is missing keep their types on the whole way."""
    tasks.directory.settings = every_list() | {"include_primary_parent_contact": True}
    sis = oak()
    for one in sis.users:
        keep = {"sourced_id", "status", "given_name", "family_name", "roles", "org_ids"}
        one.update({name: None for name in one if name not in keep})
    for one in sis.classes:
        one.update({name: None for name in one if name not in {"sourced_id", "status", "school_id", "term_ids"}})
    for one in sis.terms:
        one.update({name: None for name in ("title", "school_year")})
    sis.orgs = [{"sourced_id": one["sourced_id"], "status": "active", "type": one["type"], "name": "X"} for one in sis.orgs]
    for _ in range(2):
        assert tasks.night(sis).state in ("success", "completed_with_errors")
    assert tasks.directory.value("select count(*) from directory.people") == 17


def test_a_district_with_no_classes_and_no_students_lands(tasks: Tasks) -> None:
    tasks.directory.settings = every_list()
    sis = oak()
    sis.users = [one for one in sis.users if one["roles"] == ["teacher"]]
    sis.classes, sis.enrollments, sis.courses = [], [], []
    tasks.night(sis, conf={"accept_smaller": True})
    assert tasks.directory.value("select count(*) from directory.people") == 4
