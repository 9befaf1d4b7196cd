"""The watchdog's whole task, on a real database with a mail server of its own."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from include.mingasync.airflow_glue import context, watching
from include.mingasync.errors import DirectoryRefused, MailRefused
from include.rehearsal.mailsink import MailFolder, smtp_server
from tests.integration.directory.world import NIGHT, Directory, Sis, user
from tests.integration.rehearsal.test_server import free_port

OAK = """
name: Oak Valley
timezone: America/Chicago
sis: {name: generic}
contact: {name: Sam, email: sam@example.org}
"""


class Mails:
    """What a real mail server took, and whether it takes anything."""

    def __init__(self, folder: MailFolder) -> None:
        self.folder = folder

    def __iter__(self) -> Iterator[tuple[str, list[str]]]:
        """Subjects and recipients, the oldest first."""
        return ((mail["Subject"], str(mail["To"]).split(", ")) for _, mail in reversed(self.folder.mails()))

    def about(self, words: str) -> list[EmailMessage]:
        """Those with these words in their subject, the oldest first."""
        return [mail for _, mail in reversed(self.folder.mails()) if words in mail["Subject"]]

    @contextmanager
    def refused(self) -> Iterator[None]:
        """Within, the server takes nothing."""
        self.folder.refuse = True
        yield
        self.folder.refuse = False


@pytest.fixture
def sent(directory: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mails]:
    """The mails that the server took."""
    (tmp_path / "oak.yaml").write_text(OAK, encoding="utf-8")
    (tmp_path / "elm.yaml").write_text(OAK.replace("Oak", "Elm"), encoding="utf-8")
    monkeypatch.setenv("MINGASYNC_DISTRICTS_DIR", str(tmp_path))
    monkeypatch.setenv("MINGASYNC_SUPPORT_EMAIL", "help@example.org")
    monkeypatch.setattr(context, "settings_text", lambda district: '{"automatic_rostering": true}')
    monkeypatch.setattr(context, "links", lambda district, run: {"results": f"https://air/{run.run_id}", "run": "https://air"})
    monkeypatch.setattr(context, "nobody_can_answer", lambda: False)
    monkeypatch.setattr(context, "is_tried_again", lambda: False)
    monkeypatch.setattr(context, "state_of_run", lambda dag_id, run_id: None)

    @contextmanager
    def here() -> Iterator[Any]:
        yield directory.connection

    monkeypatch.setattr(context, "directory", here)
    directory.night(Sis(users=[user("u1")]))
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(hours=30)
    directory.do("update directory.sync_runs set state = 'success', finished_at = %s", long_ago)
    folder, port = MailFolder(tmp_path / "mails"), free_port()
    extra = json.dumps({"disable_ssl": True, "disable_tls": True, "from_email": "Roster sync <sync@example.org>"})
    server = {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(server))
    with smtp_server(folder, port):
        yield Mails(folder)


def test_support_and_contact_are_told_once(sent: Mails) -> None:
    assert watching.watch() == {"late": 1, "mails": 2}
    assert [to for _, to in sent] == [["help@example.org"], ["sam@example.org"]]
    assert watching.watch() == {"late": 1, "mails": 0}
    assert len(list(sent)) == 2


@pytest.mark.parametrize(("state", "closed"), [("failed", True), ("success", True), ("running", False), (None, False)])
def test_a_night_that_airflow_ended_is_closed_and_mailed(
    sent: Mails, directory: Directory, monkeypatch: pytest.MonkeyPatch, state: str | None, closed: bool
) -> None:
    """What goes on, or is not known to Airflow, stays open; whoever was loaded stays."""
    monkeypatch.setattr(context, "state_of_run", lambda dag_id, run_id: state if dag_id == "mingasync_oak" else None)
    directory.settings |= {"results_email": {"enabled": True, "recipients": ["kim@example.org"]}}
    directory.night(Sis(users=[user("u1"), user("u2")]), run_id="ended", night=NIGHT + dt.timedelta(days=1))
    directory.do("update directory.sync_runs set settings = %s where run_id = 'ended'", Jsonb(directory.settings))
    watching.watch()
    watching.watch()
    ((now, reason, counts),) = directory.rows("select state, reason, counts from directory.sync_runs where run_id = 'ended'")
    mails = [mail for mail in sent.about("Oak Valley") if mail["To"] == "kim@example.org"]
    if closed:
        assert now == "failed" and counts["people"]["student"]["created"] == 1
        assert reason.startswith(
            "The run was ended in Airflow before it could say how it went. What it had loaded is in the directory"
        )
        (mail,) = mails
        assert "ended in Airflow" in mail.get_body(("plain",)).get_content()
    else:
        assert (now, reason, mails) == ("running", None, [])
    assert directory.value("select count(*) from directory.people where status = 'active'") == 2


def test_what_was_taken_away_since_the_last_good_night_is_told(directory: Directory, sent: Mails) -> None:
    """A night that held some archives carried out the others, and is no good night."""
    directory.night(Sis(users=[user("u1"), user("u2"), user("u3")]), run_id="good")
    directory.do("update directory.sync_runs set finished_at = now() - interval '3 days', loaded_at = now() - interval '3 days'")
    directory.night(Sis(users=[user("u1")]), run_id="held", night=NIGHT + dt.timedelta(days=1))
    directory.do("update directory.sync_runs set state = 'held' where run_id = 'held'")
    watching.watch()
    for mail in (mails := sent.about("without a good night")):
        text = " ".join(mail.get_body(("plain",)).get_content().split())
        assert "Since the last good night 2 people were archived and 0 memberships were removed" in text
        assert "nobody was archived" not in text
    assert len(mails) == 2


def test_a_directory_that_is_away_is_told_to_support_once_a_day(
    sent: Mails, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    @contextmanager
    def away() -> Iterator[Any]:
        with psycopg.connect("host=127.0.0.1 port=9 dbname=roster user=nobody") as connection:
            yield connection

    monkeypatch.setenv("MINGASYNC_SNAPSHOTS", (tmp_path / "snapshots").as_uri())
    monkeypatch.setattr(context, "directory", away)
    caplog.set_level("INFO")
    with sent.refused(), pytest.raises(DirectoryRefused):
        watching.watch()
    assert "The mail could not be sent" in caplog.text and "The sync itself" not in caplog.text
    for _ in range(3):
        with pytest.raises(DirectoryRefused, match="it cannot be reached"):
            watching.watch()
    assert list(sent) == [("MingaSync: the watchdog cannot see the directory", ["help@example.org"])]
    (mail,) = sent.about("watchdog")
    told = " ".join(mail.get_body(("plain",)).get_content().split())
    assert "Connection roster_db" in told and "Nothing was changed by this." in told
    # A day later it is told again; without a support address nobody is.
    (note,) = (tmp_path / "snapshots").glob(".told-*")
    for hours, support, mails in ((23, "help@example.org", 1), (25, "", 1), (25, "help@example.org", 2)):
        note.write_text((dt.datetime.now(dt.UTC) - dt.timedelta(hours=hours)).isoformat(), encoding="utf-8")
        monkeypatch.setenv("MINGASYNC_SUPPORT_EMAIL", support)
        with pytest.raises(DirectoryRefused):
            watching.watch()
        assert len(list(sent)) == mails


def test_a_district_whose_file_cannot_be_used_is_told_to_support_once_a_day(
    sent: Mails, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It has no DAG, hence no nights that could fail; the others are watched as always."""
    monkeypatch.setenv("MINGASYNC_SNAPSHOTS", (tmp_path / "snapshots").as_uri())
    (tmp_path / "oak.expectations.json").write_text('{"expectations": [{"type": "expect_nothing"}]}', encoding="utf-8")
    (tmp_path / "elm.yaml").write_text(OAK.replace("Oak", "Elm") + "colour: red\n", encoding="utf-8")
    with sent.refused():
        watching.watch()
    for _ in range(3):
        watching.watch()
    assert list(sent) == [("MingaSync: 2 district files cannot be used", ["help@example.org"])]
    (mail,) = sent.about("cannot be used")
    told = " ".join(mail.get_body(("plain",)).get_content().split())
    assert "oak.expectations.json: key 'expectations.0.type'" in told and "elm.yaml: key 'colour' is unknown" in told
    assert "no nights" in told


