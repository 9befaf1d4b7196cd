"""*What if*: before edited settings are saved, their review says what the next night does with them, and that night does it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import random
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import fsspec
import psycopg
import pytest
import uvicorn
from airflow.sdk.exceptions import AirflowSkipException
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Route, sync_playwright
from psycopg.types.json import Jsonb

from include.mingasync import what_if as looking
from include.mingasync.airflow_glue.approval import next_night
from include.mingasync.console.app import app
from include.mingasync.console.what_if import WhatIf, what_if
from include.mingasync.contacts import Contacts, forget_unwanted
from include.mingasync.district import find_district
from include.mingasync.oneroster.records import COLUMNS
from include.mingasync.planning import Planning
from include.mingasync.quality import prove as proving
from include.mingasync.settings import LIST_KINDS, ROLES, Settings
from include.mingasync.snapshot import Snapshot
from tests.browser.mails import chromium
from tests.integration.console.conftest import Console
from tests.integration.console.sheets import Hand, Sheet
from tests.integration.console.test_pages import words
from tests.integration.directory.tasks import Tasks, Told, oak
from tests.integration.directory.test_preview import rows, told
from tests.integration.directory.world import Directory, Row, Sis, enrollment, everything_on, klass, term, user
from tests.integration.rehearsal.test_server import free_port
from tests.waiting import until

FIRST = dt.date(2026, 9, 1)
_HOUR = dt.time(7, tzinfo=dt.UTC)  # two o'clock in Chicago's summer


@dataclass
class District:
    """A district whose nights are run task by task, and an editor of its settings in the console."""

    tasks: Tasks
    console: Console
    sis: Sis = field(default_factory=oak)
    at: dt.date = FIRST
    seen: dict[str, Any] = field(default_factory=dict)

    @property
    def directory(self) -> Directory:
        return self.tasks.directory

    def night(self, settings: dict[str, Any], unreadable: list[tuple[str, str]] | None = None) -> Told:
        """The next night, in which the SIS sends what it has."""
        self.directory.settings = settings
        moment = dt.datetime.combine(self.at, _HOUR)
        proofs = {name: {"started_at": moment, "finished_at": moment} for name in COLUMNS}
        done = self.tasks.night(self.sis, night=self.at, proofs=proofs, unreadable=unreadable or [])
        self.at += dt.timedelta(days=1)
        return done

    def replayed(self, settings: dict[str, Any], kind: str, run_id: str) -> Told:
        """The next night, which meets the very snapshot that was kept last."""
        self.directory.settings = settings
        kept = self.tasks.snapshots[-1]
        fresh = Snapshot.of(self.tasks.folder.as_uri(), "oak", run_id)
        _read_once_more(kept, fresh, dt.datetime.combine(self.at, _HOUR))
        forget_unwanted(fresh, Contacts.of(Settings.model_validate(settings)))  # as the extraction ends
        done = self.tasks.night(self.sis, night=self.at, kind=kind, run_id=run_id)  # type: ignore[arg-type]
        self.tasks.snapshots.append(fresh)
        self.at += dt.timedelta(days=1)
        return done

    def ask(self, settings: dict[str, Any]) -> WhatIf:
        """What the next night would do, asked at noon of the day before it; the rows of its plan are in ``seen``."""
        noon = dt.datetime.combine(self.at - dt.timedelta(days=1), dt.time(17), dt.UTC)
        return what_if("oak", settings, noon)

    def everything(self) -> dict[str, Any]:
        """Every row of every table and every file of the snapshots, byte for byte."""
        connection = self.directory.connection
        tables = connection.execute(
            "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        found: dict[str, Any] = {
            name: sorted(connection.execute(psycopg.sql.SQL("select t::text from {} as t").format(psycopg.sql.SQL(name))))
            for (name,) in tables
        }
        files = {
            str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in self.tasks.folder.rglob("*") if path.is_file()
        }
        return found | {"files": files, "variable": self.console.stored}

    def is_free(self) -> bool:
        """Whether nobody holds the district, and nothing is left in memory."""
        with psycopg.connect(self.directory.connection.info.dsn, password=self.directory.connection.info.password) as other:
            other.execute("select from directory.district_locks where district = 'oak' for update nowait")
        return not fsspec.filesystem("memory").find("/mingasync-what-if")


def _read_once_more(kept: Snapshot, fresh: Snapshot, moment: dt.datetime) -> None:
    """Lay the files that a run read into another run's folder, read at another moment."""
    source, target = Path(kept.url.removeprefix("file://")), Path(fresh.url.removeprefix("file://"))
    target.mkdir()
    for name in COLUMNS:
        for one in (f"{name}.parquet", f"unreadable_{name}.parquet"):
            if (source / one).exists():
                shutil.copy(source / one, target / one)
        proof = json.loads((source / f"{name}.proof.json").read_text())
        proof |= {"started_at": moment.isoformat(), "finished_at": moment.isoformat()}
        (target / f"{name}.proof.json").write_text(json.dumps(proof))


