"""The tasks' functions on a real directory, with a real mail server, and what Airflow would tell them told by hand."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from include.mingasync.airflow_glue import context, undoing
from include.mingasync.district import find_district
from include.mingasync.run import Kind, Run
from include.rehearsal.mailsink import MailFolder, smtp_server
from tests.integration.directory.world import NIGHT, Directory
from tests.integration.rehearsal.test_server import free_port

OAK = """
name: Oak Valley
timezone: America/Chicago
sis: {name: generic}
contact: {name: Sam, email: contact@example.org}
"""

SIS = {"conn_type": "http", "host": "http://127.0.0.1:9", "password": "token", "extra": '{"auth": "bearer"}'}


@dataclass
class Glue:
    """What Airflow tells the tasks, and what comes of it."""

    directory: Directory
    dsn: str
    mails: MailFolder
    run: Run
    settings: str | None = '{"automatic_rostering": true}'
    tasks: dict[str, str] = field(default_factory=dict)
    conf: dict[str, Any] = field(default_factory=dict)
    #: the extras of the events of the directory's Asset
    announced: list[dict[str, Any]] = field(default_factory=list)
    #: the notes that runs were given, the newest last
    notes: list[str] = field(default_factory=list)
    #: how the tasks reach the directory by its Connection; here they are led around it
    real_directory: Any = context.directory

    def start(self, run_id: str, kind: Kind = "nightly", night: dt.date = NIGHT, send_email: bool | None = None) -> None:
        """From here on the tasks are those of this run."""
        at = dt.datetime.combine(night, dt.time(8), dt.UTC)
        mails = kind in ("nightly", "backfill") if send_email is None else send_email
        self.run = Run("oak", run_id, kind, at, night, mails)
        self.tasks = {}

    def sent(self) -> list[EmailMessage]:
        """The mails that the server took, the oldest first."""
        return [mail for _, mail in reversed(self.mails.mails())]


@pytest.fixture
def glue(made_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Glue]:
    """A district in whose tasks one may put oneself."""
    districts = tmp_path / "districts"
    districts.mkdir()
    (districts / "oak.yaml").write_text(OAK, encoding="utf-8")
    monkeypatch.setenv("MINGASYNC_DISTRICTS_DIR", str(districts))
    monkeypatch.setenv("MINGASYNC_SNAPSHOTS", (tmp_path / "snapshots").as_uri())
    monkeypatch.setenv("MINGASYNC_SUPPORT_EMAIL", "help@example.org")
    port = free_port()
    extra = json.dumps({"disable_ssl": True, "disable_tls": True, "from_email": "Roster sync <sync@example.org>"})
    server = {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(server))
    monkeypatch.setenv("AIRFLOW_CONN_ONEROSTER_OAK", json.dumps(SIS))
    with (
        psycopg.connect(made_database, autocommit=True) as connection,
        smtp_server(folder := MailFolder(tmp_path / "mails"), port),
    ):
        at = dt.datetime.combine(NIGHT, dt.time(8), dt.UTC)
        here = Glue(
            Directory(connection), made_database, folder, Run("oak", "scheduled__1", "nightly", at, NIGHT, send_email=True)
        )

        @contextmanager
        def directory() -> Iterator[Any]:
            with psycopg.connect(here.dsn, autocommit=True, connect_timeout=5) as own:
                yield own

        monkeypatch.setattr(context, "directory", directory)
        monkeypatch.setattr(context, "this_district", lambda running=None: find_district("oak"))
        monkeypatch.setattr(context, "this_run", lambda district, running=None: here.run)
        monkeypatch.setattr(context, "announce", lambda district, extra: here.announced.append(extra))
        monkeypatch.setattr(context, "note", lambda words, pages: here.notes.append(words))
        monkeypatch.setattr(context, "settings_text", lambda district: here.settings)
        monkeypatch.setattr(context, "states_of_tasks", lambda running=None: here.tasks)
        monkeypatch.setattr(context, "nobody_can_answer", lambda: False)
        monkeypatch.setattr(context, "is_tried_again", lambda: False)
        monkeypatch.setattr(context, "configuration", lambda: here.conf)
        running = {"params": {}, "dag_run": SimpleNamespace(conf=here.conf, logical_date=at, run_after=at, run_id="manual__undo")}
        monkeypatch.setattr(undoing, "get_current_context", lambda: running)
        yield here
