"""The mail sink: real SMTP in, files kept, a page that cannot be abused out."""

from __future__ import annotations

import smtplib
import subprocess
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
import requests

from include.rehearsal.mailsink import MailFolder, mail_application, smtp_server
from include.rehearsal.running import Running, running
from tests.integration.rehearsal.test_server import free_port
from tests.waiting import PATIENCE, answer_of


@pytest.fixture
def folder(tmp_path: Path) -> MailFolder:
    return MailFolder(tmp_path / "mails")


@pytest.fixture
def smtp(folder: MailFolder) -> Iterator[int]:
    with smtp_server(folder, free_port()) as server:
        yield server.port


@pytest.fixture
def web(folder: MailFolder) -> Iterator[Running]:
    with running(mail_application(folder)) as server:
        yield server


def mail(subject: str, html: str | None = "<p>Hello <a href='https://example.org'>you</a></p>") -> EmailMessage:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "Sync <sync@example.org>", "a@example.org"
    message["Date"] = "Tue, 24 Nov 2026 10:00:00 +0000"
    message.set_content("Guten Tag, Grüße\n")
    if html:
        message.add_alternative(html, subtype="html")
    return message


def send(port: int, message: EmailMessage) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE) as client:
        client.send_message(message)


def get(web: Running, path: str) -> requests.Response:
    return requests.get(f"{web.url}{path}", timeout=PATIENCE)


def test_mails_are_listed_newest_first(smtp: int, web: Running) -> None:
    send(smtp, mail("One"))
    send(smtp, mail("Zwölf Änderungen"))
    listed = get(web, "/mails.json").json()
    assert [(one["number"], one["subject"]) for one in listed] == [(1, "Zwölf Änderungen"), (0, "One")]
    assert listed[0]["from"] == "Sync <sync@example.org>"
    page = get(web, "/").text
    assert page.index("Zwölf Änderungen") < page.index("One")
    assert "a@example.org" in page and "2026-11-24" in page


def test_a_mail_s_parts_are_shown_and_cannot_do_anything(smtp: int, web: Running) -> None:
    send(smtp, mail("One", "<script>alert(1)</script><p>Body</p>"))
    page = get(web, "/mails/0")
    assert "sync@example.org" in page.text and "/mails/0/plain" in page.text
    assert "sandbox=" in page.text and "allow-scripts" not in page.text and "allow-same-origin" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    html = get(web, "/mails/0/html")
    assert "<p>Body</p>" in html.text
    policy = html.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "sandbox" in policy and "script" not in policy
    text = get(web, "/mails/0/plain")
    assert (text.text.strip(), text.headers["Content-Type"]) == (
        "Guten Tag, Grüße",
        "text/plain; charset=utf-8",
    )


def test_headers_of_a_mail_are_escaped(smtp: int, web: Running) -> None:
    send(smtp, mail("<script>alert(1)</script>"))
    for path in ("/", "/mails/0"):
        assert "<script>" not in get(web, path).text
        assert "&lt;script&gt;" in get(web, path).text


def test_a_mail_without_html_shows_its_text(smtp: int, web: Running) -> None:
    send(smtp, mail("Plain", html=None))
    assert "src='/mails/0/plain'" in get(web, "/mails/0").text
    for path in ("/mails/0/html", "/mails/0/other", "/mails/1", "/mails/1/plain"):
        assert get(web, path).status_code == 404


def test_a_server_told_to_refuse_answers_451_until_told_otherwise(smtp: int, web: Running) -> None:
    assert requests.put(f"{web.url}/smtp", json={"refuse": True}, timeout=PATIENCE).json() == {"refuse": True}
    with pytest.raises(smtplib.SMTPResponseException) as refusal:
        send(smtp, mail("Refused"))
    assert refusal.value.smtp_code == 451
    assert get(web, "/mails.json").json() == []
    assert "refuses every mail" in get(web, "/").text
    assert requests.put(f"{web.url}/smtp", json={"refuse": "no"}, timeout=PATIENCE).status_code == 400
    requests.put(f"{web.url}/smtp", json={"refuse": False}, timeout=PATIENCE)
    send(smtp, mail("Taken"))
    assert len(get(web, "/mails.json").json()) == 1


def test_mails_are_kept_as_they_came_until_emptied(smtp: int, web: Running, folder: MailFolder) -> None:
    send(smtp, mail("One"))
    assert [file.suffix for file in folder.folder.iterdir()] == [".eml"]
    assert [one["subject"] for _, one in MailFolder(folder.folder).mails()] == ["One"]
    assert requests.delete(f"{web.url}/mails", timeout=PATIENCE).json() == {"removed": 1}
    assert list(folder.folder.iterdir()) == []
    assert get(web, "/mails.json").json() == []
    assert "No mail yet" in get(web, "/").text


def test_the_command_keeps_mails_over_a_restart(tmp_path: Path) -> None:
    for number in (1, 2):
        smtp_port, http_port = free_port(), free_port()
        process = subprocess.Popen(
            [sys.executable, "-m", "include.rehearsal", "mail", "--smtp-port", str(smtp_port),
             "--http-port", str(http_port), "--folder", str(tmp_path)],
            cwd=Path(__file__).parents[3],
        )  # fmt: skip
        try:
            answer_of(f"http://127.0.0.1:{http_port}/", process)
            send(smtp_port, mail(f"Mail {number}"))
            listed = requests.get(f"http://127.0.0.1:{http_port}/mails.json", timeout=PATIENCE).json()
            assert [one["subject"] for one in listed] == [f"Mail {n}" for n in range(number, 0, -1)]
        finally:
            process.terminate()
            process.wait(PATIENCE)
