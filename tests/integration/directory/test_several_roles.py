"""People with several roles at several orgs: what a role at one org says of another, and what it does not say."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.directory.tasks import OAK, Tasks, every_list, oak
from tests.integration.directory.world import Directory, Sis, everything_on, school, user

_PEOPLE = "select sourced_id, role, status, school_ids from directory.people order by 1"


def roles(*given: tuple[str, str, str | None]) -> dict[str, Any]:
    """The roles of one user, each as role, type and org; the record names the orgs too."""
    return {
        "roles": [role for role, _, _ in given],
        "role_types": [kind for _, kind, _ in given],
        "role_org_ids": [org for _, _, org in given],
        "org_ids": [org for _, _, org in given if org],
    }


@pytest.mark.parametrize("only", [(), ("S1", "S2"), ("S2",)])
def test_a_school_at_which_somebody_is_only_a_parent_is_not_theirs(directory: Directory, only: tuple[str, ...]) -> None:
    directory.settings, directory.rostered = everything_on(auto_lists={"role": True}), only
    directory.night(Sis(
        orgs=[school("S1"), school("S2")],
        users=[
            user("one", "teacher"), user("two", "teacher", ["S2"]),
            user("t") | roles(("parent", "primary", "S1"), ("teacher", "primary", "S2")),
            user("s") | roles(("student", "primary", "S2"), ("Guardian", "secondary", "S1")),
        ],
    ))  # fmt: skip
    people = {row[0]: row[1:] for row in directory.rows(_PEOPLE)}
    assert (people["t"], people["s"]) == (("teacher", "active", ["S2"]), ("student", "active", ["S2"]))
    at_s1 = """select p.sourced_id from directory.list_members join directory.user_lists as l using (district, list_id)
               join directory.people as p using (district, person_id) where l.school_id = 'S1' order by 1"""
    assert directory.rows(at_s1) == ([] if only == ("S2",) else [("one",)])


def test_who_is_only_a_parent_at_the_rostered_school_has_left_it(tasks: Tasks) -> None:
    tasks.directory.settings = every_list("T1")
    tasks.district = OAK.model_copy(update={"schools": ("S1",)})
    sis = oak()
    sis.users.append(user("moves", "teacher"))
    tasks.night(sis)
    sis.users[-1] |= roles(("parent", "secondary", "S1"), ("teacher", "primary", "S2"))
    sis.users.append(user("never here") | roles(("teacher", "primary", "S2"), ("relative", "primary", "S1")))
    assert tasks.night(sis).state == "success"
    people = {row[0]: row[1:3] for row in tasks.directory.rows(_PEOPLE)}
    assert people["moves"] == ("teacher", "archived") and "never here" not in people


def test_a_parents_role_beside_one_without_an_org_takes_no_school_away(directory: Directory) -> None:
    sis = Sis(orgs=[school("S1"), school("S2")], users=[user("t", "teacher")])
    directory.night(sis)
    sis.users[0] |= roles(("parent", "secondary", "S1"), ("teacher", "primary", None))
    directory.night(sis)
    assert directory.rows(_PEOPLE) == [("t", "teacher", "active", ["S1"])]


@pytest.mark.parametrize(
    ("here", "elsewhere", "role"),
    [("teacher", "administrator", "teacher"), ("student", "teacher", "student"), ("aide", "principal", "staff")],
)
def test_a_role_at_a_school_that_is_not_rostered_is_no_role_here(tasks: Tasks, here: str, elsewhere: str, role: str) -> None:
    """What somebody is at another school gives them no sight of the lists of this one."""
    tasks.directory.settings = every_list("T1")
    tasks.district = OAK.model_copy(update={"schools": ("S1",)})
    sis = oak()
    sis.users.append(user("x") | roles((here, "primary", "S1"), (elsewhere, "primary", "S2")))
    sis.users.append(user("y") | roles((here, "secondary", "S1"), (elsewhere, "primary", "D1")))
    tasks.night(sis)
    people = {row[0]: row[1:] for row in tasks.directory.rows(_PEOPLE)}
    assert people["x"] == (role, "active", ["S1"])
    # The whole district is no other school.
    assert people["y"][0] != role
    tasks.district = OAK
    tasks.night(sis)
    assert ("x", people["y"][0], "active", ["S1", "S2"]) in tasks.directory.rows(_PEOPLE)


@pytest.mark.parametrize("unknown", ["wizard", ""])
def test_a_parent_with_a_role_that_nobody_knows_is_unknown_and_not_absent(tasks: Tasks, unknown: str) -> None:
    tasks.directory.settings = every_list("T1")
    sis = oak()
    sis.users.append(user("x", "teacher"))
    tasks.night(sis)
    sis.users[-1] |= roles(("parent", "secondary", "S1"), (unknown, "primary", "S1"))
    told = tasks.night(sis)
    assert ("x", "teacher", "active", ["S1"]) in tasks.directory.rows(_PEOPLE)
    assert told.state == "completed_with_errors" and ("error", "users", "x", "users.role_unknown") in {
        issue[:4] for issue in told.issues
    }
    sis.users[-1] |= roles(("parent", "secondary", "S1"))
    tasks.night(sis)
    assert ("x", "teacher", "archived", ["S1"]) in tasks.directory.rows(_PEOPLE)


@pytest.mark.parametrize("lists_the_other", [True, False])
def test_who_leads_a_school_that_the_sis_does_not_even_list_is_no_admin_here(directory: Directory, lists_the_other: bool) -> None:
    """The SIS may share the rostered schools alone; where one of these is missing, the unknown org may be that one."""
    directory.rostered = ("S1",)
    orgs = [school("S1"), *([school("S2")] if lists_the_other else [])]
    both = {"role_types": ["primary", "primary"], "role_org_ids": ["S1", "S2"]}
    users = [
        user("new", "teacher", ["S1", "S2"], roles=["teacher", "administrator"], **both),
        user("whole", "teacher", ["S1", "S2"], roles=["teacher", "districtAdministrator"], **both),
    ]
    roles = "select sourced_id, role, school_ids from directory.people order by 1"
    directory.night(Sis(users=users[:1], orgs=orgs))
    assert directory.rows(roles) == [("new", "teacher", ["S1"])]
    if not lists_the_other:
        directory.night(Sis(users=users, orgs=orgs))
        assert [row[:2] for row in directory.rows(roles)] == [("new", "teacher"), ("whole", "admin")]


def test_a_role_at_an_org_that_nobody_knows_gives_no_right_at_the_school_that_somebody_keeps(directory: Directory) -> None:
    directory.settings, directory.rostered = everything_on(auto_lists={"role": True}), ("S1",)
    sis = Sis(orgs=[school("S1"), school("S2")], users=[user("t", "teacher"), user("other", "teacher")])
    directory.night(sis)
    sis.users[0] |= roles(("teacher", "primary", "S2"), ("administrator", "primary", "nowhere"))
    directory.night(sis)
    assert ("t", "teacher", "active", ["S1"]) in directory.rows(_PEOPLE)
    # Once the SIS says where, it counts again.
    sis.users[0] |= roles(("administrator", "primary", "S1"))
    directory.night(sis)
    assert ("t", "admin", "active", ["S1"]) in directory.rows(_PEOPLE)


@pytest.mark.parametrize("only", [(), ("S1", "S2")])
def test_an_org_that_nobody_lists_makes_no_teacher_an_admin(directory: Directory, only: tuple[str, ...]) -> None:
    """Whether all schools are rostered that are shared, or one of those that are is not among the orgs tonight."""
    directory.settings, directory.rostered = everything_on(auto_lists={"teacher": True}), only
    plain = [user("x", "teacher"), user("boss", "administrator"), user("other", "teacher")]
    directory.night(Sis(users=plain, orgs=[school("S1"), school("S2")]))
    both = roles(("teacher", "primary", "S1"), ("administrator", "primary", "elsewhere"))
    users = [user("x") | both, user("boss") | both, user("other", "teacher"), user("new") | both]
    users.append(user("whole") | roles(("teacher", "primary", "S1"), ("districtAdministrator", "primary", "elsewhere")))
    for _ in range(2):
        directory.night(Sis(users=users, orgs=[school("S1")]))
        # What nobody can say takes nothing away either.
        assert [row[:3] for row in directory.rows(_PEOPLE)] == [
            ("boss", "admin", "active"), ("new", "teacher", "active"), ("other", "teacher", "active"),
            ("whole", "admin", "active"), ("x", "teacher", "active"),
        ]  # fmt: skip
    # Who was away comes back with the role that is certain.
    sis = [school("S1"), *([school("S2")] if only else [])]
    directory.night(Sis(users=[one for one in users if one["sourced_id"] != "boss"], orgs=sis))
    directory.night(Sis(users=users, orgs=[school("S1")]))
    assert ("boss", "teacher", "active") in [row[:3] for row in directory.rows(_PEOPLE)]
    # Once the org is listed as a rostered school, its role counts.
    at_s2 = roles(("teacher", "primary", "S1"), ("administrator", "primary", "S2"))
    directory.night(Sis(users=[user("x") | at_s2], orgs=[school("S1"), school("S2")]))
    assert ("x", "admin", "active", ["S1", "S2"]) in directory.rows(_PEOPLE)


def test_an_admin_of_the_district_is_here_whatever_else_they_are_at_a_school_that_is_not_rostered(directory: Directory) -> None:
    """Who is only enrolled at the district as well, as some servers have everybody, is still at the other school."""
    directory.settings, directory.rostered = everything_on(auto_lists={"role": True}), ("S1",)
    orgs = [school("S1"), school("S2"), school("D") | {"type": "district"}]
    stays = [user(f"s{n}") for n in range(3)]
    admin, pupil = user("a", "administrator", ["D"]), user("p", "student", ["S1"])
    directory.night(Sis(orgs=orgs, users=[*stays, admin, pupil]))
    admin |= roles(("administrator", "primary", "D"), ("teacher", "secondary", "S2"))
    pupil |= roles(("student", "primary", "D"), ("student", "secondary", "S2"))
    directory.night(Sis(orgs=orgs, users=[*stays, admin, pupil]))
    people = {row[0]: row[1:] for row in directory.rows(_PEOPLE)}
    assert people["a"] == ("admin", "active", []) and people["p"][1] == "archived"
