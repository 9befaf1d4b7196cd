"""Runs started, replayed and undone in a real browser, by clicking only, against a live Airflow."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.browser.mails import chromium
from tests.e2e.live import Live
from tests.e2e.test_redo import Nights, days_ago
from tests.waiting import PATIENCE

_ACTIVE = "select count(*) from directory.people where status = 'active'"


@pytest.fixture
def page(live: Live) -> Iterator[Page]:
    """A page of the console's district in Chromium, seen by somebody who is logged in to Airflow."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        context = browser.new_context(base_url=live.home.airflow_url)
        context.set_default_timeout(PATIENCE * 1000)
        token = live.api_token().removeprefix("Bearer ")
        context.add_cookies([{"name": "_token", "value": token, "url": live.home.airflow_url}])
        yield context.new_page()
        browser.close()


def start(page: Page, words: str, night: str | None = None) -> str:
    """The id of a run that was started on the page of a district, by its buttons."""
    page.goto("/rostering/districts/rehearsal")
    page.get_by_role("link", name="preview", exact=False).first.click()
    if night:
        page.get_by_label("Replay the night of").fill(night)
    page.get_by_role("button", name=words, exact=True).click()
    return press(page, words)


def press(page: Page, words: str) -> str:
    """The id of the run whose page follows the button."""
    page.get_by_role("button", name=words, exact=True).click()
    page.wait_for_url("**/runs/*")
    return unquote(page.url.rpartition("/runs/")[2])


def test_a_first_sync_is_previewed_made_and_undone_and_a_failed_night_replayed(live: Live, page: Page) -> None:
    live.empty()
    assert live.ended(start(page, "Preview")) == "success"
    assert live.rows(_ACTIVE) == [(0,)]
    would = live.rows("select sum((of_role ->> 'created')::integer) from directory.sync_runs,"
                      " jsonb_each(counts -> 'people') as each (role, of_role) where kind = 'preview'")  # fmt: skip
    synced = start(page, "Sync now")
    assert live.ended(synced) == "success"
    assert live.rows(_ACTIVE) == would and would[0][0] > 2000

    page.reload()
    page.get_by_role("link", name="Undo this run").click()
    page.get_by_text(f"{would[0][0]:,} people").wait_for()
    undo = press(page, "Undo this run")
    live.until(lambda: live.api.run("mingasync_undo", undo)["state"] in ("success", "failed"))
    assert live.rows(_ACTIVE) == [(0,)]
    assert live.rows("select undone_by from directory.sync_runs where run_id = %s", synced) == [(undo,)]
    page.goto(f"/rostering/districts/rehearsal/runs/{synced}")
    page.get_by_text("Taken back by the run").first.wait_for()

    night, nights = days_ago(6), Nights(live)
    failed = nights.fails_at(night, "load")
    nights.last_backfill_is_over()
    assert start(page, "Replay", night.isoformat()) == failed
    live.until(lambda: live.rows("select state from directory.sync_runs where run_id = %s", failed)[0][0] == "success")
    assert live.ended(failed) == "success" and live.rows(_ACTIVE) == would
