"""What on-call staff read in the log of a task that failed, as Airflow's own pages show it."""

from __future__ import annotations

from typing import Any

from stack.demo import DAG_ID
from tests.e2e.live import Live


def log_of(live: Live, run_id: str, task: str) -> list[dict[str, Any]]:
    """The lines of the log of a task's first try, without those that Airflow folds away."""
    path = f"dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/{task}/logs/1"
    shown, folded = [], False
    for line in live.api._call("GET", path)["content"]:
        event = line["event"] if isinstance(line, dict) else line
        folded = (folded or event.startswith("::group::")) and not event.startswith("::endgroup::")
        if isinstance(line, dict) and not folded and not event.startswith("::"):
            shown.append(line)
    return shown


def test_a_refused_secret_is_told_in_one_sentence(live: Live) -> None:
    live.faults(token_status=401)
    run_id = live.trigger()
    assert live.ended(run_id) == "failed"
    failed = next(task["task_id"] for task in live.api.tasks(DAG_ID, run_id) if task["state"] == "failed")
    errors = [line for line in log_of(live, run_id, failed) if line.get("level") == "error"]
    assert len(errors) == 1 and not errors[0].get("error_detail")
    assert "secret" in errors[0]["event"] and "othing was changed" in errors[0]["event"]
