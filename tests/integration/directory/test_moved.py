"""Somebody who moves to where their role is not rostered: what the SIS has ended ends here too, and nothing else of them changes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.directory.test_lists import members, person
from tests.integration.directory.world import Directory, Sis, enrollment, everything_on, klass, school, user

ON: dict[str, Any] = {"roster": True, "auto_update": True, "archive": True}
LISTS: dict[str, Any] = {
    "class_lists": {"enabled": True, "terms": ["T1"]},
    "auto_lists": {"role": True, "grade": True, "subject": True, "teacher": True},
    # At S2 nobody is rostered.
    "schools": {"S2": {"roles": {role: {"roster": False} for role in ("student", "teacher")}}},
}
MOVES = (
    "select l.source_id, p.sourced_id, c.action, c.status, c.reason from directory.sync_changes c"
    " join directory.user_lists l using (list_id) join directory.people p using (person_id)"
    " where c.run_id = 'tonight' and c.entity = 'membership' order by 1, 2"
)


def two_schools() -> Sis:
    return Sis(
        users=[user("a"), user("b"), user("t", "teacher"), user("co", "teacher")],
        orgs=[school("S1"), school("S2")],
        classes=[klass("C", subjects=["Math"]), klass("D", "S2")],
        enrollments=[
            enrollment("C", "a"), enrollment("C", "b"), enrollment("C", "t", "teacher"), enrollment("C", "co", "teacher"),
        ],
    )  # fmt: skip


def people(directory: Directory) -> list[tuple[Any, ...]]:
    return directory.rows("select sourced_id, role, status, school_ids, updated_at from directory.people order by 1")


def leave(sis: Sis, who: str, ends: bool = True) -> None:
    """Moves somebody to S2, where they have a class, with or without an end of their enrollment at S1."""
    row = next(row for row in sis.users if row["sourced_id"] == who)
    row["org_ids"] = ["S2"]
    if ends:
        sis.enrollments = [seat for seat in sis.enrollments if seat["user_id"] != who]
    sis.enrollments.append(enrollment("D", who, row["roles"][0]))


def test_who_moves_to_where_their_role_is_off_leaves_the_lists_of_old(directory: Directory) -> None:
    directory.settings = everything_on(**LISTS)
    sis = two_schools()
    directory.night(sis)
    before = people(directory)
    leave(sis, "t")
    leave(sis, "b")
    counts = directory.night(sis, run_id="tonight")
    assert members(directory) == {("a", "member"), ("co", "manager")}
    assert members(directory, "Math") == {("a", "member")} and members(directory, "co") == {("a", "member"), ("co", "manager")}
    assert people(directory) == before and counts["memberships"]["removed"] == 5
    assert directory.rows(MOVES) == [
        ("C", "b", "remove", "applied", "enrollment_ended"), ("C", "t", "remove", "applied", "enrollment_ended"),
        ("Math", "b", "remove", "applied", "enrollment_ended"), ("co", "b", "remove", "applied", "enrollment_ended"),
        ("t", "t", "remove", "applied", "enrollment_ended"),
    ]  # fmt: skip
    skipped = "select p.sourced_id, c.action, c.status, c.reason from directory.sync_changes c join directory.people p using (person_id)"
    assert directory.rows(skipped + " where run_id = 'tonight' and entity = 'person' order by 1") == [
        ("b", "skip", "suppressed", "roster_off"), ("t", "skip", "suppressed", "roster_off"),
    ]  # fmt: skip
    # The lists of their new school are made without them.
    assert members(directory, "D") == set()
    calm = directory.state()
    assert directory.night(sis)["memberships"]["removed"] == 0 and directory.state() == calm
    # Nor is there anything left for them to see: their own list of old is kept as it was, but not theirs to look into.
    assert directory.rows("select list_id from directory.lists_visible_to(%s)", person(directory, "t")) == []
    own = "select l.status, m.member_role, p.sourced_id from directory.user_lists l join directory.list_members m using (list_id)"
    own += " join directory.people p using (person_id) where l.source_id = 't' and l.school_id = 'S1' order by 3"
    assert directory.rows(own) == [("inactive", "member", "a"), ("inactive", "member", "b")]
    # Back at school, they manage it again.
    sis.users[2]["org_ids"] = ["S1"]
    sis.enrollments.append(enrollment("C", "t", "teacher"))
    directory.night(sis)
    assert ("active", "manager", "t") in directory.rows(own) and ("t", "manager") in members(directory)


def test_who_moves_while_the_sis_still_enrolls_them_stays(directory: Directory) -> None:
    directory.settings = everything_on(**LISTS)
    sis = two_schools()
    directory.night(sis)
    before = directory.state()[0], directory.state()[2]
    leave(sis, "t", ends=False)
    leave(sis, "b", ends=False)
    directory.night(sis)
    assert (directory.state()[0], directory.state()[2]) == before


@pytest.mark.parametrize("why", ["unproven", "excluded", "set aside", "by hand"])
def test_what_proves_no_end_ends_nothing(directory: Directory, why: str) -> None:
    directory.settings = everything_on(**LISTS)
    sis = two_schools()
    directory.night(sis)
    before = members(directory)
    if why == "excluded":
        directory.do("select directory.set_include_in_sync(%s, false)", person(directory, "t"))
    if why == "by hand":
        directory.do(
            "select directory.add_list_member(list_id, %s, 'manager') from directory.user_lists where source_id = 'C'",
            person(directory, "t"),
        )
    leave(sis, "t")
    directory.night(sis, unproven="It moved." if why == "unproven" else None, kept=[("C", "t")] if why == "set aside" else [])
    assert members(directory) == before


def test_a_role_that_became_one_that_is_off_is_a_move_too(directory: Directory) -> None:
    directory.settings = everything_on(**LISTS)
    directory.settings["roles"] = {"student": ON, "teacher": ON}
    sis = two_schools()
    directory.night(sis)
    sis.users[2] |= {"roles": ["aide"]}
    sis.enrollments = [seat for seat in sis.enrollments if seat["user_id"] != "t"]
    directory.night(sis, run_id="tonight")
    assert members(directory) == {("a", "member"), ("b", "member"), ("co", "manager")}
    assert directory.rows("select role, status from directory.people where sourced_id = 't'") == [("teacher", "active")]


@pytest.mark.parametrize("ended", [True, False])
def test_a_role_that_is_off_everywhere_stays_but_for_what_the_sis_ended(directory: Directory, ended: bool) -> None:
    directory.settings = everything_on(**LISTS)
    sis = two_schools()
    directory.night(sis)
    before = people(directory)
    directory.settings["roles"] = {"student": ON}
    if ended:
        sis.enrollments = [seat for seat in sis.enrollments if seat["user_id"] != "t"]
    directory.night(sis, run_id="tonight")
    assert people(directory) == before
    assert members(directory) == {("a", "member"), ("b", "member"), ("co", "manager")} | (set() if ended else {("t", "manager")})


@pytest.mark.parametrize(("auto_update", "quiet", "reason"), [(False, [], "auto_update_off"), (True, ["now"], "quiet")])
def test_the_switches_of_the_school_they_are_at_here_hold_it_back(
    directory: Directory, auto_update: bool, quiet: list[str], reason: str
) -> None:
    directory.settings = everything_on(**LISTS)
    sis = two_schools()
    directory.night(sis)
    before = members(directory)
    directory.settings["roles"] = {"student": ON, "teacher": ON | {"auto_update": auto_update}}
    directory.settings["quiet"] = [{"from": "2026-11-01", "to": "2026-11-30", "mode": "additions_only"} for _ in quiet]
    leave(sis, "t")
    counts = directory.night(sis, run_id="tonight")
    assert members(directory) == before
    assert ("C", "t", "remove", "suppressed", reason) in directory.rows(MOVES)
    assert counts["people"]["teacher"]["update_suppressed"] == 1
