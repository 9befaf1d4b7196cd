"""Who hears of a night of which the directory cannot tell: it is away, or the run never came into it."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from include.mingasync.airflow_glue import context
from include.mingasync.district import District
from include.mingasync.errors import DirectoryRefused, MailRefused
from include.mingasync.run import Run

log = logging.getLogger(__name__)

#: The directory's own words tell of one step alone.
_DIRECTORY_AWAY = (
    "The people directory's database could not be reached or refused the work, also when tried again. Check that PostgreSQL "
    "runs and that the Connection roster_db leads to it; then clear the run's failed tasks."
)


def tell_without_directory(running: Any) -> None:
    """What ``notify`` could not: called once it failed for good, with Airflow's context of it; one mail a night and district."""
    from include.mingasync.airflow_glue.mail import send_mail
    from include.mingasync.results.mail import compose
    from include.mingasync.results.told import note_told, told_at

    if isinstance(running.get("exception"), MailRefused):
        return  # The watchdog sends it once the mail server is back.
    district = context.this_district(running)
    run = context.this_run(district, running)
    told = f"{district.slug}/{run.night}"
    if not run.send_email or told_at(context.snapshots_root(), told) or _has_its_mail(run):
        return
    recipients = next(filter(None, _recipients(district)), [])
    try:
        mail, kept = compose(_night(district, run, running)), "Nobody was told that the night failed."
        send_mail(mail, recipients, thread=f"{district.slug}.{run.night}", kind="results", kept=kept)
    except MailRefused as refusal:
        log.error("%s", refusal)
    else:
        note_told(context.snapshots_root(), told, dt.datetime.now(dt.UTC))
        log.info("The directory could not be asked; mailed to %s recipients that the night failed", len(recipients))


def _has_its_mail(run: Run) -> bool:
    """Whether the directory knows of the run's mail, sent or still to be sent; no where it cannot be asked."""
    from include.mingasync.airflow_glue.results_mail import kind_of_mail

    try:
        with context.directory() as connection:
            row = connection.execute(
                "select exists (select from directory.mails where district = %s and night = %s and kind = %s)",
                (run.district, run.night, kind_of_mail(run)),
            ).fetchone()
            return row == (True,)
    except Exception as error:
        log.warning("The directory cannot be asked (%s)", type(error).__name__)
        return False


def _recipients(district: District) -> Iterator[list[str]]:
    """Who may be written to, the best first: who wanted the results, else the contact, else those who run the product."""
    from include.mingasync.airflow_glue.results_mail import last_stored_settings
    from include.mingasync.results.mail import valid_recipients
    from include.mingasync.settings import read_settings

    def stored() -> Any:
        with context.directory() as connection:
            return last_stored_settings(connection, district.slug)

    def present() -> Any:
        return read_settings(context.settings_text(district), district.settings_variable)

    # The settings of the last run stand in the directory; where it is away, those that the next run would read are as good.
    for source in (stored, present):
        try:
            wanted = source()
        except Exception as error:
            log.warning("Settings cannot be read for the mail (%s)", type(error).__name__)
            continue
        if wanted is not None:
            yield valid_recipients(wanted.results_email.recipients)[0] if wanted.results_email.enabled else []
            break
    yield valid_recipients([district.contact.email])[0]
    yield [address] if (address := context.support_address()) else []


def _night(district: District, run: Run, running: Any) -> Any:
    """The night as far as it is known without the directory."""
    from zoneinfo import ZoneInfo

    from include.mingasync.directory.counts import empty_counts
    from include.mingasync.results.night import Night

    now = dt.datetime.now(ZoneInfo(district.timezone))
    return Night(
        district=district.name,
        slug=district.slug,
        sis=district.sis.name,
        night=run.night,
        kind=run.kind,
        state="failed",
        reason=_reason(running.get("exception")),
        counts=empty_counts(),
        causes=(),
        held=(),
        started_at=now,
        finished_at=now,
        links={"run": context.links(district, run)["run"]},
        is_known=_never_loaded(running),
    )


def _reason(error: Any) -> str:
    if isinstance(error, DirectoryRefused) or error is None:
        return _DIRECTORY_AWAY
    # Only our own words: those of anything else may quote a person.
    return (
        str(error)
        if isinstance(error, AirflowFailException)
        else f"Task notify failed ({type(error).__name__}); its log says why."
    )


def _never_loaded(running: Any) -> bool:
    """Whether it is certain that this run changed nothing: its load never began."""
    try:
        states = context.states_of_tasks(running)
    except Exception as error:
        log.warning("The states of the tasks cannot be read (%s)", type(error).__name__)
        return False
    return bool(states) and states.get("load") in (None, "upstream_failed", "skipped", "removed")
