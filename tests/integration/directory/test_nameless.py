"""Records without a sourcedId in a snapshot, whoever wrote it: set aside by their place, never a crash, and nobody is gone for them."""

from __future__ import annotations

from typing import Any

from tests.integration.directory.tasks import Tasks, every_list, oak
from tests.integration.directory.world import Sis

NAMES = {"academicSessions": "terms"}
COLLECTIONS = ("orgs", "academicSessions", "courses", "classes", "users", "enrollments")


def spoilt(sis: Sis, collection: str, *names: str | None) -> Sis:
    """The SIS with the last records of a collection under other sourcedIds."""
    rows: list[dict[str, Any]] = getattr(sis, NAMES.get(collection, collection))
    for row, name in zip(reversed(rows), names, strict=False):
        row["sourced_id"] = name
    return sis


def test_records_without_a_sourced_id_are_told_by_their_place_and_take_nobody_away(tasks: Tasks) -> None:
    tasks.directory.settings = every_list()
    tasks.night(oak())
    people = "select sourced_ids, status from directory.people order by 1"
    members = "select * from directory.list_members order by 1, 2, 3"
    lists = "select list_id, status from directory.user_lists order by 1"
    before = [tasks.directory.rows(query) for query in (people, members, lists)]
    for collection in COLLECTIONS:
        sis = oak()
        number = len(getattr(sis, NAMES.get(collection, collection)))
        # All of the collection but one where there are few.
        told = tasks.night(spoilt(sis, collection, *((None, "", "  ", None)[: max(1, number // 2)])))
        messages = [issue[4] for issue in told.issues if issue[3] == f"{collection}.id_missing"]
        assert any(f"number {number} of {number}." in message for message in messages), collection
        assert any(issue[3] == "snapshot.unproven" and issue[1] == collection for issue in told.issues), collection
        assert told.state == "completed_with_errors"
        assert [tasks.directory.rows(query) for query in (people, members, lists)] == before, collection
    assert tasks.night(oak()).state == "success"
