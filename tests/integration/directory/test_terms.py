"""Whatever follows terms rests while a selected one is lost."""

from __future__ import annotations

import copy

import pytest

from tests.integration.directory.tasks import Tasks, every_list, oak
from tests.integration.directory.world import Sis, enrollment, everything_on, klass, user

ROLLS = (
    "select l.kind, l.school_id, l.source_id, l.status, l.name, p.sourced_id, m.member_role from directory.user_lists l"
    " left join directory.list_members m using (list_id) left join directory.people p using (person_id)"
    " where kind = any (%s) order by 1, 2, 3, 6, 7"
)
KINDS = ["class", "subject", "teacher"]


def district() -> Sis:
    """The district with so much in its second term that the loss of the first does not halve anything."""
    sis = oak()
    for one in range(12):
        sis.classes.append(klass(f"F{one}", "S2", ["T2"]))
        sis.enrollments += [enrollment(f"F{one}", who) for who in ("s7", "s9")]
    return sis


def without_term(sis: Sis, term_id: str) -> Sis:
    """The SIS that shares a term no more, nor its classes and their enrollments."""
    lost = copy.deepcopy(sis)
    lost.terms = [one for one in lost.terms if one["sourced_id"] != term_id]
    gone = {one["sourced_id"] for one in lost.classes if one["term_ids"] == [term_id]}
    lost.classes = [one for one in lost.classes if one["sourced_id"] not in gone]
    lost.enrollments = [one for one in lost.enrollments if one["class_id"] not in gone]
    return lost


def test_a_selected_term_that_vanishes_freezes_lists_of_every_kind(tasks: Tasks) -> None:
    tasks.directory.settings = every_list("T1", "T2")
    tasks.night(district())
    before = tasks.directory.rows(ROLLS, KINDS)
    told = tasks.night(without_term(district(), "T1"))
    assert tasks.directory.rows(ROLLS, KINDS) == before
    assert told.rules() == ["terms.selected_lost"] and told.state == "completed_with_errors"
    assert "snapshot.unproven" not in told.rules("warning")
    # Back again, they go on.
    assert tasks.night(district()).state == "success"


def test_lists_of_the_other_terms_and_of_schools_that_do_not_select_the_lost_one_go_on(tasks: Tasks) -> None:
    tasks.directory.settings = every_list("T1", "T2") | {"schools": {"S2": {"class_lists": {"terms": ["T2"]}}}}
    tasks.night(district())
    lost = without_term(district(), "T1")
    lost.users.append(user("new", schools=["S2"]))
    lost.enrollments.append(enrollment("P", "new"))
    lost.classes.append(klass("Q", "S1", ["T2"], subjects=["Art"]))
    tasks.night(lost)
    joined = tasks.directory.rows(
        "select l.kind, l.source_id from directory.list_members m join directory.user_lists l using (list_id)"
        " join directory.people p using (person_id) where p.sourced_id = 'new' and l.kind = any (%s) order by 1",
        KINDS,
    )
    assert joined == [("class", "P"), ("subject", "Art"), ("teacher", "t3")]
    assert tasks.directory.value("select count(*) from directory.user_lists where source_id = 'Q'") == 1


@pytest.mark.parametrize("status", ["tobedeleted", "inactive"])
def test_a_selected_term_that_the_sis_deletes_is_told_and_its_lists_follow_their_classes(status: str, tasks: Tasks) -> None:
    tasks.directory.settings = every_list("T1", "T2")
    tasks.night(district())
    before = tasks.directory.state()
    sis = district()
    sis.terms[0]["status"] = status
    told = tasks.night(sis)
    assert tasks.directory.state() == before
    assert "terms.selected_lost" not in told.rules() and "academicSessions.not_active" in told.rules("warning")
    for one in sis.classes:
        if one["term_ids"] == ["T1"]:
            one["status"] = status
    tasks.night(sis)
    active = tasks.directory.rows("select source_id from directory.user_lists where kind = 'class' and status = 'active'")
    assert {one for (one,) in active} == {"P", *(f"F{one}" for one in range(12))}


def test_a_term_that_nothing_follows_is_not_missed(tasks: Tasks) -> None:
    tasks.directory.settings = everything_on(class_lists={"enabled": False, "terms": ["T1"]}, auto_lists={"role": True})
    tasks.night(district())
    told = tasks.night(without_term(district(), "T1"))
    assert told.state == "success"


def test_a_term_whose_dates_are_none_is_neither_lost_nor_taken_out_of_the_choice(tasks: Tasks) -> None:
    tasks.directory.settings = every_list("T1", "T2")
    tasks.night(district())
    before = tasks.directory.state()
    terms = "select term_id, start_date, end_date, shared from directory.terms order by 1"
    known = tasks.directory.rows(terms)
    sis = district()
    sis.terms[0]["end_date"] = "18.12.2026"
    told = tasks.night(sis)
    assert tasks.directory.state() == before and tasks.directory.rows(terms) == known
    assert told.rules() == ["academicSessions.dates"]
