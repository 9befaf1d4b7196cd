"""What a run read: nothing counts without its proof, older formats are read, and nobody else can read the files."""

from __future__ import annotations

import datetime as dt
import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pyarrow as pa
import pytest

from include.mingasync.errors import SnapshotUnusable
from include.mingasync.oneroster.merging import apply_changes
from include.mingasync.oneroster.records import COLUMNS, READING_ORDER
from include.mingasync.rosters.derive import derive
from include.mingasync.settings import Settings
from include.mingasync.snapshot import FORMAT, Proof, Snapshot, newest_loaded, snapshots_of
from tests.unit.oneroster.bundles import district

NOW = dt.datetime(2026, 11, 24, 8, tzinfo=dt.UTC)
OLD = Path(__file__).parents[1] / "samples" / "snapshots" / "format-1.zip"


def read(snapshot: Snapshot, collection: str, *rows: dict[str, Any], at: dt.datetime = NOW) -> None:
    """What a task that reads a collection leaves."""
    number, digest = snapshot.write(collection, [pa.Table.from_pylist(list(rows), schema=COLUMNS[collection])])
    snapshot.keep_unreadable(collection, ())
    snapshot.prove(Proof(collection=collection, state="complete", rows=number, sha256=digest, started_at=at, finished_at=at))


def whole(root: Path, run: str = "run") -> Snapshot:
    """A snapshot with a row in every collection and all that validate and transform leave beside it."""
    snapshot = Snapshot.of(root.as_uri(), "oak", run)
    for name in READING_ORDER:
        read(snapshot, name, {"sourced_id": f"{name}-1", "status": "active"})
    judged(snapshot)
    return snapshot


def judged(snapshot: Snapshot) -> None:
    """What validate and transform leave."""
    snapshot.write_frame("set_aside", pd.DataFrame({"resource": ["users"], "sourced_id": ["x"], "rule": ["users.unreadable"]}))
    snapshot.keep_data_docs(b"zip")
    snapshot.write_frame("derived_gone", pd.DataFrame({"sourced_id": ["users-1"], "reason": ["tobedeleted"]}))
    snapshot.write_json("derived", {"lost_terms": []})


def old(folder: Path) -> Snapshot:
    """A whole snapshot of before snapshots had a version, without a column that is kept today."""
    with zipfile.ZipFile(OLD) as archive:
        archive.extractall(folder / "oak" / "old")
    return Snapshot((folder / "oak" / "old").as_uri())


def modes(folder: Path) -> dict[str, str]:
    """The mode of every file and folder below one."""
    return {str(path.relative_to(folder)): oct(stat.S_IMODE(path.stat().st_mode)) for path in folder.rglob("*")}


class Killed(BaseException):
    """The end of a worker."""


def killed_while_reading() -> Iterator[pa.Table]:
    """A first table, and then the worker is gone."""
    yield pa.Table.from_pylist([{"sourced_id": "users-2", "status": "active"}], schema=COLUMNS["users"])
    raise Killed


def test_reading_again_takes_back_the_proof_first_and_all_that_was_made(tmp_path: Path) -> None:
    snapshot = whole(tmp_path)
    with pytest.raises(Killed):
        snapshot.write("users", killed_while_reading())
    again = Snapshot(snapshot.url)
    assert "users" not in again.proofs() and not again.is_whole()
    assert again.table("users").num_rows == 0
    for name in ("set_aside", "derived_gone"):
        with pytest.raises(SnapshotUnusable):
            again.read_frame(name)
    assert again.read_json("derived") is None and again.data_docs("index.html") is None
    with pytest.raises(SnapshotUnusable, match=r"^1 of 6 collections were not read.*users.*Clear the task extract.users"):
        again.require_whole()
    # The task is tried again, and so are those after it.
    read(again, "users", {"sourced_id": "users-2", "status": "active"})
    judged(again)
    assert Snapshot(snapshot.url).is_whole() and again.read_frame("derived_gone")["reason"].tolist() == ["tobedeleted"]


def test_killed_between_the_file_and_its_proof(tmp_path: Path) -> None:
    snapshot = whole(tmp_path)
    snapshot.write("users", [pa.Table.from_pylist([{"sourced_id": "users-2"}], schema=COLUMNS["users"])])
    assert Snapshot(snapshot.url).table("users").to_pylist() == []


def test_a_file_that_is_not_the_proven_one_is_refused(tmp_path: Path) -> None:
    snapshot, other = whole(tmp_path), whole(tmp_path, "other")
    read(other, "users", {"sourced_id": "users-2", "status": "active"})
    folder = Path(snapshot.url.removeprefix("file://"))
    (folder / "users.parquet").write_bytes((Path(other.url.removeprefix("file://")) / "users.parquet").read_bytes())
    with pytest.raises(SnapshotUnusable, match=r"^1 file of the snapshot.*Clear the task extract.users"):
        snapshot.table("users")


