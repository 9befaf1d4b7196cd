"""Mails a composed mail by the Connection ``smtp_default``."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from email.utils import localtime, make_msgid, parseaddr
from hashlib import sha256
from typing import Any

from airflow.providers.smtp.hooks.smtp import SmtpHook
from airflow.sdk.exceptions import AirflowException

from include.mingasync.airflow_glue.context import connection_parts
from include.mingasync.errors import MailRefused


def send_mail(mail: Any, recipients: list[str], *, thread: str | None = None, kind: str = "") -> None:
    """Send HTML and text parts to the recipients; MailRefused in plain words when the server does not take them.

    Mails of one ``thread`` stand together in a reader. Thread and kind make the Message-ID, so that a mail that was
    taken twice, because the answer of the mail server was lost, is one mail to every reader that tells them apart.
    """
    connection_parts(
        "smtp_default",
        "the mail server",
        "airflow connections add smtp_default --conn-type smtp --conn-host HOST --conn-port 587 "
        "--conn-login USER --conn-password SECRET",
    )
    message = EmailMessage()
    message["Subject"] = mail.subject
    message["To"] = ", ".join(recipients)
    message["Date"] = localtime()
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    for name, content in mail.attachments:
        message.add_attachment(content, maintype="text", subtype="csv", filename=name)
    try:
        with SmtpHook("smtp_default") as hook:
            message["From"] = sender = hook.from_email or "mingasync@localhost"
            domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
            if thread:
                message["Message-ID"] = f"<{thread}.{sha256(kind.encode()).hexdigest()[:16]}@{domain}>"
                message["References"] = f"<{thread}@{domain}>"
            else:
                message["Message-ID"] = make_msgid(domain=domain)
            # The hook's own sending makes HTML-only mails; its client, with the Connection's TLS and login, sends ours.
            hook._smtp_client.send_message(message)  # type: ignore[union-attr]
    except (OSError, smtplib.SMTPException, AirflowException) as error:
        raise MailRefused(
            f"The mail could not be sent: the mail server did not take it ({type(error).__name__}). "
            "The sync itself is done; only the mail is missing. Check the Connection smtp_default and the mail server."
        ) from None
