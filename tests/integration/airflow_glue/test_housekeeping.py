"""Housekeeping, by the very function that its task calls: what is old goes, of every district, and what fails for one keeps no other waiting."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from include.mingasync.airflow_glue import housekeeping
from include.mingasync.directory import runs
from include.mingasync.oneroster.records import COLUMNS, READING_ORDER
from include.mingasync.run import Run
from include.mingasync.snapshot import Proof, Snapshot, folders_of
from tests.integration.airflow_glue.conftest import OAK, Glue

NOW = dt.datetime.now(dt.UTC)


def read(tmp_path: Path, district: str, run_id: str, days_ago: int, collections: tuple[str, ...] = READING_ORDER) -> Snapshot:
    """What a run read so many days ago."""
    snapshot = Snapshot.of((tmp_path / "snapshots").as_uri(), district, run_id)
    at = NOW - dt.timedelta(days=days_ago)
    for name in collections:
        rows, digest = snapshot.write(name, [COLUMNS[name].empty_table()])
        snapshot.prove(Proof(collection=name, state="complete", rows=rows, sha256=digest, started_at=at, finished_at=at))
    return snapshot


def ran(glue: Glue, district: str, run_id: str, snapshot: Snapshot, *, loaded: bool, ended: bool = True) -> None:
    """The run's row in the History."""
    at = snapshot.taken_at
    run_no = runs.open_run(glue.directory.connection, Run(district, run_id, "nightly", at, at.date()))
    sizes = {name: {"rows": proof.rows, "sha256": proof.sha256} for name, proof in snapshot.proofs().items()}
    runs.note(glue.directory.connection, run_no, snapshot_at=at, collections=sizes, loaded_at=at if loaded else None)
    runs.note(glue.directory.connection, run_no, finished_at=at if ended else None)


def kept(tmp_path: Path, district: str) -> set[str]:
    """The folders that are left of a district."""
    return {one.url for one in folders_of((tmp_path / "snapshots").as_uri(), district)}


def test_old_snapshots_go_but_for_what_nights_build_on(glue: Glue, tmp_path: Path) -> None:
    loaded = [read(tmp_path, "oak", f"loaded-{days}", days) for days in (90, 60)]
    for days, one in zip((90, 60), loaded, strict=True):
        ran(glue, "oak", f"loaded-{days}", one, loaded=True)
    critical = read(tmp_path, "oak", "critical", 40)
    ran(glue, "oak", "critical", critical, loaded=False)
    read(tmp_path, "oak", "half", 35, ("orgs",))
    going_on = read(tmp_path, "oak", "held", 33, ("orgs", "users"))
    ran(glue, "oak", "held", going_on, loaded=False, ended=False)
    young = read(tmp_path, "oak", "failed", 3, ("orgs",))
    found = housekeeping.keep_house()
    assert kept(tmp_path, "oak") == {loaded[1].url, going_on.url, young.url}
    assert (found["removed"], found["kept"]) == (3, 3)
    (tmp_path / "districts" / "oak.yaml").write_text(OAK + "retention: {snapshots_days: 2}\n", encoding="utf-8")
    housekeeping.keep_house()
    assert kept(tmp_path, "oak") == {loaded[1].url, going_on.url}


def test_what_a_removed_district_left_goes_wholly(glue: Glue, tmp_path: Path) -> None:
    gone = read(tmp_path, "maple", "last", 40)
    ran(glue, "maple", "last", gone, loaded=True)
    # Another deployment keeps its snapshots in the same store.
    foreign = read(tmp_path, "elsewhere", "last", 400)
    housekeeping.keep_house()
    assert kept(tmp_path, "maple") == set() and kept(tmp_path, "elsewhere") == {foreign.url}


def test_a_district_whose_file_cannot_be_read_is_left_alone_and_told(glue: Glue, tmp_path: Path) -> None:
    snapshot = read(tmp_path, "maple", "last", 400)
    ran(glue, "maple", "last", snapshot, loaded=True)
    (tmp_path / "districts" / "maple.yaml").write_text("name: [", encoding="utf-8")
    old = read(tmp_path, "oak", "old", 50)
    ran(glue, "oak", "old", old, loaded=False)
    new = read(tmp_path, "oak", "new", 1)
    ran(glue, "oak", "new", new, loaded=True)
    with pytest.raises(
        Exception, match=r"1 district\(s\) could not be looked after. maple.yaml: the file cannot be read as YAML"
    ):
        housekeeping.keep_house()
    assert kept(tmp_path, "maple") == {snapshot.url} and kept(tmp_path, "oak") == {new.url}


def test_open_files_are_closed_and_old_rows_go(glue: Glue, tmp_path: Path) -> None:
    snapshot = read(tmp_path, "oak", "last", 1)
    ran(glue, "oak", "last", snapshot, loaded=True)
    folder = Path(snapshot.url.removeprefix("file://"))
    (folder / "users.parquet").chmod(0o644)
    folder.chmod(0o755)
    glue.directory.do(
        "insert into directory.mails (district, night, run_no, kind, recipients, claimed_at)"
        " select 'oak', night, run_no, 'results', '{a@b.org}', now() - interval '2 years' from directory.sync_runs"
    )
    found = housekeeping.keep_house()
    assert (found["tightened"], found["rows"]) == (2, 1)
    assert [path.stat().st_mode & 0o777 for path in (folder, folder / "users.parquet")] == [0o700, 0o600]
