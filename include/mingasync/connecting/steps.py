"""A district's way from request to confirmation, in the directory: steps in their order, and one mail of each kind."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg.types.json import Jsonb

from include.mingasync.errors import MingaSyncError

STEPS = ("requested", "sent", "returned", "verified", "synced", "complete")
#: The step that is done once the mail server took the mail of a kind.
DONE_BY_MAIL = {"checklist": "sent", "confirmation": "complete"}
Connection = psycopg.Connection[Any]

_REQUEST: LiteralString = """
select district, district_name, schools, sis_name, contact_name, contact_email, requested_at, requested_by
from directory.connection_requests where district = %s
"""
_REQUEST_LOCKED: LiteralString = f"{_REQUEST} for update"
_FIRST_MAILS: LiteralString = """
insert into directory.connection_mails (district, kind) values (%(district)s, 'support'), (%(district)s, 'checklist')
"""


class StepRefused(MingaSyncError):
    """The step is not the next one; nothing was changed."""


@dataclass(frozen=True)
class Request:
    """A request as it was sent; ``requested_at`` tells it from one that was sent before or after."""

    district: str
    district_name: str
    schools: tuple[str, ...]
    sis_name: str
    contact_name: str
    contact_email: str
    requested_at: dt.datetime
    requested_by: str

    @property
    def version(self) -> str:
        """Stands for this very request."""
        return self.requested_at.astimezone(dt.UTC).isoformat()


def request_of(connection: Connection, district: str, *, lock: bool = False) -> Request | None:
    """The district's request, held until the transaction ends where it is to be locked; None where there is none."""
    query = _REQUEST_LOCKED if lock else _REQUEST
    row = connection.execute(query, (district,)).fetchone()
    return Request(row[0], row[1], tuple(row[2]), *row[3:]) if row else None


def done(connection: Connection, district: str) -> tuple[str, ...]:
    """The steps that are done, in their order."""
    rows = connection.execute("select step from directory.connection_steps where district = %s", (district,)).fetchall()
    there = {row[0] for row in rows}
    return tuple(step for step in STEPS if step in there)


def first_load(connection: Connection, district: str) -> dt.datetime | None:
    """When a sync of the district was loaded for the first time and ended well; None before."""
    row = connection.execute(
        """
        select min(loaded_at) from directory.sync_runs
        where district = %s and kind in ('nightly', 'manual', 'backfill') and state in ('success', 'completed_with_errors')
          and undone_at is null
        """,
        (district,),
    ).fetchone()
    return row[0] if row else None


def ask(connection: Connection, district: str, fields: dict[str, Any], who: str, shown: str) -> bool:
    """Record a request in the place of the one whose version was shown, "" where none was; whether it was recorded.

    What was done after the earlier one begins anew. Raises StepRefused once the first sync was loaded.
    """
    with connection.transaction():
        there = request_of(connection, district, lock=True)
        if (there.version if there else "") != shown:
            return False
        if first_load(connection, district):
            raise StepRefused("The district is synced already: no other request is needed. Nothing was changed.")
        connection.execute("delete from directory.connection_requests where district = %s", (district,))
        # Of two who ask at once the second waits here, and then finds the request of the first.
        made = connection.execute(
            """
            insert into directory.connection_requests
                (district, district_name, schools, sis_name, contact_name, contact_email, requested_by)
            values (%(district)s, %(district_name)s, %(schools)s, %(sis_name)s, %(contact_name)s, %(contact_email)s, %(who)s)
            on conflict do nothing
            """,
            {**fields, "district": district, "who": who},
        )
        if not made.rowcount:
            return False
        connection.execute(_FIRST_MAILS, {"district": district})
        _stamp(connection, district, "requested", who)
    return True


def stamp(connection: Connection, district: str, step: str, who: str) -> bool:
    """Whether a step was done now, and not before; StepRefused where it is not its turn."""
    with connection.transaction():
        if request_of(connection, district, lock=True) is None:
            raise StepRefused("There is no connection request of this district yet. Send it first. Nothing was changed.")
        there = done(connection, district)
        if step in there:
            return False
        missing = STEPS[len(there)]
        if step != missing:
            raise StepRefused(f"The step “{step}” is not next: “{missing}” comes before it. Nothing was changed.")
        _stamp(connection, district, step, who)
    return True


