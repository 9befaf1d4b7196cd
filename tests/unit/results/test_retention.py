"""Old snapshots go, the newest never."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from include.mingasync.airflow_glue.housekeeping import days_kept
from include.mingasync.errors import MingaSyncError
from include.mingasync.oneroster.records import READING_ORDER
from include.mingasync.results.retention import remove_old
from include.mingasync.snapshot import Proof, Snapshot, snapshots_of

NOW = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)


def whole(root: Path, days_old: int) -> Snapshot:
    snapshot = Snapshot.of(root.as_uri(), "oak", f"run-{days_old}")
    at = NOW - dt.timedelta(days=days_old)
    for name in READING_ORDER:
        snapshot.prove(Proof(collection=name, state="proven", started_at=at, finished_at=at))
    return snapshot


@pytest.mark.parametrize(("ages", "left"), [([1, 29, 31, 90], [1, 29]), ([40, 50], [40]), ([90], [90]), ([], [])])
def test_old_ones_go_and_the_newest_stays(tmp_path: Path, ages: list[int], left: list[int]) -> None:
    for days in ages:
        whole(tmp_path, days)
    before = NOW - dt.timedelta(days=30)
    assert remove_old(snapshots_of(tmp_path.as_uri(), "oak"), before) == len(ages) - len(left)
    assert [(NOW - one.taken_at).days for one in snapshots_of(tmp_path.as_uri(), "oak")] == left


def test_the_days_are_a_whole_number_from_one_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MINGASYNC_SNAPSHOT_DAYS", raising=False)
    assert days_kept() == 30
    monkeypatch.setenv("MINGASYNC_SNAPSHOT_DAYS", "7")
    assert days_kept() == 7
    monkeypatch.setenv("MINGASYNC_SNAPSHOT_DAYS", "0")
    with pytest.raises(MingaSyncError, match=r"MINGASYNC_SNAPSHOT_DAYS is '0'.*Nothing was removed"):
        days_kept()
