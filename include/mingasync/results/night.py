"""What the mail and the pages tell of one night, read from the rows of its plan."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from include.mingasync.district import District
from include.mingasync.errors import MingaSyncError
from include.mingasync.results.attachment import applied_changes


@dataclass(frozen=True)
class Cause:
    """Issues of one rule: how many, what is wrong, what to fix, and some of the sourcedIds."""

    severity: str
    rule: str
    number: int
    message: str
    fix: str
    sourced_ids: tuple[str, ...]

    @property
    def told(self) -> str:
        """What is wrong, the number first; a warning's message counts its records itself."""
        return self.message if self.severity != "error" else f"{self.number} x {self.message}"


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
    #: issues new, still there and fixed since the night before; None when there was none
    trend: Mapping[str, int] | None = None
    # None unless the district asked for them: they hold names.
    changes: tuple[tuple[Any, ...], ...] | None = None


def read_night(
    connection: psycopg.Connection[Any],
    district: District,
    run_id: str,
    links: Mapping[str, str] | None = None,
    *,
    attach_changes: bool = False,
) -> Night:
    """The night of a run; MingaSyncError when there is no such run.

    ``attach_changes`` reads every applied change with the names of people, for the mail's attachment.
    """
    from include.mingasync.directory.archive import held
    from include.mingasync.directory.counts import empty_counts

    row = connection.execute(
        """select run_no, night, kind, state, reason, counts, started_at, finished_at,
                  case when state = 'held' and finished_at is null then answer_until end
           from directory.sync_runs where district = %s and run_id = %s""",
        (district.slug, run_id),
    ).fetchone()
    if row is None:
        raise MingaSyncError(f"{district.name} has no run {run_id} in its history.")
    run_no, night, kind, state, reason, counts, started_at, finished_at, answer_until = row
    zone = ZoneInfo(district.timezone)
    return Night(
        district=district.name,
        slug=district.slug,
        sis=district.sis.name,
        night=night,
        kind=kind,
        state=state,
        reason=reason,
        counts=empty_counts() | (counts or {}),
        causes=_causes(connection, run_no),
        held=tuple(held(connection, run_no)),
        started_at=started_at.astimezone(zone),
        finished_at=finished_at.astimezone(zone) if finished_at else None,
        links=links or {},
        answer_until=answer_until.astimezone(zone) if answer_until else None,
        trend=_trend(connection, run_no),
        changes=applied_changes(connection, district.slug, run_id) if attach_changes else None,
    )


def _trend(connection: psycopg.Connection[Any], run_no: int) -> Mapping[str, int] | None:
    row = connection.execute(
        "select new, still, fixed from directory.issue_trend where run_no = %s and compared", (run_no,)
    ).fetchone()
    return dict(zip(("new", "still", "fixed"), row, strict=True)) if row else None


def _causes(connection: psycopg.Connection[Any], run_no: int) -> tuple[Cause, ...]:
    rows = connection.execute(
        """select severity, rule, count(*), min(message), min(fix),
                  (array_agg(sourced_id order by sourced_id) filter (where sourced_id is not null))[1:5]
           from directory.sync_issues where run_no = %s
           group by severity, rule
           order by array_position(array['critical', 'error', 'warning'], severity), 3 desc, rule""",
        (run_no,),
    ).fetchall()
    return tuple(
        Cause(severity, rule, number, message, fix, tuple(sourced_ids or ()))
        for severity, rule, number, message, fix, sourced_ids in rows
    )
