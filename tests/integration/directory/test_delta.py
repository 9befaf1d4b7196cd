"""Nights of delta bundles: what an earlier bundle said is not lost in silence, so nobody is archived for it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import msgspec
import pytest

from include.mingasync.errors import MingaSyncError
from include.mingasync.oneroster.access import Access
from include.mingasync.snapshot import Snapshot
from tests.integration.directory.tasks import OAK, Tasks, Told
from tests.unit.oneroster.bundles import small

_USERS = "sourcedId,status,enabledUser,orgSourcedIds,role,username,givenName,familyName,agentSourcedIds\n"
_ENROLLMENTS = "sourcedId,status,classSourcedId,schoolSourcedId,userSourcedId,role\n"
_ORGS = "sourcedId,name,type\nS1,Maple,school\n"
_IN_FULL = "export in full once"


def row(one: str, *, status: str = "active", name: str = "A", role: str = "student", agents: str = "") -> str:
    return f"{one},{status},true,S1,{role},{one},{name}{one},B{one},{agents}\n"


class Bundles:
    """The bundles of a district, one after the other at the same place, each read by a night."""

    def __init__(self, tasks: Tasks, folder: Path) -> None:
        self.tasks, self.folder, self.nights = tasks, folder, 0
        sis = OAK.sis.model_copy(update={"source": "csv", "url": str(folder)})
        tasks.district = OAK.model_copy(update={"sis": sis})
        tasks.access = Access.to_bundle(str(folder / "bundle"))

    def put(self, *users: str, delta: bool = True, cut: bool = False) -> None:
        for file in self.folder.glob("bundle/*"):
            file.unlink()
        files = {"users": _USERS + "".join(users)} | ({} if delta else {"orgs": _ORGS, "enrollments": _ENROLLMENTS})
        modes = "file.users,delta\n" + "file.enrollments,delta\n" * cut if delta else "file.users,bulk\n"
        small(self.folder, **files, manifest="propertyName,value\n" + modes)

    def night(self, *users: str, delta: bool = True, cut: bool = False) -> Told:
        """A night with a bundle of these users; one that is ``cut`` announces enrollments that are not there."""
        self.put(*users, delta=delta, cut=cut)
        self.nights += 1
        return self.tasks.read_night(night=dt.date(2026, 11, 1) + dt.timedelta(days=self.nights))

    def ids(self, status: str = "active") -> list[str]:
        rows = self.tasks.directory.rows("select sourced_id from directory.people where status = %s order by 1", status)
        return [one for (one,) in rows]

    def last_snapshot(self) -> Snapshot:
        run_id = self.tasks.directory.value("select run_id from directory.sync_runs order by run_no desc limit 1")
        return Snapshot.of(self.tasks.folder.as_uri(), OAK.slug, run_id)


@pytest.fixture
def bundles(tasks: Tasks, tmp_path: Path) -> Bundles:
    one = Bundles(tasks, tmp_path)
    assert one.night(row("s1"), row("s2"), row("s3"), delta=False).state == "success"
    return one


def is_missed(told: Told) -> bool:
    return told.state == "completed_with_errors" and _IN_FULL in told.reason


def test_who_is_only_a_parent_by_now_is_no_student_any_more(bundles: Bundles) -> None:
    assert bundles.night(row("s2", role="parent")).state == "success"
    assert (bundles.ids(), bundles.ids("archived")) == (["s1", "s3"], ["s2"])


def test_who_came_back_in_a_bundle_that_was_read_in_half_is_not_archived(bundles: Bundles) -> None:
    archive = bundles.tasks.directory.settings["roles"]["student"]
    bundles.tasks.directory.settings["roles"] |= {"student": archive | {"archive": False}}
    bundles.night(row("s3", status="tobedeleted"))
    with pytest.raises(MingaSyncError, match=r"announces enrollments\.csv"):
        bundles.night(row("s3"), row("s4"), cut=True)
    bundles.tasks.directory.settings["roles"] |= {"student": archive}
    assert is_missed(bundles.night(row("s1", name="Z")))
    assert bundles.ids() == ["s1", "s2", "s3"] and bundles.ids("archived") == []
    assert bundles.night(row("s1"), row("s2"), row("s3"), row("s4"), delta=False).state == "success"
    assert bundles.ids() == ["s1", "s2", "s3", "s4"]
    assert bundles.night(row("s2", status="tobedeleted")).state == "success" and bundles.ids("archived") == ["s2"]


def test_a_later_nights_snapshot_that_is_spoilt_is_not_passed_over_for_an_older_one(bundles: Bundles) -> None:
    assert bundles.night(row("s4")).state == "success"
    # Its reading was cleared once more, and broke off.
    bundles.last_snapshot().forget("users")
    assert is_missed(bundles.night(row("s1", name="Z")))
    assert bundles.ids() == ["s1", "s2", "s3", "s4"]


@pytest.mark.parametrize("days, missed", [(1, False), (2, True), (40, True)])
def test_a_scheduled_night_that_read_no_bundle_may_have_missed_changes(days: int, missed: bool, bundles: Bundles) -> None:
    """It was paused, skipped, or failed before it read anything; or Airflow was not there."""
    snapshot = bundles.last_snapshot()
    for proof in snapshot.proofs().values():
        ago = {name: getattr(proof, name) - dt.timedelta(days=days) for name in ("started_at", "finished_at")}
        snapshot.prove(msgspec.structs.replace(proof, **ago))
    told = bundles.night(row("s1", status="tobedeleted"), row("s4"))
    assert is_missed(told) == missed
    # What is told is done all the same; who is gone stays until it is proven.
    assert bundles.ids() == (["s1", "s2", "s3", "s4"] if missed else ["s2", "s3", "s4"])


def test_contacts_that_are_wanted_since_are_not_in_a_bundle_of_changes(bundles: Bundles) -> None:
    every = [row("s1", agents="m1"), row("s2", agents="m2"), row("s3"), row("m1", role="parent"), row("m2", role="parent")]
    assert bundles.night(*every, delta=False).state == "success"
    bundles.tasks.directory.settings["include_primary_parent_contact"] = True

    def contacts() -> list[tuple[Any, ...]]:
        return bundles.tasks.directory.rows("select sourced_id from directory.people where parent_name is not null order by 1")

    told = bundles.night(row("m3", role="parent"), row("s3", agents="m3"))
    assert is_missed(told) and "contacts" in told.reason and contacts() == [("s3",)]
    assert bundles.night(*every, delta=False).state == "success" and contacts() == [("s1",), ("s2",)]
    assert bundles.night(row("s2", name="Z", agents="m2")).state == "success" and contacts() == [("s1",), ("s2",)]


def test_an_administrator_whom_a_delta_makes_a_teacher_is_one_no_more(bundles: Bundles) -> None:
    """The row of roles.csv keeps its sourcedId and says another role; what it said before is over."""
    users = "sourcedId,status,enabledUser,username,givenName,familyName\n"
    head = "sourcedId,status,userSourcedId,roleType,role,orgSourcedId\n"

    def night(day: int, mode: str, users: str, roles: str) -> Told:
        bundles.put(delta=True)
        files = {"users": users, "roles": head + roles} | ({"orgs": _ORGS, "enrollments": _ENROLLMENTS} if mode == "bulk" else {})
        small(bundles.folder, **files, manifest=f"propertyName,value\nfile.users,{mode}\nfile.roles,{mode}\n")
        return bundles.tasks.read_night(night=dt.date(2026, 11, day))

    whole = users + "".join(f"{one},active,true,{one},A{one},B{one}\n" for one in ("s1", "s2", "s3", "boss"))
    roles = "".join(f"r{one},active,{one},primary,student,S1\n" for one in ("s1", "s2", "s3"))
    assert night(5, "bulk", whole, roles + "rb,active,boss,primary,administrator,S1\n").state == "success"
    assert night(6, "delta", users, "rb,active,boss,primary,teacher,S1\n").state == "success"
    boss = "select role, status, school_ids from directory.people where sourced_id = 'boss'"
    assert bundles.tasks.directory.rows(boss) == [("teacher", "active", ["S1"])]
