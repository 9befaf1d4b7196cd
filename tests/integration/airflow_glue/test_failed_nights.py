"""Every failed night reaches somebody: whatever failed, one mail a night, and never a second."""

from __future__ import annotations

import datetime as dt
import json
from email.message import EmailMessage
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from include.mingasync.airflow_glue import context, failing, nightly
from include.mingasync.errors import DirectoryRefused, MailRefused
from include.mingasync.run import Kind
from tests.integration.airflow_glue.conftest import Glue
from tests.integration.directory.world import NIGHT

NOWHERE = "host=127.0.0.1 port=9 dbname=roster user=nobody"
WRONG = '{"automatic_rosterin": true}'


def wanting(*recipients: str, enabled: bool = True) -> str:
    return json.dumps({"automatic_rostering": True, "results_email": {"enabled": enabled, "recipients": recipients}})


def a_good_night(glue: Glue, settings: str) -> None:
    """A night whose settings were read and stored; it mails nobody."""
    glue.settings = settings
    glue.start("manual__good", "manual", NIGHT - dt.timedelta(days=1))
    nightly.open_run()
    nightly.notify()
    glue.directory.do("update directory.sync_runs set loaded_at = now(), snapshot_at = now()")
    assert glue.sent() == []


def fail_to_open(glue: Glue, run_id: str = "scheduled__2", **how: Any) -> str:
    """What open_run says when it fails; the tasks after it never start."""
    glue.start(run_id, **how)
    with pytest.raises((AirflowFailException, DirectoryRefused)) as failure:
        nightly.open_run()
    glue.tasks = {"open_run": "failed", "load": "upstream_failed", "archive": "upstream_failed"}
    return str(failure.value)


def told(mail: EmailMessage) -> str:
    """The text of a mail on one line."""
    part = mail.get_body(("plain",))
    assert part is not None
    return " ".join(part.get_content().split())


@pytest.mark.parametrize(
    ("settings", "to"),
    [
        (wanting("sam@example.org", "kim@example.org"), "sam@example.org, kim@example.org"),
        (wanting("sam@example.org", enabled=False), "contact@example.org"),
        (wanting("nobody at all"), "contact@example.org"),
        (wanting(), "contact@example.org"),
        (None, "contact@example.org"),
    ],
)
def test_a_wrong_key_is_mailed_to_those_who_wanted_mails_last_else_to_the_contact(
    glue: Glue, settings: str | None, to: str
) -> None:
    if settings:
        a_good_night(glue, settings)
    glue.settings = WRONG
    why = fail_to_open(glue)
    assert "'automatic_rosterin' is unknown" in why
    for _ in range(3):
        assert nightly.notify() == "failed"
    (mail,) = glue.sent()
    assert mail["To"] == to and mail["Subject"].startswith("Failed: nothing changed, Oak Valley")
    assert why in told(mail) and "people, lists and access are as they were" in told(mail)


