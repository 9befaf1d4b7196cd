"""Nights in sequence with settings changed between them: who joins which list later, and what a pause leaves alone."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from include.mingasync.settings import Settings
from tests.integration.directory.tasks import Tasks, every_list, oak
from tests.integration.directory.test_undo import finish, take_back
from tests.integration.directory.world import NIGHT, Directory, Sis, enrollment, everything_on, klass, school, term, user

DAY = dt.timedelta(days=1)
CLASS_LISTS = {"class_lists": {"enabled": True, "terms": ["T1"]}}
EVERY_LIST = CLASS_LISTS | {"auto_lists": dict.fromkeys(("role", "grade", "subject", "teacher"), True)}


def careful(**more: Any) -> dict[str, Any]:
    """Settings that create, and leave whoever is here as they are."""
    wanted = everything_on(**more)
    return wanted | {"roles": {role: own | {"auto_update": False} for role, own in wanted["roles"].items()}}


def a_class(*students: str, terms: tuple[str, ...] = ("T1",), shared: tuple[str, ...] = ("T1", "T2")) -> Sis:
    """A class of math with these students."""
    return Sis(
        users=[user("t", "teacher"), *(user(one) for one in students)],
        terms=[term(one) for one in shared],
        classes=[klass("C", terms=terms, subjects=["Math"])],
        enrollments=[enrollment("C", "t", "teacher"), *(enrollment("C", one) for one in students)],
    )


def plan(directory: Directory, run_id: str) -> list[tuple[Any, ...]]:
    """The rows of a run's plan, with what the SIS calls whom they are about; memberships by school and role."""
    return directory.rows(
        """select entity, action, case c.status when 'planned' then 'applied' else c.status end, reason,
                  case when entity = 'membership' then concat_ws(' ', c.school_id, c.role)
                       else coalesce(c.after ->> 'sourced_id', p.sourced_id, c.after ->> 'source_id', l.source_id) end
           from directory.sync_changes as c left join directory.people as p using (person_id)
           left join directory.user_lists as l on l.list_id = c.list_id
           where run_id = %s order by 1, 2, 3, 4, 5""",
        run_id,
    )


def on_list(directory: Directory, kind: str = "class") -> set[str]:
    """Who is a member of the lists of a kind."""
    query = """select p.sourced_id from directory.list_members as m join directory.people as p using (person_id)
               join directory.user_lists as l using (list_id) where l.kind = %s and m.member_role = 'member'"""
    return {row[0] for row in directory.rows(query, kind)}


def lost_term(directory: Directory) -> None:
    directory.night(a_class("a", "new", shared=("T2",)), run_id="rest")


def users_in_part(directory: Directory) -> None:
    directory.night(a_class("a", "new"), unproven="It moved.", run_id="rest")


def kind_off(directory: Directory) -> None:
    kept = directory.settings
    directory.settings = {key: value for key, value in kept.items() if key not in EVERY_LIST}
    directory.night(a_class("a", "new"), run_id="rest")
    stored = Settings.model_validate(directory.settings).model_dump_json(by_alias=True)
    directory.do("update directory.sync_runs set settings = %s::jsonb where run_id = 'rest'", stored)
    directory.settings = kept


def deselected(directory: Directory) -> None:
    kept = directory.settings
    directory.settings = kept | {"class_lists": {"enabled": True, "terms": ["T2"]}}
    directory.night(a_class("a", "new"), run_id="rest")
    directory.settings = kept


RESTS = [lost_term, users_in_part, kind_off, deselected]


@pytest.mark.parametrize("rest", RESTS)
def test_new_people_join_lists_that_rested_on_their_first_night(directory: Directory, rest: Any) -> None:
    directory.settings = careful(**EVERY_LIST)
    directory.night(a_class("a"))
    rest(directory)
    directory.night(a_class("a", "new"))
    kinds = ("class", "role", "grade", "subject", "teacher")
    assert {kind: on_list(directory, kind) for kind in kinds} == {kind: {"a", "new"} for kind in kinds} | {
        "role": {"a", "new", "t"}
    }


