"""A run of which Airflow says that it is over, while its own row is still open."""

from __future__ import annotations

import psycopg

from stack.environment import database
from tests.e2e.live import Live


def test_a_run_whose_last_task_was_lost_is_closed_by_the_watchdog(live: Live) -> None:
    run_id = live.trigger()
    assert live.ended(run_id) == "success"
    with psycopg.connect(database(live.home).dsn("roster")) as connection:
        connection.execute(
            "update directory.sync_runs set state = 'running', reason = null, finished_at = null where run_id = %s", (run_id,)
        )
    watch = live.api.trigger("mingasync_watchdog", {})
    assert live.until(lambda: (state := live.api.run("mingasync_watchdog", watch)["state"]) in ("success", "failed") and state)
    query = "select state, reason, finished_at is not null from directory.sync_runs where run_id = %s"
    ((state, reason, closed),) = live.rows(query, run_id)
    assert (state, closed) == ("failed", True) and "ended in Airflow" in reason
