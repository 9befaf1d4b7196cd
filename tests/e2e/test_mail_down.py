"""A mail server that is down: the sync is done all the same, and the mail comes once, whatever is retried."""

from __future__ import annotations

from typing import Any

from stack.demo import DAG_ID
from tests.e2e.live import Live


def clear_notify(live: Live, run_id: str) -> None:
    body = {"dry_run": False, "dag_run_id": run_id, "task_ids": ["notify"], "only_failed": False, "reset_dag_runs": True}
    live.api._call("POST", f"dags/{DAG_ID}/clearTaskInstances", body)


def test_the_night_is_done_and_its_mail_comes_once(live: Live) -> None:
    before = len(live.mails("roster sync"))
    live.mail_server_refuses(True)
    run_id = live.trigger(send_email=True)

    def notify() -> dict[str, Any]:
        return next(task for task in live.api.tasks(DAG_ID, run_id) if task["task_id"] == "notify")

    def mailed() -> tuple[Any, ...]:
        return live.rows(
            "select r.state, r.loaded_at is not null, m.sent_at is not null, m.problem is not null from directory.sync_runs as r"
            " join directory.mails as m using (run_no) where r.run_id = %s",
            run_id,
        )[0]

    live.until(lambda: notify()["state"] == "up_for_retry")
    state, loaded, sent, problem = mailed()
    assert state in ("success", "completed_with_errors") and loaded and problem and not sent
    assert len(live.mails("roster sync")) == before

    live.mail_server_refuses(False)
    for _ in range(3):
        tries = notify()["try_number"]
        clear_notify(live, run_id)
        live.until(lambda tries=tries: notify()["state"] == "success" and notify()["try_number"] > tries)
        assert live.ended(run_id) == "success"
        assert mailed() == (state, True, True, False)
        assert len(live.mails("roster sync")) == before + 1
