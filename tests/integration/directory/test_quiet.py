"""Quiet ranges hold for the night and for the day on which its data were read."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from include.mingasync.oneroster.records import READING_ORDER
from tests.integration.directory.tasks import Tasks, Told, every_list
from tests.integration.directory.world import NIGHT, Sis, enrollment, klass, user


def district(*students: str) -> Sis:
    return Sis(
        users=[user("t", "teacher"), *(user(one) for one in students)],
        classes=[klass("C")],
        enrollments=[enrollment("C", "t", "teacher"), *(enrollment("C", one) for one in students)],
    )


def read(tasks: Tasks, sis: Sis, *, days_later: int, **more: Any) -> Told:
    """The run of NIGHT, or a later one, whose data are read so many days after it."""
    night = more.get("night", NIGHT)
    at = dt.datetime.combine(night + dt.timedelta(days=days_later), dt.time(8), dt.UTC)
    return tasks.night(sis, proofs={name: {"started_at": at, "finished_at": at} for name in READING_ORDER}, **more)


def quiet(mode: str, first: int, last: int) -> list[dict[str, str]]:
    day = NIGHT + dt.timedelta(days=1)
    return [{"from": str(day + dt.timedelta(days=first)), "to": str(day + dt.timedelta(days=last)), "mode": mode}]


@pytest.mark.parametrize("whose", ["the district's", "a school's"])
@pytest.mark.parametrize("mode", ["additions_only", "pause"])
@pytest.mark.parametrize("days_later", [0, 3])
def test_a_failed_night_that_is_read_on_a_quiet_day_changes_no_more_than_that_day_would(
    tasks: Tasks, days_later: int, mode: str, whose: str
) -> None:
    """Its backfill reads the SIS as it is by then, in the middle of the rollover."""
    tasks.directory.settings = every_list("T1")
    read(tasks, district("a", "b"), days_later=0)
    before = tasks.directory.state()
    own = {"quiet": quiet(mode, 2, 9)}
    tasks.directory.settings |= own if whose == "the district's" else {"schools": {"S1": own}}
    changed = district("b", "c")
    changed.users[1]["given_name"] = "Else"
    read(tasks, changed, days_later=days_later, kind="backfill", night=NIGHT + dt.timedelta(days=1))
    status = dict(tasks.directory.rows("select sourced_id, status from directory.people where role = 'student'"))
    name = tasks.directory.value("select given_name from directory.people where sourced_id = 'b'")
    if days_later == 0 or (mode == "pause" and whose == "the district's"):
        # What stops the clock of a district stops no run that a person starts.
        assert (status, name) == ({"a": "archived", "b": "active", "c": "active"}, "Else")
    elif mode == "additions_only":
        assert (status, name) == ({"a": "active", "b": "active", "c": "active"}, "Givenb")
        assert {row[:3] for row in before[2]} <= {row[:3] for row in tasks.directory.state()[2]}
    else:
        assert tasks.directory.state() == before
