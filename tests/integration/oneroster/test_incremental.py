"""Nights that ask only for what changed: the same data with fewer bytes, and never a proof that anybody is gone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from include.mingasync.directory import runs, schema
from include.mingasync.directory.archive import archive
from include.mingasync.directory.desired import desired_from
from include.mingasync.directory.load import load
from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.bases import Bases
from include.mingasync.oneroster.read import read_collection
from include.mingasync.oneroster.records import READING_ORDER
from include.mingasync.rosters.derive import derive
from include.mingasync.run import Run
from include.mingasync.settings import ROLES, Settings
from include.mingasync.snapshot import Snapshot
from include.rehearsal.faults import Faults
from include.rehearsal.running import Running, running
from include.rehearsal.server import CLIENT_ID, CLIENT_SECRET, application
from tests.integration.oneroster.faulty import TODAY
from tests.unit.oneroster.bundles import district

_MAPLE = district(source="rest", url=None, incremental=True, page_size=200, max_parallel_requests=4)


@pytest.fixture
def server() -> Iterator[Running]:
    with running(application(students=300, today=TODAY)) as one:
        yield one


def pull(server: Running, folder: Path, run: str, previous: Snapshot | None, *, parents: bool = False) -> Snapshot:
    """A night's whole snapshot."""
    access = Access.from_connection(
        host=server.root("1.1"), login=CLIENT_ID, password=CLIENT_SECRET, extra={"token_url": server.token_url}
    )
    snapshot = Snapshot.of(str(folder), "maple", run)
    for collection in READING_ORDER:
        read_collection(collection, _MAPLE, access, snapshot, parents=parents, bases=Bases(previous), whole=False)
    return snapshot


def states(snapshot: Snapshot) -> dict[str, str]:
    return {name: proof.state for name, proof in snapshot.proofs().items()}


def requests(snapshot: Snapshot) -> int:
    return sum(proof.requests for proof in snapshot.proofs().values())


_ALL = dict.fromkeys(READING_ORDER, "complete")
_CHANGES = _ALL | dict.fromkeys(("courses", "classes", "users", "enrollments"), "changes")


def test_changes_make_what_reading_everything_makes(server: Running, tmp_path: Path) -> None:
    first = pull(server, tmp_path, "one", None)
    server.sis.show(2)
    second = pull(server, tmp_path, "two", first)
    everything = pull(server, tmp_path, "all", None)
    assert (states(first), states(second), states(everything)) == (_ALL, _CHANGES, _ALL)
    for collection in ("courses", "classes", "users", "enrollments"):
        merged = {row["sourced_id"]: row for row in second.table(collection).to_pylist()}
        whole = {row["sourced_id"]: row for row in everything.table(collection).to_pylist()}
        # Whoever the SIS dropped without a word stays in the merged snapshot: nobody said that they are gone.
        dropped = merged.keys() - whole.keys()
        assert {key: row for key, row in merged.items() if key not in dropped} == whole
        assert collection != "users" or dropped
    assert second.proofs()["enrollments"].bytes < everything.proofs()["enrollments"].bytes / 4


@pytest.mark.parametrize(
    ("faults", "why"),
    [
        (Faults(ignore_filter=True), "a filter that is passed over"),
        (Faults(empty=["users", "classes", "courses", "enrollments"]), "a filter that never finds anything"),
    ],
)
def test_a_filter_that_is_not_honoured_is_found_out(faults: Faults, why: str, server: Running, tmp_path: Path) -> None:
    first = pull(server, tmp_path, "one", None)
    server.sis.faults = faults
    assert states(pull(server, tmp_path, "two", first)) == _ALL, why


@pytest.mark.parametrize(
    "change",
    [
        {"whole_at": dt.datetime.now(dt.UTC) - dt.timedelta(days=7), "state": "changes"},
        {"started_at": dt.datetime.now(dt.UTC) - dt.timedelta(days=8)},
        {"state": "incomplete", "reason": "it moved"},
        {"nameless": 1},
        {"parents": True},
        {"parents": None},
    ],
)
def test_everything_is_read_once_a_week_and_after_what_cannot_be_built_on(
    change: dict[str, object], server: Running, tmp_path: Path
) -> None:
    first = pull(server, tmp_path, "one", None)
    for proof in first.proofs().values():
        first.prove(msgspec.structs.replace(proof, **change))
    assert states(pull(server, tmp_path, "two", first)) == _ALL


