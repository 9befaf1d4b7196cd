"""Failed nights once more, with Airflow's own backfill: replayed from their snapshot, or left alone when a later one is in."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from stack.demo import DAG_ID
from stack.environment import environment
from stack.home import REPOSITORY
from tests.e2e.live import Live

ZONE = ZoneInfo("America/Chicago")


class Nights:
    """The nights of the rehearsal district, run again and again."""

    def __init__(self, live: Live) -> None:
        self.live, self.api = live, live.api

    def backfill(self, night: dt.date) -> str:
        """The run of a night, ended; created, or taken up again where it failed, by ``airflow backfill create``."""
        self.last_backfill_is_over()
        made = subprocess.run(
            [sys.executable, "-m", "airflow", "backfill", "create", "--dag-id", DAG_ID, "--reprocess-behavior", "failed",
             "--from-date", night.isoformat(), "--to-date", night.isoformat()],
            env=environment(self.live.home), cwd=REPOSITORY, check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert made.returncode == 0, made.stdout[-2000:] + made.stderr[-3000:]
        return self.run_of(night)

    def last_backfill_is_over(self) -> None:
        """Nothing, once no backfill goes on: Airflow runs one of a DAG at a time and takes a moment to close the last one."""
        self.live.until(
            lambda: all(one["completed_at"] for one in self.api._call("GET", f"backfills?dag_id={DAG_ID}")["backfills"])
        )

    def fails_at(self, night: dt.date, task: str) -> str:
        """The run of a night that failed at a task, as if its worker had died there."""
        self.paused(True)
        run_id = self.backfill(night)
        self.api._call("PATCH", f"dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/{task}", {"new_state": "failed"})
        self.paused(False)
        assert self.live.ended(run_id) == "failed"
        return run_id

    def paused(self, paused: bool) -> None:
        """Stop or let go the scheduling of the DAG's tasks."""
        self.api._call("PATCH", f"dags/{DAG_ID}?update_mask=is_paused", {"is_paused": paused})

    def run_of(self, night: dt.date) -> str:
        """The id of the night's run."""
        runs = self.api._call("GET", f"dags/{DAG_ID}/dagRuns?limit=100")["dag_runs"]
        nights = {_night_of(run["logical_date"]): run["dag_run_id"] for run in runs if run["logical_date"]}
        return str(nights[night])

    def history(self, run_id: str) -> tuple[Any, ...]:
        """Kind, state and time of the snapshot of a run."""
        return self.live.rows("select kind, state, snapshot_at from directory.sync_runs where run_id = %s", run_id)[0]


def _night_of(logical_date: str) -> dt.date:
    return dt.datetime.fromisoformat(logical_date).astimezone(ZONE).date()


@pytest.fixture
def nights(live: Live) -> Nights:
    live.empty()
    return Nights(live)


def days_ago(number: int) -> dt.date:
    return dt.datetime.now(ZONE).date() - dt.timedelta(days=number)


def test_a_failed_night_is_superseded_once_a_later_one_is_in(nights: Nights) -> None:
    fifth, sixth = days_ago(9), days_ago(8)
    run_id = nights.fails_at(fifth, "extract.users")
    assert nights.history(run_id)[1] == "failed"
    assert nights.live.ended(nights.backfill(sixth)) == "success"
    people = "select person_id, xmin::text, updated_at from directory.people order by 1"
    before = nights.live.rows(people)
    assert len(before) > 2000
    nights.backfill(fifth)
    nights.live.until(lambda: nights.history(run_id)[1] == "superseded")
    assert nights.live.ended(run_id) == "success"
    assert nights.live.rows(people) == before


def test_a_night_that_failed_after_extraction_is_replayed_from_its_snapshot(nights: Nights) -> None:
    seventh = days_ago(7)
    run_id = nights.fails_at(seventh, "load")
    assert nights.history(run_id)[1] == "failed"
    nights.live.forget_requests()
    nights.live.faults(not_shared="users")
    nights.backfill(seventh)
    nights.live.until(lambda: nights.history(run_id)[1] == "success")
    assert nights.live.requests_of_the_sis() == {}
    kind, _, snapshot_at = nights.history(run_id)
    assert kind == "backfill" and snapshot_at is not None
