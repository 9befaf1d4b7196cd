"""The schedule of a district: a cron in its own time zone, whose backfills take dates as the nights that people call by them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pendulum
from airflow.timetables.base import TimeRestriction
from airflow.timetables.trigger import CronTriggerTimetable

if TYPE_CHECKING:
    from airflow.sdk import CronTriggerTimetable as OwnTimetable
    from airflow.timetables.base import DagRunInfo, DataInterval

    from include.mingasync.district import District

_DAY = dt.timedelta(days=1)


class NightTimetable(CronTriggerTimetable):
    """``CronTriggerTimetable``, but a date without a time of day is that whole day in the schedule's zone.

    Airflow hands on the dates of a backfill as midnights in UTC, or in the zone in which somebody looks at its form. Between a
    date and itself it would find no night, and for a zone in the west the night before.
    """

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """The next run; in a backfill (catchup, from one moment to another) of the nights that its dates name."""
        return super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=self._of_nights(restriction)
        )

    def _of_nights(self, restriction: TimeRestriction) -> TimeRestriction:
        first, last = restriction.earliest, restriction.latest
        if not restriction.catchup or first is None or last is None:
            return restriction
        first_date, last_date = self._date_of(first), self._date_of(last)
        return TimeRestriction(
            earliest=self._midnight(first_date) if first_date else first,
            latest=self._midnight(last_date + _DAY) - dt.timedelta(microseconds=1) if last_date else last,
            catchup=True,
        )

    def _date_of(self, moment: dt.datetime) -> dt.date | None:
        """The date that a midnight stands for, in UTC or in the schedule's zone; None for any other time of day."""
        for zone in (dt.UTC, self._timezone):
            there = moment.astimezone(zone)
            if there.time() == dt.time(0):
                return dt.date(there.year, there.month, there.day)
        return None

    def _midnight(self, date: dt.date) -> pendulum.DateTime:
        return pendulum.datetime(date.year, date.month, date.day, tz=self._timezone)


def schedule_of(district: District) -> NightTimetable | OwnTimetable:
    """When a district's nights run.

    Only a timetable that a plugin registers can be stored. Where the plugin of this project is not there, such as for ``airflow
    dags test`` with nothing but the DAG files, the schedule is Airflow's own, with the same nights; and a task that starts needs
    no schedule.
    """
    # The plugin imports this module wherever Airflow starts: what only a DAG file needs waits until then.
    from airflow import plugins_manager
    from airflow.sdk import CronTriggerTimetable as OwnTimetable
    from airflow.sdk import get_parsing_context

    is_stored = get_parsing_context().dag_id is None and f"{__name__}.{NightTimetable.__name__}" in (
        plugins_manager.get_timetables_plugins()
    )
    if is_stored:
        return NightTimetable(district.schedule, timezone=district.timezone)
    return OwnTimetable(district.schedule, timezone=district.timezone)
