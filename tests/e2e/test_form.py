"""Airflow's own form to start a run, in a real browser: it can be sent as it opens."""

from __future__ import annotations

from playwright.sync_api import Page

from stack.demo import DAG_ID
from tests.e2e.live import Live
from tests.e2e.test_actions import page  # noqa: F401 (a fixture)


def test_a_run_is_started_by_airflows_own_form(live: Live, page: Page) -> None:  # noqa: F811 (the fixture above)
    before = {run["dag_run_id"] for run in live.api._call("GET", f"dags/{DAG_ID}/dagRuns?limit=100")["dag_runs"]}
    page.goto(f"/dags/{DAG_ID}")
    page.get_by_role("button", name="Trigger").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Trigger", exact=True).click()

    def started() -> set[str]:
        return {run["dag_run_id"] for run in live.api._call("GET", f"dags/{DAG_ID}/dagRuns?limit=100")["dag_runs"]} - before

    (run_id,) = live.until(started)
    assert live.ended(run_id) == "success"
    assert live.rows("select kind, state from directory.sync_runs where run_id = %s", run_id)[0][0] == "manual"
