"""Lists in the directory: hand edits, terms that come and go, who may see what."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.integration.directory.world import Directory, Sis, enrollment, everything_on, klass, term, user

LISTS: dict[str, Any] = {"class_lists": {"enabled": True, "terms": ["T1"]}}


def classroom() -> Sis:
    """A class of two students, a teacher and a co-teacher, in the first of two terms; another in the second."""
    users = [user("a"), user("b"), user("t", "teacher"), user("co", "teacher")]
    roll = [
        enrollment("C", "a"),
        enrollment("C", "b"),
        enrollment("C", "t", "teacher"),
        enrollment("C", "co", "teacher", primary=False),
    ]
    return Sis(
        users=users, terms=[term("T1"), term("T2")], classes=[klass("C"), klass("D", terms=["T2"])],
        enrollments=[*roll, enrollment("D", "a"), enrollment("D", "t", "teacher")],
    )  # fmt: skip


def members(directory: Directory, source_id: str = "C") -> set[tuple[str, str]]:
    return set(
        directory.rows(
            "select p.sourced_id, m.member_role from directory.list_members m join directory.people p using (person_id)"
            " join directory.user_lists l using (list_id) where l.source_id = %s",
            source_id,
        )
    )


def person(directory: Directory, sourced_id: str) -> int:
    return int(directory.value("select person_id from directory.people where sourced_id = %s", sourced_id))


def list_id(directory: Directory, source_id: str = "C") -> int:
    return int(directory.value("select list_id from directory.user_lists where source_id = %s", source_id))


def test_a_class_list_has_its_students_and_every_teacher(directory: Directory) -> None:
    directory.settings = everything_on(**LISTS)
    directory.night(classroom())
    assert members(directory) == {("a", "member"), ("b", "member"), ("t", "manager"), ("co", "manager")}
    assert directory.rows("select source_id, visibility, status, term_ids from directory.user_lists") == [
        ("C", "private", "active", ["T1"])
    ]


def test_no_terms_no_class_lists(directory: Directory) -> None:
    directory.settings = everything_on(class_lists={"enabled": True, "terms": []})
    directory.night(classroom())
    assert directory.value("select count(*) from directory.user_lists") == 0


def test_a_deselected_list_goes_inactive_and_comes_back_the_same_with_hand_edits(directory: Directory) -> None:
    directory.settings = everything_on(**LISTS)
    sis = classroom()
    directory.night(sis)
    fall = list_id(directory)
    directory.do("update directory.user_lists set name = 'My best class' where list_id = %s", fall)
    directory.do("select directory.set_list_visibility(array[%s]::bigint[], 'public')", fall)
    directory.settings["class_lists"] = {"enabled": True, "terms": ["T2"]}
    counts = directory.night(sis)
    assert counts["lists"]["class"]["deactivated"] == 1 and counts["lists"]["class"]["created"] == 1
    status = "select status from directory.user_lists where list_id = %s"
    assert directory.value(status, fall) == "inactive"
    directory.settings["class_lists"] = {"enabled": True, "terms": ["T1"]}
    sis.classes[0]["title"] = "Renamed in the SIS"
    directory.night(sis)
    assert directory.rows("select list_id, name, visibility, status from directory.user_lists where source_id = 'C'") == [
        (fall, "My best class", "public", "active")
    ]


def test_members_added_and_removed_by_hand_stay_so(directory: Directory) -> None:
    directory.settings = everything_on(**LISTS)
    sis = classroom()
    sis.users.append(user("guest"))
    directory.night(sis)
    directory.do("select directory.add_list_member(%s, %s)", list_id(directory), person(directory, "guest"))
    directory.do(
        "delete from directory.list_members where list_id = %s and person_id = %s", list_id(directory), person(directory, "b")
    )
    before = directory.state()
    directory.night(sis)
    assert directory.state() == before
    assert members(directory) == {("a", "member"), ("guest", "member"), ("t", "manager"), ("co", "manager")}


def test_a_change_on_an_old_list_is_an_update_of_that_person(directory: Directory) -> None:
    directory.settings = everything_on(**LISTS)
    sis = classroom()
    sis.users.append(user("e"))
    directory.night(sis)
    directory.settings["roles"] = {"student": {"roster": True}, "teacher": {"roster": True}}
    sis.enrollments = [row for row in sis.enrollments if row["user_id"] != "b"]
    sis.users.append(user("c"))
    sis.enrollments += [enrollment("C", "c"), enrollment("C", "e"), enrollment("D", "b")]
    directory.settings["class_lists"] = {"enabled": True, "terms": ["T1", "T2"]}
    counts = directory.night(sis)
    # New people join, new lists are filled whole; that b left and e joined the old list C is held back.
    assert members(directory) == {("a", "member"), ("b", "member"), ("c", "member"), ("t", "manager"), ("co", "manager")}
    assert members(directory, "D") == {("a", "member"), ("b", "member"), ("t", "manager")}
    assert counts["memberships"] == {"added": 4, "removed": 0, "suppressed": 2}


def test_a_selected_term_that_vanishes_freezes_its_lists(directory: Directory) -> None:
    directory.settings = everything_on(**LISTS)
    sis = classroom()
    directory.night(sis)
    before = directory.state()
    sis.terms = [term("T2")]
    sis.classes = [klass("D", terms=["T2"])]
    sis.enrollments = [enrollment("D", "a")]
    counts = directory.night(sis)
    assert directory.state() == before and counts["issues"]["error"] == 1
    assert directory.value("select rule from directory.sync_issues") == "terms.selected_lost"


def test_an_excluded_teacher_is_no_manager_and_the_run_says_so(directory: Directory) -> None:
    directory.settings = everything_on()
    sis = classroom()
    directory.night(sis)
    directory.do("select directory.set_include_in_sync(%s, false)", person(directory, "t"))
    directory.settings |= LISTS
    directory.night(sis)
    assert members(directory) == {("a", "member"), ("b", "member"), ("co", "manager")}
    assert directory.rows("select rule, sourced_id from directory.sync_issues") == [("lists.manager_excluded", "t")]


def test_a_teacher_excluded_later_goes_on_managing_and_no_list_was_made_without_them(directory: Directory) -> None:
    directory.settings = everything_on(**LISTS)
    sis = classroom()
    directory.night(sis)
    before = members(directory)
    directory.do("select directory.set_include_in_sync(%s, false)", person(directory, "t"))
    directory.night(sis)
    assert members(directory) == before and directory.rows("select rule from directory.sync_issues") == []


def test_a_quiet_range_makes_and_restores_lists_and_neither_changes_nor_ends_them(directory: Directory) -> None:
    directory.settings = everything_on(**LISTS, auto_lists={"teacher": True})
    sis = classroom()
    sis.classes += [klass("E"), klass("R", status="inactive")]
    directory.night(sis)
    sis.classes[-1]["status"] = "active"
    directory.night(sis)
    sis.classes[-1]["status"] = "inactive"
    directory.night(sis)
    seen = "select source_id, name, status from directory.user_lists where kind = 'class' order by 1"
    before = directory.rows(seen)
    directory.settings["quiet"] = [{"from": "2026-11-24", "to": "2026-12-01", "mode": "additions_only"}]
    sis.classes[0]["title"] = "Renamed"
    sis.classes[2]["status"] = "tobedeleted"
    sis.classes[3]["status"] = "active"
    sis.classes.append(klass("N"))
    sis.enrollments = [seat for seat in sis.enrollments if seat["user_id"] != "co"]
    counts = directory.night(sis, run_id="tonight")
    assert directory.rows(seen) == [*before[:2], ("N", "Class N", "active"), ("R", "Class R", "active")]
    assert counts["lists"]["class"] == {"created": 1, "updated": 1, "deactivated": 0, "unchanged": 0}
    held = "select action, status, reason from directory.sync_changes where run_id = 'tonight' and status = 'suppressed'"
    assert directory.rows(held + " order by entity, action") == [
        ("deactivate", "suppressed", "quiet"), ("deactivate", "suppressed", "quiet"), ("update", "suppressed", "quiet"),
        ("remove", "suppressed", "quiet"),
    ]  # fmt: skip
    assert ("co", "manager") in members(directory)


def test_who_is_archived_is_off_every_synced_list_and_stays_on_lists_made_by_hand(directory: Directory) -> None:
    directory.settings = everything_on(**LISTS, auto_lists={"role": True, "grade": True})
    sis = classroom()
    directory.night(sis)
    own = directory.value(
        "insert into directory.user_lists (district, kind, name) values ('oak', 'manual', 'Choir') returning list_id"
    )
    directory.do("select directory.add_list_member(%s, %s)", own, person(directory, "b"))
    moment = directory.value("select clock_timestamp()")
    sis.users = [row for row in sis.users if row["sourced_id"] != "b"]
    directory.night(sis)
    on = "select list_id from directory.list_members where person_id = %s"
    assert directory.rows(on, person(directory, "b")) == [(own,)]
    then = directory.rows("select person_id from directory.list_members_at(%s, %s)", list_id(directory), moment)
    assert (person(directory, "b"),) in then


def test_an_enrollment_set_aside_takes_nobody_off_a_list(directory: Directory) -> None:
    directory.settings = everything_on(**LISTS, auto_lists={"teacher": True})
    sis = classroom()
    directory.night(sis)
    before = directory.state()
    sis.enrollments = [row for row in sis.enrollments if row["sourced_id"] != "C/b"]
    directory.night(sis, kept=[("C", "b")])
    assert directory.state() == before
    directory.night(sis)
    assert ("b", "member") not in members(directory)


def test_automatic_lists_turned_off_stay_and_are_no_longer_updated(directory: Directory) -> None:
    directory.settings = everything_on(auto_lists={"role": True})
    directory.night(classroom())
    directory.settings["auto_lists"] = {"role": False}
    sis = classroom()
    sis.users.append(user("later"))
    directory.night(sis)
    assert members(directory, "student") == {("a", "member"), ("b", "member")}
    assert directory.value("select count(*) from directory.user_lists where status = 'active'") == 2


@pytest.mark.parametrize(
    ("night", "selected", "warns"),
    [
        ("2026-12-03", ["T1"], False),
        ("2026-12-04", ["T1"], True),
        ("2026-12-04", ["T1", "T2"], False),
        ("2027-01-10", ["T1"], True),
        ("2026-12-04", ["year"], False),
    ],
)
def test_a_selected_term_about_to_end_is_told_with_the_next_one(
    directory: Directory, night: str, selected: list[str], warns: bool
) -> None:
    directory.settings = everything_on(class_lists={"enabled": True, "terms": selected})
    sis = classroom()
    year = term("year", type="schoolYear", end_date="2027-06-15")
    sis.terms = [term("T1"), term("T2", start_date="2027-01-05", end_date="2027-06-15"), year]
    directory.night(sis, night=dt.date.fromisoformat(night))
    told = directory.rows("select message, fix from directory.sync_issues where rule = 'terms.ending'")
    assert bool(told) == warns
    if warns:
        assert "2026-12-18" in told[0][0] and "Term T2 (T2)" in told[0][1]


def test_a_selection_that_misses_classes_of_a_part_or_the_whole_is_told(directory: Directory) -> None:
    directory.settings = everything_on(class_lists={"enabled": True, "terms": ["year"]})
    sis = classroom()
    sis.terms = [
        term("year", type="schoolYear", end_date="2027-06-15"),
        term("T1", parent_id="year"),
        term("T2", parent_id="year"),
    ]
    directory.night(sis)
    told = directory.rows("select sourced_id, message from directory.sync_issues where rule = 'terms.near_miss' order by 1")
    assert [one for one, _ in told] == ["T1", "T2"] and told[0][1].startswith(
        "1 classes hang on Term T1, the part of the selected Term year"
    )


VIEWERS = {
    "student": False, "archived teacher": False, "teacher": False, "staff": False, "teacher elsewhere": False,
    "manager": True, "co-teacher": True, "admin": True,
}  # fmt: skip


@pytest.mark.parametrize("visibility", ["private", "public"])
@pytest.mark.parametrize("viewer", VIEWERS)
def test_who_sees_which_list(directory: Directory, viewer: str, visibility: str) -> None:
    directory.settings = everything_on(**LISTS)
    sis = classroom()
    sis.users += [user("other", "teacher"), user("gone", "teacher"), user("aide", "aide"), user("boss", "principal")]
    directory.night(sis)
    sis.users = [row for row in sis.users if row["sourced_id"] != "gone"]
    directory.night(sis)
    directory.do("select directory.set_list_visibility(array[%s]::bigint[], %s)", list_id(directory), visibility)
    elsewhere = directory.value("select directory.add_person('elm', 'teacher', 'E', 'E', 'e@example.org')")
    ids = {
        "student": "a", "archived teacher": "gone", "teacher": "other", "staff": "aide", "manager": "t", "co-teacher": "co",
        "admin": "boss",
    }  # fmt: skip
    who = elsewhere if viewer == "teacher elsewhere" else person(directory, ids[viewer])
    sees = directory.rows("select list_id from directory.lists_visible_to(%s)", who) == [(list_id(directory),)]
    everybody_at_work = viewer not in ("student", "archived teacher", "teacher elsewhere")
    assert sees == (VIEWERS[viewer] or (visibility == "public" and everybody_at_work))


def six_move(directory: Directory) -> dict[str, Any]:
    """Ten students in class C; the counts of a night on which six of them moved to D and two of these got a new name."""
    sis = Sis(
        users=[*(user(f"s{n}") for n in range(10)), user("t", "teacher"), user("u", "teacher")],
        classes=[klass("C"), klass("D")],
        enrollments=[*(enrollment("C", f"s{n}") for n in range(10)), enrollment("C", "t", "teacher")],
    )
    directory.settings = everything_on(**LISTS, auto_lists={"teacher": True}) | directory.settings
    directory.night(sis)
    directory.settings["roles"] = {role: {"roster": True} for role in ("student", "teacher")}
    for row in sis.enrollments[:6]:
        row["class_id"] = "D"
    for row in sis.users[:2]:
        row["family_name"] = "Changed"
    sis.enrollments.append(enrollment("C", "u", "teacher"))
    return directory.night(sis, run_id="tonight")


def test_memberships_held_back_count_their_people_once_per_role(directory: Directory) -> None:
    counts = six_move(directory)
    assert counts["people"]["student"]["update_suppressed"] == 6 and counts["people"]["student"]["unchanged"] == 4
    assert counts["people"]["teacher"]["update_suppressed"] == 1 and counts["people"]["teacher"]["unchanged"] == 1
    # Off C and off the teacher's list, on D, and a second manager of C; the new manager's own list is new.
    assert counts["memberships"] == {"added": 5, "removed": 0, "suppressed": 6 + 6 + 6 + 1}
    reasons = "select distinct reason from directory.sync_changes where run_id = 'tonight' and status = 'suppressed'"
    assert directory.rows(reasons) == [("auto_update_off",)]


def test_what_a_quiet_range_holds_back_says_so(directory: Directory) -> None:
    directory.settings = {"quiet": [{"from": "2026-11-24", "to": "2026-12-01", "mode": "additions_only"}]}
    counts = six_move(directory)
    assert counts["people"]["student"]["update_suppressed"] == 6
    reasons = (
        "select distinct entity, reason from directory.sync_changes where run_id = 'tonight' and status = 'suppressed' order by 1"
    )
    assert directory.rows(reasons) == [("membership", "quiet"), ("person", "quiet")]


def test_a_name_by_hand_stays_when_the_sis_takes_the_same_name_and_later_another(directory: Directory) -> None:
    directory.settings = everything_on(**LISTS)
    directory.night(Sis(users=[user("a")], classes=[klass("C")], enrollments=[enrollment("C", "a")]))
    directory.do("update directory.user_lists set name = 'Biology A' where source_id = 'C'")
    for title in ("Class C", "Biology A", "Biology A", "Biology B"):
        directory.night(Sis(users=[user("a")], classes=[klass("C", title=title)], enrollments=[enrollment("C", "a")]))
        assert directory.value("select name from directory.user_lists where source_id = 'C'") == "Biology A"
