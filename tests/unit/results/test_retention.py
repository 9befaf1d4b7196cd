"""Old snapshots go, whole or not; what a night builds on never does."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pyarrow as pa
import pytest

from include.mingasync.district import District, Retention, snapshot_days
from include.mingasync.errors import MingaSyncError
from include.mingasync.oneroster.records import COLUMNS, READING_ORDER
from include.mingasync.private_files import tighten
from include.mingasync.results.retention import remove_old
from include.mingasync.snapshot import Proof, Snapshot, folders_of, snapshots_of
from tests.unit.test_snapshot import modes

NOW = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
BEFORE = NOW - dt.timedelta(days=30)


def read(root: Path, days_old: int, collections: tuple[str, ...] = READING_ORDER) -> Snapshot:
    """A snapshot of some collections, by default of all."""
    snapshot = Snapshot.of(root.as_uri(), "oak", f"run-{days_old}")
    at = NOW - dt.timedelta(days=days_old)
    for name in collections:
        snapshot.write(name, [COLUMNS[name].empty_table()])
        snapshot.prove(Proof(collection=name, state="complete", started_at=at, finished_at=at))
    return snapshot


@pytest.mark.parametrize(("ages", "left"), [([1, 29, 31, 90], [1, 29]), ([40, 50], [40]), ([90], [90]), ([], [])])
def test_old_ones_go_and_the_one_that_is_needed_stays(tmp_path: Path, ages: list[int], left: list[int]) -> None:
    urls = [read(tmp_path, days).url for days in ages]
    done = remove_old(folders_of(tmp_path.as_uri(), "oak"), BEFORE, set(urls[:1]))
    assert (done.removed, done.kept) == (len(ages) - len(left), len(left))
    assert [(NOW - one.taken_at).days for one in snapshots_of(tmp_path.as_uri(), "oak")] == left


def test_what_a_failed_night_left_goes_as_well(tmp_path: Path) -> None:
    half = read(tmp_path, 40, ("orgs", "users"))
    started = Snapshot.of(tmp_path.as_uri(), "oak", "killed")
    started.write("users", [pa.Table.from_pylist([{"sourced_id": "u1"}], schema=COLUMNS["users"])])
    folder = Path(started.url.removeprefix("file://"))
    (folder / "users.parquet.1234.part").write_bytes(b"half of somebody")
    for file in folder.iterdir():
        os.utime(file, ((NOW - dt.timedelta(days=31)).timestamp(),) * 2)
    young = read(tmp_path, 3, ("orgs",))
    assert remove_old(folders_of(tmp_path.as_uri(), "oak"), BEFORE).removed == 2
    assert [one.url for one in folders_of(tmp_path.as_uri(), "oak")] == [young.url]
    assert not folder.exists() and half.url != young.url


def test_a_folder_with_other_files_is_none_of_ours(tmp_path: Path) -> None:
    snapshot = read(tmp_path, 90)
    assert snapshot.looks_like_one()
    (Path(snapshot.url.removeprefix("file://")) / "notes.txt").write_text("by hand")
    assert not snapshot.looks_like_one()


def test_open_files_are_closed_to_others(tmp_path: Path) -> None:
    snapshot = read(tmp_path, 1)
    folder = Path(snapshot.url.removeprefix("file://"))
    for path in [tmp_path / "oak", *folder.iterdir()]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    folder.chmod(0o755)
    assert tighten(snapshot._fs, str(tmp_path / "oak")) == 2 + len(list(folder.iterdir()))
    assert set(modes(tmp_path).values()) == {"0o700", "0o600"}
    assert tighten(snapshot._fs, str(tmp_path / "oak")) == 0


def test_the_days_are_a_whole_number_from_one_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MINGASYNC_SNAPSHOT_DAYS", raising=False)
    assert snapshot_days() == 30
    monkeypatch.setenv("MINGASYNC_SNAPSHOT_DAYS", "7")
    assert snapshot_days() == 7
    for wrong in ("0", "-1", "1.5", "²", "99999"):
        monkeypatch.setenv("MINGASYNC_SNAPSHOT_DAYS", wrong)
        with pytest.raises(MingaSyncError, match=rf"MINGASYNC_SNAPSHOT_DAYS is '{wrong}'.*Nothing was removed"):
            snapshot_days()


def test_the_district_file_says_how_long() -> None:
    own = {"slug": "oak", "name": "Oak", "timezone": "UTC", "sis": {"name": "x"}, "contact": {"name": "A", "email": "a@b.org"}}
    assert District.model_validate(own).retention == Retention()
    assert District.model_validate(own | {"retention": {"issues_days": 30}}).retention.issues_days == 30
    for wrong in ({"issue_days": 1}, {"changes_days": 1}, {"snapshots_days": 0}, {"mails_days": "soon"}):
        with pytest.raises(ValueError, match="retention"):
            District.model_validate(own | {"retention": wrong})
