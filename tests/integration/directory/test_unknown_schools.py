"""A record that does not say at which school somebody is: nobody is archived or moved for what is not known."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.directory.tasks import OAK, Tasks, every_list, oak
from tests.integration.directory.test_lists import members
from tests.integration.directory.world import Directory, Sis, everything_on, school, user

LISTS: dict[str, Any] = {"role": True, "grade": True}
PEOPLE = "select sourced_id, status, school_ids from directory.people order by 1"


def two_schools() -> Sis:
    return Sis(
        users=[user("a"), user("b", schools=["S1", "S2"]), user("c", schools=["S2"]), user("t", "teacher")],
        orgs=[school("S1"), school("S2"), school("D") | {"type": "district"}],
    )


@pytest.mark.parametrize("rostered", [(), ("S1", "S2")])
@pytest.mark.parametrize("orgs", [[], ["gone"]], ids=["no org", "an org that is not listed"])
def test_who_is_here_keeps_their_schools_and_lists(directory: Directory, rostered: tuple[str, ...], orgs: list[str]) -> None:
    directory.settings = everything_on(auto_lists=LISTS)
    directory.rostered = rostered
    sis = two_schools()
    directory.night(sis)
    before = directory.state()
    for row in sis.users:
        row["org_ids"] = orgs
    counts = directory.night(sis)
    assert directory.state() == before
    assert counts["people"]["student"]["archived"] == 0 and counts["people"]["student"]["unchanged"] == 3
    assert all(own["deactivated"] == 0 for own in counts["lists"].values())
    # Other fields go on following the SIS, and so do the schools once they are named again.
    sis.users[0] |= {"family_name": "New"}
    sis.users[1] |= {"org_ids": ["S2"]}
    directory.night(sis)
    followed = "select sourced_id, family_name, school_ids from directory.people where sourced_id in ('a', 'b') order by 1"
    assert directory.rows(followed) == [
        ("a", "New", ["S1"]),
        ("b", "Familyb", ["S2"]),
    ]


def test_somebody_new_without_a_known_school_is_made_only_where_all_schools_are_rostered(directory: Directory) -> None:
    sis = two_schools()
    directory.night(sis)
    sis.users += [user("n", schools=[]), user("x", schools=["gone"]), user("d", schools=["D"])]
    directory.rostered = ("S1", "S2")
    counts = directory.night(sis)
    assert [row for row in directory.rows(PEOPLE) if row[0] in "nxd"] == [("d", "active", [])]
    assert counts["people"]["student"]["skipped"] == 2
    said = "select after ->> 'sourced_id', action, status, reason from directory.sync_changes where run_id = 'run-1'"
    assert directory.rows(said + " and status = 'suppressed' order by 1") == [
        ("n", "create", "suppressed", "school_unknown"),
        ("x", "create", "suppressed", "school_unknown"),
    ]
    directory.rostered = ()
    directory.night(sis)
    assert [row for row in directory.rows(PEOPLE) if row[0] in "nxd"] == [
        ("d", "active", []), ("n", "active", []), ("x", "active", []),
    ]  # fmt: skip


def test_somebody_archived_comes_back_only_once_their_school_is_known(directory: Directory) -> None:
    directory.rostered = ("S1", "S2")
    sis = two_schools()
    directory.night(sis)
    a = sis.users.pop(0)
    directory.night(sis)
    sis.users.append(a | {"org_ids": []})
    counts = directory.night(sis)
    assert ("a", "archived", ["S1"]) in directory.rows(PEOPLE) and counts["people"]["student"]["skipped"] == 1
    sis.users[-1] = a
    directory.night(sis)
    assert ("a", "active", ["S1"]) in directory.rows(PEOPLE)


def test_who_really_left_the_rostered_schools_is_still_archived(directory: Directory) -> None:
    directory.rostered = ("S1",)
    sis = two_schools()
    directory.night(sis)
    sis.users[0]["org_ids"] = ["S2"]
    directory.night(sis)
    assert ("a", "archived", ["S1"]) in directory.rows(PEOPLE)


def test_no_school_is_made_of_an_org_that_the_sis_does_not_list(directory: Directory) -> None:
    directory.settings = everything_on(auto_lists=LISTS)
    sis = two_schools()
    sis.users += [user("x", schools=["gone"]), user("y", schools=["gone", "S2"])]
    directory.night(sis)
    assert directory.rows("select distinct school_id from directory.user_lists order by 1") == [("S1",), ("S2",)]
    assert [row for row in directory.rows(PEOPLE) if row[0] in "xy"] == [("x", "active", []), ("y", "active", ["S2"])]
    # Listed at last, it is a school like any other, and they are there.
    sis.orgs.append(school("gone"))
    directory.night(sis)
    assert [row for row in directory.rows(PEOPLE) if row[0] in "xy"] == [
        ("x", "active", ["gone"]),
        ("y", "active", ["gone", "S2"]),
    ]
    assert ("x", "member") in members(directory, "09")


def test_a_school_that_is_not_listed_for_a_night_keeps_everybody_and_its_lists(directory: Directory) -> None:
    directory.settings = everything_on(auto_lists=LISTS)
    sis = two_schools()
    directory.night(sis)
    before = directory.state()
    sis.orgs = [one for one in sis.orgs if one["sourced_id"] != "S2"]
    sis.users.append(user("new", schools=["S2"]))
    directory.night(sis, unproven="1 school(s) are gone from the SIS's orgs: S2.")
    now = directory.state()
    assert now[0][: len(before[0])] == before[0] and now[1:] == before[1:]
    assert ("new", "active", ["S2"]) in directory.rows(PEOPLE)


def test_the_records_of_one_human_agree_on_schools_only_as_far_as_they_say(directory: Directory) -> None:
    sis = two_schools()
    twin = sis.users[0] | {"sourced_id": "a2", "org_ids": ["S2"]}
    sis.users.append(twin)
    directory.night(sis)
    assert ("a", "active", ["S1", "S2"]) in directory.rows(PEOPLE)
    twin["org_ids"] = []
    directory.night(sis)
    assert ("a", "active", ["S1", "S2"]) in directory.rows(PEOPLE)


@pytest.mark.parametrize("wrong", ["S2x", "D1"])
def test_a_school_that_is_mistyped_in_the_districts_file_takes_nobody_away(tasks: Tasks, wrong: str) -> None:
    """Neither a sourcedId that nothing has nor that of the district org is a school: whose people are meant is not known."""
    tasks.directory.settings = every_list("T1")
    tasks.district = OAK.model_copy(update={"schools": ("S1", "S2")})
    tasks.night(oak())
    before = tasks.directory.state()
    lists = "select list_id, kind, school_id, source_id, status, term_ids, grades from directory.user_lists order by 1"
    there = tasks.directory.rows(lists)
    tasks.district = OAK.model_copy(update={"schools": ("S1", wrong)})
    for conf in ({}, {"accept_smaller": True}):
        told = tasks.night(oak(), conf=conf)
        assert (tasks.directory.rows(lists), tasks.directory.state()[2]) == (there, before[2]), "no list ends, nobody leaves one"
        assert tasks.directory.rows("select count(*) from directory.people where status = 'archived'") == [(0,)]
        assert told.state == "completed_with_errors"
        assert f"The district file names 1 school that the SIS does not have: {wrong}." in told.reason
    (fix,) = [issue[5] for issue in told.issues if issue[3] == "snapshot.unproven"]
    assert "Correct `schools` in the district file" in fix
    # Corrected, all is as it was; left out on purpose, its people leave.
    tasks.district = OAK.model_copy(update={"schools": ("S1", "S2")})
    assert tasks.night(oak()).state == "success" and tasks.directory.state() == before
    tasks.district = OAK.model_copy(update={"schools": ("S1",)})
    assert tasks.night(oak()).counts["people"]["student"]["archived"] == 3


def test_a_school_that_no_org_is_and_users_name_is_one_all_the_same(tasks: Tasks) -> None:
    tasks.directory.settings = every_list("T1")
    tasks.district = OAK.model_copy(update={"schools": ("S1", "S2")})
    sis = oak()
    sis.orgs = [one for one in sis.orgs if one["sourced_id"] != "S2"]
    assert "district file" not in tasks.night(sis).reason


def test_an_administrator_only_of_an_org_that_is_not_listed_is_no_admin_of_all_schools(directory: Directory) -> None:
    """An admin sees every list of the district: that takes an org of which somebody knows that it is one of the district."""
    directory.settings = everything_on(auto_lists=LISTS)
    sis = two_schools()
    sis.users += [user("was", "administrator"), user("gone", "administrator")]
    directory.night(sis)
    sis.users.remove(gone := sis.users[-1])
    directory.night(sis)
    elsewhere = {"org_ids": ["elsewhere"]}
    sis.users += [
        gone | elsewhere,
        user("new", "administrator") | elsewhere,
        user("wide", "districtAdministrator") | elsewhere,
        user("above", "administrator", ["D"]),
        user("none", "administrator", []),
    ]
    sis.users[3] |= elsewhere | {"roles": ["administrator"]}
    sis.users[4] |= elsewhere
    counts = directory.night(sis)["people"]
    people = (
        "select sourced_id, role, status, school_ids from directory.people where role = 'admin' or sourced_id = 't' order by 1"
    )
    assert directory.rows(people) == [
        ("above", "admin", "active", []),
        ("gone", "admin", "archived", ["S1"]),
        ("none", "admin", "active", []),
        ("t", "teacher", "active", ["S1"]),
        ("was", "admin", "active", ["S1"]),
        ("wide", "admin", "active", []),
    ]
    assert counts["admin"]["skipped"] == 2
    sis.orgs.append(school("elsewhere"))
    directory.night(sis)
    here = "select sourced_id, role, status, school_ids from directory.people where school_ids = '{elsewhere}' order by 1"
    assert directory.rows(here) == [(one, "admin", "active", ["elsewhere"]) for one in ("gone", "new", "t", "was", "wide")]
