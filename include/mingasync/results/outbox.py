"""One mail per district, night and kind: a row in the same database says so, whatever is retried."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from include.mingasync.run import Run


def claim(connection: psycopg.Connection[Any], run: Run, recipients: Sequence[str], kind: str = "results") -> bool:
    """Whether this run may send the night's mail now: nobody has sent it, and no other run is about to."""
    with connection.transaction():
        row = connection.execute(
            """
            insert into directory.mails as mail (district, night, run_no, kind, recipients)
            select district, night, run_no, %s, %s from directory.sync_runs
            where district = %s and run_id = %s
            on conflict (district, night, kind) do update
                set run_no = excluded.run_no, recipients = excluded.recipients, claimed_at = now()
                where mail.sent_at is null
                  and (mail.run_no = excluded.run_no or mail.claimed_at < now() - interval '15 minutes')
            returning run_no
            """,
            (kind, list(recipients), run.district, run.run_id),
        ).fetchone()
    return row is not None


def sent(connection: psycopg.Connection[Any], run: Run, kind: str = "results") -> None:
    """Note that the mail server took the mail."""
    _mark(connection, "sent_at = now(), problem = null", run, kind, ())


def failed(connection: psycopg.Connection[Any], run: Run, problem: str, kind: str = "results") -> None:
    """Note why the mail server did not take it; the claim stays open for the next try."""
    _mark(connection, "problem = %s", run, kind, (problem,))


def waiting(connection: psycopg.Connection[Any], district: str) -> list[tuple[str, str]]:
    """Run id and kind of the mails of the last two days that no server took, once their own tries are over; the oldest first."""
    return connection.execute(
        """
        select runs.run_id, mails.kind
        from directory.mails as mails join directory.sync_runs as runs using (run_no)
        where mails.district = %s and mails.sent_at is null and mails.problem is not null
          and (mails.kind like 'results%%'
               -- Nobody needs to be asked for an answer that came.
               or mails.kind like 'held in %%' and runs.state = 'held' and runs.finished_at is null)
          and mails.claimed_at between now() - interval '2 days' and now() - interval '15 minutes'
        order by mails.claimed_at
        """,
        (district,),
    ).fetchall()


def _mark(connection: psycopg.Connection[Any], change: str, run: Run, kind: str, values: tuple[str, ...]) -> None:
    with connection.transaction():
        connection.execute(
            psycopg.sql.SQL("update directory.mails set {} where district = %s and night = %s and kind = %s").format(
                psycopg.sql.SQL(change)
            ),
            (*values, run.district, run.night, kind),
        )
