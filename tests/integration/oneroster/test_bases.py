"""What a night builds on: only what the directory holds, never a night that was judged critical or belongs to nobody here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from include.mingasync.airflow_glue import context, nightly
from include.mingasync.directory import runs, schema
from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.records import READING_ORDER
from include.mingasync.run import Run
from include.mingasync.settings import Settings
from include.mingasync.snapshot import Snapshot
from include.rehearsal.running import Running, running
from include.rehearsal.server import CLIENT_ID, CLIENT_SECRET, application
from tests.integration.oneroster.faulty import TODAY
from tests.unit.oneroster.bundles import district, small

Night = Callable[..., Snapshot]


@pytest.fixture
def night(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    """The extract tasks of a night, by the very function that the task calls, and its load noted where it came so far."""
    with psycopg.connect(database, autocommit=True) as connection:
        schema.bring_to_head(connection)
        root = (tmp_path / "snapshots").as_uri()

        def one(run_id: str, access: Access, *, loaded: bool, **sis: Any) -> Snapshot:
            run = Run("maple", run_id, "nightly", dt.datetime.now(dt.UTC), TODAY)
            run_no = runs.open_run(connection, run)
            runs.note(connection, run_no, settings=Settings().model_dump(mode="json", by_alias=True))

            @contextmanager
            def opened() -> Iterator[Any]:
                yield district(**sis), run, connection, run_no

            monkeypatch.setattr(nightly, "_opened", opened)
            monkeypatch.setattr(context, "snapshots_root", lambda: root)
            monkeypatch.setattr(context, "sis_access", lambda _: access)
            nightly.extract(list(READING_ORDER))
            snapshot = context.snapshot_of(run)
            if loaded:
                sizes = {name: {"rows": proof.rows, "sha256": proof.sha256} for name, proof in snapshot.proofs().items()}
                runs.note(connection, run_no, loaded_at=dt.datetime.now(dt.UTC), snapshot_at=snapshot.taken_at, collections=sizes)
            return snapshot

        yield one


@pytest.fixture
def server() -> Iterator[Running]:
    with running(application(students=60, today=TODAY)) as one:
        yield one


def test_a_night_that_was_never_loaded_is_not_built_on(night: Night, server: Running) -> None:
    access = Access.from_connection(
        host=server.root("1.1"), login=CLIENT_ID, password=CLIENT_SECRET, extra={"token_url": server.token_url}
    )
    rest = {"source": "rest", "url": None, "incremental": True}
    assert night("first", access, loaded=False, **rest).proofs()["users"].state == "complete"
    # The first one was judged critical: nothing to build on.
    assert night("second", access, loaded=True, **rest).proofs()["users"].state == "complete"
    assert night("third", access, loaded=False, **rest).proofs()["users"].state == "changes"
    # Somebody else's roster, judged critical: its users are in no later night.
    with running(application(students=300, today=TODAY)) as other:
        foreign = Access.from_connection(
            host=other.root("1.1"), login=CLIENT_ID, password=CLIENT_SECRET, extra={"token_url": other.token_url}
        )
        read_whole = night("foreign", foreign, loaded=False, source="rest", url=None)
        strangers = set(read_whole.table("users").column("sourced_id").to_pylist())
    last = night("last", access, loaded=True, **rest)
    assert last.proofs()["users"].state == "changes"
    known = set(night("whole", access, loaded=False, source="rest", url=None).table("users").column("sourced_id").to_pylist())
    assert set(last.table("users").column("sourced_id").to_pylist()) == known and strangers - known


_ORGS = "sourcedId,name,type\ns1,Maple,school\n"
_USERS = "sourcedId,status,enabledUser,orgSourcedIds,role,username,givenName,familyName\n"
_MANIFEST = "propertyName,value\nfile.users,delta\n"


def user(one: str, name: str = "A") -> str:
    return f"{one},active,true,s1,student,{one},{name},B\n"


def bundle(folder: Path, users: str, *, delta: bool) -> Access:
    """The address of a bundle of these users, whole or only what changed."""
    folder.mkdir(exist_ok=True)
    files = {"users": _USERS + users} | ({"manifest": _MANIFEST} if delta else {"orgs": _ORGS})
    return Access.to_bundle(str(small(folder, **files)))


def test_changes_of_a_night_that_was_never_loaded_are_missed_aloud(night: Night, tmp_path: Path) -> None:
    whole = bundle(tmp_path / "bulk", user("u1") + user("u2"), delta=False)
    first = bundle(tmp_path / "first", user("u3"), delta=True)
    second = bundle(tmp_path / "second", user("u1", "Z"), delta=True)

    def ids(snapshot: Snapshot) -> list[tuple[str, str]]:
        return [(row["sourced_id"], row["given_name"]) for row in snapshot.table("users").to_pylist()]

    night("bulk", whole, loaded=True)
    failed = night("failed", first, loaded=False)
    assert ids(failed) == [("u1", "A"), ("u2", "A"), ("u3", "A")]
    # The same bundle again: nothing is missing.
    again = night("again", first, loaded=True)
    assert (ids(again), again.proofs()["users"].state) == (ids(failed), "complete")
    # A preview or a failed night read today's bundle before: nothing is missing either.
    night("preview", second, loaded=False)
    today = night("today", second, loaded=True)
    assert (ids(today), today.proofs()["users"].state) == ([("u1", "Z"), ("u2", "A"), ("u3", "A")], "complete")
    # The bundle of a night that was never loaded is gone: u4 is missing until the bundle comes in full.
    night("lost", bundle(tmp_path / "third", user("u4"), delta=True), loaded=False)
    after = night("after", bundle(tmp_path / "fourth", user("u2", "Y"), delta=True), loaded=True)
    assert ids(after) == [("u1", "Z"), ("u2", "Y"), ("u3", "A")]
    assert after.proofs()["users"].state == "incomplete"
    assert "never loaded, so its changes are missing; export in full once" in (after.proofs()["users"].reason or "")
    # What did not change in any of these bundles is as proven as before.
    assert after.proofs()["orgs"].state == "complete"
    cured = night("cured", bundle(tmp_path / "fifth", user("u1", "Z") + user("u4"), delta=False), loaded=True)
    assert cured.proofs()["users"].state == "complete"


def test_what_could_not_be_read_stays_unknown_through_changes(night: Night, tmp_path: Path) -> None:
    night("bulk", bundle(tmp_path / "bulk", user("u1") + user("u2").strip() + ",x,y\n", delta=False), loaded=True)
    second = night("second", bundle(tmp_path / "second", user("u3"), delta=True), loaded=True)
    assert second.unreadable()["sourced_id"].tolist() == ["u2"]
    third = night("third", bundle(tmp_path / "third", user("u2"), delta=True), loaded=True)
    assert third.unreadable()["sourced_id"].tolist() == []
