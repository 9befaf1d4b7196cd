"""The results mails of a night: the district's, and the part of every school that has recipients of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import psycopg

from include.mingasync.airflow_glue import context
from include.mingasync.district import District
from include.mingasync.errors import MailRefused
from include.mingasync.run import Run

if TYPE_CHECKING:
    from include.mingasync.results.mail import Mail
    from include.mingasync.settings import ResultsEmail, Settings

log = logging.getLogger(__name__)
_KEPT = "What the run did, or did not do, stands as the OneRoster History tells it; only the mail is missing."


def kind_of_mail(run: Run) -> str:
    """What a run's mail is written down as: one for a night, and one for each run that a person started."""
    return "results" if run.kind in ("nightly", "backfill") else f"results of {run.run_id}"


def mail_results(connection: psycopg.Connection[Any], district: District, run: Run, *, asking: bool = False) -> None:
    """Mail what a run did to everybody who wants to know, each mail once; MailRefused when the server is down.

    ``asking`` while the run waits for an answer about held archives. A school in which nobody is held gets its final
    mail already then: its night is done.
    """
    from include.mingasync.directory.archive import held
    from include.mingasync.results.mail import compose
    from include.mingasync.results.night import read_night

    run_no = _run_no(connection, run)
    settings = _wanted(connection, district, run_no)
    asked = {None, *(group["school_id"] for group in held(connection, run_no))} if asking else set()
    # A run started by hand that asks for a mail gets its own; the clock's runs share one mail a night.
    final = kind_of_mail(run)
    for school_id, wanted in _audiences(settings):

        def made(school_id: str | None = school_id, wanted: ResultsEmail = wanted) -> Mail:
            links = context.links(district, run)
            attach = wanted.attach_changes
            return compose(read_night(connection, district, run.run_id, links, school_id=school_id, attach_changes=attach))

        kind = f"held in {run.run_id}" if school_id in asked else final
        _send_once(connection, run, wanted, f"{kind}, school {school_id}" if school_id else kind, made)


def send_again(connection: psycopg.Connection[Any], district: District, run_id: str, kind: str) -> None:
    """Send a mail of a run whose own tries the mail server refused; MailRefused when it still does."""
    row = connection.execute(
        "select kind, logical_date, night from directory.sync_runs where district = %s and run_id = %s",
        (district.slug, run_id),
    ).fetchone()
    if row is not None:
        run_kind, logical_date, night = row
        run = Run(district.slug, run_id, run_kind, logical_date, night, send_email=True)
        mail_results(connection, district, run, asking=kind.startswith("held in "))


def last_stored_settings(connection: psycopg.Connection[Any], district: str) -> Settings | None:
    """The settings that the district's last run with any started with; None before the first."""
    from include.mingasync.settings import Settings

    row = connection.execute(
        "select settings from directory.sync_runs where district = %s and settings is not null order by run_no desc limit 1",
        (district,),
    ).fetchone()
    return Settings.model_validate(row[0]) if row else None


def _wanted(connection: psycopg.Connection[Any], district: District, run_no: int) -> Settings:
    """The settings that say who is mailed of a run: its own, or of one that broke off before it read them the last ones stored.

    Where a run that failed would reach nobody who wants to know, or never came to read who wants to, it reaches the contact.
    """
    from include.mingasync.results.mail import valid_recipients
    from include.mingasync.settings import ResultsEmail, Settings

    query = "select settings, state from directory.sync_runs where run_no = %s"
    own, state = connection.execute(query, (run_no,)).fetchone() or (None, "failed")
    settings = Settings.model_validate(own) if own else last_stored_settings(connection, district.slug) or Settings()
    wish = settings.results_email
    reached = wish.enabled and valid_recipients(wish.recipients)[0]
    if not reached and state == "failed" and (wish.enabled or not own):
        contact = ResultsEmail(enabled=True, recipients=[district.contact.email])
        return settings.model_copy(update={"results_email": contact})
    return settings


def _run_no(connection: psycopg.Connection[Any], run: Run) -> int:
    from include.mingasync.directory.runs import run_number

    number = run_number(connection, run)
    assert number is not None, "a run is mailed of after it was opened"
    return number


def _audiences(settings: Settings) -> Iterator[tuple[str | None, ResultsEmail]]:
    """Who gets which part: None is the whole district, a school's id that school."""
    yield None, settings.results_email
    for school_id, override in settings.schools.items():
        if "recipients" in override.get("results_email", {}):
            yield school_id, settings.for_school(school_id).results_email


def _send_once(connection: psycopg.Connection[Any], run: Run, wanted: ResultsEmail, kind: str, made: Callable[[], Mail]) -> None:
    """Mail the recipients, unless a mail of this kind went out already; MailRefused when the server is down."""
    from include.mingasync.airflow_glue.mail import send_mail
    from include.mingasync.results import outbox
    from include.mingasync.results.mail import valid_recipients
    from include.mingasync.results.told import told_at

    valid, invalid = valid_recipients(wanted.recipients)
    if invalid:
        log.warning("%s of the recipients are no valid addresses and were left out", len(invalid))
    if not wanted.enabled or not valid:
        return
    if kind == "results" and told_at(context.snapshots_root(), f"{run.district}/{run.night}"):
        log.info("The mail of this night was sent already, while the directory was away")
        return
    if not outbox.claim(connection, run, valid, kind):
        log.info("The mail of this night was sent already")
        return
    try:
        send_mail(made(), valid, thread=f"{run.district}.{run.night}", kind=kind, kept=_KEPT)
    except MailRefused as refusal:
        outbox.failed(connection, run, str(refusal), kind)
        raise
    outbox.sent(connection, run, kind)
    log.info("Mailed to %s recipients (%s)", len(valid), kind.split(" ", maxsplit=1)[0])