@pytest.mark.parametrize("rest", RESTS)
def test_an_undo_of_the_night_they_joined_lets_them_join_again(directory: Directory, rest: Any) -> None:
    directory.settings = careful(**EVERY_LIST)
    directory.night(a_class("a"))
    rest(directory)
    directory.night(a_class("a", "new"), run_id="joined")
    finish(directory, "joined")
    take_back(directory, "joined")
    assert on_list(directory) == {"a"}
    directory.night(a_class("a", "new"))
    assert on_list(directory) == {"a", "new"}


def test_who_was_there_while_a_list_was_followed_joins_no_later(directory: Directory) -> None:
    directory.settings = careful(**EVERY_LIST)
    directory.night(a_class("a"))
    sis = a_class("a", "late")
    sis.enrollments = [one for one in sis.enrollments if one["user_id"] != "late"]
    directory.night(sis)
    directory.night(a_class("a", "late", shared=("T2",)))
    directory.night(a_class("a", "late"))
    assert "late" not in on_list(directory)


PAUSED = {
    "quiet": {"quiet": [{"from": "2026-11-20", "to": "2026-11-30", "mode": "pause"}]},
    "off": {"automatic_rostering": False},
}


@pytest.mark.parametrize("kind", ["nightly", "manual", "backfill"])
@pytest.mark.parametrize("how", PAUSED)
def test_a_school_that_is_paused_is_left_alone(directory: Directory, how: str, kind: Any) -> None:
    """No list of it is made, ends, or changes, whichever run it is; afterwards a list that is new is filled whole."""
    on = careful(**EVERY_LIST)
    both = [school("S1"), school("S2")]
    first = Sis(
        users=[user("t", "teacher"), user("a"), user("b", schools=["S2"])],
        orgs=both,
        terms=[term("T1"), term("T2")],
        classes=[klass("C"), klass("Z", terms=["T2"])],
        enrollments=[enrollment("C", "a"), enrollment("Z", "b")],
    )
    directory.settings = on | {"class_lists": {"enabled": True, "terms": ["T1", "T2"]}}
    directory.night(first, kind="manual")
    lists = "select list_id, kind, name, status, term_ids from directory.user_lists where school_id = 'S1' order by 1"
    members = """select m.* from directory.list_members as m join directory.user_lists as l using (list_id)
                 where school_id = 'S1' order by list_id, person_id"""
    before = directory.rows(lists), directory.rows(members)
    second = Sis(
        users=[*first.users, user("n"), user("c", schools=["S2"])],
        orgs=both,
        terms=first.terms,
        classes=[klass("C", title="Other"), klass("D", subjects=["Art"]), first.classes[1]],
        enrollments=[enrollment("D", "a"), enrollment("D", "t", "teacher"), enrollment("D", "b"), enrollment("C", "c")],
    )
    directory.settings = on | {"schools": {"S1": PAUSED[how]}}
    directory.night(second, kind="preview", run_id="shown")
    directory.night(second, kind=kind, run_id="done")
    assert (directory.rows(lists), directory.rows(members)) == before
    assert plan(directory, "shown") == plan(directory, "done")
    assert ("person", "create", "suppressed", "paused", "n") in plan(directory, "done")
    directory.settings = on
    directory.night(second)
    query = """select p.sourced_id from directory.list_members as m join directory.people as p using (person_id)
               join directory.user_lists as l using (list_id) where l.source_id = %s order by 1"""
    assert directory.rows(query, "D") == [("a",), ("b",), ("t",)]
    # c came while the list rested: it is new to it.
    assert directory.rows(query, "C") == [("a",), ("c",)]


@pytest.mark.parametrize("how", PAUSED)
def test_what_stops_the_clock_of_a_district_stops_no_run_by_hand(directory: Directory, how: str) -> None:
    directory.settings = everything_on(**EVERY_LIST) | PAUSED[how] | {"schools": {"S1": {"new_lists_public": True}}}
    directory.night(a_class("a"), kind="manual")
    assert on_list(directory) == {"a"}


