"""The console in front of a real directory, with somebody logged in who may read two districts."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
import sqlalchemy
from airflow.api_fastapi.core_api.security import get_user
from airflow.models.base import Base
from airflow.models.team import Team
from airflow.models.variable import Variable
from fastapi.testclient import TestClient
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from include.mingasync.console import access
from include.mingasync.console import metastore as airflows
from include.mingasync.console.app import app
from include.mingasync.directory.counts import empty_counts
from tests.integration.airflow_glue.conftest import glue  # noqa: F401 (a fixture)

NIGHT = dt.date(2026, 11, 24)


def as_airflow_connection(dsn: str) -> str:
    """The Airflow Connection to a database, as JSON."""
    parts = conninfo_to_dict(dsn)
    return json.dumps(
        {
            "conn_type": "postgres",
            "host": parts["host"],
            "port": int(parts.get("port") or 5432),
            "schema": parts["dbname"],
            "login": parts.get("user"),
            "password": parts.get("password"),
            # A Connection may name a kind of cursor; the console reads as it wants to all the same.
            "extra": json.dumps({"cursor": "dictcursor"}),
        }
    )


@dataclass
class Console:
    """A browser in front of the console, and a hand in its database."""

    browser: TestClient
    connection: psycopg.Connection[Any]
    readable: set[str] = field(default_factory=set)
    editable: set[str] = field(default_factory=set)
    metastore: sqlalchemy.Engine | None = None

    def page(self, path: str, status: int = 200) -> str:
        """What a page says."""
        answer = self.browser.get(path, headers={"accept": "text/html"})
        assert answer.status_code == status, answer.text
        return str(answer.text)

    @property
    def stored(self) -> str | None:
        """The settings Variable of oak in Airflow's own database, as text."""
        assert self.metastore is not None
        with Session(self.metastore) as session:
            found = session.scalar(sqlalchemy.select(Variable).where(Variable.key == "mingasync_oak"))
            return found.get_val() if found else None

    def store(self, text: str) -> None:
        """Put a text into the settings Variable of oak, as Airflow's own pages do."""
        assert self.metastore is not None
        with Session(self.metastore) as session:
            found = session.scalar(sqlalchemy.select(Variable).where(Variable.key == "mingasync_oak"))
            if found:
                found.set_val(text)
            else:
                session.add(Variable(key="mingasync_oak", val=text))
            session.commit()

    def audit(self) -> list[tuple[Any, ...]]:
        """Who changed the settings of oak, from what to what."""
        query = "select changed_by, before, after from directory.settings_history where district = 'oak' order by changed_at"
        return self.connection.execute(query).fetchall()

    def run(self, district: str = "oak", *, days_ago: float = 0, **more: Any) -> str:
        """A run that is in the history now, by its run id."""
        started = dt.datetime.now(dt.UTC) - dt.timedelta(days=days_ago, minutes=5)
        row = {
            "district": district,
            "run_id": f"scheduled__{started.isoformat()}",
            "kind": "nightly",
            "logical_date": started,
            "night": NIGHT - dt.timedelta(days=int(days_ago)),
            "started_at": started,
            "finished_at": started + dt.timedelta(seconds=74),
            "state": "success",
            "counts": empty_counts(),
        } | more
        names = psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, row))
        cells = [Jsonb(value) if isinstance(value, dict) else value for value in row.values()]
        self.connection.execute(
            psycopg.sql.SQL("insert into directory.sync_runs ({}) values ({})").format(
                names, psycopg.sql.SQL(", ").join([psycopg.sql.Placeholder()] * len(cells))
            ),
            cells,
        )
        return str(row["run_id"])

    def issue(self, run_id: str, sourced_id: str | None, district: str = "oak", **more: Any) -> None:
        """An issue of a run."""
        row = {
            "district": district,
            "run_id": run_id,
            "severity": "error",
            "resource": "users",
            "sourced_id": sourced_id,
            "rule": "users.role_unknown",
            "message": "The user's role is none that OneRoster knows.",
            "fix": "Correct the role in PowerSchool.",
        } | more
        self.connection.execute(
            """
            insert into directory.sync_issues
                (run_no, district, run_id, severity, resource, sourced_id, rule, message, fix)
            select run_no, district, run_id,
                   %(severity)s, %(resource)s, %(sourced_id)s, %(rule)s, %(message)s, %(fix)s
            from directory.sync_runs where district = %(district)s and run_id = %(run_id)s
            """,
            row,
        )


@pytest.fixture
def empty(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    """The console in front of a database that no run has touched yet."""
    for slug, name in (("oak", "Oak Park <i>Unified</i>"), ("elm", "Elm"), ("ash", "Ash")):
        (tmp_path / f"{slug}.yaml").write_text(
            f"name: {name}\ntimezone: America/Chicago\nsis: {{name: PowerSchool}}\n"
            "contact: {name: Robin, email: robin@example.org}\n",
            encoding="utf-8",
        )
    monkeypatch.setenv("MINGASYNC_DISTRICTS_DIR", str(tmp_path))
    monkeypatch.setenv("AIRFLOW_CONN_ROSTER_DB", as_airflow_connection(database))
    readable, editable = {"mingasync_oak", "mingasync_elm"}, {"mingasync_oak"}

    def may(user: Any, method: str, details: Any, access_entity: Any = None) -> bool:
        return details.id in (readable if method == "GET" else editable)

    manager = SimpleNamespace(get_authorized_dag_ids=lambda user, method: readable, is_authorized_dag=may)
    monkeypatch.setattr(access, "get_auth_manager", lambda: manager)
    app.dependency_overrides[get_user] = lambda: SimpleNamespace(name="robin", get_name=lambda: "robin", get_id=lambda: "1")
    metastore = sqlalchemy.create_engine(database.replace("postgresql://", "postgresql+psycopg://"))
    Base.metadata.create_all(metastore, tables=[Team.__table__, Variable.__table__])
    monkeypatch.setattr(airflows, "create_session", lambda scoped: committing(metastore))
    with psycopg.connect(database, autocommit=True) as connection:
        yield Console(TestClient(app, follow_redirects=True), connection, readable, editable, metastore)
    app.dependency_overrides.clear()
    metastore.dispose()


@contextmanager
def committing(metastore: sqlalchemy.Engine) -> Iterator[Session]:
    """A session as Airflow's own: what the block did is kept as a whole, or nothing is."""
    with Session(metastore, autoflush=False, expire_on_commit=False) as session:
        try:
            yield session
            session.commit()
        except BaseException:
            session.rollback()
            raise


@pytest.fixture
def console(made_database: str, empty: Console) -> Console:
    """The console in front of a directory with the newest schema and no run."""
    return empty
