"""How long an answer about held archives may take, over both changes of the clock."""

from __future__ import annotations

import datetime as dt

import pytest

from include.mingasync.airflow_glue.approval import next_night, until_next_night
from include.mingasync.district import District

MARGIN = dt.timedelta(minutes=10)


def district(timezone: str, schedule: str) -> District:
    return District.model_validate(
        {
            "slug": "oak",
            "name": "Oak",
            "timezone": timezone,
            "schedule": schedule,
            "sis": {"name": "generic"},
            "contact": {"name": "Sam", "email": "sam@example.org"},
        }
    )


@pytest.mark.parametrize(
    ("timezone", "schedule", "now", "night"),
    [
        # An ordinary day; then the night that the autumn makes 25 hours away, and the one that the spring makes 23.
        ("America/Chicago", "0 2 * * *", "2026-11-24T08:05Z", "2026-11-25T08:00Z"),
        ("America/Chicago", "0 2 * * *", "2026-10-31T07:05Z", "2026-11-01T08:00Z"),
        ("America/Chicago", "0 2 * * *", "2027-03-13T08:05Z", "2027-03-14T08:00Z"),
        # Asked within the hour before the change, within the hour that comes twice, and just after.
        ("America/Chicago", "0 2 * * *", "2026-11-01T06:30Z", "2026-11-01T08:00Z"),
        ("America/Chicago", "30 1 * * *", "2026-11-01T06:45Z", "2026-11-01T07:30Z"),
        ("America/Chicago", "30 1 * * *", "2026-11-01T07:45Z", "2026-11-02T07:30Z"),
        ("America/Chicago", "0 2 * * *", "2027-03-14T08:00Z", "2027-03-15T07:00Z"),
        # A zone of half an hour whose clock changes by half an hour, and one that never changes.
        ("Australia/Lord_Howe", "0 3 * * *", "2026-10-03T00:00Z", "2026-10-03T16:00Z"),
        ("Australia/Lord_Howe", "0 3 * * *", "2027-04-03T10:00Z", "2027-04-03T16:30Z"),
        ("Asia/Kolkata", "0 2 * * *", "2026-11-01T00:00Z", "2026-11-01T20:30Z"),
        # Half past the hour by the whole zone, with a change of an hour.
        ("Australia/Adelaide", "0 4 * * *", "2026-10-02T19:00Z", "2026-10-03T17:30Z"),
        ("Australia/Adelaide", "0 4 * * *", "2027-04-02T18:00Z", "2027-04-03T18:30Z"),
    ],
)
def test_an_answer_may_take_until_ten_minutes_before_the_next_night(timezone: str, schedule: str, now: str, night: str) -> None:
    own, asked, next_one = district(timezone, schedule), dt.datetime.fromisoformat(now), dt.datetime.fromisoformat(night)
    assert next_night(own, asked) == next_one
    assert until_next_night(own, asked) == next_one - asked - MARGIN


def test_an_answer_asked_for_just_before_the_next_night_has_a_minute() -> None:
    own = district("America/Chicago", "0 2 * * *")
    assert until_next_night(own, dt.datetime(2026, 11, 24, 7, 55, tzinfo=dt.UTC)) == dt.timedelta(minutes=1)


def test_how_long_is_told_in_a_form_that_a_task_can_hand_to_airflow() -> None:
    own = district("America/Chicago", "0 2 * * *")
    # A subclass, such as pendulum's, is refused between a task and its supervisor: the question would never be asked.
    assert type(until_next_night(own, dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC))) is dt.timedelta
