"""Any task of any run, cleared alone or with everything after it, at any later time: no newer night is undone, no verdict is lost."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from typing import Any

import pytest

from include.mingasync.airflow_glue import context
from include.mingasync.oneroster import read
from tests.integration.airflow_glue.chain import EXTRACTS, TASKS, Chain
from tests.integration.airflow_glue.conftest import Glue
from tests.integration.directory.world import NIGHT, Sis, enrollment, everything_on, klass, term, user

DAY = dt.timedelta(days=1)
SETTINGS = everything_on(
    class_lists={"enabled": True, "terms": ["T1"]},
    auto_lists={"role": True, "grade": True, "subject": True, "teacher": True},
    safety={"archive_percent": 10, "archive_minimum": 5},
)
FINISHED = ("settings", "state", "reason", "answer", "answered_by", "counts", "snapshot_at", "loaded_at", "finished_at", "proven")


def sis(students: int, family: str = "Oak") -> Sis:
    people = [user(f"u{n}", family_name=f"{family}{n}") for n in range(students)]
    rolls = [enrollment("C", one["sourced_id"]) for one in people]
    return Sis(
        users=[*people, user("t", "teacher")],
        terms=[term("T1", school_year="2027", parent_id=None)],
        courses=[{"sourced_id": "K", "status": "active", "title": "Algebra", "org_id": "S1", "grades": ["09"]}],
        classes=[klass("C", course_id="K", grades=["09"], subjects=["Math"])],
        enrollments=[*rolls, enrollment("C", "t", "teacher")],
    )


@pytest.fixture
def chain(glue: Glue, monkeypatch: pytest.MonkeyPatch) -> Chain:
    """A district after its first sync of 20 students and a teacher."""
    made = Chain(glue, sis(20))
    monkeypatch.setattr(read, "read_collection", made.read)
    monkeypatch.setattr(context, "sis_access", lambda district: None)
    monkeypatch.setattr(context, "links", lambda district, run: {})
    glue.settings = json.dumps(SETTINGS)
    assert made.start("first") == "success", made.row("first")["reason"]
    return made


def finished(chain: Chain, run_id: str) -> dict[str, Any]:
    return {name: value for name, value in chain.row(run_id).items() if name in FINISHED}


def active(chain: Chain) -> int:
    return int(chain.glue.directory.value("select count(*) from directory.people where status = 'active' and role = 'student'"))


# The newest run.


def test_any_task_of_the_newest_run_again_ends_like_one_clean_run(chain: Chain) -> None:
    chain.sis = sis(19, "Elm")
    assert chain.start("second", night=NIGHT + DAY) == "success"
    before, state, snapshot = finished(chain, "second"), chain.glue.directory.state(), chain.row("second")["snapshot_at"]
    # The switch is off by now: a run keeps the settings that it loaded with.
    chain.glue.settings = json.dumps(SETTINGS | {"automatic_rostering": False, "roles": {}})
    same = ("settings", "state", "reason", "counts", "proven")
    for task, downstream in itertools.product(TASKS, (True, False)):
        what = f"{task} {'and all after it' if downstream else 'alone'}"
        assert chain.clear("second", task, downstream=downstream) == "success", what
        after = finished(chain, "second")
        assert chain.glue.directory.state() == state, what
        assert {name: after[name] for name in same} == {name: before[name] for name in same}, what
        assert after["finished_at"] and after["snapshot_at"] >= snapshot, what
        if task.startswith("extract.") and not downstream:
            chain.clear("second", "validate")


def test_open_run_alone_leaves_a_finished_run_finished_and_remembers_who_answered(chain: Chain) -> None:
    chain.sis, chain.answer = sis(10), "approve"
    assert chain.start("second", night=NIGHT + DAY) in ("success", "completed_with_errors")
    before = finished(chain, "second")
    assert (before["answer"], before["answered_by"], active(chain)) == ("approved", "pat", 10)
    chain.clear("second", "open_run", downstream=False)
    assert finished(chain, "second") == before
    chain.clear("second", "open_run")
    after = finished(chain, "second")
    assert (after["answer"], after["answered_by"], after["state"]) == ("approved", "pat", before["state"])


def test_while_its_tasks_are_done_again_the_run_is_running(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    real = read.read_collection

    def watching(*arguments: Any, **more: Any) -> Any:
        seen.append(chain.state("first"))
        return real(*arguments, **more)

    monkeypatch.setattr(read, "read_collection", watching)
    assert chain.clear("first", "open_run") == "success"
    assert set(seen) == {"running"}
    chain.clear("first", "extract.users", downstream=False)
    assert seen[-1] == chain.state("first") == "success", "cleared alone, nothing would close it again"


def test_a_rejected_archive_stays_rejected_whatever_is_cleared_alone(chain: Chain) -> None:
    chain.sis, chain.answer = sis(10), "reject"
    assert chain.start("second", night=NIGHT + DAY) == "held"
    before = finished(chain, "second")
    assert before["reason"] == "10 archives were rejected; these people stay active."
    for task in ("load", "archive", "notify", "open_run", "extract.orgs"):
        chain.clear("second", task, downstream=False)
        after = finished(chain, "second")
        assert (after["state"], after["reason"], after["answered_by"]) == ("held", before["reason"], "pat"), task
        assert active(chain) == 20, task


def test_approve_cleared_alone_asks_again_and_says_that_the_archive_is_still_to_be_done(chain: Chain) -> None:
    chain.sis, chain.answer = sis(10), "reject"
    chain.start("second", night=NIGHT + DAY)
    chain.answer = "approve"
    assert chain.clear("second", "approve", downstream=False) == "failed"
    assert "Clear the task archive and everything after it" in chain.row("second")["reason"] and active(chain) == 20
    # The cure that it names.
    assert chain.clear("second", "archive") in ("success", "completed_with_errors")
    assert active(chain) == 10


# An older run.


def test_any_task_of_an_older_run_undoes_nothing_of_a_newer_night(chain: Chain) -> None:
    chain.sis, chain.answer = sis(10), None
    assert chain.start("second", night=NIGHT + DAY) == "held"
    chain.sis = sis(20, "Ash")
    chain.glue.settings = json.dumps(SETTINGS | {"class_lists": {"enabled": True, "terms": []}})
    assert chain.start("third", night=NIGHT + 2 * DAY) == "success"
    rows = {run_id: finished(chain, run_id) for run_id in ("first", "second", "third")}
    state = chain.glue.directory.state()
    chain.sis, chain.answer = sis(12, "Late"), "approve"
    for task, downstream, run_id in itertools.product(TASKS, (True, False), ("first", "second")):
        what = f"{task} of {run_id} {'and all after it' if downstream else 'alone'}"
        chain.clear(run_id, task, downstream=downstream)
        assert chain.glue.directory.state() == state, what
        assert {one: finished(chain, one) for one in rows} == rows, what


def test_the_snapshot_of_an_older_run_stays_as_it_was_read(chain: Chain) -> None:
    chain.start("second", night=NIGHT + DAY)
    chain.glue.start("first", "manual", NIGHT, send_email=False)
    before = {name: proof.sha256 for name, proof in context.snapshot_of(chain.glue.run).proofs().items()}
    chain.sis = sis(3)
    chain.clear("first", "extract.orgs")
    assert {name: proof.sha256 for name, proof in context.snapshot_of(chain.glue.run).proofs().items()} == before
    assert {chain.states["first"][task] for task in [*EXTRACTS, "load", "archive"]} == {"skipped"}


def test_a_night_that_never_loaded_is_superseded_by_a_later_one_at_whatever_task_it_is_taken_up(chain: Chain) -> None:
    for number, task in enumerate(("open_run", "extract.orgs", "extract.users", "validate", "transform", "load")):
        run_id, night = f"broken {task}", NIGHT + (2 * number + 1) * DAY
        chain.sis = None
        assert chain.start(run_id, night=night) == "failed"
        chain.sis = sis(20)
        assert chain.start(f"after {task}", night=night + DAY) == "success"
        state = chain.glue.directory.state()
        chain.sis = sis(5)
        chain.clear(run_id, task)
        expected = "superseded" if task not in ("load",) else "failed"
        assert chain.state(run_id) == expected, task
        assert chain.glue.directory.state() == state


def test_an_archive_that_failed_is_left_to_the_newer_night(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    from include.mingasync.airflow_glue import nightly

    def broken() -> None:
        raise RuntimeError("the database is away")

    chain.sis = sis(18)
    with monkeypatch.context() as patch:
        patch.setattr(nightly, "archive", broken)
        assert chain.start("second", night=NIGHT + DAY) == "failed"
    chain.sis = sis(20)
    assert chain.start("third", night=NIGHT + 2 * DAY) == "success"
    assert chain.clear("second", "archive") == "completed_with_errors"
    assert "because the run third was loaded before that" in chain.row("second")["reason"]
    assert active(chain) == 20


# Tasks marked as success by hand.


def test_a_run_whose_load_never_happened_is_no_success(chain: Chain) -> None:
    chain.sis = sis(19)
    assert chain.start("second", night=NIGHT + DAY, marked=["load"]) == "failed"
    assert "Nothing of this run was loaded" in chain.row("second")["reason"] and active(chain) == 20
    # The cure that it names.
    assert chain.clear("second", "load") == "success"
    assert active(chain) == 19


def test_a_preview_that_planned_nothing_is_no_success(chain: Chain) -> None:
    assert chain.start("look", kind="preview", marked=["load"]) == "failed"
    assert chain.clear("look", "load") == "success"


def test_what_was_read_again_and_not_loaded_again_is_no_success(chain: Chain) -> None:
    chain.sis = sis(19)
    assert chain.clear("first", "open_run", marked=["load"]) == "failed"
    assert "What was read last was never loaded" in chain.row("first")["reason"]
    assert chain.clear("first", "validate") == "success" and active(chain) == 19


def test_an_archive_that_never_happened_is_no_success(chain: Chain) -> None:
    chain.sis = sis(19)
    assert chain.start("second", night=NIGHT + DAY, marked=["archive"]) == "failed"
    assert chain.row("second")["reason"].startswith("1 archive was planned and never carried out") and active(chain) == 20
    assert chain.clear("second", "archive") == "success" and active(chain) == 19


@pytest.mark.parametrize("users", [20, 0])
def test_what_validate_did_not_find_usable_is_not_loaded_though_it_is_marked_as_success(chain: Chain, users: int) -> None:
    chain.sis = sis(19)
    if users == 0:  # no users at all: critical
        chain.sis.users = []
        assert chain.start("second", night=NIGHT + DAY) == "failed"
        chain.states["second"]["validate"] = "success"
        assert chain.clear("second", "transform") == "failed"
        assert "found it critical or did not run" in chain.row("second")["reason"]
    else:
        assert chain.start("second", night=NIGHT + DAY, marked=["validate"]) == "failed"
        assert "Clear the task validate and everything after it" in chain.row("second")["reason"]
        assert chain.clear("second", "validate") == "success"
    assert active(chain) == (20 if users == 0 else 19)


def test_lists_made_with_other_settings_are_not_loaded(chain: Chain) -> None:
    chain.sis = sis(20)
    # transform ran; its load failed, the settings were changed, and open_run and load were cleared, each alone.
    assert chain.start("second", night=NIGHT + DAY, marked=["load"]) == "failed"
    chain.glue.settings = json.dumps(SETTINGS | {"class_lists": {"enabled": True, "terms": []}})
    chain.clear("second", "open_run", downstream=False)
    assert chain.clear("second", "load") == "failed"
    assert "made with other settings" in chain.row("second")["reason"]
    assert chain.clear("second", "transform") == "success"
    assert chain.glue.directory.value("select status from directory.user_lists where kind = 'class'") == "inactive"
    assert chain.row("second")["settings"]["class_lists"]["terms"] == []


# A night that failed, mended and taken up again.


def test_a_failed_night_taken_up_again_reads_its_settings_anew_and_is_a_good_one(chain: Chain) -> None:
    chain.glue.settings = '{"automatic_rosterin": true}'
    assert chain.start("second", kind="nightly", night=NIGHT + DAY) == "failed"
    chain.glue.settings = json.dumps(SETTINGS)
    chain.sis = sis(19)
    assert chain.clear("second", "open_run") == "success" and active(chain) == 19


def test_a_night_skipped_with_rostering_off_runs_once_it_is_on(chain: Chain) -> None:
    chain.glue.settings = json.dumps(SETTINGS | {"automatic_rostering": False})
    assert chain.start("second", kind="nightly", night=NIGHT + DAY) == "skipped"
    chain.glue.settings = json.dumps(SETTINGS)
    assert chain.clear("second", "open_run", downstream=False) == "skipped", "nothing after it would load"
    assert chain.clear("second", "open_run") == "success"


def test_a_failing_task_of_a_finished_run_cleared_alone_leaves_its_verdict(chain: Chain) -> None:
    before = finished(chain, "first")
    chain.sis = None
    chain.clear("first", "extract.users", downstream=False)
    assert finished(chain, "first") == before
