"""What the task of ``mingasync_watchdog`` does."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from include.mingasync.airflow_glue import context
from include.mingasync.airflow_glue.plain_words import in_plain_words
from include.mingasync.district import BadDistrictFile, District, read_districts
from include.mingasync.errors import MailRefused, MingaSyncError, SettingsError
from include.mingasync.run import Run

if TYPE_CHECKING:
    import psycopg

    from include.mingasync.results.lateness import Late
    from include.mingasync.results.mail import Mail
    from include.mingasync.settings import Settings

log = logging.getLogger(__name__)


def watch() -> dict[str, int]:
    """How many districts are late, and how many mails went out; one refused is tried again next hour."""
    from include.mingasync.directory import schema

    now = dt.datetime.now(dt.UTC)
    districts, unusable = read_districts()
    if unusable:
        log.warning("%s district files cannot be used and are not watched; see Import Errors", len(unusable))
        _tell_unusable(unusable, now)
    with in_plain_words():
        try:
            with context.directory() as connection:
                schema.bring_to_head(connection)
                late, post = _look(connection, districts, now)
        except Exception as error:
            _tell_blind(error, now)
            raise
        log.info("%s of %s districts late; %s mails sent", late, len(districts), post.sent)
        if post.refused:
            raise MailRefused(
                f"{post.refused} mails were not taken by the mail server; they are tried again. "
                "Check the Connection smtp_default. Nothing was changed."
            )
        return {"late": late, "mails": post.sent}


def _look(connection: psycopg.Connection[Any], districts: list[District], now: dt.datetime) -> tuple[int, _Post]:
    """How many districts are late, and what became of the mails."""
    from include.mingasync.airflow_glue.ended_outside import close_what_ended
    from include.mingasync.results.lateness import how_late

    for district in districts:
        close_what_ended(connection, district)
    settings = {district.slug: _settings(district) for district in districts}
    late = [one for district in districts if (one := how_late(connection, district, settings[district.slug], now))]
    post = _Post(connection, now)
    _tell_of_late(post, late)
    for district in districts:
        _tell_of_quiet(post, district, settings[district.slug])
        _tell_of_secret(post, district)
        _send_what_was_refused(post, district)
    return len(late), post


def _tell_unusable(unusable: Sequence[BadDistrictFile], now: dt.datetime) -> None:
    """Mail those who run the product, no more than once a day, that a district has no nights until its file is corrected."""
    from include.mingasync.results.notices import unusable_mail

    _tell_support(unusable_mail([str(file.error) for file in unusable]), "unusable", now)


def _tell_blind(error: Exception, now: dt.datetime) -> None:
    """Mail those who run the product, no more than once a day, that no district can be watched."""
    from include.mingasync.results.notices import blind_mail

    # Only our own words: those of a database may quote a person.
    why = str(error) if isinstance(error, MingaSyncError) else f"The database did not answer ({type(error).__name__})."
    _tell_support(blind_mail(why), "watchdog", now)


def _tell_support(mail: Mail, what: str, now: dt.datetime) -> None:
    """Mail the support address unless it was told of this within a day; the directory is not needed for it."""
    from include.mingasync.airflow_glue.mail import send_mail
    from include.mingasync.results.told import note_told, told_at

    to, last = context.support_address(), told_at(context.snapshots_root(), what)
    if to is None or (last and now - last < dt.timedelta(days=1)):
        return
    try:
        send_mail(mail, [to], kept=f"Nobody was told: {mail.subject.removeprefix('MingaSync: ')}.")
    except MailRefused as refusal:
        log.error("%s", refusal)
    else:
        note_told(context.snapshots_root(), what, now)


def _settings(district: District) -> Settings | None:
    from include.mingasync.settings import read_settings

    try:
        return read_settings(context.settings_text(district), district.settings_variable)
    except SettingsError as error:
        log.warning("%s is watched as if rostering were on: %s", district.slug, error)
        return None


class _Post:
    """Sends what was not sent within a day, and counts it."""

    def __init__(self, connection: psycopg.Connection[Any], now: dt.datetime) -> None:
        self.connection, self.now, self.sent, self.refused = connection, now, 0, 0

    def claim(self, district: District, kind: str, to: str, night: dt.date | None = None) -> dt.date | None:
        """The date that the mail is booked under, None when it went out already."""
        from include.mingasync.results import lateness

        date = night or self.now.astimezone(ZoneInfo(district.timezone)).date()
        return date if lateness.claim(self.connection, district.slug, date, kind=kind, to=[to], now=self.now) else None

    def send(self, mail: Mail, to: str, kind: str, booked: dict[str, dt.date]) -> None:
        """Mail it and note the outcome for every district that it tells of."""
        from include.mingasync.airflow_glue.mail import send_mail
        from include.mingasync.results import lateness

        problem = None
        try:
            send_mail(mail, [to], kept="No person and no list is touched by that.")
            self.sent += 1
        except MailRefused as refusal:
            problem, self.refused = str(refusal), self.refused + 1
        for slug, night in booked.items():
            lateness.sent(self.connection, slug, night, kind, problem)


def _tell_of_late(post: _Post, late: list[Late]) -> None:
    from include.mingasync.results.notices import late_mail

    links = {one.district.slug: _link(one, post.now) for one in late}
    if support := context.support_address():
        booked = {one.district.slug: day for one in late if (day := post.claim(one.district, "watchdog", support))}
        if booked:
            mail = late_mail([one for one in late if one.district.slug in booked], links)
            post.send(mail, support, "watchdog", booked)
    # A contact reads of no other district.
    for one in late:
        to, kind = one.district.contact.email, "watchdog to contact"
        if to != support and (day := post.claim(one.district, kind, to)):
            post.send(late_mail([one], links), to, kind, {one.district.slug: day})


def _tell_of_quiet(post: _Post, district: District, settings: Settings | None) -> None:
    from include.mingasync.results.lateness import quiet_notices
    from include.mingasync.results.notices import quiet_mail

    if settings is None or not settings.automatic_rostering:
        return
    for kind, night, quiet in quiet_notices(settings, post.now.astimezone(ZoneInfo(district.timezone)).date()):
        if post.claim(district, kind, district.contact.email, night):
            following = settings.quiet_on(quiet.last + dt.timedelta(days=1))
            post.send(quiet_mail(district, kind, quiet, following), district.contact.email, kind, {district.slug: night})


def _tell_of_secret(post: _Post, district: District) -> None:
    from include.mingasync.results.lateness import expiring
    from include.mingasync.results.notices import secret_mail

    today = post.now.astimezone(ZoneInfo(district.timezone)).date()
    if due := expiring(context.extra_of(district), today):
        kind, ends = due
        to = context.support_address() or district.contact.email
        if post.claim(district, kind, to, ends):
            post.send(secret_mail(district, ends, today), to, kind, {district.slug: ends})


def _send_what_was_refused(post: _Post, district: District) -> None:
    """The results mails that a mail server was down for, longer than their runs could wait."""
    from include.mingasync.airflow_glue.results_mail import send_again
    from include.mingasync.results import outbox

    for run_id, kind in outbox.waiting(post.connection, district.slug):
        try:
            send_again(post.connection, district, run_id, kind)
            post.sent += 1
        except MailRefused:
            post.refused += 1


def _link(late: Late, now: dt.datetime) -> str:
    run = Run(late.district.slug, late.last_run_id, "nightly", now, now.date())
    return context.links(late.district, run)["results"]
