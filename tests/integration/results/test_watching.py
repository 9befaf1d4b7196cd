"""The watchdog's whole task, on a real database with a mail server of its own."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from include.mingasync.airflow_glue import context, mail, watching
from include.mingasync.errors import MailRefused
from tests.integration.directory.world import Directory, Sis, user

OAK = """
name: Oak Valley
timezone: America/Chicago
sis: {name: generic}
contact: {name: Sam, email: sam@example.org}
"""


@pytest.fixture
def sent(directory: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """Subjects and recipients of the mails that the server took."""
    (tmp_path / "oak.yaml").write_text(OAK, encoding="utf-8")
    (tmp_path / "elm.yaml").write_text(OAK.replace("Oak", "Elm"), encoding="utf-8")
    monkeypatch.setenv("MINGASYNC_DISTRICTS_DIR", str(tmp_path))
    monkeypatch.setenv("MINGASYNC_SUPPORT_EMAIL", "help@example.org")
    monkeypatch.setattr(context, "settings_text", lambda district: '{"automatic_rostering": true}')
    monkeypatch.setattr(context, "links", lambda district, run: {"results": f"https://air/{run.run_id}", "run": "https://air"})
    taken: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(mail, "send_mail", lambda one, to: taken.append((one.subject, to)))

    @contextmanager
    def here() -> Iterator[Any]:
        yield directory.connection

    monkeypatch.setattr(context, "directory", here)
    directory.night(Sis(users=[user("u1")]))
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(hours=30)
    directory.do("update directory.sync_runs set state = 'success', finished_at = %s", long_ago)
    return taken


def test_support_and_contact_are_told_once(sent: list[tuple[str, list[str]]]) -> None:
    assert watching.watch() == {"late": 1, "mails": 2}
    assert [to for _, to in sent] == [["help@example.org"], ["sam@example.org"]]
    assert watching.watch() == {"late": 1, "mails": 0}
    assert len(sent) == 2


def test_a_mail_that_was_refused_is_tried_again(sent: list[tuple[str, list[str]]], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(one: Any, to: list[str]) -> None:
        raise MailRefused("The mail could not be sent.")

    with monkeypatch.context() as down:
        down.setattr(mail, "send_mail", refuse)
        down.setattr(context, "nobody_can_answer", lambda: False)
        with pytest.raises(MailRefused, match="2 mails were not taken"):
            watching.watch()
    assert watching.watch() == {"late": 1, "mails": 2}


def test_settings_that_cannot_be_read_excuse_nobody(sent: list[tuple[str, list[str]]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "settings_text", lambda district: "{")
    assert watching.watch()["late"] == 1


def test_the_contact_hears_of_a_pause_the_day_before(sent: list[tuple[str, list[str]]], monkeypatch: pytest.MonkeyPatch) -> None:
    tomorrow = dt.datetime.now(dt.UTC).astimezone(watching.ZoneInfo("America/Chicago")).date() + dt.timedelta(days=1)
    quiet = f'[{{"from": "{tomorrow}", "to": "2099-01-01", "mode": "pause"}}]'
    text = f'{{"automatic_rostering": true, "quiet": {quiet}}}'
    monkeypatch.setattr(context, "settings_text", lambda district: text)
    assert [watching.watch()["mails"], watching.watch()["mails"]] == [3, 0]
    assert sent[-1] == ("MingaSync: Oak Valley: quiet time begins tomorrow", ["sam@example.org"])


def test_a_results_mail_that_was_refused_all_night_goes_out_once_the_server_is_back(
    sent: list[tuple[str, list[str]]], directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"results_email": {"enabled": True, "recipients": ["sam@example.org"]}}
    directory.do("update directory.sync_runs set settings = %s, finished_at = now()", Jsonb(asked))
    directory.do(
        "insert into directory.mails (district, night, run_no, kind, recipients, problem, claimed_at)"
        " select district, night, run_no, 'results', array['sam@example.org'], 'refused', now() - interval '1 hour'"
        " from directory.sync_runs"
    )

    def refuse(one: Any, to: list[str]) -> None:
        raise MailRefused("The mail could not be sent.")

    with monkeypatch.context() as down:
        down.setattr(mail, "send_mail", refuse)
        with pytest.raises(MailRefused, match="1 mails were not taken"):
            watching.watch()
    directory.do("update directory.mails set claimed_at = now() - interval '1 hour' where kind = 'results'")
    watching.watch()
    watching.watch()
    assert [to for subject, to in sent if "roster sync" in subject] == [["sam@example.org"]]
    assert directory.value("select sent_at is not null and problem is null from directory.mails where kind = 'results'")


def test_a_secret_that_ends_is_told_once_a_step(
    sent: list[tuple[str, list[str]]], directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.do("update directory.sync_runs set finished_at = now()")
    soon = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=10)
    extra = json.dumps({"expires": soon.isoformat()})
    monkeypatch.setenv("AIRFLOW_CONN_ONEROSTER_OAK", json.dumps({"conn_type": "http", "host": "x", "extra": extra}))
    watching.watch()
    watching.watch()
    assert [to for subject, to in sent if "the secret for generic ends in" in subject] == [["help@example.org"]]