def test_one_that_was_read_anew_while_it_is_used_is_not_mixed(tmp_path: Path) -> None:
    snapshot = whole(tmp_path)
    reader = Snapshot(snapshot.url)
    reader.table("orgs")
    read(snapshot, "users", {"sourced_id": "users-2", "status": "active"})
    with pytest.raises(SnapshotUnusable):
        reader.table("users")
    reader.write_frame("derived_gone", pd.DataFrame({"sourced_id": ["users-1"]}))
    with pytest.raises(SnapshotUnusable, match="Clear the task transform and everything after it"):
        Snapshot(snapshot.url).read_frame("derived_gone")


def test_an_older_format_is_read_with_nulls_and_derived_anew(tmp_path: Path) -> None:
    snapshot = old(tmp_path)
    users = snapshot.table("users")
    assert users.schema == COLUMNS["users"] and users.column("given_name").to_pylist() == ["Givena", "Givenb", "Givent"]
    assert users.column("preferred_given_name").to_pylist() == [None] * 3
    # What an older version made of it is not trusted.
    for name in ("set_aside", "derived_people"):
        with pytest.raises(SnapshotUnusable):
            snapshot.read_frame(name)
    with pytest.raises(SnapshotUnusable):
        snapshot.read_json("derived")
    snapshot.write_frame("set_aside", pd.DataFrame({"resource": [], "sourced_id": [], "rule": []}, dtype="string"))
    sizes = derive(snapshot, district(source="rest", url=None), Settings(), NOW.date())
    assert (sizes.people, Snapshot(snapshot.url).read_json("derived")["lost_terms"]) == (3, [])


def test_an_older_format_can_be_built_on(tmp_path: Path) -> None:
    change = {"sourced_id": "b", "status": "active", "given_name": "New", "preferred_given_name": "N"}
    merged = apply_changes(old(tmp_path).table("users"), pa.Table.from_pylist([change], schema=COLUMNS["users"]))
    assert merged.column("preferred_given_name").to_pylist() == [None, "N", None]


def test_a_newer_format_is_refused_in_words(tmp_path: Path) -> None:
    snapshot = whole(tmp_path)
    folder = Path(snapshot.url.removeprefix("file://"))
    proof = msgspec.json.decode((folder / "users.proof.json").read_bytes()) | {"version": FORMAT + 1, "state": {"new": 1}}
    (folder / "users.proof.json").write_bytes(msgspec.json.encode(proof))
    for ask in (snapshot.proofs, snapshot.is_whole, lambda: Snapshot(snapshot.url).table("orgs")):
        with pytest.raises(SnapshotUnusable, match=rf"format {FORMAT + 1}.*newer.*Nothing was changed"):
            ask()
    assert snapshots_of(tmp_path.as_uri(), "oak") == []


@pytest.mark.parametrize(("umask", "there"), [(0o000, True), (0o022, False), (0o277, False)])
def test_only_the_owner_reads_a_snapshot_whatever_the_umask(tmp_path: Path, umask: int, there: bool) -> None:
    root = tmp_path / "made" / "by_us"
    if there:
        root.mkdir(parents=True, mode=0o755)
    before = os.umask(umask)
    try:
        whole(root)
    finally:
        os.umask(before)
    found = modes(root if there else tmp_path)
    assert any(name.endswith("data_docs.zip") for name in found)
    assert {mode for name, mode in found.items() if name.endswith((".parquet", ".json", ".zip"))} == {"0o600"}
    assert {mode for name, mode in found.items() if not name.endswith((".parquet", ".json", ".zip"))} == {"0o700"}


def test_collections_of_different_moments_prove_nothing(tmp_path: Path) -> None:
    snapshot = whole(tmp_path)
    assert snapshot.incomplete_reasons() == {}
    read(snapshot, "enrollments", at=NOW + dt.timedelta(hours=5))
    assert snapshot.incomplete_reasons() == {}
    read(snapshot, "enrollments", at=NOW + dt.timedelta(hours=9))
    reasons = snapshot.incomplete_reasons()
    assert set(reasons) == set(READING_ORDER) - {"enrollments"}
    assert reasons["users"] == "read at 2026-11-24 08:00 UTC, hours before enrollments; read both again"


def test_built_on_is_only_what_was_loaded_and_is_still_the_same(tmp_path: Path) -> None:
    runs = [whole(tmp_path, name) for name in ("one", "two", "critical")]
    loaded = [
        (name, {of: {"sha256": proof.sha256} for of, proof in one.proofs().items()})
        for name, one in zip(("two", "one"), (runs[1], runs[0]), strict=True)
    ]
    root = tmp_path.as_uri()
    base = newest_loaded(root, "oak", loaded)
    assert base is not None and base.url == runs[1].url
    # Read again after it was loaded, and not judged since.
    read(runs[1], "users", {"sourced_id": "foreign", "status": "active"})
    base = newest_loaded(root, "oak", loaded)
    assert base is not None and base.url == runs[0].url
    assert newest_loaded(root, "oak", []) is None
