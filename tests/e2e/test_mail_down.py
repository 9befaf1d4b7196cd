"""A mail server that is down: the sync is done all the same, and the mail comes once, whatever is retried."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from stack.airflow_api import AirflowApi
from stack.demo import DAG_ID
from stack.home import Home
from tests.e2e.test_hold import api, directory, mails, until

__all__ = ["api", "directory"]
pytestmark = pytest.mark.usefixtures("demo_output")


@pytest.fixture
def mail_server(live_stack: Home) -> Iterator[Any]:
    """Turns the mail server off and on."""

    def refuse(refusing: bool) -> None:
        address = f"http://127.0.0.1:{live_stack.ports['mails'].given}/smtp"
        requests.put(address, json={"refuse": refusing}, timeout=30, proxies={"http": ""}).raise_for_status()

    yield refuse
    refuse(False)


def clear_notify(api: AirflowApi, run_id: str) -> None:
    body = {"dry_run": False, "dag_run_id": run_id, "task_ids": ["notify"], "only_failed": False, "reset_dag_runs": True}
    api._call("POST", f"dags/{DAG_ID}/clearTaskInstances", body)


def test_the_night_is_done_and_its_mail_comes_once(live_stack: Home, api: AirflowApi, directory: Any, mail_server: Any) -> None:
    before = len(mails(live_stack, "roster sync"))
    mail_server(True)
    run_id = api.trigger(DAG_ID, {"send_email": True})

    def notify() -> dict[str, Any]:
        return next(task for task in api.tasks(DAG_ID, run_id) if task["task_id"] == "notify")

    def mailed() -> tuple[Any, ...]:
        return directory.execute(
            "select r.state, r.loaded_at is not null, m.sent_at is not null, m.problem is not null from directory.sync_runs as r"
            " join directory.mails as m using (run_no) where r.run_id = %s",
            (run_id,),
        ).fetchone()

    until(lambda: notify()["state"] == "up_for_retry")
    state, loaded, sent, problem = mailed()
    assert state in ("success", "completed_with_errors") and loaded and problem and not sent
    assert len(mails(live_stack, "roster sync")) == before

    mail_server(False)
    for _ in range(3):
        tries = notify()["try_number"]
        clear_notify(api, run_id)
        until(lambda tries=tries: notify()["state"] == "success" and notify()["try_number"] > tries)
        assert until(lambda: api.run(DAG_ID, run_id)["state"] == "success")
        assert mailed() == (state, True, True, False)
        assert len(mails(live_stack, "roster sync")) == before + 1
