"""How the console says states, nights, moments, ages and lengths of time."""

from __future__ import annotations

import datetime as dt
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from include.mingasync.console import words
from include.mingasync.run import Kind, State


def test_every_state_and_kind_of_a_run_has_its_words() -> None:
    assert set(words.STATES) == set(get_args(State))
    assert set(words.KINDS) == set(get_args(Kind))


def test_states_differ_without_their_colour() -> None:
    marks = [state.mark for state in (*words.STATES.values(), words.NO_RUN, words.UNDONE)]
    assert len(set(marks)) == len(marks)


def test_a_state_of_a_newer_version_keeps_its_name() -> None:
    assert words.state("partly_done").word == "Partly done"


def test_a_night_is_named_by_its_local_date() -> None:
    assert words.night(dt.date(2026, 11, 4)) == "Wed 4 Nov 2026"


def test_a_moment_is_told_in_the_districts_own_time() -> None:
    at = dt.datetime(2026, 11, 24, 8, 3, tzinfo=dt.UTC)
    assert words.moment(at, ZoneInfo("America/Chicago")) == "24 Nov 2026, 02:03 CST"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (9, "9 s"),
        (60, "1 min"),
        (74, "1 min 14 s"),
        (7500, "2 h 5 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_a_length_of_time_is_said_in_its_two_largest_units(seconds: float, said: str) -> None:
    assert words.span(dt.timedelta(seconds=seconds)) == said


@pytest.mark.parametrize(
    ("hours", "said"),
    [(0.5, "30 min ago"), (3, "3 h ago"), (26.5, "26 h ago"), (47.9, "47 h ago"), (72, "3 days ago")],
)
def test_an_age_stays_in_hours_for_two_days(hours: float, said: str) -> None:
    assert words.age(dt.timedelta(hours=hours)) == said
