"""Parents' contacts that were switched off are nowhere any more: no table, no earlier run, no snapshot, and no undo brings them back."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from include.mingasync import private_files
from include.mingasync import snapshot as snapshots
from include.mingasync.airflow_glue import housekeeping, nightly
from include.mingasync.contacts import Contacts, forget_unwanted
from include.mingasync.directory import runs
from include.mingasync.directory.undo import undo
from include.mingasync.oneroster.records import READING_ORDER
from include.mingasync.run import Kind
from include.mingasync.settings import Settings
from include.mingasync.snapshot import Snapshot, newest_loaded
from tests.integration.airflow_glue.conftest import Glue
from tests.integration.directory.test_retention import everything
from tests.unit.oneroster.bundles import small

OAK = """
name: Oak Valley
timezone: America/Chicago
sis: {name: generic, source: csv, url: %s}
contact: {name: Sam, email: contact@example.org}
"""
ORGS = "sourcedId,name,type\nD,Oak,district\nS1,North,school\nS2,South,school\n"
USERS = "sourcedId,status,enabledUser,orgSourcedIds,role,username,givenName,familyName,email,phone,agentSourcedIds\n"
FIRST = dt.date(2026, 11, 20)


class Oak:
    """A district whose bundle has two schools of students with parents, and the nights that read it."""

    def __init__(self, glue: Glue, tmp_path: Path) -> None:
        self.glue, self._folder, self.nights = glue, tmp_path, 0
        self.root = (tmp_path / "snapshots").as_uri()
        self.bundle = tmp_path / "bundle"
        (tmp_path / "districts" / "oak.yaml").write_text(OAK % self.bundle, encoding="utf-8")
        self.students = {"a": "S1", "b": "S1", "c": "S2", "d": "S2"}
        self.last_name = "Parentonce"
        self.settings: dict[str, Any] = {
            "automatic_rostering": True,
            "roles": {"student": {"roster": True, "auto_update": True, "archive": True}},
            "safety": {"archive_percent": 100, "archive_minimum": 100},
            "include_primary_parent_contact": True,
        }

    def traces(self, *students: str) -> list[str]:
        """What would tell of the parents of some students."""
        return [trace for one in students for trace in (f"Given{one}parent", f"{one}.parent@home.example", f"555-{ord(one)}")]

    def read(self, kind: Kind | None = None) -> str:
        """The id of a run that has read the bundle."""
        rows = [
            f"{one},active,true,{school},student,{one},Student{one},Family{one},,,{one}-p\n"
            for one, school in self.students.items()
        ]
        rows += [
            f"{one}-p,active,true,{school},parent,{one}-p,Given{one}parent,{self.last_name},{one}.parent@home.example,555-{ord(one)},\n"
            for one, school in {"a": "S1", "b": "S1", "c": "S2", "d": "S2"}.items()
        ]
        small(self._folder, orgs=ORGS, users=USERS + "".join(rows))
        self.nights += 1
        self.glue.settings = json.dumps(self.settings)
        self.glue.start(
            f"night-{self.nights}", kind or ("nightly" if self.nights > 1 else "manual"), FIRST + dt.timedelta(days=self.nights)
        )
        nightly.open_run()
        nightly.extract(list(READING_ORDER))
        return self.glue.run.run_id

    def night(self) -> str:
        """The id of a run that went through all its tasks."""
        run_id = self.read()
        nightly.validate()
        nightly.transform()
        nightly.load()
        nightly.archive()
        self.close()
        return run_id

    def close(self) -> None:
        """End the run, as notify does."""
        connection = self.glue.directory.connection
        run_no = runs.run_number(connection, self.glue.run)
        assert run_no
        runs.finish_run(connection, run_no, "success", None)

    def said(self) -> str:
        """Every value of every table and every file, in one text; Parquet unpacked."""
        files = [path for path in (self._folder / "snapshots").rglob("*") if path.is_file()]
        unpacked = [
            str(pq.read_table(path).to_pylist()) if path.suffix == ".parquet" else path.read_bytes().decode(errors="replace")
            for path in files
        ]
        return everything(self.glue.directory) + "\n".join(unpacked)

    def snapshot(self, run_id: str) -> Snapshot:
        """What a run read."""
        return Snapshot.of(self.root, "oak", run_id)


@pytest.fixture
def oak(glue: Glue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Oak:
    """The district before its first night."""
    return Oak(glue, tmp_path)


def has_lived(oak: Oak) -> list[str]:
    """The ids of nights that left contacts everywhere: changed, held back, of somebody archived, somebody excluded, of failed nights."""
    directory = oak.glue.directory
    one = oak.night()
    oak.last_name = "Parenttwice"
    two = oak.night()
    oak.settings["roles"]["student"]["auto_update"] = False
    oak.last_name = "Parentthrice"
    del oak.students["b"]
    directory.do("select directory.set_include_in_sync(person_id, false) from directory.people where sourced_id = 'c'")
    three = oak.night()
    assert {row[1] for row in directory.rows("select sourced_id, status from directory.people")} == {"active", "archived"}
    failed = oak.read()
    oak.close()
    killed = oak.read()
    (path,) = [one for one in (oak._folder / "snapshots" / "oak").iterdir() if one.name.startswith(killed)]
    (path / "users.proof.json").unlink()
    (path / "users.parquet.0000.part").write_bytes(b"Givenaparent")
    oak.close()
    said = oak.said()
    assert all(trace in said for trace in [*oak.traces("a", "b", "c", "d"), "Parentonce", "Parenttwice", "Parentthrice"])
    assert directory.value("select count(*) from directory.changes where before ? 'parent_name' or after ? 'parent_name'") >= 4
    return [one, two, three, failed]


@pytest.mark.parametrize("where", ["the next night", "housekeeping, with automatic rostering off"])
def test_contacts_that_are_switched_off_are_nowhere(oak: Oak, where: str) -> None:
    one, two, three, failed = has_lived(oak)
    directory = oak.glue.directory
    oak.settings["include_primary_parent_contact"] = False
    if where == "the next night":
        four = oak.night()
        rows = directory.rows(
            "select p.sourced_id, c.before, c.after from directory.sync_changes c join directory.people p using (person_id)"
            " where c.run_id = %s and c.reason = 'parent_contact_off' order by 1", four,
        )  # fmt: skip
        assert rows == [(student, None, {"parent_contact": "cleared"}) for student in "abcd"]
    else:
        oak.settings["automatic_rostering"] = False
        oak.glue.settings = json.dumps(oak.settings)
        housekeeping.keep_house()
    traces = [*oak.traces("a", "b", "c", "d"), "Parentonce", "Parenttwice", "Parentthrice"]
    said = oak.said()
    assert [trace for trace in traces if trace in said] == []
    # Everything else is as it was: the same people, and the nights can be built on and looked into.
    assert "Studentb" in said and directory.value("select count(*) from directory.people") == 4
    for run_id in (one, two, three):
        assert oak.snapshot(run_id).is_whole() and oak.snapshot(run_id).read_frame("derived_people")["parent_name"].isna().all()
    assert oak.snapshot(failed).is_whole() and oak.snapshot(failed).table("users").num_rows == 3
    base = newest_loaded(oak.root, "oak", runs.loaded_runs(directory.connection, "oak"))
    assert base is not None and base.url == oak.snapshot(four if where == "the next night" else three).url
    # Undo brings back what it can, and no contact.
    run, run_no = directory.open("undo", run_id="undo")
    undo(directory.connection, run, run_no, two)
    said = oak.said()
    assert [trace for trace in traces if trace in said] == []


def test_switched_on_again_they_come_again(oak: Oak) -> None:
    oak.night()
    oak.settings["include_primary_parent_contact"] = False
    oak.night()
    oak.settings["include_primary_parent_contact"] = True
    oak.night()
    assert all(trace in oak.said() for trace in oak.traces("a", "b", "c", "d"))


def test_a_school_that_does_not_want_them_has_none_anywhere(oak: Oak) -> None:
    one = oak.night()
    oak.settings["schools"] = {"S2": {"include_primary_parent_contact": False}}
    two = oak.night()
    said = oak.said()
    assert [trace for trace in oak.traces("c", "d") if trace in said] == []
    assert all(trace in said for trace in oak.traces("a", "b"))
    contacts = dict(oak.glue.directory.rows("select sourced_id, parent_email from directory.people"))
    assert contacts == {"a": "a.parent@home.example", "b": "b.parent@home.example", "c": None, "d": None}
    for run_id in (one, two):
        assert oak.snapshot(run_id).proofs()["users"].contacts == {"": True, "S2": False}
    # Somebody who moves there leaves theirs behind, the same night; what their old school read stays for as long as it stays.
    oak.students["a"] = "S2"
    three = oak.night()
    said = everything(oak.glue.directory) + str(oak.snapshot(three).table("users").to_pylist())
    assert [trace for trace in oak.traces("a", "c", "d") if trace in said] == []


def test_a_preview_clears_nothing(oak: Oak) -> None:
    oak.night()
    oak.settings["include_primary_parent_contact"] = False
    oak.read("preview")
    nightly.validate()
    nightly.transform()
    nightly.load()
    assert all(trace in oak.said() for trace in oak.traces("a", "b", "c", "d"))


def test_killed_at_any_write_and_tried_again(oak: Oak, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = oak.night()
    wanted = Contacts.of(Settings())
    copies: Path = oak._folder / "snapshots" / "oak"
    whole = {path: path.read_bytes() for path in copies.rglob("*") if path.is_file()}
    real = private_files.writing
    for dies_at in range(1, 100):
        for path in copies.rglob("*"):
            if path.is_file():
                path.unlink()
        for path, content in whole.items():
            path.write_bytes(content)
        calls = iter(range(1, 1_000))

        def mortal(fs: Any, path: str, dies_at: int = dies_at, calls: Any = calls) -> Any:
            if next(calls) == dies_at:
                raise KeyboardInterrupt
            return real(fs, path)

        monkeypatch.setattr(snapshots, "writing", mortal)
        try:
            forget_unwanted(oak.snapshot(run_id), wanted)
            break
        except KeyboardInterrupt:
            monkeypatch.setattr(snapshots, "writing", real)
            forget_unwanted(oak.snapshot(run_id), wanted)
        files = "\n".join(str(pq.read_table(path).to_pylist()) for path in copies.rglob("*.parquet"))
        assert [trace for trace in oak.traces("a", "b", "c", "d") if trace in files] == [], f"killed at write {dies_at}"
        assert forget_unwanted(oak.snapshot(run_id), wanted) is None
    assert dies_at > 5
