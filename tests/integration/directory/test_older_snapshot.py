"""A snapshot that an older version of the product kept, replayed by the tasks of today from validation to archive."""

from __future__ import annotations

import zipfile
from pathlib import Path

from include.mingasync.snapshot import Snapshot
from tests.integration.directory.tasks import Tasks, every_list
from tests.integration.directory.world import DISTRICT, Sis

OLD = Path(__file__).parents[2] / "samples" / "snapshots" / "format-1.zip"
PEOPLE = "select sourced_id, role, status, preferred_given_name from directory.people order by 1"


def test_a_night_is_replayed_from_a_snapshot_of_an_older_version(tasks: Tasks) -> None:
    tasks.directory.settings = every_list()
    kept = Snapshot.of(tasks.folder.as_uri(), DISTRICT, "old")
    with zipfile.ZipFile(OLD) as archive:
        archive.extractall(kept.url.removeprefix("file://"))
    told = tasks.night(Sis(), run_id="old", kind="backfill")
    assert told.state in ("success", "completed_with_errors"), told.reason
    everybody = [("a", "student", "active", None), ("b", "student", "active", None), ("t", "teacher", "active", None)]
    assert tasks.directory.rows(PEOPLE) == everybody
    assert tasks.directory.rows("select distinct kind, status from directory.user_lists order by 1") == [
        (kind, "active") for kind in ("class", "grade", "role", "subject", "teacher")
    ]
