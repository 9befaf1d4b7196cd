"""What the mail and the pages tell of one night, read from the rows of its plan."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from include.mingasync.district import District
from include.mingasync.errors import MingaSyncError
from include.mingasync.results.attachment import Attachment, attachment
from include.mingasync.results.left_alone import LeftAlone, left_alone


@dataclass(frozen=True)
class Cause:
    """Issues of one rule: how many, what is wrong, what to fix, and some of the sourcedIds."""

    severity: str
    rule: str
    number: int
    message: str
    fix: str
    sourced_ids: tuple[str, ...]
    #: whether message and cure are those of one of the issues, and the others have their own
    is_one_of: bool = False

    @property
    def told(self) -> str:
        """What is wrong, the number first; a warning that stands alone counts its records itself."""
        if self.is_one_of:
            return f"{self.number} x, such as: {self.message}"
        return f"{self.number} x {self.message}" if self.severity == "error" or self.number > 1 else self.message


@dataclass(frozen=True)
class Night:
    """One run as people read it; times are in the district's zone."""

    district: str
    slug: str
    sis: str
    night: dt.date
    kind: str
    state: str
    reason: str | None
    counts: Mapping[str, Any]
    causes: tuple[Cause, ...]
    held: tuple[Mapping[str, Any], ...]
    started_at: dt.datetime
    finished_at: dt.datetime | None
    links: Mapping[str, str] = field(default_factory=dict)
    #: until when an answer about the held archives is awaited; None when none is, or it came, or the time is over
    answer_until: dt.datetime | None = None
    #: who answered; for the mail and the pages, never for a log
    answered_by: str | None = None
    #: how it was answered, as in sync_runs.answer
    answer: str | None = None
    #: the run that took this one back
    undone_by: str | None = None
    #: issues new, still there and fixed since the night before; None when there was none
    trend: Mapping[str, int] | None = None
    #: whether the counts tell what was changed; False where the directory could not be asked
    is_known: bool = True
    #: how many people were left as they were, by what was not done and why
    left_alone: LeftAlone = field(default_factory=dict)
    #: every change with names; None unless the district asked for it
    attachment: Attachment | None = None


def read_night(
    connection: psycopg.Connection[Any],
    district: District,
    run_id: str,
    links: Mapping[str, str] | None = None,
    *,
    school_id: str | None = None,
    attach_changes: bool = False,
) -> Night:
    """The night of a run, or one school's part of it; MingaSyncError when there is no such run.

    ``attach_changes`` reads every applied change with the names of people, for the mail's attachment.
    """
    from include.mingasync.directory.archive import held
    from include.mingasync.directory.counts import count_school, empty_counts
    from include.mingasync.directory.runs import why_held

    row = connection.execute(
        """select run_no, night, kind, state, reason, counts, started_at, finished_at,
                  case when state = 'held' and answer is null then answer_until end,
                  answer, answered_by, unproven_because, undone_by
           from directory.sync_runs where district = %s and run_id = %s""",
        (district.slug, run_id),
    ).fetchone()
    if row is None:
        raise MingaSyncError(f"{district.name} has no run {run_id} in its history.")
    run_no, night, kind, state, reason, counts, started_at, finished_at, answer_until, answer, who, unproven, undone_by = row
    zone = ZoneInfo(district.timezone)
    night_of_all = Night(
        district=district.name,
        slug=district.slug,
        sis=district.sis.name,
        night=night,
        kind=kind,
        state=state,
        reason=reason,
        counts=empty_counts() | (counts or {}),
        causes=_causes(connection, run_no, district.slug, school_id),
        held=tuple(group for group in held(connection, run_no) if school_id in (None, group["school_id"])),
        started_at=started_at.astimezone(zone),
        finished_at=finished_at.astimezone(zone) if finished_at else None,
        links=links or {},
        answer_until=answer_until.astimezone(zone) if answer_until else None,
        answered_by=who,
        answer=answer,
        undone_by=undone_by,
        trend=_trend(connection, run_no),
        left_alone=left_alone(connection, run_no, school_id),
        attachment=attachment(connection, district.slug, run_id, night, school_id) if attach_changes else None,
    )
    if school_id is None:
        return night_of_all
    part = replace(
        night_of_all,
        district=f"{district.name}, {_school_name(connection, district.slug, school_id)}",
        counts=count_school(connection, run_no, school_id),
        trend=None,
    )
    if part.held:
        people = sum(group["people"] for group in part.held)
        waits = f"{people} archives of this school wait for an approval."
        return replace(part, reason=waits if part.answer_until else why_held(people, answer))
    return part if unproven else _by_its_own(part)


def _by_its_own(part: Night) -> Night:
    """A school's part of a night that ended well for it, whatever was held or set aside in the others."""
    if part.state not in ("held", "completed_with_errors"):
        return part
    errors = sum(cause.number for cause in part.causes if cause.severity == "error")
    records = "1 record of this school was" if errors == 1 else f"{errors} records of this school were"
    reason = f"{records} set aside or could not be used." if errors else None
    return replace(part, state="completed_with_errors" if errors else "success", reason=reason, answer_until=None)


def _school_name(connection: psycopg.Connection[Any], district: str, school_id: str) -> str:
    query = "select name from directory.schools where district = %s and school_id = %s"
    row = connection.execute(query, (district, school_id)).fetchone()
    return str(row[0]) if row else school_id


def _trend(connection: psycopg.Connection[Any], run_no: int) -> Mapping[str, int] | None:
    row = connection.execute(
        "select new, still, fixed from directory.issue_trend where run_no = %s and compared", (run_no,)
    ).fetchone()
    return dict(zip(("new", "still", "fixed"), row, strict=True)) if row else None


def _causes(connection: psycopg.Connection[Any], run_no: int, district: str, school_id: str | None) -> tuple[Cause, ...]:
    """The causes of a run; of a school only those whose record is one of its people, classes or lists here."""
    rows = connection.execute(
        """select severity, rule, count(*),
                  (array_agg(message order by sourced_id, message, fix))[1],
                  (array_agg(fix order by sourced_id, message, fix))[1],
                  (array_agg(sourced_id order by sourced_id) filter (where sourced_id is not null))[1:5],
                  count(distinct (message, fix)) > 1
           from directory.sync_issues
           where run_no = %(run)s and (%(school)s::text is null or sourced_id in (
               select unnest(sourced_ids) from directory.people where district = %(district)s and school_ids @> array[%(school)s]
               union all
               select source_id from directory.user_lists where district = %(district)s and school_id = %(school)s))
           group by severity, resource, rule
           order by array_position(array['critical', 'error', 'warning'], severity), 3 desc, rule""",
        {"run": run_no, "district": district, "school": school_id},
    ).fetchall()
    return tuple(
        Cause(severity, rule, number, message, fix, tuple(sourced_ids or ()), is_one_of)
        for severity, rule, number, message, fix, sourced_ids, is_one_of in rows
    )
