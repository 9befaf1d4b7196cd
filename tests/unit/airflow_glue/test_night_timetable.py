"""Which nights the dates of a backfill name, in every zone; the clock's own schedule is Airflow's."""

from __future__ import annotations

import datetime as dt
import itertools
from zoneinfo import ZoneInfo

import pendulum
import pytest
from airflow.timetables.base import TimeRestriction
from airflow.timetables.trigger import CronTriggerTimetable

from include.mingasync.airflow_glue.night_timetable import NightTimetable

ZONES = ["America/Chicago", "Pacific/Honolulu", "UTC", "Europe/Oslo", "Pacific/Auckland", "Pacific/Kiritimati", "Asia/Kolkata"]


def nights(timetable: CronTriggerTimetable, first: str, last: str) -> list[dt.datetime]:
    """The moments at which the runs of a backfill lie."""
    restriction, found, interval = TimeRestriction(pendulum.parse(first), pendulum.parse(last), catchup=True), [], None  # type: ignore[arg-type]
    while info := timetable.next_dagrun_info(last_automated_data_interval=interval, restriction=restriction):
        found.append(info.run_after)
        interval = info.data_interval
    return list(found)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("cron", ["0 2 * * *", "30 23 * * *", "0 0 * * *"])
def test_a_date_names_the_night_of_that_local_date(zone: str, cron: str) -> None:
    timetable = NightTimetable(cron, timezone=zone)
    minute, hour = (int(one) for one in cron.split()[:2])
    wanted = [dt.datetime(2026, 11, day, hour, minute, tzinfo=ZoneInfo(zone)) for day in (24, 25, 26)]
    # As the command line and the API send dates, and as a form does in which somebody chose the district's zone.
    for of in (dt.UTC, ZoneInfo(zone)):
        first, last = (dt.datetime(2026, 11, day, tzinfo=of).isoformat() for day in (24, 26))
        if of is dt.UTC or dt.datetime.fromisoformat(first).astimezone(dt.UTC).time() != dt.time(0):
            assert nights(timetable, first, first) == wanted[:1]
            assert nights(timetable, first, last) == wanted


def test_times_of_day_are_taken_as_they_are() -> None:
    timetable, own = (kind("0 2 * * *", timezone="America/Chicago") for kind in (NightTimetable, CronTriggerTimetable))
    for first, last in (
        ("2026-11-24T07:59:00Z", "2026-11-24T08:00:00Z"),
        ("2026-11-24T08:01:00Z", "2026-11-25T07:59:00Z"),
        ("2026-11-20T12:30:00Z", "2026-11-25T12:30:00Z"),
    ):
        assert nights(timetable, first, last) == nights(own, first, last)
    assert nights(own, "2026-11-24T00:00:00Z", "2026-11-24T00:00:00Z") == [], "what Airflow's own finds between a date and itself"


def test_nights_at_a_change_of_the_clocks_are_there_once() -> None:
    timetable = NightTimetable("0 2 * * *", timezone="America/Chicago")
    assert len(nights(timetable, "2026-03-07T00:00:00Z", "2026-03-09T00:00:00Z")) == 3
    assert len(nights(timetable, "2026-10-31T00:00:00Z", "2026-11-02T00:00:00Z")) == 3


def test_the_clocks_schedule_is_airflows_own(monkeypatch: pytest.MonkeyPatch) -> None:
    timetable, own = (kind("0 2 * * *", timezone="America/Chicago") for kind in (NightTimetable, CronTriggerTimetable))
    assert timetable.serialize() == own.serialize() and timetable.summary == own.summary
    for restriction in (
        TimeRestriction(None, None, catchup=False),
        TimeRestriction(pendulum.parse("2026-11-24T00:00:00Z"), None, catchup=False),
    ):  # type: ignore[arg-type]
        asked = {"last_automated_data_interval": None, "restriction": restriction}
        assert timetable.next_dagrun_info(**asked) == own.next_dagrun_info(**asked)


@pytest.mark.parametrize("kind", [NightTimetable, CronTriggerTimetable])
def test_the_clock_keeps_the_local_time_over_its_changes(kind: type[CronTriggerTimetable]) -> None:
    timetable = kind("30 3 * * *", timezone="America/Chicago")
    for start in ("2026-03-06T12:00:00Z", "2026-10-30T12:00:00Z"):
        at = [
            one.astimezone(ZoneInfo("America/Chicago"))
            for one in nights(timetable, start, pendulum.parse(start).add(days=4).isoformat())
        ]
        assert [one.time() for one in at] == [dt.time(3, 30)] * 4
        assert [(later.date() - one.date()).days for one, later in itertools.pairwise(at)] == [1, 1, 1]