def test_a_mail_that_was_refused_is_tried_again(sent: Mails) -> None:
    with sent.refused(), pytest.raises(MailRefused, match="2 mails were not taken"):
        watching.watch()
    assert list(sent) == []
    assert watching.watch() == {"late": 1, "mails": 2}


def test_settings_that_cannot_be_read_excuse_nobody(sent: Mails, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "settings_text", lambda district: "{")
    assert watching.watch()["late"] == 1


def test_the_contact_hears_of_a_pause_the_day_before(sent: Mails, monkeypatch: pytest.MonkeyPatch) -> None:
    tomorrow = dt.datetime.now(dt.UTC).astimezone(watching.ZoneInfo("America/Chicago")).date() + dt.timedelta(days=1)
    quiet = f'[{{"from": "{tomorrow}", "to": "2099-01-01", "mode": "pause"}}]'
    text = f'{{"automatic_rostering": true, "quiet": {quiet}}}'
    monkeypatch.setattr(context, "settings_text", lambda district: text)
    assert [watching.watch()["mails"], watching.watch()["mails"]] == [3, 0]
    assert list(sent)[-1] == ("MingaSync: Oak Valley: quiet time begins tomorrow", ["sam@example.org"])


def refused_an_hour_ago(directory: Directory, kind: str) -> None:
    """The mail of the last run, which its own tries could not send."""
    asked = {"results_email": {"enabled": True, "recipients": ["sam@example.org"]}}
    directory.do("update directory.sync_runs set settings = %s", Jsonb(asked))
    directory.do(
        "insert into directory.mails (district, night, run_no, kind, recipients, problem, claimed_at)"
        " select district, night, run_no, %s, array['sam@example.org'], 'refused', now() - interval '1 hour'"
        " from directory.sync_runs",
        kind,
    )