def test_a_class_that_moves_to_a_school_that_is_paused_keeps_its_list(directory: Directory) -> None:
    directory.settings = everything_on(**CLASS_LISTS)
    sis = Sis(users=[user("a"), user("b", schools=["S2"])], orgs=[school("S1"), school("S2")], classes=[klass("C")],
              enrollments=[enrollment("C", "a")])  # fmt: skip
    directory.night(sis, kind="manual")
    before = directory.state()
    directory.settings = directory.settings | {"schools": {"S2": PAUSED["off"]}}
    directory.night(replace(sis, classes=[klass("C", "S2")]))
    assert directory.state() == before


@pytest.mark.parametrize("blank", [None, "", "nowhere"])
def test_a_class_whose_school_is_not_known_keeps_its_list_where_only_some_schools_are_rostered(tasks: Tasks, blank: Any) -> None:
    tasks.district = tasks.district.model_copy(update={"schools": ("S1",)})
    tasks.directory.settings = every_list()
    tasks.night(oak())
    before = tasks.directory.state()
    sis = oak()
    sis.classes[0] |= {"school_id": blank}
    tasks.night(sis)
    assert tasks.directory.state() == before


def test_schools_taken_off_the_file_and_put_back_end_as_they_were(tasks: Tasks) -> None:
    tasks.directory.settings = every_list()
    tasks.night(oak())
    before = tasks.directory.state()
    whole = tasks.district
    tasks.district = whole.model_copy(update={"schools": ("S1",)})
    tasks.night(oak(), night=NIGHT + DAY)
    tasks.night(oak(), night=NIGHT + 2 * DAY)
    tasks.district = whole
    told = tasks.night(oak(), night=NIGHT + 3 * DAY)
    assert tasks.directory.state() == before, told


def outcomes(directory: Directory, entity: str) -> set[tuple[Any, ...]]:
    """What the last run says became of whom."""
    return set(
        directory.rows(
            """select coalesce(p.sourced_id, l.kind), c.action, c.status, c.reason from directory.changes as c
               left join directory.people as p on c.entity = 'person' and p.person_id = c.entity_no
               left join directory.user_lists as l on c.entity = 'list' and l.list_id = c.entity_no
               where c.entity = %s and c.run_no = (select max(run_no) from directory.sync_runs)""",
            entity,
        )
    )


def test_whoever_is_left_as_they_are_for_want_of_a_word_says_why(directory: Directory) -> None:
    directory.settings = everything_on(**EVERY_LIST)
    directory.night(a_class("a", "b", "c"))
    before = directory.state()
    counts = directory.night(a_class("a"), set_aside=["b"], unproven="It moved.")
    assert directory.state() == before
    assert outcomes(directory, "person") == {
        ("b", "rest", "suppressed", "set_aside"),
        ("c", "rest", "suppressed", "unproven"),
    }
    assert {(action, status, reason) for _, action, status, reason in outcomes(directory, "list")} == {
        ("rest", "suppressed", "unproven")
    }
    assert (counts["people"]["student"]["skipped"], counts["people"]["student"]["unchanged"]) == (0, 3)
    lists = {kind: own["unchanged"] for kind, own in counts["lists"].items()}
    assert lists == {"class": 1, "role": 2, "grade": 1, "subject": 1, "teacher": 1}


def test_lists_of_a_lost_term_say_why_they_rest(directory: Directory) -> None:
    directory.settings = everything_on(**EVERY_LIST)
    directory.night(a_class("a"))
    counts = directory.night(a_class("a", shared=("T2",)))
    assert outcomes(directory, "list") == {(kind, "rest", "suppressed", "term_lost") for kind in ("class", "subject", "teacher")}
    assert {own["unchanged"] for kind, own in counts["lists"].items() if kind in ("class", "subject", "teacher")} == {1}


def test_everybody_whom_a_record_may_be_says_that_it_is_asked(directory: Directory) -> None:
    """Two people who may be one record: both have an outcome."""
    same = {"given_name": "Al", "family_name": "One", "identifier": None, "email": "al@example.org"}
    directory.night(Sis(users=[user("x", **same), user("y", **same | {"username": "other"})]))
    directory.night(Sis(users=[user("z", **same | {"username": "third"})]))
    assert {(who, reason) for who, _, _, reason in outcomes(directory, "person") if who} == {
        ("x", "match_not_unique"),
        ("y", "match_not_unique"),
    }
