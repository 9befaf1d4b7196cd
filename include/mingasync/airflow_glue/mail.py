"""Mails a composed mail by the Connection ``smtp_default``."""

from __future__ import annotations

import logging
import re
import smtplib
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import localtime, make_msgid
from hashlib import sha256
from typing import Any, cast

from airflow.providers.smtp.hooks.smtp import SmtpHook
from airflow.sdk.exceptions import AirflowException

from include.mingasync.addresses import valid_address
from include.mingasync.airflow_glue.context import connection_parts
from include.mingasync.errors import MailRefused

log = logging.getLogger(__name__)


def send_mail(
    mail: Any,
    recipients: list[str],
    *,
    kept: str,
    thread: str | None = None,
    kind: str = "",
) -> None:
    """Send HTML and text parts to the recipients; MailRefused in plain words when the server does not take them.

    Mails of one ``thread`` stand together in a reader. Thread and kind make the Message-ID, so that a mail that was
    taken twice, because the answer of the mail server was lost, is one mail to every reader that tells them apart.
    The mail goes to these recipients and nobody else, whatever a reader of headers would make of them; one that the server
    does not know keeps it from no other. ``kept`` says what stands although the mail was not sent.
    """
    odd = [one for one in recipients if valid_address(one) != one]
    if odd or not recipients:
        raise MailRefused(f"The mail was not sent: {len(odd)} of its recipients is no address. Correct it where it was entered.")
    connection_parts(
        "smtp_default",
        "the mail server",
        "airflow connections add smtp_default --conn-type smtp --conn-host HOST --conn-port 587 "
        "--conn-login USER --conn-password SECRET",
    )
    message = EmailMessage()
    message["Subject"] = mail.subject
    message["To"] = tuple(Address(addr_spec=one) for one in recipients)
    message["Date"] = localtime()
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    for name, content in mail.attachments:
        kind_of = ("application", "zip") if name.endswith(".zip") else ("text", "csv")
        message.add_attachment(content, *kind_of, filename=name)
    try:
        with SmtpHook("smtp_default") as hook:
            message["From"] = sender = _sender(hook.from_email or "mingasync@localhost")
            if thread:
                message["Message-ID"] = f"<{thread}.{sha256(kind.encode()).hexdigest()[:16]}@{sender.domain}>"
                message["References"] = f"<{thread}@{sender.domain}>"
            else:
                message["Message-ID"] = make_msgid(domain=sender.domain)
            # The hook's own sending makes HTML-only mails; its client, with the Connection's TLS and login, sends ours.
            unknown = cast("smtplib.SMTP", hook._smtp_client).send_message(message, sender.addr_spec, recipients)
        if unknown:
            log.warning(
                "%s of %s recipients are not known to the mail server; the others got the mail", len(unknown), len(recipients)
            )
    except (OSError, smtplib.SMTPException, AirflowException) as error:
        raise MailRefused(
            f"The mail could not be sent: the mail server did not take it ({type(error).__name__}). "
            f"{kept} Check the Connection smtp_default and the mail server."
        ) from None


def _sender(text: str) -> Address:
    """The sender, told from the name that may stand before it, whatever characters that has."""
    name, spec = ("", text.strip())
    if match := re.fullmatch(r"(.*)<([^<>]+)>\s*", text, re.DOTALL):
        name, spec = match[1].strip().strip('"'), match[2].strip()
    try:
        return Address(" ".join(name.split()), addr_spec=spec)
    except (ValueError, IndexError, HeaderParseError):
        raise MailRefused(
            "The mail was not sent: the Connection smtp_default names no sender. Write one such as sync@example.org into its "
            'extra "from_email".'
        ) from None
