"""What only Airflow itself can show, with its metadata in SQLite and nothing but the DAG files, Connections and Variable of a district."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from include.rehearsal.district import build
from include.rehearsal.mailsink import MailFolder, smtp_server
from include.rehearsal.running import running
from include.rehearsal.server import CLIENT_ID, CLIENT_SECRET, application
from tests.integration.airflow_glue.conftest import OAK, SIS
from tests.integration.directory.world import everything_on
from tests.integration.rehearsal.test_server import free_port

ROOT = Path(__file__).parents[3]


@dataclass
class Airflow:
    """An Airflow of its own, without this project's plugins."""

    folder: Path
    port: int
    env: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        districts = self.folder / "districts"
        districts.mkdir()
        (districts / "oak.yaml").write_text(OAK, encoding="utf-8")
        extra = json.dumps({"disable_ssl": True, "disable_tls": True, "from_email": "sync@example.org"})
        server = {"conn_type": "smtp", "host": "127.0.0.1", "port": self.port, "extra": extra}
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "MINGASYNC"))} | {
            "AIRFLOW_HOME": str(self.folder / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW_CONN_ONEROSTER_OAK": json.dumps(SIS),
            "AIRFLOW_CONN_ROSTER_DB": "postgresql://nobody@127.0.0.1:9/roster",
            "AIRFLOW_CONN_SMTP_DEFAULT": json.dumps(server),
            "MINGASYNC_DISTRICTS_DIR": str(districts),
            "MINGASYNC_SNAPSHOTS": (self.folder / "snapshots").as_uri(),
        }
        assert self.call("db", "migrate").returncode == 0

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """An ``airflow`` command, ended."""
        command = [sys.executable, "-m", "airflow", *arguments]
        return subprocess.run(command, env=self.env, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)

    def handed_on(self) -> list[str]:
        """Whatever one task left for another."""
        with closing(sqlite3.connect(self.folder / "airflow" / "airflow.db")) as metadata:
            return [str(value) for (value,) in metadata.execute("select value from xcom")]


@pytest.fixture
def airflow(tmp_path: Path) -> Airflow:
    return Airflow(tmp_path, free_port())


def test_a_night_without_a_directory_is_mailed_by_a_real_airflow(airflow: Airflow, tmp_path: Path) -> None:
    with smtp_server(folder := MailFolder(tmp_path / "mails"), airflow.port):
        night = airflow.call("dags", "test", "mingasync_oak", "--conf", '{"send_email": true}')
    assert night.returncode != 0
    ((_, mail),) = folder.mails()
    assert mail["To"] == "contact@example.org" and "Failed" in mail["Subject"], night.stdout
    part = mail.get_body(("plain",))
    assert part and "it cannot be reached" in " ".join(part.get_content().split())


def test_a_first_night_on_an_empty_database_needs_nothing_else(airflow: Airflow, database: str) -> None:
    """The whole of a district: its people as its SIS has them, every term, its settings as they were; tasks hand on numbers."""
    district = build(students=200)
    settings = json.dumps(everything_on(class_lists={"enabled": True, "terms": ["nowhere"]}))
    with running(application(district=district)) as sis:
        extra = json.dumps({"token_url": sis.token_url})
        connection = {"conn_type": "http", "host": sis.root("1.1"), "login": CLIENT_ID, "password": CLIENT_SECRET, "extra": extra}
        airflow.env |= {"AIRFLOW_CONN_ONEROSTER_OAK": json.dumps(connection), "AIRFLOW_CONN_ROSTER_DB": database}
        assert airflow.call("variables", "set", "mingasync_oak", settings).returncode == 0
        night = airflow.call("dags", "test", "mingasync_oak")
    assert night.returncode == 0, night.stdout[-3000:] + night.stderr[-3000:]

    with psycopg.connect(database) as directory:
        ((kind, state, reason),) = directory.execute("select kind, state, reason from directory.sync_runs").fetchall()
        people = Counter(role for (role,) in directory.execute("select role from directory.people where status = 'active'"))
        terms = {term for (term,) in directory.execute("select term_id from directory.terms where district = 'oak'")}
    assert (kind, state) == ("manual", "completed_with_errors"), reason
    assert "selected term" in reason, "the one term that is selected is none of the SIS's"
    assert people == district.numbers()["people"]
    assert terms == {one["sourcedId"] for one in district.academicSessions}, "those that are not selected as well"

    assert airflow.call("variables", "get", "mingasync_oak").stdout.strip().splitlines()[-1] == settings
    handed_on = airflow.handed_on()
    assert len(handed_on) > 5 and max(map(len, handed_on)) < 2000
    names = {one["familyName"] for one in district.users} | {one["sourcedId"] for one in district.users}
    assert not [one for one in names if any(f'"{one}"' in value for value in handed_on)]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("one_person", "export", "oak", "1"), "The district oak has no person 1"),
        (("why", "oak", "person", "nobody@example.org"), "nobody@example.org"),
    ],
)
def test_a_command_finds_the_connection_that_airflow_itself_keeps(
    airflow: Airflow, made_database: str, command: tuple[str, ...], told: str
) -> None:
    del airflow.env["AIRFLOW_CONN_ROSTER_DB"]
    module = [sys.executable, "-m", f"include.mingasync.airflow_glue.{command[0]}", *command[1:]]

    def asked() -> subprocess.CompletedProcess[str]:
        return subprocess.run(module, env=airflow.env, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)

    missing = asked()
    assert missing.returncode == 1 and "The Connection 'roster_db'" in missing.stderr and "Traceback" not in missing.stderr
    # The cure that it prints.
    assert airflow.call("connections", "add", "roster_db", "--conn-uri", made_database).returncode == 0
    found = asked()
    assert told in found.stdout + found.stderr and "is missing" not in found.stderr, found.stderr