def test_a_results_mail_that_was_refused_all_night_goes_out_once_the_server_is_back(sent: Mails, directory: Directory) -> None:
    directory.do("update directory.sync_runs set finished_at = now()")
    refused_an_hour_ago(directory, "results")
    with sent.refused(), pytest.raises(MailRefused, match="1 mails were not taken"):
        watching.watch()
    directory.do("update directory.mails set claimed_at = now() - interval '1 hour' where kind = 'results'")
    watching.watch()
    watching.watch()
    (mail,) = sent.about("roster sync")
    assert mail["To"] == "sam@example.org"
    assert directory.value("select sent_at is not null and problem is null from directory.mails where kind = 'results'")


def test_a_question_that_was_refused_is_asked_again_while_the_run_still_waits(sent: Mails, directory: Directory) -> None:
    refused_an_hour_ago(directory, "held in run-0")
    directory.do("update directory.sync_runs set finished_at = now()")
    watching.watch()
    assert sent.about("Waiting for you") == []
    directory.do("update directory.sync_runs set state = 'held', finished_at = null, answer_until = now() + interval '9 hours'")
    watching.watch()
    watching.watch()
    (mail,) = sent.about("Waiting for you")
    assert "Without an answer until" in mail.get_body(("plain",)).get_content()


def test_a_school_with_recipients_of_its_own_gets_its_part_once(sent: Mails, directory: Directory) -> None:
    directory.do("update directory.sync_runs set finished_at = now()")
    refused_an_hour_ago(directory, "results")
    mine = {"schools": {"S1": {"results_email": {"recipients": ["head@example.org"]}}, "S2": {"new_lists_public": True}}}
    directory.do("update directory.sync_runs set settings = settings || %s", Jsonb(mine))
    watching.watch()
    watching.watch()
    told = {mail["To"]: mail["Subject"].strip() for mail in sent.about("roster sync")}
    assert len(sent.about("roster sync")) == len(told) == 2
    assert "left, Oak Valley, roster sync" in told["sam@example.org"]
    assert "left, Oak Valley, School S1, roster sync" in told["head@example.org"]


def test_the_mails_of_a_night_stand_together_and_each_is_told_apart(sent: Mails, directory: Directory) -> None:
    refused_an_hour_ago(directory, "held in run-0")
    directory.do("update directory.sync_runs set state = 'held', finished_at = null, answer_until = now() + interval '9 hours'")
    watching.watch()
    directory.do("update directory.sync_runs set state = 'success', finished_at = now()")
    refused_an_hour_ago(directory, "results")
    watching.watch()
    asked, told = sent.about("roster sync")
    assert asked["References"] == told["References"] and asked["Message-ID"] != told["Message-ID"]
    assert told["Message-ID"].endswith("@example.org>") and told["Auto-Submitted"] == "auto-generated"
    # The server's answer got lost, and the mail is sent again: to a reader it is the same mail.
    directory.do(
        "update directory.mails set sent_at = null, problem = 'lost', claimed_at = now() - interval '1 hour' where kind = 'results'"
    )
    watching.watch()
    assert [mail["Message-ID"] for mail in sent.about("roster sync")] == [asked["Message-ID"], *[told["Message-ID"]] * 2]


def test_a_secret_that_ends_is_told_once_a_step(sent: Mails, directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    directory.do("update directory.sync_runs set finished_at = now()")
    soon = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=10)
    extra = json.dumps({"expires": soon.isoformat()})
    monkeypatch.setenv("AIRFLOW_CONN_ONEROSTER_OAK", json.dumps({"conn_type": "http", "host": "x", "extra": extra}))
    watching.watch()
    watching.watch()
    (mail,) = sent.about("the secret for generic ends in")
    assert mail["To"] == "help@example.org"
