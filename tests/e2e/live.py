"""A live stack as a test drives it: Airflow, the rehearsal SIS, the mail sink, and the directory's rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
import requests
from psycopg import sql

from stack import lifecycle
from stack.airflow_api import AirflowApi
from stack.demo import DAG_ID
from stack.environment import database
from stack.home import Home
from tests import waiting

_ENDED = ("success", "failed")
_KEPT = "roster_after_the_demo"
_Answer = TypeVar("_Answer")


@dataclass
class Live:
    """The stack of a home; whatever is waited for ends early when it can no longer come."""

    home: Home

    def __post_init__(self) -> None:
        self.api = AirflowApi.of(self.home)

    def until(self, answer: Callable[[], _Answer]) -> _Answer:
        """The first true answer, while the stack lives."""
        return waiting.until(answer, lambda: None if lifecycle.supervisor(self.home) else "the stack ended")

    def trigger(self, **conf: Any) -> str:
        """The id of a run that was started by hand."""
        return self.api.trigger(DAG_ID, conf)

    def ended(self, run_id: str) -> str:
        """How a run ended, once it has."""
        return str(self.until(lambda: (state := self.api.run(DAG_ID, run_id)["state"]) in _ENDED and state))

    def parked(self, run_id: str) -> None:
        """Nothing, once a run waits for an answer; AssertionError when it ended without asking."""

        def waits() -> bool:
            tasks = self.api.tasks(DAG_ID, run_id)
            if any(task["task_id"] == "approve" and task["state"] == "awaiting_input" for task in tasks):
                return True
            retried = next((t for t in tasks if t["task_id"] == "approve" and t["state"] == "up_for_retry"), None)
            assert retried is None, "the task that asks failed; its log says why"
            state = self.api.run(DAG_ID, run_id)["state"]
            assert state not in _ENDED, f"the run ended as {state} and asked nobody"
            return False

        self.until(waits)

    def answer(self, run_id: str, option: str) -> None:
        """Answer the question of a run that is parked."""
        time.sleep(3)  # an answer within a second of the parking fails the task: nobody is as quick, a test is
        path = f"dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"
        self.api._call("PATCH", path, {"chosen_options": [option], "params_input": {}})

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the directory's database."""
        with psycopg.connect(database(self.home).dsn("roster")) as connection:
            return connection.execute(query, values).fetchall()

    def mails(self, words: str = "") -> list[dict[str, Any]]:
        """The mails with these words in their subject, the oldest first."""
        every = self._call("mails", "GET", "/mails.json").json()
        return [mail for mail in sorted(every, key=lambda one: one["number"]) if words in mail["subject"]]

    def faults(self, **faults: Any) -> None:
        """Let the SIS misbehave so, and in no other way."""
        self._call("sis", "PUT", "/rehearsal/faults", json=faults)

    def mail_server_refuses(self, refuse: bool) -> None:
        """Turn the mail server off or on."""
        self._call("mails", "PUT", "/smtp", json={"refuse": refuse})

    def requests_of_the_sis(self) -> dict[str, int]:
        """What the SIS was asked for since ``forget_requests``."""
        return dict(self._call("sis", "GET", "/rehearsal/requests").json())

    def forget_requests(self) -> None:
        """Let the SIS count anew."""
        self._call("sis", "DELETE", "/rehearsal/requests")

    def api_token(self) -> str:
        """The administrator's Authorization header."""
        self.api._call("GET", "version")
        return str(self.api._session.headers["Authorization"])

    def keep(self) -> None:
        """Keep the directory as it is now, for ``restore``."""
        self._copy_database("roster", _KEPT)

    def restore(self) -> None:
        """Nothing runs, the SIS and the mail server behave, the directory is as it was kept."""
        self.api.unpause(DAG_ID)  # a paused DAG ends none of its runs
        for run in self.api._call("GET", f"dags/{DAG_ID}/dagRuns?state=queued&state=running&limit=100")["dag_runs"]:
            self.api._call("PATCH", f"dags/{DAG_ID}/dagRuns/{run['dag_run_id']}", {"state": "failed"})
        self.until(lambda: not self.api.unfinished_runs(DAG_ID) and not self._busy())
        self.faults()
        self.mail_server_refuses(False)
        self._copy_database(_KEPT, "roster")

    def empty(self) -> None:
        """No directory at all, as before the first run."""
        database(self.home).empty_database("roster")

    def _busy(self) -> bool:
        states = "&".join(f"state={state}" for state in ("running", "queued", "scheduled", "restarting"))
        return bool(self.api._call("GET", f"dags/{DAG_ID}/dagRuns/~/taskInstances?{states}&limit=1")["total_entries"])

    def _copy_database(self, source: str, target: str) -> None:
        with psycopg.connect(database(self.home).dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(target)))
            connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [source])
            statement = sql.SQL("create database {} template {} owner roster")
            connection.execute(statement.format(sql.Identifier(target), sql.Identifier(source)))

    def _call(self, part: str, method: str, path: str, **more: Any) -> requests.Response:
        address = f"http://127.0.0.1:{self.home.ports[part].given}{path}"
        answer = requests.request(method, address, timeout=waiting.PATIENCE, proxies={"http": ""}, **more)
        answer.raise_for_status()
        return answer
