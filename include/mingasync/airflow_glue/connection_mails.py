"""Sends the mails of a district that is being connected, each once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import psycopg

from include.mingasync.airflow_glue import context
from include.mingasync.connecting import steps
from include.mingasync.errors import MailRefused, MingaSyncError

if TYPE_CHECKING:
    from include.mingasync.results.mail import Mail

log = logging.getLogger(__name__)

KINDS = ("support", "checklist", "confirmation")
_KEPT = "The connection request stands as it is; only the mail is missing."


def post(connection: psycopg.Connection[Any], district: str, kind: str, who: str) -> str | None:
    """None once the mail server has taken the mail, now or before; else why it has not, in words."""
    from include.mingasync.airflow_glue.mail import send_mail

    request = steps.request_of(connection, district)
    if request is None:
        return "There is no connection request of this district yet. Send it first. Nothing was mailed."
    if not steps.claim(connection, request, kind):
        sent = steps.is_sent(connection, district, kind)
        return None if sent else "This mail is not due, or is on its way at this moment. Look again in a minute."
    try:
        mail, to = _made(request, kind)
        thread = f"{district}.connection.{request.requested_at:%Y%m%d%H%M%S%f}"
        send_mail(mail, [to], thread=thread, kind=kind, kept=_KEPT)
    except MingaSyncError as refusal:
        problem = str(refusal).removesuffix(" Nothing was changed.")
        steps.mail_failed(connection, request, kind, problem)
        log.warning("%s: the %s mail of its connection was not sent: %s", district, kind, problem)
        return problem
    steps.mail_sent(connection, request, kind, who)
    log.info("%s: the %s mail of its connection was sent", district, kind)
    return None


def confirm(connection: psycopg.Connection[Any], district: str) -> None:
    """Nothing; once the first sync of a district ended well its step is done, and the contact is told of it once.

    A mail server that is down fails no night: the next one tries again.
    """
    if steps.done(connection, district)[-1:] not in {("verified",), ("synced",)}:
        return
    who = context.started_by()
    if steps.first_sync_loaded(connection, district, who):
        post(connection, district, "confirmation", who)


def _made(request: steps.Request, kind: str) -> tuple[Mail, str]:
    """The mail of a kind, and to whom it goes."""
    from include.mingasync.results import connection_mails

    support = context.support_address()
    pages = f"{context.console()}/districts/{request.district}"
    if kind == "support":
        if support is None:
            raise MailRefused(
                "MINGASYNC_SUPPORT_EMAIL is not set for the api-server, or is no e-mail address, so nobody could be mailed. "
                "Set it, then send the mail again."
            )
        return connection_mails.support_mail(request, f"{pages}/connection"), support
    if kind == "checklist":
        return connection_mails.checklist_mail(request, support), request.contact_email
    return connection_mails.confirmation_mail(request, support, f"{pages}/settings"), request.contact_email