@pytest.mark.parametrize(
    "ages",
    [
        {"users": dt.timedelta(days=7, seconds=-40), "enrollments": dt.timedelta(days=7, seconds=-90)},
        {"users": dt.timedelta(days=4)},
        {"classes": dt.timedelta(days=1), "enrollments": dt.timedelta(days=6)},
    ],
    ids=["each read seconds after the other", "one read in full in between", "two read in full in between"],
)
def test_the_weekly_night_reads_every_collection_in_full(ages: dict[str, dt.timedelta], server: Running, tmp_path: Path) -> None:
    """Somebody whom the SIS drops without a word is gone only on a night of which nothing is made of changes."""
    first = pull(server, tmp_path, "one", None)
    for name, proof in first.proofs().items():
        whole_at = dt.datetime.now(dt.UTC) - ages.get(name, dt.timedelta(days=7))
        yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
        state = "changes" if name in ("courses", "classes", "users", "enrollments") else "complete"
        first.prove(msgspec.structs.replace(proof, state=state, whole_at=whole_at, started_at=yesterday, finished_at=yesterday))
    second = pull(server, tmp_path, "two", first)
    assert states(second) == _ALL and not second.has_only_changes()
    server.sis.show(2)
    assert states(pull(server, tmp_path, "three", second)) == _CHANGES


def _still_students(server: Running, first: Snapshot) -> list[str]:
    """Who is a student on the first night and unchanged on the second."""
    before = first.frame("users")
    students = set(before.loc[before["roles"].map(list).map(lambda own: own == ["student"]), "sourced_id"])
    now = {user["sourcedId"] for user in server.sis.source(2, dt.datetime.now(dt.UTC)).users if user["status"] == "active"}
    return sorted(students & now)


def test_nobody_leaves_for_want_of_a_record_on_a_night_of_changes(server: Running, tmp_path: Path, database: str) -> None:
    toggles = {"roster": True, "auto_update": True, "archive": True}
    settings = Settings.model_validate(
        {
            "automatic_rostering": True,
            "roles": dict.fromkeys(ROLES, toggles),
            "safety": {"archive_percent": 100, "archive_minimum": 10_000},
        }
    )
    with psycopg.connect(database, autocommit=True) as connection:
        schema.bring_to_head(connection)

        def night(snapshot: Snapshot, run_id: str) -> None:
            empty = snapshot.unreadable().rename(columns={"reason": "rule"})
            snapshot.write_frame("set_aside", empty)
            derive(snapshot, _MAPLE, settings, TODAY)
            run = Run("maple", run_id, "nightly", dt.datetime.now(dt.UTC), TODAY)
            run_no = runs.open_run(connection, run)
            load(connection, run, run_no, settings, desired_from(connection, snapshot, "maple", run_no))
            archive(connection, run, run_no)

        def archived() -> set[str]:
            query = "select sourced_id from directory.people where status = 'archived'"
            return {row[0] for row in connection.execute(query)}

        first = pull(server, tmp_path, "one", None)
        night(first, "one")
        source, (parent,) = server.sis.source, _still_students(server, first)[:1]

        def with_a_parent(number: int, now: dt.datetime) -> Any:
            """The district, in which one of the students is only a parent by now."""
            rows = source(number, now)
            one = next(user for user in rows.users if user["sourcedId"] == parent)
            one["roles"] = [role | {"role": "parent"} for role in one["roles"]]
            one["dateLastModified"] = f"{now:%Y-%m-%dT%H:%M:%S}.000Z"
            return rows

        server.sis.source = with_a_parent
        server.sis.show(2)
        second = pull(server, tmp_path, "two", first)
        assert states(second) == _CHANGES
        night(second, "two")
        everything = pull(server, tmp_path, "all", None)
        users = everything.frame("users")
        deleted = set(users.loc[users["status"] == "tobedeleted", "sourced_id"])
        assert archived() == deleted & set(first.frame("users")["sourced_id"]) | {parent} and deleted
        night(everything, "all")
        assert archived() > deleted
