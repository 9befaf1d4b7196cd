"""Archiving: whoever archives asks the newest snapshot again, and what was archived or allowed already counts."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any, LiteralString

import pytest

from include.mingasync.directory.archive import approve, archive, ask, held, reject
from include.mingasync.directory.load import load
from include.mingasync.directory.runs import verdict
from include.mingasync.errors import LoadRefused
from include.mingasync.run import Kind, Run
from include.mingasync.settings import Settings
from tests.integration.directory.world import NIGHT, Directory, Sis, everything_on, school, user

DAY = dt.timedelta(days=1)


def students(number: int, start: int = 0, at: str = "S1") -> list[dict[str, Any]]:
    return [user(f"{at}-{n:03d}", schools=[at]) for n in range(start, start + number)]


def loaded(directory: Directory, sis: Sis, **more: Any) -> tuple[Run, int]:
    """A run that planned and applied everything but its archive."""
    taken_at, unproven = more.pop("taken_at", None), more.pop("unproven", None)
    run, run_no = directory.open(**more)
    desired = directory.desired(sis, night=run.night, taken_at=taken_at, unproven=unproven)
    load(directory.connection, run, run_no, Settings.model_validate(directory.settings), desired)
    return run, run_no


def archived(directory: Directory) -> list[str]:
    return [row[0] for row in directory.rows("select sourced_id from directory.people where status = 'archived' order by 1")]


def outcomes(directory: Directory, run_no: int) -> dict[tuple[str, str], int]:
    """How many archives of a run have which status and reason."""
    query = "select status, reason, count(*) from directory.changes where run_no = %s and action = 'archive' group by 1, 2"
    return {(status, reason): number for status, reason, number in directory.rows(query, run_no)}


# Whom the newest snapshot has stays.


@pytest.mark.parametrize("second_is_proven", [True, False])
def test_an_older_runs_archive_touches_nobody_once_a_newer_night_is_loaded(directory: Directory, second_is_proven: bool) -> None:
    directory.night(Sis(users=students(10)))
    first, first_no = loaded(directory, Sis(users=students(7)), night=NIGHT)
    assert outcomes(directory, first_no) == {("planned", "absent"): 3}
    directory.night(Sis(users=students(10)), night=NIGHT + DAY, unproven=None if second_is_proven else "It moved.")
    before = directory.state()
    archive(directory.connection, first, first_no)
    assert archived(directory) == [] and directory.state() == before
    assert outcomes(directory, first_no) == {("conflict", "newer_night"): 3}


def test_an_older_runs_archive_leaves_to_the_newer_night_also_who_is_still_gone(directory: Directory) -> None:
    directory.night(Sis(users=students(10)))
    first, first_no = loaded(directory, Sis(users=students(7)))
    second, second_no = loaded(directory, Sis(users=students(7)), night=NIGHT + DAY)
    archive(directory.connection, first, first_no)
    assert archived(directory) == []
    archive(directory.connection, second, second_no)
    assert len(archived(directory)) == 3


def test_an_approval_that_comes_after_a_newer_night_releases_nobody_and_says_so(directory: Directory) -> None:
    directory.settings = everything_on(safety={"archive_percent": 10, "archive_minimum": 20})
    directory.night(Sis(users=students(100)))
    first, first_no = loaded(directory, Sis(users=students(60)))
    ask(directory.connection, first_no)
    directory.night(Sis(users=students(100)), night=NIGHT + DAY)
    assert approve(directory.connection, first_no, "pat") == 0
    archive(directory.connection, first, first_no)
    assert archived(directory) == []
    assert directory.rows("select answer, answered_by from directory.sync_runs where run_no = %s", first_no) == [("late", "pat")]


@pytest.mark.parametrize("kind", ["backfill", "manual"])
@pytest.mark.parametrize("when", ["before it archives", "before it is answered"])
def test_a_run_of_the_same_night_beside_one_that_waits_has_the_last_word(directory: Directory, kind: Kind, when: str) -> None:
    directory.settings = everything_on(safety={"archive_percent": 10, "archive_minimum": 20})
    directory.night(Sis(users=students(100)))
    waiting, waiting_no = loaded(directory, Sis(users=students(60)), night=NIGHT + DAY)
    ask(directory.connection, waiting_no)
    if when == "before it archives":
        assert approve(directory.connection, waiting_no, "pat") == 40
    directory.night(Sis(users=students(100)), kind=kind, night=NIGHT + DAY)
    before = directory.state()
    if when == "before it is answered":
        assert approve(directory.connection, waiting_no, "pat") == 0
    archive(directory.connection, waiting, waiting_no)
    assert archived(directory) == [] and directory.state() == before


def test_somebody_linked_by_hand_to_a_record_that_is_there_stays(directory: Directory) -> None:
    directory.night(Sis(users=students(3)))
    run, run_no = loaded(directory, Sis(users=[*students(2), user("new", identifier="n", email="n@x.org", username="n")]))
    directory.do("update directory.people set sourced_ids = '{new}', sourced_id = 'new' where sourced_id = 'S1-002'")
    archive(directory.connection, run, run_no)
    assert archived(directory) == []
    assert outcomes(directory, run_no) == {("conflict", "seen_since"): 1}


@pytest.mark.parametrize(
    ("meanwhile", "reason", "words"),
    [
        ("set status = 'archived', archived_at = now()", "archived_since", "1 archived already."),
        ("set include_in_sync = false", "excluded", "1 not included in the sync any more."),
        ("set sourced_ids = '{x}', sourced_id = 'x'", "seen_since", "1 linked to another record, or not absent any more."),
    ],
)
def test_whose_archive_was_planned_and_is_left_alone_has_the_reason_told(
    directory: Directory, meanwhile: LiteralString, reason: str, words: str
) -> None:
    directory.night(Sis(users=students(3)))
    run, run_no = loaded(directory, Sis(users=students(1)))
    directory.do(f"update directory.people {meanwhile} where sourced_id = 'S1-002'")
    query = "select * from directory.people where identifier = 'id-S1-002'"
    before = directory.rows(query)
    archive(directory.connection, run, run_no)
    assert directory.rows(query) == before and len(before) == 1
    assert outcomes(directory, run_no) == {("applied", "absent"): 1, ("conflict", reason): 1}
    assert verdict(directory.connection, run_no) == (
        "success",
        f"1 archive was not carried out, because of what happened since the plan: {words}",
    )


def test_what_is_wrong_with_a_night_is_told_beside_whose_archive_was_not_carried_out(directory: Directory) -> None:
    directory.night(Sis(users=students(4)))
    run, run_no = loaded(directory, Sis(users=students(1)))
    directory.do("update directory.people set include_in_sync = false where sourced_id in ('S1-001', 'S1-002')")
    directory.do("update directory.people set status = 'archived', archived_at = now() where sourced_id = 'S1-003'")
    archive(directory.connection, run, run_no)
    directory.do(
        "insert into directory.sync_issues (run_no, run_id, district, step, severity, resource, sourced_id, rule, message, fix)"
        " select run_no, run_id, district, 'load', 'error', 'users', 'x' || n, 'users.x', 'm', 'f'"
        " from directory.sync_runs cross join generate_series(1, 2) as n where run_no = %s",
        run_no,
    )
    assert verdict(directory.connection, run_no) == (
        "completed_with_errors",
        "2 records were set aside or could not be used. See the issues. 3 archives were not carried out, because of what happened "
        "since the plan: 1 archived already, 2 not included in the sync any more.",
    )


def test_a_retry_that_proves_nothing_any_more_archives_nobody(directory: Directory) -> None:
    directory.night(Sis(users=students(3)))
    run, run_no = loaded(directory, Sis(users=students(2)), run_id="tonight")
    loaded(directory, Sis(users=students(2)), run_id="tonight", unproven="It moved.")
    archive(directory.connection, run, run_no)
    assert archived(directory) == []


# An older run is never loaded over a newer night, whatever was read for it when.


def test_a_run_that_had_loaded_is_not_loaded_again_over_a_newer_night_though_it_was_read_anew(directory: Directory) -> None:
    directory.night(Sis(users=students(5)), run_id="old")
    directory.night(Sis(users=students(4)), run_id="new", night=NIGHT + DAY)
    before, row = directory.state(), directory.rows("select * from directory.sync_runs where run_id = 'old'")
    with pytest.raises(LoadRefused, match="Run new was loaded after this one"):
        directory.night(Sis(users=students(5)), run_id="old", taken_at=dt.datetime.now(dt.UTC))
    assert directory.state() == before
    assert directory.rows("select * from directory.sync_runs where run_id = 'old'") == row


def test_a_failed_night_read_late_is_not_loaded_over_a_later_night(directory: Directory) -> None:
    directory.night(Sis(users=students(5)), night=NIGHT + DAY)
    with pytest.raises(LoadRefused, match="later night"):
        directory.night(Sis(users=students(4)), night=NIGHT)
    assert archived(directory) == []


# The safety limits.


def test_a_run_that_is_cleared_again_and_again_archives_no_more_than_one_clean_run_may(directory: Directory) -> None:
    directory.settings = everything_on(safety={"archive_percent": 10, "archive_minimum": 10})
    directory.night(Sis(users=students(150)))
    for left in (135, 120, 105, 90, 75):
        counts = directory.night(Sis(users=students(left)), run_id="tonight")
    assert len(archived(directory)) == 15
    assert (counts["people"]["student"]["archived"], counts["people"]["student"]["archive_held"]) == (15, 60)


def test_thirty_small_schools_cannot_empty_a_district(directory: Directory) -> None:
    directory.settings = everything_on(safety={"archive_percent": 10, "archive_minimum": 20})
    orgs = [school(f"S{n}") for n in range(30)]
    everybody = [one for n in range(30) for one in students(19, at=f"S{n}")]
    directory.night(Sis(users=[*everybody, user("t", "teacher", ["S0"]), user("t2", "teacher", ["S0"])], orgs=orgs))
    run, run_no = loaded(directory, Sis(users=[*everybody[:19], user("t", "teacher", ["S0"])], orgs=orgs))
    archive(directory.connection, run, run_no)
    assert archived(directory) == ["t2"], "another role is not held with it"
    assert sum(group["people"] for group in held(directory.connection, run_no)) == 29 * 19


def test_what_a_school_holds_for_itself_does_not_hold_the_others(directory: Directory) -> None:
    directory.settings = everything_on(safety={"archive_percent": 10, "archive_minimum": 20})
    orgs = [school("S1"), school("S2")]
    directory.night(Sis(users=[*students(100), *students(100, at="S2")], orgs=orgs))
    counts = directory.night(Sis(users=[*students(60), *students(95, at="S2")], orgs=orgs))
    assert (counts["people"]["student"]["archived"], counts["people"]["student"]["archive_held"]) == (5, 40)


def test_the_districts_own_limits_hold_whatever_its_schools_may(directory: Directory) -> None:
    generous = {"safety": {"archive_percent": 100, "archive_minimum": 1000}}
    directory.settings = everything_on(
        safety={"archive_percent": 10, "archive_minimum": 20}, schools={"S1": generous, "S2": generous}
    )
    orgs = [school("S1"), school("S2")]
    directory.night(Sis(users=[*students(100), *students(100, at="S2")], orgs=orgs))
    sis = Sis(users=[*students(88), *students(88, at="S2")], orgs=orgs)
    assert directory.night(sis)["people"]["student"]["archive_held"] == 24
    directory.settings = everything_on(schools={"S1": {"safety": {"archive_percent": 0, "archive_minimum": 0}}})
    counts = directory.night(sis, night=NIGHT + DAY)["people"]["student"]
    assert (counts["archived"], counts["archive_held"]) == (12, 12), "a school's stricter limit is its own"


# Answers.


@pytest.fixture
def two_held(directory: Directory) -> tuple[Run, int]:
    """A run with 40 held in each of two schools."""
    directory.settings = everything_on(safety={"archive_percent": 10, "archive_minimum": 20})
    orgs = [school("S1"), school("S2")]
    directory.night(Sis(users=[*students(100), *students(100, at="S2")], orgs=orgs))
    run, run_no = loaded(directory, Sis(users=[*students(60), *students(60, at="S2")], orgs=orgs), run_id="tonight")
    ask(directory.connection, run_no)
    return run, run_no


def test_some_groups_may_be_approved_and_the_others_are_refused(directory: Directory, two_held: tuple[Run, int]) -> None:
    run, run_no = two_held
    assert approve(directory.connection, run_no, "pat", [("S1", "student")]) == 40
    archive(directory.connection, run, run_no)
    assert {one[:2] for one in archived(directory)} == {"S1"} and len(archived(directory)) == 40
    assert outcomes(directory, run_no) == {("applied", "absent"): 40, ("held", "absent"): 40}
    assert directory.rows("select answer, answered_by from directory.sync_runs where run_no = %s", run_no) == [("partly", "pat")]
    answers = "select school_id, answer, answered_by, count(*) from directory.approvals group by 1, 2, 3 order by 1"
    assert directory.rows(answers) == [("S1", "approved", "pat", 40), ("S2", "rejected", "pat", 40)]


def test_the_first_answer_counts(directory: Directory, two_held: tuple[Run, int]) -> None:
    _, run_no = two_held
    reject(directory.connection, run_no, "pat")
    assert approve(directory.connection, run_no, "kim") == 0
    assert outcomes(directory, run_no) == {("held", "absent"): 80}
    assert directory.rows("select answer, answered_by from directory.sync_runs where run_no = %s", run_no) == [
        ("rejected", "pat")
    ]
    ask(directory.connection, run_no)
    assert approve(directory.connection, run_no, "kim") == 80, "asked once more, it may be answered once more"


def test_an_approval_releases_only_whom_it_showed(directory: Directory, two_held: tuple[Run, int]) -> None:
    run, run_no = two_held
    orgs = [school("S1"), school("S2")]
    loaded(directory, Sis(users=[*students(10), *students(60, at="S2")], orgs=orgs), run_id="tonight")
    assert sum(group["people"] for group in held(directory.connection, run_no)) == 130
    assert approve(directory.connection, run_no, "pat") == 80
    archive(directory.connection, run, run_no)
    assert len(archived(directory)) == 80
    assert outcomes(directory, run_no) == {("applied", "absent"): 80, ("held", "absent"): 50}


def test_a_plan_made_anew_keeps_the_approval_and_holds_whoever_came_to_it(
    directory: Directory, two_held: tuple[Run, int]
) -> None:
    run, run_no = two_held
    orgs = [school("S1"), school("S2")]
    assert approve(directory.connection, run_no, "pat") == 80
    loaded(directory, Sis(users=[*students(55), *students(60, at="S2")], orgs=orgs), run_id="tonight")
    assert outcomes(directory, run_no) == {("planned", "absent"): 80, ("held", "absent"): 5}
    for _ in range(3):
        archive(directory.connection, run, run_no)
    assert len(archived(directory)) == 80


def test_an_approval_never_serves_another_run(directory: Directory, two_held: tuple[Run, int]) -> None:
    _, run_no = two_held
    assert approve(directory.connection, run_no, "pat") == 80
    orgs = [school("S1"), school("S2")]
    counts = directory.night(Sis(users=[*students(60), *students(60, at="S2")], orgs=orgs), night=NIGHT + DAY)
    assert counts["people"]["student"]["archive_held"] == 80 and archived(directory) == []


# Absent for so many proven nights running.


def patient(nights: int = 3, **safety: Any) -> dict[str, Any]:
    return everything_on(safety={"archive_percent": 100, "archive_minimum": 0, "absent_nights": nights, **safety})


def test_who_is_absent_is_archived_after_so_many_proven_nights_running(directory: Directory) -> None:
    directory.settings = patient(3)
    directory.night(Sis(users=students(3)), night=NIGHT)
    for day, left in ((1, []), (2, []), (3, ["S1-002"])):
        counts = directory.night(Sis(users=students(2)), night=NIGHT + day * DAY, run_id=f"night {day}")
        assert archived(directory) == left, day
        assert counts["people"]["student"]["archive_suppressed"] == (day < 3)
    assert directory.rows("select distinct status, reason from directory.changes where action = 'archive' order by 1") == [
        ("applied", "absent"),
        ("suppressed", "absent_nights"),
    ]


def test_a_night_counts_once_however_often_it_is_tried(directory: Directory) -> None:
    directory.settings = patient(2)
    directory.night(Sis(users=students(3)))
    for run_id in ("tonight", "tonight", "tonight", "by hand, the same night"):
        directory.night(Sis(users=students(2)), night=NIGHT + DAY, run_id=run_id)
        assert archived(directory) == []
    assert directory.rows("select first_night, last_night, nights from directory.absences") == [(NIGHT + DAY, NIGHT + DAY, 1)]
    directory.night(Sis(users=students(2)), night=NIGHT + 2 * DAY)
    assert archived(directory) == ["S1-002"]


def test_an_unproven_night_does_not_count_and_whoever_is_seen_in_one_is_not_absent(directory: Directory) -> None:
    directory.settings = patient(2)
    directory.night(Sis(users=students(3)))
    directory.night(Sis(users=students(1)), night=NIGHT + DAY)
    directory.night(Sis(users=students(2)), night=NIGHT + 2 * DAY, unproven="It moved.")
    assert directory.rows("select nights, last_night from directory.absences") == [(1, NIGHT + DAY)]
    directory.night(Sis(users=students(1)), night=NIGHT + 3 * DAY)
    assert archived(directory) == ["S1-002"], "of the other one the count begins anew"
    assert directory.rows("select nights, first_night from directory.absences") == [(1, NIGHT + 3 * DAY)]


def test_a_record_set_aside_ends_an_absence(directory: Directory) -> None:
    directory.settings = patient(2)
    directory.night(Sis(users=students(3)))
    directory.night(Sis(users=students(2)), night=NIGHT + DAY)
    directory.night(Sis(users=students(3)), night=NIGHT + 2 * DAY, set_aside=["S1-002"])
    assert directory.rows("select * from directory.absences") == [] and archived(directory) == []


@pytest.mark.parametrize(
    ("change", "leaves"),
    [
        ({"status": "tobedeleted"}, True),
        ({"status": "inactive"}, True),
        ({"enabled": False}, True),
        ({"org_ids": ["elsewhere"]}, False),
    ],
)
def test_whom_the_sis_says_gone_is_archived_at_once(directory: Directory, change: dict[str, Any], leaves: bool) -> None:
    directory.settings, directory.rostered = patient(3), ("S1",)
    orgs = [school("S1"), school("elsewhere")]
    directory.night(Sis(users=students(2), orgs=orgs))
    directory.night(Sis(users=[*students(1), user("S1-001") | change], orgs=orgs), night=NIGHT + DAY)
    assert archived(directory) == (["S1-001"] if leaves else [])


def test_a_night_of_changes_archives_whose_record_says_that_they_are_not_here_and_nobody_whose_record_is_missing(
    directory: Directory,
) -> None:
    over = {
        "deleted": {"status": "tobedeleted"},
        "inactive": {"status": "inactive"},
        "disabled": {"enabled": False},
        "moved": {"org_ids": ["elsewhere"]},
    }
    orgs = [school("S1"), school("elsewhere")]
    directory.rostered = ("S1",)
    everybody = [user(name) for name in (*over, "missing", "stays")]
    directory.night(Sis(users=everybody, orgs=orgs), night=NIGHT - DAY)
    run, run_no = directory.open(night=NIGHT)
    sis = Sis(users=[user(name) | change for name, change in over.items()] + [user("stays")], orgs=orgs)
    desired = replace(directory.desired(sis), only_changes=True)
    load(directory.connection, run, run_no, Settings.model_validate(directory.settings), desired)
    archive(directory.connection, run, run_no)
    assert archived(directory) == sorted(over)


def test_somebody_of_whom_one_record_is_deleted_and_another_absent_waits(directory: Directory) -> None:
    directory.settings = patient(2)
    orgs = [school("S1"), school("S2")]
    one = user("a")
    twin = one | {"sourced_id": "b", "org_ids": ["S2"]}
    directory.night(Sis(users=[one, twin, user("c")], orgs=orgs))
    directory.night(Sis(users=[one | {"status": "tobedeleted"}, user("c")], orgs=orgs), night=NIGHT + DAY)
    assert archived(directory) == []
    directory.night(Sis(users=[one | {"status": "tobedeleted"}, user("c")], orgs=orgs), night=NIGHT + 2 * DAY)
    assert archived(directory) == ["a"]


def test_those_who_become_due_together_are_held_like_any_others(directory: Directory) -> None:
    directory.settings = patient(2, archive_percent=10, archive_minimum=20)
    directory.night(Sis(users=students(100)))
    waiting = directory.night(Sis(users=students(60)), night=NIGHT + DAY)["people"]["student"]
    assert (waiting["archive_suppressed"], waiting["archive_held"]) == (40, 0)
    due = directory.night(Sis(users=students(60)), night=NIGHT + 2 * DAY)["people"]["student"]
    assert (due["archive_suppressed"], due["archive_held"]) == (0, 40)


def test_a_school_may_wait_longer_than_its_district(directory: Directory) -> None:
    directory.settings = everything_on(schools={"S2": {"safety": {"absent_nights": 2}}})
    orgs = [school("S1"), school("S2")]
    directory.night(Sis(users=[*students(2), *students(2, at="S2")], orgs=orgs))
    sis = Sis(users=[*students(1), *students(1, at="S2")], orgs=orgs)
    directory.night(sis, night=NIGHT + DAY)
    assert archived(directory) == ["S1-001"]
    directory.night(sis, night=NIGHT + 2 * DAY)
    assert archived(directory) == ["S1-001", "S2-001"]


def test_twenty_thousand_leavers_beside_thirty_thousand_deleted_records_are_a_matter_of_seconds(directory: Directory) -> None:
    directory.settings = everything_on()
    directory.do(
        "insert into directory.people (district, source, sourced_id, sourced_ids, role, given_name, family_name, school_ids, include_in_sync)"
        " select 'oak', 'sis', 'u' || n, array['u' || n], 'student', 'A', 'B', '{S1}', true from generate_series(1, 20000) as one (n)"
    )
    gone = [user(f"u{n}") | {"status": "tobedeleted"} for n in range(10_000, 40_000)]
    directory.do("set statement_timeout = '20s'")
    directory.night(Sis(users=[user("here"), *gone]))
    assert len(archived(directory)) == 20_000
