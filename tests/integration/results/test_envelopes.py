"""Whom a mail really goes to: the envelope that a mail server is given, whatever stands in settings."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from include.mingasync.airflow_glue.context import support_address
from include.mingasync.airflow_glue.mail import send_mail
from include.mingasync.district import read_district
from include.mingasync.errors import DistrictFileError, MailRefused
from include.mingasync.results.mail import Mail, valid_recipients
from tests.integration.rehearsal.test_server import free_port

MAIL = Mail(subject="Roster", html="<p>Hello</p>", text="Hello")
KEPT = "The sync is done."


class Server:
    """Takes every mail, but none for whom it does not know."""

    def __init__(self) -> None:
        self.told: list[tuple[str, list[str], str]] = []
        self.unknown: set[str] = set()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.unknown:
            return "550 5.1.1 Nobody here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = (envelope.original_content or b"").decode()
        self.told.append((str(envelope.mail_from), list(envelope.rcpt_tos), content))
        return "250 Kept"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    port, here = free_port(), Server()
    extra = json.dumps({"disable_ssl": True, "disable_tls": True, "from_email": "Roster: sync, nightly <sync@example.org>"})
    connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
    controller = Controller(here, hostname="127.0.0.1", port=port)
    controller.start()
    yield here
    controller.stop()


@pytest.mark.parametrize(
    "odd",
    [
        "a:b@x.org", 'a"@x.org', '"x"@x.org', '"a b"@x.org', "Group: a@x.org, b@x.org;", "a@x.org, eve@y.org", "a@x.org\nBcc: eve@y.org",
        "a@x.org\r\nRCPT TO:<eve@y.org>", "Sam <a@x.org>", "<a@x.org>", "a@x.org (Sam)", "a;b@x.org", "@y.org:a@x.org", "a@[127.0.0.1]",
        "a@x", "a@localhost", "a..b@x.org", "ü@x.org", "a@x.org\x00", "a\\@b@x.org",
    ],
)  # fmt: skip
def test_no_odd_address_reaches_anybody(server: Server, odd: str) -> None:
    valid, invalid = valid_recipients([odd, "sam@example.org"])
    assert (valid, invalid) == (["sam@example.org"], [odd])
    with pytest.raises(MailRefused, match="1 of its recipients is no address"):
        send_mail(MAIL, [odd, "sam@example.org"], kept=KEPT)
    assert server.told == []


def test_an_address_of_an_international_domain_goes_where_it_says(server: Server) -> None:
    valid, _ = valid_recipients(["sam@schüle.example.org", " o'hara+roster@example.org "])
    assert valid == ["sam@xn--schle-mva.example.org", "o'hara+roster@example.org"]
    send_mail(MAIL, valid, kept=KEPT)
    ((sender, recipients, content),) = server.told
    assert (sender, recipients) == ("sync@example.org", valid)
    assert "To: sam@xn--schle-mva.example.org, o'hara+roster@example.org" in content.replace("\r\n ", " ")
    assert 'From: "Roster: sync, nightly" <sync@example.org>' in content


def test_a_recipient_that_the_server_does_not_know_keeps_the_mail_from_nobody(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    server.unknown = {"gone@example.org"}
    send_mail(MAIL, ["gone@example.org", "sam@example.org"], kept=KEPT)
    assert [recipients for _, recipients, _ in server.told] == [["sam@example.org"]]
    assert "1 of 2 recipients" in caplog.text and "gone@" not in caplog.text
    server.unknown |= {"sam@example.org"}
    with pytest.raises(MailRefused):
        send_mail(MAIL, ["gone@example.org", "sam@example.org"], kept=KEPT)


def test_a_sender_that_is_no_address_is_told_with_its_cure(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = json.loads(os.environ["AIRFLOW_CONN_SMTP_DEFAULT"])
    connection["extra"] = json.dumps({"disable_ssl": True, "disable_tls": True, "from_email": "the roster"})
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
    with pytest.raises(MailRefused, match="from_email"):
        send_mail(MAIL, ["sam@example.org"], kept=KEPT)
    assert server.told == []


@pytest.mark.parametrize(("text", "address"), [("help@example.org", "help@example.org"), ("the help desk", None), ("", None)])
def test_a_support_address_that_is_none_is_told_and_not_used(
    text: str, address: str | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MINGASYNC_SUPPORT_EMAIL", text)
    assert support_address() == address
    assert ("MINGASYNC_SUPPORT_EMAIL" in caplog.text) == (text == "the help desk")


def test_a_district_file_with_an_odd_address_is_an_error_that_names_the_key(tmp_path: Path) -> None:
    path = tmp_path / "oak.yaml"
    path.write_text("name: Oak\ntimezone: UTC\nsis: {name: x}\ncontact: {name: Sam, email: 'a:b@x.org'}\n", encoding="utf-8")
    with pytest.raises(DistrictFileError, match=r"oak\.yaml: key 'contact\.email': this is no e-mail address"):
        read_district(path)
