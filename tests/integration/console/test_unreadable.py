"""A directory that cannot be read: each page says the cause and the cure, and writes nothing."""

from __future__ import annotations

import json
from html import unescape

import psycopg
import pytest

from include.mingasync.airflow_glue import context
from include.mingasync.console.reading import directory
from stack.ports import free_port
from tests.integration.console.conftest import Console, as_airflow_connection

PATHS = ("/", "/districts/oak", "/districts/oak/runs/manual__1", "/districts/oak/history.csv")


@pytest.mark.parametrize("path", PATHS)
def test_a_missing_connection_says_how_to_add_it(console: Console, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr("include.mingasync.console.reading.PostgresHook.get_connection", _not_found)
    page = unescape(console.page(path, status=503))
    assert "The Connection 'roster_db'" in page and "airflow connections add roster_db" in page


def _not_found(_: str) -> None:
    from airflow.sdk.exceptions import AirflowNotFoundException

    raise AirflowNotFoundException


@pytest.mark.parametrize("path", PATHS)
def test_a_database_that_does_not_answer(console: Console, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    dsn = f"postgresql://robin:secret-word@127.0.0.1:{free_port()}/nothing"
    monkeypatch.setenv("AIRFLOW_CONN_ROSTER_DB", as_airflow_connection(dsn))
    page = console.page(path, status=503)
    assert "does not answer" in page and "Check that PostgreSQL runs" in page
    assert "secret-word" not in page and "Traceback" not in page


def test_a_schema_older_than_the_console(console: Console) -> None:
    console.connection.execute("alter table directory.sync_runs rename column night to was_night")
    page = console.page("/", status=503)
    assert "schema is older than this console" in page and "brings the schema up to date" in page


def test_a_user_who_may_not_read(console: Console, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    console.connection.execute("drop role if exists outsider")
    console.connection.execute("create role outsider login password 'outsider'")
    parts = json.loads(as_airflow_connection(database)) | {"login": "outsider", "password": "outsider"}
    monkeypatch.setenv("AIRFLOW_CONN_ROSTER_DB", json.dumps(parts))
    page = console.page("/", status=503)
    assert "may not read the directory" in page and "let an administrator grant that owner to its user" in page
    # Rights on the tables alone would show an empty directory, as row-level security is on.
    console.run(run_id="manual__1")
    console.connection.execute(
        "grant usage on schema directory to outsider; grant select on all tables in schema directory to outsider"
    )
    assert "may not read the directory" in console.page("/districts/oak", status=503)
    with context.directory() as task, pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
        task.execute("select from directory.sync_runs")
    console.connection.execute("grant postgres to outsider")
    assert "manual__1" in console.page("/districts/oak")
    console.connection.execute("drop owned by outsider; drop role outsider")


def test_programs_get_the_same_words_as_json(console: Console) -> None:
    console.connection.execute("drop table directory.sync_issues cascade")
    console.run(run_id="manual__1")
    answer = console.browser.get("/districts/oak/runs/manual__1")
    assert answer.status_code == 503
    assert "schema is older" in answer.json()["detail"]


def test_the_console_cannot_write(console: Console) -> None:
    with directory() as here, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        here._connection.execute("delete from directory.sync_runs")