def test_a_missing_connection_of_the_sis_is_mailed_with_its_cure(glue: Glue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_ONEROSTER_OAK")
    why = fail_to_open(glue)
    nightly.notify()
    (mail,) = glue.sent()
    assert "airflow connections add oneroster_oak" in why and why.replace(" ", "") in told(mail).replace(" ", "")
    (note,) = glue.notes
    assert note.startswith("Failed. The sync did not finish.") and why in note


def test_once_the_cause_is_mended_the_same_night_sends_no_second_mail(glue: Glue) -> None:
    a_good_night(glue, "{}")
    glue.settings = WRONG
    fail_to_open(glue)
    nightly.notify()
    glue.settings = wanting("sam@example.org")
    nightly.open_run()
    glue.tasks = {"extract.orgs": "failed"}
    assert nightly.notify() == "failed"
    assert [mail["To"] for mail in glue.sent()] == ["contact@example.org"]
    # The next night has a mail of its own.
    glue.start("scheduled__3", night=NIGHT + dt.timedelta(days=1))
    nightly.open_run()
    glue.tasks = {"extract.orgs": "failed"}
    nightly.notify()
    assert [mail["To"] for mail in glue.sent()] == ["contact@example.org", "sam@example.org"]


@pytest.mark.parametrize("send_email", [False, True])
def test_a_run_by_hand_mails_only_if_it_was_asked_to(glue: Glue, send_email: bool) -> None:
    glue.settings = WRONG
    fail_to_open(glue, "manual__2", kind="manual", send_email=send_email)
    nightly.notify()
    assert len(glue.sent()) == send_email


def test_a_failed_night_of_a_district_that_wants_no_mails_mails_nobody(glue: Glue) -> None:
    a_good_night(glue, wanting("sam@example.org", enabled=False))
    glue.start("scheduled__2")
    nightly.open_run()
    glue.tasks = {"extract.users": "failed"}
    nightly.notify()
    assert glue.sent() == []


def test_wanted_mails_that_none_of_the_recipients_can_get_go_to_the_contact_when_the_night_failed(glue: Glue) -> None:
    a_good_night(glue, wanting("sam at example.org"))
    glue.start("scheduled__2")
    nightly.open_run()
    glue.tasks = {"extract.users": "failed"}
    nightly.notify()
    (mail,) = glue.sent()
    assert mail["To"] == "contact@example.org"


def fail_without_directory(glue: Glue, error: BaseException | None = None) -> None:
    """The task notify fails for good, and Airflow calls what is to be called then."""
    if error is None:
        with pytest.raises((DirectoryRefused, AirflowFailException)) as failure:
            nightly.notify()
        error = failure.value
    failing.tell_without_directory({"exception": error})


@pytest.mark.parametrize(
    ("variable", "to"),
    [
        (wanting("sam@example.org"), "sam@example.org"),
        (wanting("sam@example.org", enabled=False), "contact@example.org"),
        (WRONG, "contact@example.org"),
        (None, "contact@example.org"),
    ],
)
def test_a_directory_that_is_away_is_told_once_a_night(glue: Glue, variable: str | None, to: str) -> None:
    here, glue.dsn, glue.settings = glue.dsn, NOWHERE, variable
    fail_to_open(glue)
    for _ in range(2):
        fail_without_directory(glue)
    (mail,) = glue.sent()
    assert mail["To"] == to and mail["Subject"].startswith("Failed: nothing changed, Oak Valley")
    assert "The people directory's database could not be reached" in told(mail) and "Connection roster_db" in told(mail)
    assert "people, lists and access are as they were" in told(mail)
    # It is back, and somebody clears the whole run: the night has had its mail.
    glue.dsn, glue.settings = here, wanting("sam@example.org")
    glue.directory.do("insert into directory.sync_runs (district, run_id, kind, logical_date, night, loaded_at)"
                      " values ('oak', 'earlier', 'manual', now(), '2026-11-01', now())")  # fmt: skip
    glue.start("scheduled__2")
    nightly.open_run()
    glue.tasks = {"extract.orgs": "failed"}
    nightly.notify()
    assert len(glue.sent()) == 1


def test_a_missing_connection_of_the_directory_is_told_with_its_cure(glue: Glue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "directory", glue.real_directory)
    monkeypatch.delenv("AIRFLOW_CONN_ROSTER_DB", raising=False)
    why = fail_to_open(glue)
    assert "airflow connections add roster_db" in why
    fail_without_directory(glue)
    (mail,) = glue.sent()
    assert mail["To"] == "contact@example.org" and why.replace(" ", "") in told(mail).replace(" ", "")


def test_a_run_that_never_came_into_the_directory_is_told_to_those_who_wanted_mails_last(glue: Glue) -> None:
    a_good_night(glue, wanting("sam@example.org"))
    here, glue.dsn, glue.settings = glue.dsn, NOWHERE, WRONG
    fail_to_open(glue)
    glue.dsn = here
    fail_without_directory(glue)
    (mail,) = glue.sent()
    assert mail["To"] == "sam@example.org" and "clear the task open_run and everything after it" in told(mail)


@pytest.mark.parametrize("kind", ["nightly", "manual"])
def test_another_runs_mail_of_the_night_is_not_that_of_a_run_that_never_came_into_the_directory(glue: Glue, kind: Kind) -> None:
    glue.settings = wanting("sam@example.org")
    glue.start("manual__before", "manual", send_email=True)
    nightly.open_run()
    nightly.notify()
    assert len(glue.sent()) == 1
    here, glue.dsn = glue.dsn, NOWHERE
    fail_to_open(glue, f"{kind}__2", kind=kind, send_email=True)
    glue.dsn = here
    fail_without_directory(glue)
    assert len(glue.sent()) == 2 and "clear the task open_run and everything after it" in told(glue.sent()[-1])


def test_what_was_loaded_before_the_directory_went_away_is_not_denied(glue: Glue) -> None:
    glue.dsn = NOWHERE
    glue.tasks = {"open_run": "success", "load": "success", "archive": "failed"}
    fail_without_directory(glue)
    (mail,) = glue.sent()
    assert "as they were the night before" not in told(mail)
    assert "What this night changed cannot be told before the directory can be asked again." in told(mail)


@pytest.mark.parametrize("send_email", [False, True])
def test_a_run_by_hand_without_a_directory_mails_only_if_it_was_asked_to(glue: Glue, send_email: bool) -> None:
    glue.dsn = NOWHERE
    fail_to_open(glue, "manual__2", kind="manual", send_email=send_email)
    fail_without_directory(glue)
    assert len(glue.sent()) == send_email


def test_a_mail_that_its_server_refused_is_left_to_the_watchdog(glue: Glue) -> None:
    a_good_night(glue, wanting("sam@example.org"))
    glue.start("scheduled__2")
    nightly.open_run()
    glue.tasks = {"extract.orgs": "failed"}
    glue.mails.refuse = True
    with pytest.raises(MailRefused) as refusal:
        nightly.notify()
    glue.mails.refuse = False
    fail_without_directory(glue, refusal.value)
    # Also where its task was ended by Airflow, and the refusal is not what the callback is told.
    fail_without_directory(glue, AirflowFailException("The mail could not be sent."))
    assert glue.sent() == []


def test_a_fault_of_our_own_is_told_without_its_words(glue: Glue) -> None:
    fail_without_directory(glue, ValueError("Ana Garcia"))
    (mail,) = glue.sent()
    assert "Task notify failed (ValueError)" in told(mail) and "Ana" not in mail.as_string()


def test_a_store_that_keeps_nothing_silences_nobody(glue: Glue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINGASYNC_SNAPSHOTS", "file:///proc/nowhere")
    glue.dsn = NOWHERE
    fail_to_open(glue)
    fail_without_directory(glue)
    assert len(glue.sent()) == 1


def test_a_mail_server_that_is_down_hides_no_failed_night(glue: Glue, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    a_good_night(glue, wanting("sam@example.org"))
    glue.start("scheduled__2")
    nightly.open_run()
    glue.tasks = {"extract.orgs": "failed"}
    glue.mails.refuse = True
    caplog.clear()
    with pytest.raises(MailRefused) as refusal:
        nightly.notify()
    assert caplog.messages[0].startswith("Failed: The sync did not finish. Task extract.orgs failed")
    assert any(line.startswith("Next: mend the cause") for line in caplog.messages)
    assert "The sync itself is done" not in str(refusal.value)
    assert "What the run did, or did not do, stands as the OneRoster History tells it" in str(refusal.value)
    problem = glue.directory.value("select problem from directory.mails")
    assert problem == str(refusal.value)


@pytest.mark.parametrize("again", [True, False])
def test_a_directory_that_is_away_says_its_cure_and_no_try_that_does_not_come(
    glue: Glue, monkeypatch: pytest.MonkeyPatch, *, again: bool
) -> None:
    monkeypatch.setattr(context, "is_tried_again", lambda: again)
    glue.dsn = NOWHERE
    why = fail_to_open(glue)
    assert "it cannot be reached" in why and "the Connection roster_db leads to it" in why
    assert ("it is tried again" in why) == again
    assert ("clear this task and everything after it" in why) == (not again)
