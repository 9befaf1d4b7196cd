"""Runs that somebody ends in Airflow's grid."""

from __future__ import annotations

from typing import Any

import psycopg

from stack.demo import DAG_ID
from stack.environment import database
from tests.e2e.live import Live


def row_of(live: Live, run_id: str) -> tuple[Any, ...]:
    """State, reason, and whether it is closed."""
    query = "select state, coalesce(reason, ''), finished_at is not null from directory.sync_runs where run_id = %s"
    rows = live.rows(query, run_id)
    return rows[0] if rows else (None, "", False)


def test_a_run_marked_as_failed_by_hand_is_closed_by_the_watchdog(live: Live) -> None:
    run_id = live.trigger()
    live.until(lambda: row_of(live, run_id)[0])
    live.api._call("PATCH", f"dags/{DAG_ID}/dagRuns/{run_id}", {"state": "failed"})
    live.until(lambda: not live._busy())
    # Its last task may have been ended with it, or have closed the run just before; here it was ended.
    with psycopg.connect(database(live.home).dsn("roster")) as connection:
        connection.execute(
            "update directory.sync_runs set state = 'running', reason = null, finished_at = null where run_id = %s", (run_id,)
        )
    watch = live.api.trigger("mingasync_watchdog", {})
    live.until(lambda: live.api.run("mingasync_watchdog", watch)["state"] in ("success", "failed"))
    state, reason, closed = row_of(live, run_id)
    assert (state, closed) == ("failed", True) and "ended in Airflow" in reason
