"""A district's connection: the request, its mails, the steps, who may do what, and how the database and the mailboxes stand in the end."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from airflow.models.dagrun import DagRun
from airflow.sdk.exceptions import AirflowFailException
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from include.mingasync.airflow_glue import connecting
from include.mingasync.connecting.checklists import ITEMS, NAMES
from include.mingasync.console import connection_pages
from include.rehearsal.mailsink import MailFolder, smtp_server
from include.rehearsal.running import Running, running
from include.rehearsal.server import CLIENT_ID, CLIENT_SECRET, application
from tests.integration.console.conftest import Console
from tests.integration.console.metastore import make_tables, serialise
from tests.integration.console.sheets import Hand, Sheet
from tests.integration.console.test_pages import words
from tests.integration.oneroster.faulty import TODAY
from tests.integration.rehearsal.test_server import free_port

PAGE = "/districts/oak/connection"
SIS = {"conn_type": "http", "host": "http://127.0.0.1:9", "password": "token", "extra": '{"auth": "bearer"}'}
FILLED = {
    "district_name": "Oak Park",
    "schools": "North High\n\n South  High \n",
    "sis": "Skyward",
    "contact_name": "Robin Ó Briain",
    "contact_email": "robin@oak.example.org",
}


class Desk(Hand):
    """Somebody at the page of a connection, the mailboxes, and the database."""

    def __init__(self, console: Console, mails: MailFolder) -> None:
        super().__init__(console)
        self.mails = mails

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.console.connection.execute(query).fetchall()

    def steps(self) -> list[tuple[str, str]]:
        """The steps done and by whom, in the order in which they were done."""
        return self.rows("select step, done_by from directory.connection_steps where district = 'oak' order by done_at")

    def sent(self) -> list[EmailMessage]:
        """The mails that the server took, the oldest first."""
        return [mail for _, mail in reversed(self.mails.mails())]

    def to(self) -> list[str]:
        """To whom they went."""
        return [str(mail["To"]) for mail in self.sent()]

    def fill(self, **other: str) -> Sheet:
        sheet = self.form("request")
        for name, value in (FILLED | other).items():
            sheet.fill(name, value)
        return sheet

    def ask(self, status: int = 200, **other: str) -> Sheet:
        """The page after the request was filled in and sent."""
        return self.press(self.fill(**other), "request", status)

    def form(self, action: str) -> Sheet:
        """The form of the page that has a button."""
        return form_with(self.console.page(PAGE), action)

    def credentials_come(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_ONEROSTER_OAK", json.dumps(SIS))


def form_with(page: str, action: str) -> Sheet:
    """The form of a page that has a button."""
    forms = [Sheet(part) for part in re.findall(r"<form.*?</form>", page, re.DOTALL)]
    (found,) = [form for form in forms if action in form.actions]
    return found


def buttons(page: str) -> set[str]:
    return set(re.findall(r'name="action" value="(\w+)"', page))


@pytest.fixture
def desk(console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    port = free_port()
    extra = json.dumps({"disable_ssl": True, "disable_tls": True, "from_email": "Roster sync <sync@example.org>"})
    server = {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(server))
    monkeypatch.setenv("MINGASYNC_SUPPORT_EMAIL", "help@example.org")
    with smtp_server(folder := MailFolder(tmp_path / "mails"), port):
        yield Desk(console, folder)


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return " ".join(str(part.get_content()).split())


def html_of(mail: EmailMessage) -> str:
    part = mail.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def test_a_request_is_recorded_and_mails_support_and_the_contact(desk: Desk) -> None:
    assert desk.console.browser.get(PAGE).status_code == 200
    page = words(desk.ask().page)
    assert desk.rows(
        "select district, district_name, schools, sis_name, contact_name, contact_email, requested_by from directory.connection_requests"
    ) == [("oak", "Oak Park", ["North High", "South High"], "Skyward", "Robin Ó Briain", "robin@oak.example.org", "robin")]
    assert desk.steps() == [("requested", "robin"), ("sent", "robin")]
    assert desk.to() == ["help@example.org", "robin@oak.example.org"]
    support, contact = desk.sent()
    assert support["Subject"] == "MingaSync: Oak Park: connection request"
    for told in ("North High, South High", "Skyward", "Robin Ó Briain", "robin@oak.example.org"):
        assert told in text_of(support) and told in html_of(support)
    assert "/rostering/districts/oak/connection" in text_of(support)
    assert contact["Subject"] == "MingaSync: Oak Park: what to share with MingaSync in Skyward"
    for item in ITEMS:
        assert item.collection in text_of(contact) and item.collection in html_of(contact) and item.collection in page
    assert "In Skyward's OneRoster API setup for this vendor" in text_of(contact) and "tell help@example.org" in text_of(contact)
    assert "The contact was sent what to share sent" in page and "Robin Ó Briain turns on sharing" in page


@pytest.mark.parametrize("sis", NAMES)
def test_each_sis_has_its_own_checklist(desk: Desk, sis: str) -> None:
    page = words(desk.ask(sis=sis).page)
    checklist = text_of(desk.sent()[-1])
    assert f"What to share in {sis}" in page and f"MingaSync in {sis}" in checklist
    assert sis in checklist.split("Hello")[1].split("no sync without it")[-1]


def test_another_sis_is_named_by_hand(desk: Desk) -> None:
    page = desk.ask(422, sis="other").page
    assert "The name of the SIS may not be empty." in page
    desk.ask(sis="other", other_sis="Focus")
    assert desk.rows("select sis_name from directory.connection_requests") == [("Focus",)]
    assert "what to share with MingaSync in Focus" in desk.sent()[-1]["Subject"]
    assert "Ask the vendor for OneRoster" in text_of(desk.sent()[-1])


@pytest.mark.parametrize(("field", "value", "said"), [
    ("district_name", " ", "The name of the district may not be empty."),
    ("schools", " \n ", "Name at least one school"),
    ("sis", "", "Choose the SIS."),
    ("contact_name", "", "The contact's name may not be empty."),
    ("contact_name", "a" * 201, "at most 200 characters"),
    ("contact_name", "a\x07b", "no control characters"),
    ("contact_email", "", "This is no e-mail address"),
    ("contact_email", "robin", "This is no e-mail address"),
    ("contact_email", "a@example.org, b@example.org", "This is no e-mail address"),
    ("contact_email", "Robin <robin@example.org>", "This is no e-mail address"),
    ("contact_email", "robin@example.org\nBcc: other@example.org", "This is no e-mail address"),
])  # fmt: skip
def test_each_field_is_checked_where_it_is_typed(desk: Desk, field: str, value: str, said: str) -> None:
    sheet = desk.ask(422, **{field: value})
    assert said in words(sheet.page).replace("&#39;", "'")
    others = {name: kept for name, kept in FILLED.items() if name not in (field, "schools")}
    again = form_with(sheet.page, "request")
    assert {name: again.value(name)[0] for name in others} == others
    assert desk.rows(
        "select to_regclass('directory.connection_requests') is null or not exists (select from directory.connection_requests)"
    ) == [(True,)]
    assert desk.sent() == []


def test_a_request_pressed_twice_mails_once(desk: Desk) -> None:
    sheet = desk.fill()
    desk.press(sheet, "request")
    again = desk.press(sheet, "request")
    assert "How far it has come" in words(again.page)
    assert len(desk.sent()) == 2 and desk.steps() == [("requested", "robin"), ("sent", "robin")]


def test_somebody_else_s_request_is_not_overwritten_unseen(desk: Desk) -> None:
    mine = desk.fill(contact_name="Kim")
    desk.ask()
    assert "Somebody sent a request while you had the page open" in desk.press(mine, "request", 409).page
    assert desk.rows("select contact_name from directory.connection_requests") == [("Robin Ó Briain",)]
    assert len(desk.sent()) == 2


def test_another_request_takes_the_place_of_the_first_one_and_mails_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.ask()
    desk.credentials_come(monkeypatch)
    desk.press(desk.form("returned"), "returned")
    assert [step for step, _ in desk.steps()] == ["requested", "sent", "returned"]
    desk.ask(contact_email="kim@oak.example.org")
    assert desk.to()[2:] == ["help@example.org", "kim@oak.example.org"]
    assert [step for step, _ in desk.steps()] == ["requested", "sent"]


def test_a_mail_server_that_is_down_loses_nothing_and_the_mails_are_sent_by_a_button(desk: Desk) -> None:
    desk.mails.refuse = True
    page = words(desk.ask().page)
    assert desk.steps() == [("requested", "robin")] and desk.sent() == []
    assert "The mail to MingaSync support was not sent. The mail could not be sent" in page
    assert "The mail to the contact with what to share was not sent." in page
    assert "The connection request stands as it is; only the mail is missing." in page and "The sync itself" not in page
    support, checklist = (Sheet(part) for part in re.findall(r"<form.*?</form>", desk.console.page(PAGE), re.DOTALL)[:2])
    desk.press(checklist, "mail", 409)
    desk.mails.refuse = False
    desk.press(checklist, "mail")
    assert desk.to() == ["robin@oak.example.org"]
    assert desk.steps() == [("requested", "robin"), ("sent", "robin")]
    desk.press(checklist, "mail")  # the same page, pressed again
    page = desk.press(support, "mail").page
    assert desk.to() == ["robin@oak.example.org", "help@example.org"]
    assert "was not sent" not in words(page) and "mail" not in buttons(page)


@pytest.mark.parametrize("support", ["", "the help desk"])
def test_without_a_support_address_the_contact_is_mailed_all_the_same(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, support: str
) -> None:
    monkeypatch.setenv("MINGASYNC_SUPPORT_EMAIL", support)
    page = words(desk.ask().page)
    assert "MINGASYNC_SUPPORT_EMAIL is not set" in page
    assert desk.to() == ["robin@oak.example.org"] and "whoever runs MingaSync for you" in text_of(desk.sent()[0])
    assert [step for step, _ in desk.steps()] == ["requested", "sent"]
    monkeypatch.setenv("MINGASYNC_SUPPORT_EMAIL", "help@example.org")
    desk.press(desk.form("mail"), "mail")
    assert desk.to()[1:] == ["help@example.org"]


def test_without_a_mail_server_in_airflow_the_page_says_how_to_add_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_SMTP_DEFAULT")
    page = words(desk.ask().page)
    assert "airflow connections add smtp_default" in page and desk.steps() == [("requested", "robin")]


def test_returned_is_refused_while_the_connection_is_missing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.ask()
    sheet = desk.form("returned")
    page = words(desk.press(sheet, "returned", 409).page)
    assert "airflow connections add oneroster_oak" in page
    assert [step for step, _ in desk.steps()] == ["requested", "sent"]
    desk.credentials_come(monkeypatch)
    desk.press(sheet, "returned")
    assert desk.steps()[2:] == [("returned", "robin")]
    desk.press(sheet, "returned")
    assert len(desk.steps()) == 3


def test_returned_of_a_csv_district_is_refused_while_its_files_are_missing(desk: Desk, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    (tmp_path / "oak.yaml").write_text(
        f"name: Oak\ntimezone: America/Chicago\nsis: {{name: Skyward, source: csv, url: '{bundle}'}}\n"
        "contact: {name: Robin, email: robin@example.org}\n",
        encoding="utf-8",
    )
    desk.ask()
    assert "There is no bundle at the district" in words(desk.press(desk.form("returned"), "returned", 409).page)
    bundle.mkdir()
    (bundle / "orgs.csv").write_text("sourcedId,name,type\n1,North,school\n", encoding="utf-8")
    desk.press(desk.form("returned"), "returned")
    assert [step for step, _ in desk.steps()] == ["requested", "sent", "returned"]


def test_a_step_out_of_its_order_is_refused_with_a_sentence(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.credentials_come(monkeypatch)
    before = desk.send(PAGE, [("action", "returned"), ("end", "1")])
    assert before.status_code == 409 and "There is no connection request of this district yet." in words(before.text)
    desk.mails.refuse = True
    desk.ask()
    assert "returned" not in buttons(desk.console.page(PAGE))
    early = desk.send(PAGE, [("action", "returned"), ("end", "1")])
    assert early.status_code == 409 and "“sent” comes before it. Nothing was changed." in words(early.text)
    assert desk.steps() == [("requested", "robin")]


@pytest.mark.parametrize("step", ["returned", "verified", "synced", "complete"])
def test_the_database_itself_has_no_step_without_the_one_before(desk: Desk, step: str) -> None:
    desk.mails.refuse = True
    desk.ask()
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        desk.console.connection.execute(
            "insert into directory.connection_steps (district, step, done_by) values ('oak', %s, 'kim')", (step,)
        )


def test_readers_look_and_send_nothing(desk: Desk) -> None:
    desk.ask()
    desk.console.editable.clear()
    page = desk.console.page(PAGE)
    assert "You may look at this connection and not change it." in page and "<button" not in page
    for action in ("request", "mail", "returned"):
        answer = desk.send(PAGE, [*FILLED.items(), ("kind", "support"), ("action", action), ("end", "1")])
        assert answer.status_code == 403
    assert desk.console.browser.get("/districts/ash/connection").status_code == 403
    assert len(desk.sent()) == 2 and len(desk.steps()) == 2


def test_another_site_s_form_is_refused(desk: Desk) -> None:
    answer = desk.send(PAGE, [*FILLED.items(), ("action", "request"), ("end", "1")], **{"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403 and desk.sent() == []


def test_what_is_typed_runs_nowhere_and_makes_no_header(desk: Desk) -> None:
    script = "<script>alert(1)</script>"
    page = desk.ask(
        district_name=f"Oak\r\nBcc: evil@example.org\r\n\r\n{script}",
        schools=f"{script}\u2028Bcc: evil@example.org",
        sis="other",
        other_sis=f"Own\nX-Evil: 1 {script}",
        contact_name=f"Robin\x85Bcc: evil@example.org {script}",
    ).page
    assert script not in page and "&lt;script&gt;" in page
    assert desk.to() == ["help@example.org", "robin@oak.example.org"]
    for mail in desk.sent():
        assert mail["Bcc"] is None and mail["X-Evil"] is None and script not in html_of(mail)
        assert {"From", "To", "Subject", "Date", "Message-ID"} <= set(mail.keys())
        assert set(mail.keys()) <= {
            "From", "To", "Subject", "Date", "Message-ID", "References", "Auto-Submitted", "MIME-Version", "Content-Type",
            "X-Peer", "X-MailFrom", "X-RcptTo",
        }  # fmt: skip


# Verified


@pytest.fixture(scope="module")
def sis() -> Iterator[Running]:
    with running(application(students=30, schools=1, today=TODAY)) as one:
        yield one


@pytest.fixture
def ready(desk: Desk, sis: Running, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A district whose credentials came back, in front of a real SIS."""
    assert desk.console.metastore is not None
    make_tables(desk.console.metastore)
    serialise(desk.console.metastore, "mingasync_connect")
    sis.misbehave()
    own = {"conn_type": "http", "host": sis.root("1.1"), "login": CLIENT_ID, "password": CLIENT_SECRET}
    monkeypatch.setenv("AIRFLOW_CONN_ONEROSTER_OAK", json.dumps(own | {"extra": {"token_url": sis.token_url}}))
    desk.ask()
    desk.press(desk.form("returned"), "returned")
    return desk


