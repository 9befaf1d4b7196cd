"""Undo: takes back what one run did and nothing else; what a person or a later run decided since stays and is listed."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg
import pytest

from include.mingasync.directory import runs
from include.mingasync.directory.archive import archive, reject
from include.mingasync.directory.load import load
from include.mingasync.directory.undo import undo
from include.mingasync.errors import LoadRefused, MingaSyncError
from include.mingasync.run import Run
from include.mingasync.settings import Settings
from tests.integration.directory.world import (
    DISTRICT,
    NIGHT,
    Directory,
    Sis,
    enrollment,
    everything_on,
    klass,
    school,
    term,
    user,
)

ON = {
    "class_lists": {"enabled": True, "terms": ["T1"]},
    "auto_lists": dict.fromkeys(("role", "grade", "subject", "teacher"), True),
}


def finish(directory: Directory, run_id: str, state: Any = "success") -> None:
    """Close a run as its task notify does."""
    number = directory.value("select run_no from directory.sync_runs where run_id = %s", run_id)
    runs.finish_run(directory.connection, number, state, None)


def a_night(directory: Directory, sis: Sis, run_id: str, **more: Any) -> None:
    """A whole night that has ended."""
    directory.night(sis, run_id=run_id, **more)
    finish(directory, run_id)


def take_back(directory: Directory, target: str, run_id: str | None = None) -> dict[str, Any]:
    """The counts of an undo."""
    run = Run(DISTRICT, run_id or f"undo of {target}", "undo", dt.datetime.now(dt.UTC), NIGHT)
    counts = undo(directory.connection, run, runs.open_run(directory.connection, run), target)
    finish(directory, run.run_id)
    return counts


def one(directory: Directory, sourced_id: str) -> int:
    """The person_id of whom the SIS knows by an id."""
    return int(directory.value("select person_id from directory.people where %s = any (sourced_ids)", sourced_id))


def a_list(directory: Directory, source_id: str, kind: str = "class") -> int:
    """The list_id of a list."""
    return int(directory.value("select list_id from directory.user_lists where source_id = %s and kind = %s", source_id, kind))


def everything(directory: Directory) -> dict[str, list[tuple[Any, ...]]]:
    """Every row that decides anything, but for when it was last written."""
    return {
        "people": directory.rows(
            "select (to_jsonb(p) - array['updated_at', 'digest'])::text from directory.people as p order by person_id"
        ),
        "lists": directory.rows("select (to_jsonb(l) - 'updated_at')::text from directory.user_lists as l order by list_id"),
        "members": directory.rows("select list_id, person_id, member_role from directory.list_members order by 1, 2, 3"),
        "pins": directory.rows("select person_id, field, value, reason, until from directory.field_pins order by 1, 2"),
        "overrides": directory.rows(
            "select list_id, person_id, manager, keep from directory.membership_overrides order by 1, 2, 3"
        ),
        "relinks": directory.rows("select person_id, sourced_id, state from directory.relink_proposals order by 1, 2"),
        "schools": directory.rows("select * from directory.schools order by 1, 2"),
        "terms": directory.rows("select * from directory.terms order by 1, 2"),
    }


def conflicts(directory: Directory, run_id: str) -> list[tuple[Any, ...]]:
    """What an undo listed as left alone."""
    return directory.rows(
        "select entity, coalesce(person_id, list_id) from directory.sync_changes where run_id = %s and status = 'conflict'"
        " order by 1, 2",
        run_id,
    )


def two_classes(*students: str) -> Sis:
    """A teacher with two classes; every student is in the first."""
    return Sis(
        users=[user("t", "teacher"), *(user(name) for name in students)],
        classes=[klass("C"), klass("D")],
        enrollments=[enrollment("C", "t", "teacher"), enrollment("D", "t", "teacher"), *(enrollment("C", s) for s in students)],
    )


@pytest.fixture
def oak(directory: Directory) -> Directory:
    """A district after a first night with three students, every list on."""
    directory.settings = everything_on(**ON)
    a_night(directory, two_classes("a", "b", "c"), "first")
    return directory


def test_a_run_that_goes_on_cannot_be_undone_and_its_archive_then_still_runs(oak: Directory) -> None:
    run, run_no = oak.open(run_id="second")
    settings = Settings.model_validate(oak.settings)
    load(oak.connection, run, run_no, settings, oak.desired(two_classes("a", "b")))
    before = everything(oak)
    with pytest.raises(MingaSyncError, match=r"The run 'second' has not ended.*Nothing was changed\."):
        take_back(oak, "second")
    assert everything(oak) == before
    archive(oak.connection, run, run_no)
    assert oak.value("select status from directory.people where person_id = %s", one(oak, "c")) == "archived"


def test_a_run_that_waits_for_an_answer_cannot_be_undone_until_it_is_there(oak: Directory) -> None:
    oak.settings |= {"safety": {"archive_percent": 0, "archive_minimum": 1}}
    oak.night(two_classes("a", "b"), run_id="second")
    number = oak.value("select run_no from directory.sync_runs where run_id = 'second'")
    runs.note(oak.connection, number, state="held", reason="1 archive waits.", answer_until=dt.datetime.now(dt.UTC))
    with pytest.raises(MingaSyncError, match=r"waits for an answer.*Nothing was changed\."):
        take_back(oak, "second")
    reject(oak.connection, number, "kim")
    finish(oak, "second", "held")
    assert take_back(oak, "second")["conflicts"] == 0


def test_what_was_undone_stays_undone_whatever_task_is_cleared(oak: Directory) -> None:
    before = everything(oak)
    a_night(oak, two_classes("a", "b", "d"), "second")
    take_back(oak, "second")
    assert everything(oak) == before
    run = Run(DISTRICT, "second", "nightly", dt.datetime.combine(NIGHT, dt.time(8), dt.UTC), NIGHT)
    number = runs.run_number(oak.connection, run)
    assert number
    row = "select state, finished_at, undone_by, reason from directory.sync_runs where run_id = 'second'"
    ended = oak.rows(row)
    with pytest.raises(LoadRefused, match=r"was undone by the run 'undo of second'.*Nothing was changed"):
        load(oak.connection, run, number, Settings.model_validate(oak.settings), oak.desired(two_classes("a", "b", "d")))
    oak.do("update directory.changes set status = 'planned' where run_no = %s and action = 'archive'", number)
    archive(oak.connection, run, number)
    assert runs.open_run(oak.connection, run) == number
    assert everything(oak) == before and oak.rows(row) == ended


def test_the_run_and_all_its_changes_say_so(oak: Directory) -> None:
    a_night(oak, two_classes("a", "b", "d"), "second")
    took_back = take_back(oak, "second")
    assert oak.rows(
        "select state, undone_by, undone_at is not null from directory.sync_runs where run_id in ('first', 'second') order by run_no"
    ) == [("success", None, False), ("success", "undo of second", True)]
    statuses = oak.rows("select distinct entity, status from directory.sync_changes where run_id = 'second' order by 1")
    assert statuses == [("membership", "undone"), ("person", "undone")]
    # One archived and one made; both were or are on C, and on their role's, grade's, subject's and teacher's lists.
    moved = oak.value("select count(*) from directory.sync_changes where run_id = 'second' and entity = 'membership'")
    assert took_back["reversed"] == {"people": 2, "lists": 0, "memberships": moved} and moved >= 8


def test_undone_nights_are_no_ground_to_stand_on(oak: Directory) -> None:
    good = runs.last_loaded(oak.connection, DISTRICT)
    a_night(oak, two_classes("a"), "second")
    take_back(oak, "second")
    assert runs.last_loaded(oak.connection, DISTRICT) == good
    # A snapshot older than that of the undone night is the newest again.
    oak.night(
        two_classes("a", "b"),
        run_id="third",
        taken_at=oak.value("select max(snapshot_at) - interval '1 ms' from directory.sync_runs"),
    )


def test_undoing_twice_changes_nothing_more(oak: Directory) -> None:
    a_night(oak, two_classes("a", "b", "d"), "second")
    first = take_back(oak, "second")
    before = everything(oak), oak.rows("select count(*) from directory.sync_changes")
    assert take_back(oak, "second") == first, "the same undo, cleared"
    again = take_back(oak, "second", "undo once more")
    assert again["conflicts"] == 0 and set(again["reversed"].values()) == {0}
    assert (everything(oak), oak.rows("select count(*) from directory.sync_changes")) == before
    assert oak.value("select undone_by from directory.sync_runs where run_id = 'second'") == "undo of second"


@pytest.mark.parametrize("kind", ["undo", "preview"])
def test_an_undo_and_a_preview_cannot_be_undone(oak: Directory, kind: str) -> None:
    if kind == "preview":
        a_night(oak, two_classes("a"), "it", kind="preview")
    else:
        a_night(oak, two_classes("a"), "second")
        take_back(oak, "second", "it")
    before = everything(oak)
    with pytest.raises(MingaSyncError, match=f"A run of kind {kind} cannot be undone"):
        take_back(oak, "it")
    assert everything(oak) == before


def test_a_run_whose_changes_are_kept_no_longer_cannot_be_undone(oak: Directory) -> None:
    a_night(oak, two_classes("a", "b", "d"), "second")
    oak.do("delete from directory.changes")
    oak.do("delete from directory.membership_changes")
    with pytest.raises(MingaSyncError, match=r"kept no longer.*Nothing was changed\."):
        take_back(oak, "second")


def test_somebody_made_by_the_run_and_pinned_since_stays_with_the_pin(oak: Directory) -> None:
    a_night(oak, two_classes("a", "b", "c", "d"), "second")
    made = one(oak, "d")
    # The very value that the SIS gave: a person decided it all the same.
    oak.do("select directory.pin_field(%s, 'given_name', 'Givend', 'so it is written')", made)
    assert take_back(oak, "second")["conflicts"] > 0
    assert oak.value("select status from directory.people where person_id = %s", made) == "active"
    assert oak.rows("select field, value from directory.field_pins") == [("given_name", "Givend")]
    assert ("person", made) in conflicts(oak, "undo of second")


def test_a_field_pinned_since_at_the_very_value_of_the_run_stays(oak: Directory) -> None:
    changed = two_classes("a", "b", "c")
    changed.users[1] |= {"family_name": "Newname", "email": "new@example.org"}
    a_night(oak, changed, "second")
    who = one(oak, "a")
    oak.do("select directory.pin_field(%s, 'family_name', 'Newname', 'married')", who)
    assert take_back(oak, "second")["conflicts"] == 1
    assert oak.rows("select family_name, email from directory.people where person_id = %s", who) == [("Newname", "a@example.org")]
    assert conflicts(oak, "undo of second") == [("person", who)]


def test_what_a_hand_set_back_itself_is_no_conflict(oak: Directory) -> None:
    changed = two_classes("a", "b", "c")
    changed.users[1] |= {"family_name": "Newname"}
    a_night(oak, changed, "second")
    oak.do("select directory.pin_field(%s, 'family_name', 'Familya', 'so it is written')", one(oak, "a"))
    assert take_back(oak, "second")["conflicts"] == 0
    assert oak.value("select family_name from directory.people where person_id = %s", one(oak, "a")) == "Familya"


@pytest.mark.parametrize("member_role", ["member", "manager"])
@pytest.mark.parametrize("keep", [True, False])
def test_a_membership_decided_by_hand_holds_somebody_whom_the_run_made(oak: Directory, member_role: str, keep: bool) -> None:
    a_night(oak, two_classes("a", "b", "c", "d"), "second")
    made, there = one(oak, "d"), a_list(oak, "D" if keep else "C")
    function = "add_list_member" if keep else "remove_list_member"
    oak.do(f"select directory.{function}(%s, %s, %s)", there, made, member_role)
    counts = take_back(oak, "second")
    assert ("person", made) in conflicts(oak, "undo of second") and counts["conflicts"] > 0
    assert oak.rows("select list_id, person_id, keep from directory.membership_overrides") == [(there, made, keep)]
    on = oak.rows("select list_id from directory.list_members where person_id = %s", made)
    assert on == ([(there,)] if keep else []), "what the run itself had put them on is taken back"


def test_a_list_made_by_the_run_with_a_member_by_hand_stays_with_that_member(oak: Directory) -> None:
    more = two_classes("a", "b", "c")
    more.classes.append(klass("E"))
    more.enrollments += [enrollment("E", "t", "teacher"), enrollment("E", "b")]
    a_night(oak, more, "second")
    made = a_list(oak, "E")
    oak.do("select directory.add_list_member(%s, %s)", made, one(oak, "a"))
    take_back(oak, "second")
    assert ("list", made) in conflicts(oak, "undo of second")
    assert oak.rows("select person_id from directory.list_members where list_id = %s", made) == [(one(oak, "a"),)]


@pytest.mark.parametrize(
    "edit",
    [
        "update directory.user_lists set name = 'By hand' where list_id = %s",
        "select directory.set_list_visibility(array[%s]::bigint[], 'public')",
    ],
)
def test_a_list_made_by_the_run_and_edited_since_stays(oak: Directory, edit: str) -> None:
    more = two_classes("a", "b", "c")
    more.classes.append(klass("E"))
    a_night(oak, more, "second")
    made = a_list(oak, "E")
    oak.do(edit, made)
    edited = oak.rows("select name, visibility from directory.user_lists where list_id = %s", made)
    take_back(oak, "second")
    assert oak.rows("select name, visibility from directory.user_lists where list_id = %s", made) == edited
    assert conflicts(oak, "undo of second") == [("list", made)]


def test_a_list_renamed_by_hand_keeps_its_name_and_the_rest_goes_back(oak: Directory) -> None:
    renamed = two_classes("a", "b", "c")
    renamed.classes[0] |= {"title": "Renamed in the SIS", "grades": ["10"]}
    a_night(oak, renamed, "second")
    group = a_list(oak, "C")
    oak.do("update directory.user_lists set name = 'By hand', visibility = 'public' where list_id = %s", group)
    take_back(oak, "second")
    assert oak.rows("select name, synced_name, grades, visibility from directory.user_lists where list_id = %s", group) == [
        ("By hand", "Class C", [], "public")
    ]
    assert conflicts(oak, "undo of second") == [("list", group)]


def test_somebody_excluded_since_is_not_touched(oak: Directory) -> None:
    changed = two_classes("a", "b", "c", "d")
    changed.users[1] |= {"email": "new@example.org"}
    changed.enrollments.append(enrollment("D", "a"))
    a_night(oak, changed, "second")
    excluded, made = one(oak, "a"), one(oak, "d")
    for who in (excluded, made):
        oak.do("select directory.set_include_in_sync(%s, false)", who)
    rows = "select to_jsonb(p)::text, p.xmin::text from directory.people as p where not include_in_sync order by person_id"
    on = "select list_id, person_id from directory.list_members where person_id in (%s, %s) order by 1, 2"
    before = oak.rows(rows), oak.rows(on, excluded, made)
    take_back(oak, "second")
    assert (oak.rows(rows), oak.rows(on, excluded, made)) == before
    assert {("person", excluded), ("person", made), ("membership", excluded)} <= set(conflicts(oak, "undo of second"))


def test_somebody_excluded_and_included_again_was_looked_at_by_a_person(oak: Directory) -> None:
    a_night(oak, two_classes("a", "b", "c", "d"), "second")
    made = one(oak, "d")
    oak.do("select directory.set_include_in_sync(%s, false)", made)
    oak.do("select directory.set_include_in_sync(%s, true)", made)
    take_back(oak, "second")
    assert ("person", made) in conflicts(oak, "undo of second") and one(oak, "d") == made


@pytest.mark.parametrize("field", ["preferred_given_name", "email", "identifier", "grades"])
def test_a_field_that_the_run_left_empty_and_a_hand_filled_keeps_its_owner(oak: Directory, field: str) -> None:
    more = two_classes("a", "b", "c")
    more.users.append(user("d", email=None, identifier=None, grades=[]))
    a_night(oak, more, "second")
    made = one(oak, "d")
    value = "{12}" if field == "grades" else "typed"
    oak.do(f"update directory.people set {field} = %s where person_id = %s", value, made)
    take_back(oak, "second")
    assert one(oak, "d") == made and conflicts(oak, "undo of second")[0] == ("person", made)


def test_a_relink_since_holds_the_person_whom_the_run_made(directory: Directory) -> None:
    a_night(directory, Sis(users=[user("a"), user("b")]), "first")
    a_night(directory, Sis(users=[user("a"), user("b"), user("d")]), "second")
    renumbered = user("d") | {"sourced_id": "d2"}
    a_night(directory, Sis(users=[user("a"), user("b"), renumbered]), "third")
    made = one(directory, "d")
    directory.do("select directory.relink(%s, 'd2')", made)
    take_back(directory, "second")
    assert one(directory, "d2") == made and ("person", made) in conflicts(directory, "undo of second")
    assert directory.rows("select state from directory.relink_proposals") == [("applied",)]


def test_a_proposal_to_relink_goes_with_its_run_unless_somebody_decided(directory: Directory) -> None:
    a_night(directory, Sis(users=[user("a"), user("b")]), "first")
    renumbered = [user("a") | {"sourced_id": "a2"}, user("b") | {"sourced_id": "b2"}]
    a_night(directory, Sis(users=renumbered), "second")
    directory.do("select directory.refuse_relink(%s, 'b2')", one(directory, "b"))
    take_back(directory, "second")
    assert directory.rows("select sourced_id, state from directory.relink_proposals") == [("b2", "rejected")]


def test_a_sourced_id_that_somebody_else_has_by_now_is_not_given_back(directory: Directory) -> None:
    a_night(directory, Sis(users=[user("a"), user("b")]), "first")
    merged = user("a") | {"sourced_ids": ["a", "a9"]}
    directory.do("update directory.people set sourced_ids = '{a,a9}' where sourced_id = 'a'")
    a_night(directory, Sis(users=[user("a"), user("b")]), "second")  # gives up a9
    assert directory.value("select sourced_ids from directory.people where sourced_id = 'a'") == ["a"], merged
    a_night(directory, Sis(users=[user("a"), user("b"), user("a9")]), "third")
    take_back(directory, "second")
    assert directory.rows("select count(*) from directory.people where 'a9' = any (sourced_ids)") == [(1,)]
    assert conflicts(directory, "undo of second") == [("person", one(directory, "a"))]


def test_somebody_added_by_hand_since_is_nobody_elses_business(oak: Directory) -> None:
    before = everything(oak)
    a_night(oak, two_classes("a", "b", "c", "d"), "second")
    oak.do("select directory.add_person('oak', 'student', 'By', 'Hand', 'hand@example.org')")
    assert take_back(oak, "second")["conflicts"] == 0
    after = everything(oak)
    assert [row for row in after["people"] if '"By"' not in row[0]] == before["people"]
    assert len(after["people"]) == len(before["people"]) + 1


def test_what_later_runs_did_is_left_alone_and_listed(oak: Directory) -> None:
    more = two_classes("a", "b", "c", "d", "e")
    more.classes.append(klass("E"))
    more.enrollments.append(enrollment("E", "t", "teacher"))
    a_night(oak, more, "second")
    more.users[4] |= {"email": "later@example.org"}  # d
    more.enrollments.append(enrollment("E", "a"))
    a_night(oak, more, "third")
    take_back(oak, "second")
    assert {("person", one(oak, "d")), ("list", a_list(oak, "E"))} <= set(conflicts(oak, "undo of second"))
    assert oak.rows("select count(*) from directory.people where sourced_id = 'e'") == [(0,)]
    assert (one(oak, "a"), "member") in oak.rows(
        "select person_id, member_role from directory.list_members where list_id = %s", a_list(oak, "E")
    )


def test_nobody_archived_by_a_later_run_is_put_on_a_list(oak: Directory) -> None:
    moved = two_classes("a", "b", "c")
    moved.enrollments = [one for one in moved.enrollments if one["user_id"] != "a"] + [enrollment("D", "a")]
    a_night(oak, moved, "second")
    a_night(oak, two_classes("b", "c"), "third")
    take_back(oak, "second")
    archived = one(oak, "a")
    assert oak.rows("select * from directory.list_members where person_id = %s", archived) == []
    assert ("membership", archived) in conflicts(oak, "undo of second")


def test_undone_one_after_the_other_the_newest_first_all_is_as_it_was(oak: Directory) -> None:
    before = everything(oak)
    changed = two_classes("a", "b", "d")
    changed.users[1] |= {"email": "new@example.org"}
    changed.orgs.append(school("S2"))
    changed.classes.append(klass("E", "S2"))
    a_night(oak, changed, "second")
    between = everything(oak)
    changed = two_classes("a", "c", "d", "e")
    changed.users[3] |= {"email": "newer@example.org"}
    a_night(oak, changed, "third")
    assert take_back(oak, "third")["conflicts"] == 0
    assert everything(oak) == between
    assert take_back(oak, "second")["conflicts"] == 0
    assert everything(oak) == before


def test_schools_and_terms_are_known_again_as_they_were(oak: Directory) -> None:
    before = everything(oak)
    sis = two_classes("a", "b", "c")
    sis.orgs, sis.terms = [school("S1", "Renamed"), school("S3")], [term("T1", end_date="2027-01-31"), term("T9")]
    a_night(oak, sis, "second")
    take_back(oak, "second")
    assert everything(oak) == before
    # A later night knows better what the SIS shares.
    a_night(oak, sis, "third")
    sis.orgs.append(school("S4"))
    a_night(oak, sis, "fourth")
    later = everything(oak)["schools"]
    take_back(oak, "third")
    assert everything(oak)["schools"] == later


def test_who_was_on_a_list_and_who_was_there_is_told_of_every_moment(oak: Directory) -> None:
    group, people = a_list(oak, "C"), {name: one(oak, name) for name in ("a", "b", "c", "t")}
    moments = [oak.value("select clock_timestamp()")]
    a_night(oak, two_classes("a", "b", "d"), "second")
    people["d"] = one(oak, "d")
    moments.append(oak.value("select clock_timestamp()"))
    take_back(oak, "second")
    moments.append(oak.value("select clock_timestamp()"))

    def on(moment: Any) -> set[str]:
        rows = oak.rows("select person_id from directory.list_members_at(%s, %s) where member_role = 'member'", group, moment)
        return {name for name, person in people.items() if (person,) in rows}

    def archived(moment: Any) -> bool:
        return ("archived",) in oak.rows(
            "select status from directory.people_at('oak', %s) where person_id = %s", moment, people["c"]
        )

    assert [on(moment) for moment in moments] == [{"a", "b", "c"}, {"a", "b", "d"}, {"a", "b", "c"}]
    assert [archived(moment) for moment in moments] == [False, True, False]


def test_two_undos_at_once_take_back_once(oak: Directory, database: str) -> None:
    before = everything(oak)
    a_night(oak, two_classes("a", "b", "d"), "second")
    with psycopg.connect(database) as other:
        other.execute("select 1")  # from here on one transaction, which ends with the commit below
        run = Run(DISTRICT, "the other", "undo", dt.datetime.now(dt.UTC), NIGHT)
        undo(other, run, runs.open_run(other, run), "second")
        oak.do("set lock_timeout = '200ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            take_back(oak, "second")
        other.commit()
    oak.do("reset lock_timeout")
    assert set(take_back(oak, "second")["reversed"].values()) == {0}
    assert everything(oak) == before
