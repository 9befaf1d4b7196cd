"""Rows of the OneRoster History as the pages and the CSV show them, whatever the counts lack."""

from __future__ import annotations

import csv
import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from include.mingasync.console.history import PEOPLE_SHORT, Run, as_csv, run_from, standing_from
from include.mingasync.console.places import Place
from include.mingasync.directory.counts import empty_counts
from include.mingasync.results.cells import safe_cell

NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
OAK = Place("oak", "Oak Park", ZoneInfo("America/Chicago"))


def row(**more: Any) -> dict[str, Any]:
    """A row of sync_runs of a night without a fault."""
    return {
        "run_id": "scheduled__2026-11-24T08:00:00+00:00",
        "kind": "nightly",
        "night": dt.date(2026, 11, 24),
        "state": "success",
        "reason": None,
        "started_at": NOW - dt.timedelta(hours=4),
        "finished_at": NOW - dt.timedelta(hours=4) + dt.timedelta(seconds=30),
        "snapshot_at": None,
        "counts": None,
        "good_at": NOW - dt.timedelta(hours=4),
    } | more


def counted(**students: int) -> Run:
    """A run that counted some students and 3 new lists."""
    counts = empty_counts()
    counts["people"]["student"].update(students)
    counts["lists"]["class"].update(created=3, unchanged=500)
    counts["memberships"] = {"added": 7, "removed": 2}
    return run_from(row(counts=counts))


def test_held_back_is_what_switches_and_limits_kept_from_happening() -> None:
    run = counted(created=1, update_suppressed=2, archive_suppressed=30, archive_held=400, unchanged=5000)
    student = dict(zip(PEOPLE_SHORT, run.people[0].numbers, strict=True))
    assert student == {
        "Created": 1,
        "Updated": 0,
        "Restored": 0,
        "Archived": 0,
        "Held back": 432,
        "Skipped": 0,
    }


def test_all_roles_are_added_up_and_lists_that_stayed_are_no_change() -> None:
    run = counted(created=4, skipped=2)
    assert run.everybody.numbers == (4, 0, 0, 0, 0, 2)
    assert run.list_changes == 3


@pytest.mark.parametrize(
    "counts",
    [
        None,
        {},
        {"people": None},
        {"people": {"student": None}},
        {"people": {"student": {"created": None}}},
        {"people": [1], "lists": "many", "memberships": {"added": "?"}, "issues": 3},
    ],
)
def test_counts_may_lack_anything(counts: Any) -> None:
    run = run_from(row(counts=counts))
    assert not any(run.everybody.numbers)
    assert (run.list_changes, run.added, run.removed) == (0, 0, 0)
    assert run.issues == {"critical": 0, "error": 0, "warning": 0}


def test_a_run_without_words_of_its_own_gets_those_of_its_state() -> None:
    assert "task's log" in run_from(row(state="failed")).reason
    assert run_from(row(state="failed", reason="The SIS answered 503.")).reason == "The SIS answered 503."
    assert run_from(row()).reason == ""


@pytest.mark.parametrize(("hours", "late"), [(25.9, False), (26.1, True)])
def test_a_district_is_late_after_26_hours_without_a_good_night(hours: float, late: bool) -> None:
    assert standing_from(OAK, row(good_at=NOW - dt.timedelta(hours=hours)), NOW).is_late is late


def test_a_district_that_never_had_a_good_night_is_late_but_one_never_run_or_skipped_is_not() -> None:
    assert standing_from(OAK, row(state="failed", good_at=None), NOW).is_late
    assert not standing_from(OAK, None, NOW).is_late
    assert not standing_from(OAK, row(state="skipped", good_at=None), NOW).is_late


def test_what_needs_somebody_comes_first() -> None:
    stale = NOW - dt.timedelta(days=3)
    standings = {
        "failed": standing_from(OAK, row(state="failed"), NOW),
        "held": standing_from(OAK, row(state="held"), NOW),
        "late": standing_from(OAK, row(good_at=stale), NOW),
        "errors": standing_from(OAK, row(state="completed_with_errors"), NOW),
        "fine": standing_from(OAK, row(), NOW),
    }
    assert sorted(standings, key=lambda name: standings[name].urgency) == list(standings)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\r\n=1", "＝1"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


def test_numbers_and_ordinary_words_stay_as_they_are() -> None:
    assert [safe_cell(cell) for cell in (-3, 0, "Oak = fine", "")] == [-3, 0, "Oak = fine", ""]


def test_the_csv_has_a_line_per_run_in_local_time() -> None:
    runs = [counted(created=4), run_from(row(state="running", finished_at=None, reason="=cmd|'/c calc'!A1"))]
    heading, first, second = csv.reader("".join(as_csv(runs, OAK.zone)).splitlines())
    assert len(heading) == len(first) == len(second) == len(set(heading))
    told = dict(zip(heading, first, strict=True))
    assert told["student_created"] == "4"
    assert told["lists_changed"] == "3"
    assert told["started_at"] == "2026-11-24T02:00:00-06:00"
    told = dict(zip(heading, second, strict=True))
    assert told["finished_at"] == ""
    assert told["reason"].startswith("'=")
