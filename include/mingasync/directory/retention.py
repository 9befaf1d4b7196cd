"""The end of what the directory keeps of old runs and of people archived long ago, in steps that hold nobody up for long."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

from include.mingasync.directory.locking import lock_district
from include.mingasync.district import Retention

#: Rows of one step, and people of one: a night that waits for a step waits under a second.
_ROWS, _PEOPLE = 20_000, 5_000
Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class Removed:
    """How much was removed for its age: rows of plans, issues, mails, and people with all that was kept of them."""

    changes: int
    issues: int
    mails: int
    people: int


def remove_old_rows(connection: Connection, district: str, retention: Retention, now: dt.datetime) -> Removed:
    """What was removed of a district; killed at any point it goes on where it was.

    A run that has not ended, or waits for an answer, keeps everything.
    """
    return Removed(
        changes=_plans(connection, district, now - dt.timedelta(days=retention.changes_days)),
        issues=_rows(connection, district, _ISSUES, now - dt.timedelta(days=retention.issues_days)),
        mails=_rows(connection, district, _MAILS, now - dt.timedelta(days=retention.mails_days)),
        people=_people(connection, district, now - dt.timedelta(days=retention.archived_people_days)),
    )


def _plans(connection: Connection, district: str, before: dt.datetime) -> int:
    """The rows of the plans of old runs; the runs themselves and their counts stay, without the names of those who answered."""
    with connection.transaction(), connection.cursor() as cursor:
        lock_district(cursor, district)
        cursor.execute(_FORGET_RUNS, {"district": district, "before": before})
        cursor.execute(_FORGET_SETTINGS, {"district": district, "before": before})
        cursor.execute(_FORGET_HANDS, {"district": district, "before": before})
        cursor.execute(_FORGET_ERASURES, {"district": district, "before": before})
        cursor.execute(_FORGET_REQUESTS, {"district": district, "before": before})
        cursor.execute(_FORGET_CHECKS, {"district": district, "before": before})
    # In this order: a run is marked before the first of its rows goes, so that nobody undoes half of it.
    return sum(_rows(connection, district, statement, before) for statement in (_CHANGES, _MOVES, _MOVES_BY_HAND))


def _rows(connection: Connection, district: str, statement: LiteralString, before: dt.datetime) -> int:
    removed = 0
    while True:
        with connection.transaction(), connection.cursor() as cursor:
            lock_district(cursor, district)
            step = cursor.execute(statement, {"district": district, "before": before, "rows": _ROWS}).rowcount
        removed += step
        if step < _ROWS:
            return removed


def _people(connection: Connection, district: str, before: dt.datetime) -> int:
    removed = 0
    while True:
        row = connection.execute(_REMOVE_PEOPLE, {"district": district, "before": before, "people": _PEOPLE}).fetchone()
        step = row[0] if row else 0
        removed += step
        if step < _PEOPLE:
            return removed


_ENDED = "r.finished_at is not null and (r.answer_until is null or r.answer_until < now())"

_FORGET_RUNS: LiteralString = f"""
update directory.sync_runs as r
set forgotten_at = now(), answered_by = null, catalogue_before = null, relinks_before = null,
    settings = r.settings - 'results_email' || case when r.settings ? 'schools' then jsonb_build_object('schools', (
        select coalesce(jsonb_object_agg(school, own - 'results_email'), '{{}}')
        from jsonb_each(r.settings -> 'schools') as each (school, own))) else '{{}}' end
where r.district = %(district)s and r.started_at < %(before)s and r.forgotten_at is null and {_ENDED}
"""  # noqa: S608 - no value of anybody is in it

_FORGET_SETTINGS: LiteralString = (
    "delete from directory.settings_history where district = %(district)s and changed_at < %(before)s"
)

_FORGET_HANDS: LiteralString = "delete from directory.hand_changes where district = %(district)s and changed_at < %(before)s"

_FORGET_ERASURES: LiteralString = "delete from directory.erasures where district = %(district)s and erased_at < %(before)s"

_FORGET_REQUESTS: LiteralString = """
delete from directory.connection_requests as request
where request.district = %(district)s and request.requested_at < %(before)s
  and not exists (select from directory.connection_steps as step
                  where step.district = request.district and step.done_at >= %(before)s)
"""

_FORGET_CHECKS: LiteralString = (
    "delete from directory.connection_checks where district = %(district)s and checked_at < %(before)s"
)

_CHANGES: LiteralString = """
delete from directory.changes where ctid = any (array(
    select c.ctid from directory.changes as c join directory.sync_runs as r using (run_no)
    where r.district = %(district)s and r.forgotten_at is not null limit %(rows)s))
"""

_MOVES: LiteralString = """
delete from directory.membership_changes where ctid = any (array(
    select c.ctid from directory.membership_changes as c join directory.sync_runs as r using (run_no)
    where r.district = %(district)s and r.forgotten_at is not null limit %(rows)s))
"""

_MOVES_BY_HAND: LiteralString = """
delete from directory.membership_changes where ctid = any (array(
    select c.ctid from directory.membership_changes as c join directory.user_lists as l using (list_id)
    where l.district = %(district)s and c.run_no is null and c.changed_at < %(before)s limit %(rows)s))
"""

_ISSUES: LiteralString = f"""
delete from directory.sync_issues where ctid = any (array(
    select i.ctid from directory.sync_issues as i join directory.sync_runs as r using (run_no)
    where r.district = %(district)s and r.started_at < %(before)s and {_ENDED} limit %(rows)s))
"""  # noqa: S608

_MAILS: LiteralString = """
delete from directory.mails where ctid = any (array(
    select m.ctid from directory.mails as m where m.district = %(district)s and m.claimed_at < %(before)s limit %(rows)s))
"""

_REMOVE_PEOPLE: LiteralString = """
select directory.remove_people(%(district)s, array(
    select person_id from directory.people
    where district = %(district)s and status = 'archived' and archived_at < %(before)s
    order by person_id limit %(people)s))
"""
