"""Where a record set aside is looked for, and when nobody can say what it was."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from include.mingasync.oneroster.records import COLUMNS
from include.mingasync.rosters.carried import carry
from include.mingasync.snapshot import Proof, Snapshot

NOW = dt.datetime(2026, 11, 24, 8, tzinfo=dt.UTC)


def snapshot(
    folder: Path,
    name: str,
    good: dict[str, str],
    bad: tuple[str, ...] = (),
    *,
    carried: dict[str, str] | None = None,
    unknown: tuple[str, ...] = (),
    older: bool = False,
) -> Snapshot:
    """A loaded snapshot of courses, sourcedId -> title; ``older``: of a version that carried nothing on."""
    taken = Snapshot((folder / name).as_uri())
    for collection, schema in COLUMNS.items():
        own = {**good, **dict.fromkeys(bad, "bad")} if collection == "courses" else {}
        rows = [{"sourced_id": one, "status": "active", "title": title} for one, title in own.items()]
        number, digest = taken.write(collection, [pa.Table.from_pylist(rows, schema=schema)])
        taken.prove(Proof(collection=collection, state="complete", rows=number, sha256=digest, started_at=NOW, finished_at=NOW))
    taken.write_frame("set_aside", pd.DataFrame({"resource": ["courses"] * len(bad), "sourced_id": list(bad)}, dtype="string"))
    kept = carried or {}
    if kept:
        rows = [{"sourced_id": one, "status": "active", "title": title} for one, title in kept.items()]
        frame = pa.Table.from_pylist(rows, schema=COLUMNS["courses"]).to_pandas()
        taken.write_frame("derived_carried_courses", frame, COLUMNS["courses"])
    document: dict[str, Any] = {"lost_terms": []}
    if not older:
        document |= {"carried": ["courses"] if kept else [], "unknown": {"courses": list(unknown)}}
    taken.write_json("derived", document)
    return taken


def looked_for(earlier: list[Snapshot | None], *ids: str) -> tuple[dict[str, str], set[str]]:
    """Titles of the courses carried on, and the ids of which nobody can say what they were."""
    found = carry({"courses": set(ids)}, earlier)
    table = found.rows.get("courses")
    rows = table.to_pylist() if table is not None else []
    return {row["sourced_id"]: row["title"] for row in rows}, set(found.unknown.get("courses", ()))


def test_a_record_is_as_the_newest_snapshot_has_it_and_a_new_one_is_nothing(tmp_path: Path) -> None:
    last = snapshot(tmp_path, "last", {"A": "Algebra II"})
    before = snapshot(tmp_path, "before", {"A": "Algebra", "N": "not any more"})
    assert looked_for([last, before], "A", "N") == ({"A": "Algebra II"}, set())


def test_what_was_bad_before_as_well_is_what_was_carried_on_then(tmp_path: Path) -> None:
    last = snapshot(tmp_path, "last", {}, ("A", "N"), carried={"A": "Algebra"})
    assert looked_for([last], "A", "N") == ({"A": "Algebra"}, set())


def test_on_a_first_night_nobody_misses_anything() -> None:
    assert looked_for([], "A") == ({}, set())


def test_behind_a_snapshot_that_is_lost_nobody_can_say_whether_a_record_is_new(tmp_path: Path) -> None:
    before = snapshot(tmp_path, "before", {"A": "Algebra"})
    assert looked_for([None, before], "A", "N") == ({"A": "Algebra"}, {"N"})
    assert looked_for([None], "A") == ({}, {"A"})


def test_what_was_unknown_stays_so_until_the_record_is_good_and_nothing_older_is_read_again(tmp_path: Path) -> None:
    last = snapshot(tmp_path, "last", {}, ("A",), unknown=("A",))
    never_read = Snapshot((tmp_path / "never").as_uri())
    assert looked_for([last, never_read], "A") == ({}, {"A"})


def test_a_version_that_carried_nothing_on_is_looked_behind(tmp_path: Path) -> None:
    last = snapshot(tmp_path, "last", {"B": "Biology"}, ("A", "N"), older=True)
    before = snapshot(tmp_path, "before", {"A": "Algebra", "B": "-"}, ("N",), older=True)
    assert looked_for([last, before], "A", "B", "N") == ({"A": "Algebra", "B": "Biology"}, set())


@pytest.mark.parametrize("lost", ["set_aside.parquet", "derived.json", "courses.parquet"])
def test_a_snapshot_that_is_spoilt_is_as_good_as_lost(lost: str, tmp_path: Path) -> None:
    last = snapshot(tmp_path, "last", {"A": "Algebra"})
    (tmp_path / "last" / lost).unlink()
    assert looked_for([Snapshot(last.url)], "A", "N") == ({}, {"A", "N"})
