"""A run that somebody ends in Airflow's grid is closed by the next look of the watchdog."""

from __future__ import annotations

from stack.demo import DAG_ID
from tests.e2e.live import Live


def test_a_run_marked_as_failed_by_hand_is_closed(live: Live) -> None:
    run_id = live.trigger()
    live.until(lambda: live.rows("select 1 from directory.sync_runs where run_id = %s", run_id))
    live.api._call("PATCH", f"dags/{DAG_ID}/dagRuns/{run_id}", {"state": "failed"})
    live.until(lambda: not live._busy())
    watch = live.api.trigger("mingasync_watchdog", {})
    live.until(lambda: live.api.run("mingasync_watchdog", watch)["state"] in ("success", "failed"))
    ((state, reason, closed),) = live.rows(
        "select state, reason, finished_at is not null from directory.sync_runs where run_id = %s", run_id
    )
    assert (state, closed) == ("failed", True) and "ended in Airflow" in reason