@pytest.fixture
def district(console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[District]:
    tasks = Tasks(Directory(console.connection), tmp_path / "snapshots", monkeypatch, find_district("oak"))
    here = District(tasks, console)
    here.sis.users += [user("p1", "parent", email="no address"), user("p2", "parent")]
    for student, parent in zip(here.sis.users[:2], ("p1", "p2"), strict=True):
        student["agent_ids"] = [parent]
    worked_out = looking.look_ahead

    def look(connection: Any, *arguments: Any) -> Any:
        ahead = worked_out(connection, *arguments)
        own = Directory(connection)
        here.seen = {"rows": rows(own, ahead.run.run_id), "told": told(own, ahead.run.run_id), "counts": ahead.counts}
        return ahead

    monkeypatch.setattr(looking, "look_ahead", look)
    yield here


# --- what happens in the district, and what somebody changes in its settings, by chance


def _live_on(sis: Sis, gone: list[Row], luck: random.Random, number: int) -> list[tuple[str, str]]:
    """Let a few things happen in the SIS, from which people may be gone; the rows of tonight that cannot be read."""
    people = [one for one in sis.users if one["roles"] not in (["administrator"], ["parent"])]
    classes = [one["sourced_id"] for one in sis.classes]
    for _ in range(luck.randint(1, 4)):
        one: Row = luck.choice(people)
        match luck.randint(0, 8):
            case 0 if gone and luck.random() < 0.5:
                sis.users.append(gone.pop())
            case 0:
                sis.users = [other for other in sis.users if other is not one]
                gone.append(one)
            case 1:
                one["family_name"] = f"Married{number}"
            case 2:
                one["org_ids"] = luck.choice([["S1"], ["S2"]])
            case 3:
                one["status"] = luck.choice(["active", "active", "tobedeleted"])
            case 4:
                fresh = user(f"n{number}", luck.choice(["student", "student", "teacher", "aide"]), [luck.choice(["S1", "S2"])])
                sis.users.append(fresh)
                sis.enrollments.append(enrollment(luck.choice(classes), fresh["sourced_id"]))
            case 5:
                ended = luck.choice(sis.enrollments)
                sis.enrollments = [other for other in sis.enrollments if other is not ended]
            case 6:
                luck.choice(sis.classes)["title"] = f"Renamed {number}"
            case 7:
                made = klass(f"k{number}", terms=[luck.choice(["T1", "T2"])], grades=luck.choice([["09"], ["10"], []]))
                sis.classes.append(made)
                sis.enrollments.append(enrollment(made["sourced_id"], one["sourced_id"]))
            case 8:
                one["grades"] = [luck.choice(["09", "10", "11"])]
    return [("users", luck.choice(people)["sourced_id"])] if luck.random() < 0.2 else []


def _edited(settings: dict[str, Any], luck: random.Random, at: dt.date) -> dict[str, Any]:
    """The settings after somebody changed up to three of them."""
    edited = deepcopy(settings)
    for _ in range(luck.randint(1, 3)):
        of_school = luck.random() < 0.25
        own = edited.setdefault("schools", {}).setdefault(luck.choice(["S1", "S2"]), {}) if of_school else edited
        match luck.choice(
            ["role", "role", "role", "terms", "grades", "lists", "auto", "safety", "quiet", "public", "contact", "off"]
        ):
            case "role":
                toggles = own.setdefault("roles", {}).setdefault(luck.choice(ROLES), {})
                toggles[luck.choice(["roster", "auto_update", "archive"])] = luck.random() < 0.7
            case "terms":
                own.setdefault("class_lists", {})["terms"] = luck.choice([[], ["T1"], ["T2"], ["T1", "T2"]])
            case "grades":
                own.setdefault("class_lists", {})["grades"] = luck.choice([[], ["9"], ["10"], ["9", "10"]])
            case "lists":
                lists = own.setdefault("class_lists", {})
                lists["enabled"] = not lists.get("enabled", False)
            case "auto":
                kind = luck.choice(LIST_KINDS[1:])
                lists = own.setdefault("auto_lists", {})
                lists[kind] = not lists.get(kind, False)
            case "safety":
                percent, minimum = luck.choice([(0, 0), (10, 1), (30, 2), (100, 0)])
                own["safety"] = {"archive_percent": percent, "archive_minimum": minimum, "absent_nights": luck.randint(1, 3)}
            case "quiet":
                first = at + dt.timedelta(days=luck.randint(-2, 2))
                mode = luck.choice(["additions_only", "additions_only", "pause"])
                own["quiet"] = luck.choice([[], [{"from": f"{first}", "to": f"{first + dt.timedelta(days=2)}", "mode": mode}]])
            case "public":
                own["new_lists_public"] = not own.get("new_lists_public", False)
            case "contact":
                own["include_primary_parent_contact"] = not own.get("include_primary_parent_contact", False)
            case "off":
                edited["automatic_rostering"] = luck.random() < 0.7
    return edited


def _first_settings() -> dict[str, Any]:
    return {
        "automatic_rostering": True,
        "roles": {role: {"roster": True, "auto_update": role == "student", "archive": role == "teacher"} for role in ROLES},
        "class_lists": {"enabled": True, "terms": ["T1"]},
        "auto_lists": {"role": True, "grade": True},
        "safety": {"archive_percent": 30, "archive_minimum": 1},
    }


def said_and_done(district: District, edited: dict[str, Any], name: str) -> set[tuple[str, str]]:
    """The actions and statuses of the next night, after it did row by row what was said of it, and nothing else was touched."""
    before, district.seen = district.everything(), {}
    said = district.ask(edited)
    assert district.everything() == before and district.is_free(), name
    assert said.unknown is None, said
    planned, kind, run_id = district.seen, "nightly", f"replay-{name}"
    if said.skipped:
        with pytest.raises(AirflowSkipException, match=re.escape(said.skipped)):
            district.replayed(edited, kind, run_id)
        kind, run_id = "manual", f"by-hand-{name}"
    done = district.replayed(edited, kind, run_id)
    if said.stops:
        assert (done.state, done.reason) == ("failed", said.stops), name
        return set()
    assert said.night == district.at - dt.timedelta(days=1), name
    assert planned["counts"] == done.counts, name
    assert planned["rows"] == rows(district.directory, run_id), name
    assert planned["told"] == told(district.directory, run_id), name
    return set(district.directory.rows("select action, status from directory.sync_changes where run_id = %s", run_id))


def test_twenty_changes_of_settings_do_in_the_next_night_what_was_said_of_them(district: District) -> None:
    luck, settings = random.Random(1), _first_settings()
    gone: list[Row] = []
    happened: set[tuple[str, str]] = set()
    district.night(settings)
    for number in range(20):
        unreadable = _live_on(district.sis, gone, luck, number)
        district.night(settings | {"automatic_rostering": True, "quiet": []}, unreadable)
        edited = _edited(settings, luck, district.at)
        happened |= said_and_done(district, edited, str(number))
        settings = edited
    # Beside those that chance chose: two leave while nobody is archived, then are held, then archived; they come back while their role
    # is off, and it is turned on again.
    settings = everything_on(automatic_rostering=True)
    off = {key: settings["roles"] | {"student": settings["roles"]["student"] | {key: False}} for key in ("archive", "roster")}
    left = [user(f"left{number}") for number in range(2)]
    district.sis.users += left
    district.night(settings)
    district.sis.users = [one for one in district.sis.users if one not in left]
    district.night(settings | {"roles": off["archive"]})
    happened |= said_and_done(district, settings | {"roles": off["archive"], "new_lists_public": True}, "archive off")
    happened |= said_and_done(district, settings | {"safety": {"archive_percent": 0, "archive_minimum": 0}}, "archive held")
    yesterday = f"{district.at - dt.timedelta(days=1)}"
    over = {"from": yesterday, "to": yesterday, "mode": "additions_only"}
    happened |= said_and_done(district, settings | {"quiet": [over]}, "archive on, the day after a quiet one")
    district.sis.users += left
    district.night(settings | {"roles": off["roster"]})
    happened |= said_and_done(district, settings, "role on")
    district.night(settings | {"include_primary_parent_contact": True})
    happened |= said_and_done(district, settings, "contacts off")
    assert {action for action, status in happened if status == "applied"} == {
        "create", "update", "restore", "archive", "deactivate", "add", "remove",
    }  # fmt: skip
    assert {("archive", "held"), ("archive", "suppressed"), ("update", "suppressed")} <= happened


# --- the page


@pytest.fixture
def today(district: District) -> District:
    """The district, whose third night is the one that the clock brings next; its terms go on."""
    zone = ZoneInfo(district.tasks.district.timezone)
    tonight = next_night(district.tasks.district, dt.datetime.now(dt.UTC)).astimezone(zone).date()
    district.at = tonight - dt.timedelta(days=2)
    begin, end = (f"{tonight + dt.timedelta(days=days)}" for days in (-60, 60))
    district.sis.terms = [term(one, start_date=begin, end_date=end) for one in ("T1", "T2")]
    return district


def teachers_only() -> dict[str, Any]:
    """Settings of a district that rosters teachers and their classes and archives nobody."""
    roles = {"teacher": {"roster": True, "auto_update": True}}
    return {"automatic_rostering": True, "roles": roles, "class_lists": {"enabled": True, "terms": ["T1"]}}


def loaded_twice(district: District) -> None:
    """Two nights, of which the second lacks two of four teachers; the settings are stored as they were then."""
    district.night(teachers_only())
    district.sis.users = [one for one in district.sis.users if one["sourced_id"] not in ("t2", "co")]
    district.night(teachers_only())
    district.console.store(json.dumps(teachers_only()))


def review(district: District, *ticks: str | tuple[str, str], page: str = "settings", **typed: str) -> Sheet:
    """The review of a page on which somebody turned switches on and typed safety limits."""
    form = Hand(district.console).open(f"/districts/oak/{page}")
    for one in ticks:
        form.tick(*([one] if isinstance(one, str) else one))
    for name, value in typed.items():
        form.fill(f"safety.{name}", value)
    return Hand(district.console).press(form, "review")


def answer(district: District, form: Sheet) -> str:
    """What the review says of the next night, once it was asked for; nothing else is touched by it."""
    before = district.everything()
    page = Hand(district.console).press(form, "what_if").page
    assert district.everything() == before and district.is_free()
    return words(page.partition("data-is-told")[2])


def test_the_review_says_what_the_next_night_does_and_the_night_does_it(today: District, monkeypatch: pytest.MonkeyPatch) -> None:
    found_by = proving.broken_rules
    today.sis.users += [user(f"m{n}", family_name=f"Many<b>{n:02}") for n in range(25)]
    loaded_twice(today)
    monkeypatch.setattr(proving, "broken_rules", found_by)  # great-expectations itself, as in the api-server
    form = review(today, "roles.student.roster", "roles.teacher.archive", archive_percent="70")
    assert "worked out from what the SIS sent last" in words(form.page) and "data-is-told" not in form.page
    page = answer(today, form)
    assert "Students 35 created Teachers 2 archived Memberships 11 added, 2 removed" in page
    assert "Created: the first 20 of 35 by name Bo Both · student · School S1 Givens1 Familys1" in page and "and 15 more" in page
    assert "Archived: 2 by name Givenco Familyco · teacher · School S1 Givent2 Familyt2" in page
    assert "Many<b>00" in page and "Held" not in page and "does nothing" not in page

    hand = Hand(today.console)
    hand.press(hand.press(form, "what_if"), "save")
    counts = today.night(json.loads(today.console.stored or "")).counts
    assert {role: own["created"] for role, own in counts["people"].items() if own["created"]} == {"student": 35}
    assert {role: own["archived"] for role, own in counts["people"].items() if own["archived"]} == {"teacher": 2}
    assert (counts["memberships"]["added"], counts["memberships"]["removed"]) == (11, 2)


def test_terms_and_list_settings_tell_the_lists_that_are_made_renamed_and_made_inactive(today: District) -> None:
    loaded_twice(today)
    assert "Class lists 1 made Memberships 1 added" in answer(today, review(today, ("class_lists.terms", "T2"), page="terms"))
    page = answer(today, review(today, "auto_lists.teacher", "auto_lists.role", page="list-settings"))
    assert "Role lists 5 made Teacher lists 2 made Memberships 4 added" in page
    form = Hand(today.console).open("/districts/oak/terms").untick("class_lists.terms", "T1").tick("class_lists.terms", "T2")
    assert "Class lists 1 made, 4 made inactive" in answer(today, Hand(today.console).press(form, "review"))
    form = Hand(today.console).open("/districts/oak/list-settings").tick("new_lists_public")
    page = answer(today, Hand(today.console).press(form, "review"))
    assert "Nothing changes for anybody." in page and "Nothing happens to these: Teachers 2 held back, not archived" in page
    # A title that a quiet period kept back.
    today.sis.classes[1]["title"] = "Ancient History"
    quiet = {"from": f"{today.at}", "to": f"{today.at}", "mode": "additions_only"}
    today.night(teachers_only() | {"quiet": [quiet]})
    told_of = what_if("oak", teachers_only(), dt.datetime.combine(today.at, dt.time(1), dt.UTC))
    assert [(line.name, line.numbers) for line in told_of.changes] == [
        ("Class lists", ((2, "renamed"),))
    ]  # and the other History


def test_what_the_safety_limits_hold_is_told_with_the_limits(today: District) -> None:
    loaded_twice(today)
    page = answer(today, review(today, "roles.teacher.archive", archive_percent="10", archive_minimum="1"))
    assert "Nothing changes for anybody. Nothing happens to these: Teachers 2 held by the safety limits" in page
    assert "more than 10 % and at least 1 person" in page and "School S1, teacher 2 of 3" in page
    assert "Held by the safety limits: 2 by name Givenco Familyco" in page


def test_a_night_that_does_nothing_is_told_so_and_what_a_sync_by_hand_would_do(today: District) -> None:
    loaded_twice(today)
    form = Hand(today.console).open("/districts/oak/settings").untick("automatic_rostering").tick("roles.student.roster")
    page = answer(today, Hand(today.console).press(form, "review"))
    assert "does nothing. Automatic rostering is off (setting automatic_rostering). A sync that is started by hand would" in page
    assert "Students 10 created" in page


def test_contacts_that_were_not_read_are_told_as_to_come(today: District) -> None:
    loaded_twice(today)
    page = answer(today, review(today, "include_primary_parent_contact"))
    assert "The primary parents' contacts are not in what the SIS sent last. They are added once a night has read them." in page


def test_before_the_first_sync_a_preview_is_enough(today: District) -> None:
    today.console.store(json.dumps(teachers_only()))
    form = review(today, "roles.student.roster")
    assert "cannot be said now. No snapshot yet: run a preview first. You can save all the same." in answer(today, form)
    today.directory.settings = teachers_only()
    today.tasks.night(today.sis, kind="preview", night=today.at)
    page = answer(today, form)
    assert "does nothing. The first sync is started by a person" in page and "Students 10 created Teachers 4 created" in page
    Hand(today.console).press(form, "save")
    assert json.loads(today.console.stored or "")["roles"]["student"] == {"roster": True}


def test_a_database_without_a_schema_has_no_snapshot(empty: Console) -> None:
    assert what_if("oak", {}).unknown == "No snapshot yet: run a preview first."


def _gone(folder: Path) -> None:
    shutil.rmtree(folder)


def _spoilt(folder: Path) -> None:
    (folder / "users.parquet").write_bytes(b"spoilt")


def _no_parquet(folder: Path) -> None:
    (folder / "set_aside.parquet").unlink()
    content = b"no Parquet"
    (folder / "users.parquet").write_bytes(content)
    proof = json.loads((folder / "users.proof.json").read_text())
    (folder / "users.proof.json").write_text(json.dumps(proof | {"sha256": hashlib.sha256(content).hexdigest()}))


def _no_proof(folder: Path) -> None:
    (folder / "users.proof.json").write_text("no JSON")


def _of_version(version: int) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        for path in folder.glob("*.proof.json"):
            path.write_text(json.dumps(json.loads(path.read_text()) | {"version": version}))

    return write


@pytest.mark.parametrize(
    ("happens", "words_of_it"),
    [
        (_gone, "The snapshot of the last run is not there any more"),
        (_spoilt, "The snapshot of the last run cannot be used: a file is missing or is not the one that was read."),
        (_no_parquet, "The snapshot of the last run is not there any more"),
        (_no_proof, "The snapshot of the last run cannot be read; the api-server's log says why."),
        (
            _of_version(99),
            "The snapshot of the last run is not there any more, or this version of the product cannot use it, or the",
        ),
        (_of_version(1), "The snapshot of the last run was written by an older version of the product."),
    ],
)
def test_a_snapshot_that_cannot_be_used_is_said_and_saving_works(
    today: District, happens: Callable[[Path], None], words_of_it: str
) -> None:
    loaded_twice(today)
    happens(Path(today.tasks.snapshots[-1].url.removeprefix("file://")))
    form = review(today, "roles.student.roster")
    page = answer(today, form)
    assert f"cannot be said now. {words_of_it}" in page and "It is known again after the next run." in page
    Hand(today.console).press(form, "save")
    assert json.loads(today.console.stored or "")["roles"]["student"] == {"roster": True}


def test_while_a_run_writes_it_is_not_waited_for(today: District) -> None:
    loaded_twice(today)
    form, info = review(today, "roles.student.roster"), today.directory.connection.info
    with psycopg.connect(info.dsn, password=info.password) as run:
        run.execute("select directory.lock_district('oak')")
        page = words(Hand(today.console).press(form, "what_if").page)
        assert "A run of this district is writing its results now. Try again when it is done." in page
        Hand(today.console).press(form, "save")
    assert json.loads(today.console.stored or "")["roles"]["student"] == {"roster": True}


def test_the_district_is_free_while_the_rosters_are_made(today: District, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded_twice(today)
    form, info, steps = review(today, "roles.student.roster"), today.directory.connection.info, []

    def watched(step: str) -> None:
        does = getattr(Planning, step)

        def alone(planning: Planning, *given: Any) -> Any:
            done = does(planning, *given)
            with psycopg.connect(info.dsn, password=info.password) as night:
                night.execute("select from directory.district_locks where district = 'oak' for update nowait")
            steps.append(step)
            return done

        monkeypatch.setattr(Planning, step, alone)

    watched("prove")
    watched("derive")
    assert "Students 10 created" in answer(today, form) and steps == ["prove", "derive"]


def test_a_copy_that_is_broken_off_leaves_nothing_in_memory(today: District, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded_twice(today)
    form, put = review(today, "roles.student.roster"), Snapshot._put

    def broken_off(snapshot: Snapshot, path: str, content: bytes) -> None:
        if "what-if" in path and "enrollments" in path:
            raise OSError
        put(snapshot, path, content)

    monkeypatch.setattr(Snapshot, "_put", broken_off)
    assert "The snapshot of the last run cannot be read" in answer(today, form)  # which looks at the memory, too


def test_a_run_that_is_loaded_meanwhile_ends_it(today: District, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded_twice(today)
    form, derive = review(today, "roles.student.roster"), Planning.derive
    info = today.directory.connection.info

    def slowly(planning: Planning, root: str) -> Any:
        with psycopg.connect(info.dsn, password=info.password) as other:
            other.execute(
                "insert into directory.sync_runs (district, run_id, kind, logical_date, night, loaded_at, snapshot_at)"
                " values ('oak', 'meanwhile', 'manual', now(), current_date, now(), now() + interval '1 minute')"
            )
        return derive(planning, root)

    monkeypatch.setattr(Planning, "derive", slowly)
    page = words(Hand(today.console).press(form, "what_if").page)
    assert "cannot be said now. A run was loaded at this very moment. Look once more." in page and today.is_free()


def test_a_district_that_is_held_too_long_is_let_go(today: District, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded_twice(today)
    form = review(today, "roles.student.roster")

    def endless(planning: Planning) -> Any:
        for _ in range(100):
            planning.connection.execute("select pg_sleep(0.1)")

    monkeypatch.setattr(looking, "_SECONDS_HELD", 0.3)
    monkeypatch.setattr(Planning, "load", endless)
    assert "The directory's database needed more than 20 seconds to answer." in answer(today, form)


def test_data_that_a_night_would_refuse_are_told_as_that(today: District) -> None:
    loaded_twice(today)
    today.directory.do(
        "update directory.sync_runs set identity = %s", Jsonb({"districts": {"D9": "Elm"}, "schools": {"S9": "North"}})
    )
    page = answer(today, review(today, "roles.student.roster"))
    assert "the next night would stop before any change: 1 fault(s) make the data untrustworthy" in page


def test_whoever_may_not_edit_is_not_answered(today: District) -> None:
    loaded_twice(today)
    form = review(today, "roles.student.roster")
    today.console.editable.clear()
    sent = Hand(today.console).send(form.address, [*form.fields[:-1], ("action", "what_if"), *form.fields[-1:]])
    assert sent.status_code == 403 and "Given" not in sent.text


# --- in a browser


@contextmanager
def served() -> Iterator[str]:
    """The address at which the console answers a browser."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def test_the_review_comes_first_and_what_if_comes_into_it_on_a_phone_and_on_a_desk(today: District) -> None:
    loaded_twice(today)
    with served() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for width, has_script in product((375, 1280), (True, False)):
            page = browser.new_page(viewport={"width": width, "height": 800}, java_script_enabled=has_script)
            broken: list[str] = []
            page.on("pageerror", lambda error, broken=broken: broken.append(str(error)))
            page.on("console", lambda message, broken=broken: broken.append(message.text))
            page.goto(f"{address}/districts/oak/settings")
            page.check("[name='roles.student.roster']")
            page.click("button[value=review]")
            if not has_script:
                page.click("button[value=what_if]")
            told = page.locator("[data-what-if][data-is-told]")
            told.wait_for()
            assert "Students 10 created" in " ".join(told.inner_text().split())
            assert page.locator("[data-what-if]").count() == 1 and page.locator("button[value=what_if]").count() == 0
            if has_script:
                told.locator("summary").first.click()
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
                for scheme in ("light", "dark"):
                    page.emulate_media(color_scheme=scheme)
                    assert Axe().run(page).response["violations"] == []
            page.click("button[value=save]")
            page.wait_for_url("**saved=1*")
            assert broken == []
            today.console.store(json.dumps(teachers_only()))
            page.close()
        browser.close()


def test_without_an_answer_the_review_keeps_its_button(today: District) -> None:
    loaded_twice(today)
    with served() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{address}/districts/oak/settings")
        page.check("[name='roles.student.roster']")
        # Somebody else changes the settings between the review and the question.
        page.route("**/settings", lambda route: _changed_first(today, route))
        with page.expect_response(lambda sent: "action=what_if" in (sent.request.post_data or "")) as sent:
            page.click("button[value=review]")
        assert sent.value.status == 409
        page.locator("button[value=what_if]").wait_for()
        page.locator("[data-what-if]:not([aria-busy])").wait_for()
        assert "worked out from what the SIS sent last" in page.locator("[data-what-if]").inner_text()
        browser.close()


def _changed_first(district: District, route: Route) -> None:
    if "action=what_if" in (route.request.post_data or ""):
        district.console.store(json.dumps(teachers_only() | {"new_lists_public": True}))
    route.continue_()