def runs_of(desk: Desk) -> list[tuple[str, str, Any]]:
    with Session(desk.console.metastore) as session:
        return [(one.run_id, one.dag_id, one.conf) for one in session.scalars(select(DagRun).order_by(DagRun.id))]


def carry_out(desk: Desk, monkeypatch: pytest.MonkeyPatch, state: str = "success") -> None:
    """The run that was started last, as Airflow carries it out."""
    run_id, _, conf = runs_of(desk)[-1]
    dag_run = SimpleNamespace(conf=conf, run_id=run_id, triggering_user_name="robin")
    monkeypatch.setattr(connecting, "get_current_context", lambda: {"params": {}, "dag_run": dag_run})
    try:
        connecting.verify()
    finally:
        with Session(desk.console.metastore) as session:
            session.execute(update(DagRun).values(state=state))
            session.commit()


def test_verify_now_asks_the_sis_and_the_page_shows_what_is_shared(ready: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = ready.form("verify")
    page = words(ready.press(sheet, "verify").page)
    assert "The SIS is being asked now." in page
    ready.press(sheet, "verify")  # the same page, pressed again
    ready.press(ready.form("verify"), "verify")  # and another, while the first run goes on
    ((_, dag_id, conf),) = runs_of(ready)
    assert (dag_id, conf) == ("mingasync_connect", {"district": "oak"})
    assert len(ready.steps()) == 3
    carry_out(ready, monkeypatch)
    assert ready.steps()[3:] == [("verified", "robin")]
    page = words(ready.console.page(PAGE))
    assert page.count("no sync without it shared") == 2 and page.count("needed for class lists shared") == 4
    assert "The first sync is started by a person" in page and "/districts/oak/start" in ready.console.page(PAGE)


def test_what_is_not_shared_is_shown_with_its_cure_and_verified_is_not_done(
    ready: Desk, sis: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    sis.misbehave(not_shared=["users", "classes"])
    ready.press(ready.form("verify"), "verify")
    with pytest.raises(AirflowFailException):
        carry_out(ready, monkeypatch, "failed")
    page = words(ready.console.page(PAGE)).replace("&#39;", "'")
    assert "In PowerSchool's plugin for this connection, allow it to read users" in page
    assert ready.console.page(PAGE).count(">not shared<") == 2 and len(ready.steps()) == 3
    # The cure is carried out; class lists alone stay away.
    sis.misbehave(not_shared=["classes"])
    ready.press(ready.form("verify"), "verify")
    carry_out(ready, monkeypatch)
    assert ready.steps()[3:] == [("verified", "robin")]
    assert ready.console.page(PAGE).count(">not shared<") == 1


def test_a_sis_that_cannot_be_asked_is_told_on_the_page(ready: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ready.press(ready.form("verify"), "verify")
    monkeypatch.delenv("AIRFLOW_CONN_ONEROSTER_OAK")
    with pytest.raises(AirflowFailException):
        carry_out(ready, monkeypatch, "failed")
    assert "The Connection 'oneroster_oak'" in words(ready.console.page(PAGE)).replace("&#39;", "'")
    assert len(ready.steps()) == 3


def test_a_verification_that_left_no_result_is_told(ready: Desk) -> None:
    ready.press(ready.form("verify"), "verify")
    with Session(ready.console.metastore) as session:
        session.execute(update(DagRun).values(state="failed"))
        session.commit()
    assert "The last verification left no result" in words(ready.console.page(PAGE))


def test_verify_is_refused_before_the_credentials_came_and_to_whoever_may_not_start_runs(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert desk.console.metastore is not None
    make_tables(desk.console.metastore)
    serialise(desk.console.metastore, "mingasync_connect")
    desk.ask()
    fields = [("pressed_at", dt.datetime.now(dt.UTC).isoformat()), ("action", "verify"), ("end", "1")]
    early = desk.send(PAGE, fields)
    assert early.status_code == 409 and "“returned” comes before it. Nothing was started." in words(early.text)
    monkeypatch.setattr(connection_pages, "may_start", lambda user, slug: False)
    assert desk.send(PAGE, fields).status_code == 403
    assert runs_of(desk) == []


# Synced and complete


def test_a_district_connected_before_shows_so_from_its_history_and_mails_nobody(desk: Desk) -> None:
    desk.console.run(days_ago=3, loaded_at=dt.datetime.now(dt.UTC))
    page = desk.console.page(PAGE)
    assert "was connected without a request on this page" in words(page) and words(page).count("Done: ") == 6
    assert not buttons(page) & {"request", "returned", "mail"}
    late = desk.send(PAGE, [*FILLED.items(), ("version", ""), ("action", "request"), ("end", "1")])
    assert late.status_code == 409 and "no other request is needed" in words(late.text)
    assert desk.sent() == [] and desk.rows("select count(*) from directory.connection_requests") == [(0,)]