def _stamp(connection: Connection, district: str, step: str, who: str) -> None:
    connection.execute(
        "insert into directory.connection_steps (district, step, done_by) values (%s, %s, %s) on conflict do nothing",
        (district, step, who),
    )


def claim(connection: Connection, request: Request, kind: str) -> bool:
    """Whether this mail may be sent now: nobody has sent it, and nobody else is about to."""
    with connection.transaction():
        row = connection.execute(
            """
            update directory.connection_mails as mail set claimed_at = clock_timestamp(), problem = null
            from directory.connection_requests as request
            where mail.district = %s and mail.kind = %s and mail.sent_at is null
              and request.district = mail.district and request.requested_at = %s
              and (mail.claimed_at is null or mail.claimed_at < now() - interval '15 minutes')
            returning mail.kind
            """,
            (request.district, kind, request.requested_at),
        ).fetchone()
    return row is not None


def is_sent(connection: Connection, district: str, kind: str) -> bool:
    """Whether the mail server took the mail."""
    query = "select sent_at is not null from directory.connection_mails where district = %s and kind = %s"
    return connection.execute(query, (district, kind)).fetchone() == (True,)


def mail_failed(connection: Connection, request: Request, kind: str, problem: str) -> None:
    """Note why the mail was not sent; it may be sent again at once."""
    _mark(connection, "claimed_at = null, problem = %s", request, kind, (problem,))


def mail_sent(connection: Connection, request: Request, kind: str, who: str) -> None:
    """Note that the mail server took the mail, and with it that its step is done."""
    with connection.transaction():
        there = request_of(connection, request.district, lock=True)
        # Another request may have taken the place of this one while its mail was on the way.
        if there is None or there.requested_at != request.requested_at:
            return
        _mark(connection, "sent_at = clock_timestamp(), problem = null", request, kind, ())
        if kind in DONE_BY_MAIL:
            _stamp(connection, request.district, DONE_BY_MAIL[kind], who)


def _mark(connection: Connection, change: str, request: Request, kind: str, values: tuple[str, ...]) -> None:
    with connection.transaction():
        connection.execute(
            psycopg.sql.SQL(
                "update directory.connection_mails as mail set {} from directory.connection_requests as request"
                " where mail.district = %s and mail.kind = %s and request.district = mail.district and request.requested_at = %s"
            ).format(psycopg.sql.SQL(change)),
            (*values, request.district, kind, request.requested_at),
        )


def keep_checks(
    connection: Connection,
    district: str,
    run_id: str,
    who: str,
    *,
    checks: Sequence[dict[str, Any]] | None,
    problem: str | None = None,
) -> None:
    """Keep what the SIS shared when it was verified; where it shared all that a sync needs, the step verified is done.

    A district that has no request, or whose credentials have not come back, is only told what is shared.
    """
    with connection.transaction():
        connection.execute(
            """
            insert into directory.connection_checks as c (district, run_id, checked_by, checks, problem)
            values (%s, %s, %s, %s, %s)
            on conflict (district) do update set run_id = excluded.run_id, checked_at = excluded.checked_at,
                checked_by = excluded.checked_by, checks = excluded.checks, problem = excluded.problem
            """,
            (district, run_id, who, Jsonb(list(checks)) if checks is not None else None, problem),
        )
        good = checks is not None and problem is None and all(one["shared"] for one in checks if one["required"])
        if good and request_of(connection, district, lock=True) and done(connection, district)[-1:] == ("returned",):
            _stamp(connection, district, "verified", who)


def first_sync_loaded(connection: Connection, district: str, who: str) -> bool:
    """Whether the confirmation is still to be sent, now that a sync of the district ended well.

    A district without a request was connected before, or by other ways: nobody is mailed of it.
    """
    with connection.transaction():
        if request_of(connection, district, lock=True) is None or first_load(connection, district) is None:
            return False
        there = done(connection, district)
        if there[-1:] == ("verified",):
            _stamp(connection, district, "synced", who)
            connection.execute(
                "insert into directory.connection_mails (district, kind) values (%s, 'confirmation') on conflict do nothing",
                (district,),
            )
            return True
        return there[-1:] == ("synced",)
