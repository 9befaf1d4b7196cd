"""Which districts have had no good night for too long, and whom to tell of it, no more than once a day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from include.mingasync.district import District
from include.mingasync.settings import Quiet, Settings

#: A night a day, and two hours for the run itself and for the clock change.
LATE_AFTER = dt.timedelta(hours=26)
#: One alarm a day and district, however often the watchdog looks.
_AGAIN_AFTER = dt.timedelta(hours=24)
#: A secret's end is told of when so many days are left, once each.
_BEFORE_A_SECRET_ENDS = (0, 3, 14)


@dataclass(frozen=True)
class Late:
    """A district without a good night; ``last_run_id`` is its newest run, good or not.

    ``archived`` people and ``removed`` memberships: what runs took away since the last good night.
    """

    district: District
    hours: int
    last_run_id: str
    state: str
    reason: str | None
    archived: int = 0
    removed: int = 0


def how_late(
    connection: psycopg.Connection[Any],
    district: District,
    settings: Settings | None,
    now: dt.datetime,
) -> Late | None:
    """How late a district is; None when it is not, is not meant to run, or never had its first sync.

    ``settings`` is None when they cannot be read: such a district fails every night, so it is watched.
    """
    today = now.astimezone(ZoneInfo(district.timezone)).date()
    if settings and (not settings.automatic_rostering or _paused(settings, today)):
        return None
    since = _since(connection, district, settings, now)
    if since is None or now - since <= LATE_AFTER:
        return None
    row = connection.execute(
        """select run_id, state, reason from directory.sync_runs
           where district = %s and kind in ('nightly', 'manual', 'backfill') order by run_no desc limit 1""",
        (district.slug,),
    ).fetchone()
    if row is None:
        return None
    run_id, state, reason = row
    archived, removed = _taken_away(connection, district)
    return Late(district, int((now - since).total_seconds() // 3600), run_id, state, reason, archived, removed)


def _taken_away(connection: psycopg.Connection[Any], district: District) -> tuple[int, int]:
    """How many people runs archived and how many memberships they removed since the last good night; one held may do both."""
    row = connection.execute(
        """
        with since as (
            select run_no from directory.sync_runs
            where district = %(district)s and run_no > coalesce((
                select max(run_no) from directory.sync_runs
                where district = %(district)s and kind in ('nightly', 'manual', 'backfill')
                  and state in ('success', 'completed_with_errors') and undone_at is null), 0)
        )
        select (select count(*) from directory.changes join since using (run_no)
                where entity = 'person' and action = 'archive' and status = 'applied'),
               (select coalesce(sum(cardinality(people)), 0) from directory.membership_changes join since using (run_no)
                where action = 'remove' and status = 'applied')
        """,
        {"district": district.slug},
    ).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def expiring(extra: Mapping[str, Any], today: dt.date) -> tuple[str, dt.date] | None:
    """The kind of notice that is due for a secret, and the day it ends; None while there is time, or nobody said when.

    Where the provider tells when a secret ends, it stands in the Connection's extra: ``"expires": "2027-01-31"``.
    """
    try:
        ends = dt.date.fromisoformat(str(extra.get("expires", "")))
    except ValueError:
        return None
    for days in _BEFORE_A_SECRET_ENDS:
        if ends - today <= dt.timedelta(days=days):
            return f"secret ends, {days} days", ends
    return None


def _paused(settings: Settings, day: dt.date) -> bool:
    quiet = settings.quiet_on(day)
    return quiet is not None and quiet.mode == "pause"


def _since(
    connection: psycopg.Connection[Any],
    district: District,
    settings: Settings | None,
    now: dt.datetime,
) -> dt.datetime | None:
    """Since when a good night is owed: the last one, the end of a pause, or rostering turned on."""
    first, good, turned_on = connection.execute(
        """
        select min(loaded_at),
               -- When it was loaded: a run that is closed anew, days later, is no good night of then.
               max(least(finished_at, loaded_at))
                   filter (where state in ('success', 'completed_with_errors') and undone_at is null),
               (select max(changed_at) from directory.settings_history
                where district = %(district)s and after ->> 'automatic_rostering' = 'true'
                  and coalesce(before ->> 'automatic_rostering', 'false') = 'false')
        from directory.sync_runs
        where district = %(district)s and kind in ('nightly', 'manual', 'backfill')
        """,
        {"district": district.slug},
    ).fetchone() or (None, None, None)
    if first is None:
        return None
    zone = ZoneInfo(district.timezone)
    moments: list[dt.datetime] = [good or first]
    if turned_on:
        moments.append(turned_on)
    for quiet in settings.quiet if settings else ():
        if quiet.mode == "pause":
            over = dt.datetime.combine(quiet.last + dt.timedelta(days=1), dt.time(), zone)
            # A pause that is still to come excuses nothing.
            if over <= now:
                moments.append(over)
    return max(moments)


def quiet_notices(settings: Settings, today: dt.date) -> list[tuple[str, dt.date, Quiet]]:
    """What the contact is told today: that a quiet range begins or ends tomorrow, with tomorrow's date."""
    tomorrow = today + dt.timedelta(days=1)
    told = []
    for quiet in settings.quiet:
        if quiet.first == tomorrow:
            told.append(("quiet begins", tomorrow, quiet))
        elif quiet.last == tomorrow:
            told.append(("quiet ends", tomorrow, quiet))
    return told


def claim(
    connection: psycopg.Connection[Any],
    slug: str,
    night: dt.date,
    *,
    kind: str,
    to: Sequence[str],
    now: dt.datetime,
) -> bool:
    """Whether the mail may go out now: none of this kind went out for this date, nor within a day."""
    with connection.transaction():
        row = connection.execute(
            """
            insert into directory.mails as mail (district, night, run_no, kind, recipients)
            select %(slug)s, %(night)s, max(run_no), %(kind)s, %(to)s from directory.sync_runs
            where district = %(slug)s
              and not exists (select from directory.mails where district = %(slug)s and kind = %(kind)s
                                and sent_at > %(now)s::timestamptz - %(again)s)
            having max(run_no) is not null
            on conflict (district, night, kind) do update
                set recipients = excluded.recipients, claimed_at = now() where mail.sent_at is null
            returning run_no
            """,
            {"slug": slug, "night": night, "kind": kind, "to": list(to), "now": now, "again": _AGAIN_AFTER},
        ).fetchone()
    return row is not None


def sent(connection: psycopg.Connection[Any], slug: str, night: dt.date, kind: str, problem: str | None = None) -> None:
    """Note that the mail server took the mail, or why it did not; then the next hour tries again."""
    with connection.transaction():
        connection.execute(
            """update directory.mails set sent_at = case when %(problem)s::text is null then now() end,
                      problem = %(problem)s
               where district = %(slug)s and night = %(night)s and kind = %(kind)s""",
            {"slug": slug, "night": night, "kind": kind, "problem": problem},
        )
