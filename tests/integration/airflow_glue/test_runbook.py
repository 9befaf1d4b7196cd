"""What the runbook advises for a failed task, carried out: the run then ends as a good night, and until then nothing was changed."""

from __future__ import annotations

import datetime as dt
import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk.exceptions import AirflowFailException

from include.mingasync.airflow_glue import context, nightly
from include.mingasync.airflow_glue.approval import APPROVE, ApproveArchive
from include.mingasync.oneroster import read
from include.mingasync.quality import prove as proving
from include.mingasync.run import Kind
from tests.integration.airflow_glue.chain import Chain
from tests.integration.airflow_glue.conftest import SIS, Glue
from tests.integration.airflow_glue.test_clearing import DAY, SETTINGS, active, sis
from tests.integration.directory.tasks import _broken_rules
from tests.integration.directory.world import NIGHT

_REAL_ACCESS = context.sis_access


@pytest.fixture
def chain(glue: Glue, monkeypatch: pytest.MonkeyPatch) -> Chain:
    """A district after its first sync of 20 students and a teacher; 19 students are in the SIS now."""
    made = Chain(glue, sis(20))
    monkeypatch.setattr(read, "read_collection", made.read)
    monkeypatch.setattr(context, "sis_access", lambda district: None)
    monkeypatch.setattr(context, "links", lambda district, run: {})
    glue.settings = json.dumps(SETTINGS)
    assert made.start("first") == "success", made.row("first")["reason"]
    made.sis = sis(19)
    return made


def test_a_connection_of_the_sis_that_is_added_lets_the_night_go_on(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "sis_access", _REAL_ACCESS)
    monkeypatch.delenv("AIRFLOW_CONN_ONEROSTER_OAK")
    before = chain.glue.directory.state()
    assert chain.start("second", night=NIGHT + DAY) == "failed"
    assert chain.states["second"]["open_run"] == "failed" and chain.glue.directory.state() == before
    monkeypatch.setenv("AIRFLOW_CONN_ONEROSTER_OAK", json.dumps(SIS))
    assert chain.clear("second", "open_run") == "success" and active(chain) == 19


def test_a_wrong_key_of_the_connection_that_is_corrected_lets_the_night_go_on(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "sis_access", _REAL_ACCESS)
    monkeypatch.setenv("AIRFLOW_CONN_ONEROSTER_OAK", json.dumps(SIS | {"extra": '{"auht": "bearer"}'}))
    before = chain.glue.directory.state()
    assert chain.start("second", night=NIGHT + DAY) == "failed"
    assert chain.states["second"]["open_run"] == "failed" and chain.glue.directory.state() == before
    monkeypatch.setenv("AIRFLOW_CONN_ONEROSTER_OAK", json.dumps(SIS))
    assert chain.clear("second", "open_run") == "success" and active(chain) == 19


def test_a_sis_that_was_away_is_read_once_its_task_is_cleared(chain: Chain) -> None:
    there, chain.sis = chain.sis, None
    before = chain.glue.directory.state()
    assert chain.start("second", night=NIGHT + DAY) == "failed" and chain.glue.directory.state() == before
    failed = [task for task, state in chain.states["second"].items() if state == "failed"]
    chain.sis = there
    assert chain.clear("second", failed[0]) == "success" and active(chain) == 19


@pytest.mark.parametrize("kind", ["manual", "nightly", "backfill"])
def test_data_that_cannot_be_trusted_are_read_again_once_the_sis_is_right(
    chain: Chain, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    there, chain.sis = chain.sis, sis(0)
    chain.sis.users = []
    before = chain.glue.directory.state()
    assert chain.start("second", kind, night=NIGHT + DAY) == "failed"
    reason = chain.row("second")["reason"]
    assert "The SIS sent no users. Once that is right, clear the task extract.orgs and everything after it" in reason
    (command,) = [line for line in caplog.messages if line.startswith("Next: ")]
    assert kind == "manual" or "--task-regex extract.orgs --downstream" in command
    assert chain.states["second"]["validate"] == "failed" and chain.glue.directory.state() == before
    chain.sis = there
    assert chain.clear("second", "extract.orgs") == "success" and active(chain) == 19
    assert not [line for line in caplog.messages if line.startswith("Replaying")]


def test_a_run_with_older_settings_than_another_of_its_night_loads_with_those_of_now(chain: Chain) -> None:
    assert chain.start("second", night=NIGHT + DAY, marked=["load"]) == "failed"
    assert chain.start("third", night=NIGHT + DAY) == "success"
    before = chain.glue.directory.state()
    # Read again, its data are newer than those of the third run; its settings are not.
    chain.sis = sis(18)
    assert chain.clear("second", "extract.orgs") == "superseded" and chain.glue.directory.state() == before
    assert "Run third was loaded with newer settings than this run has" in chain.row("second")["reason"]
    assert chain.clear("second", "open_run") == "success" and active(chain) == 18


def test_an_answer_that_was_not_kept_is_asked_for_once_more(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    chain.sis = sis(10)
    assert chain.start("second", night=NIGHT + DAY) == "held"
    chain.glue.directory.do("update directory.sync_runs set answer = null, answered_by = null where run_id = 'second'")
    answer = {"chosen_options": [APPROVE], "params_input": {}, "responded_by_user": {"name": "pat"}}
    with monkeypatch.context() as away:
        away.setattr(HITLOperator, "execute_complete", lambda self, context, event: answer)
        away.setattr(context, "directory", chain.glue.real_directory)
        away.setenv("AIRFLOW_CONN_ROSTER_DB", "postgres://nobody@127.0.0.1:9/roster")
        with pytest.raises(
            AirflowFailException, match=r"The answer was not kept.*Nobody was archived.*clear this task and everything after it"
        ):
            ApproveArchive(task_id="approve").execute_complete({}, {})
    assert active(chain) == 20 and chain.row("second")["answer"] is None
    chain.answer = "approve"
    assert chain.clear("second", "approve") in ("success", "completed_with_errors") and active(chain) == 10
    assert (chain.row("second")["answer"], chain.row("second")["answered_by"]) == ("approved", "pat")


def test_a_directory_that_was_away_is_loaded_once_the_failed_tasks_are_cleared(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, real = chain.glue.directory.state(), nightly.load

    def away() -> Any:
        """The directory goes away for the one task."""
        with monkeypatch.context() as patch:
            patch.setattr(context, "directory", chain.glue.real_directory)
            patch.setenv("AIRFLOW_CONN_ROSTER_DB", "postgres://nobody@127.0.0.1:9/roster")
            return real()

    with monkeypatch.context() as patch:
        patch.setattr(nightly, "load", away)
        assert chain.start("second", night=NIGHT + DAY) == "failed"
    assert chain.states["second"]["load"] == "failed" and chain.glue.directory.state() == before
    assert chain.clear("second", "load") == "success" and active(chain) == 19


def test_a_full_disk_is_told_and_the_night_goes_on_once_there_is_room(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    before, really = chain.glue.directory.state(), nightly.transform

    def full(path: Any, flags: int, *more: Any, **others: Any) -> int:
        """A file of which nothing but its name fits on the disk."""
        made = opened(path, flags, *more, **others)
        if flags & os.O_CREAT and str(path).endswith(".part"):
            os.close(made)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return made

    def without_room() -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(os, "open", full)
            return really()

    opened = os.open
    with monkeypatch.context() as patch:
        patch.setattr(nightly, "transform", without_room)
        assert chain.start("second", night=NIGHT + DAY) == "failed"
    said = "The snapshot store refused a file (No space left on device). Nothing of this step was kept."
    assert chain.row("second")["reason"].startswith(said) and said in chain.glue.notes[-1]
    assert chain.states["second"]["transform"] == "failed" and chain.glue.directory.state() == before
    assert not list(Path(context.snapshot_of(chain.glue.run).url.removeprefix("file://")).rglob("*.part"))
    assert chain.clear("second", "transform") == "success" and active(chain) == 19


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the pages of great-expectations, which cost most of the time."""
    monkeypatch.setattr(proving, "broken_rules", _broken_rules)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("task", ["open_run", "extract.users"])
def test_a_night_that_is_taken_up_on_a_paused_day_is_skipped_and_says_so(chain: Chain, task: str) -> None:
    """What its task would read now is the SIS of the rollover; the pause begins after the night and is still going on."""
    today = dt.datetime.now(dt.UTC).date()
    pause = {"from": str(NIGHT + 2 * DAY), "to": str(today + 9 * DAY), "mode": "pause"}
    chain.glue.settings = json.dumps(SETTINGS | {"quiet": [pause]})
    there, chain.sis = chain.sis, None
    before = chain.glue.directory.state()
    assert chain.start("second", "nightly", night=NIGHT + DAY) in ("failed", "skipped")
    chain.sis = there
    assert chain.clear("second", task) == "skipped" and chain.glue.directory.state() == before
    reason = chain.row("second")["reason"]
    assert "The data of this night would be those of " in reason
    assert f"The sync is paused from {pause['from']} to {pause['to']} (setting quiet). Nothing was changed." in reason
    # Whoever starts a run by hand means it.
    assert chain.start("third", "manual", night=NIGHT + 3 * DAY) == "success" and active(chain) == 19


@pytest.mark.usefixtures("quick")
def test_a_good_night_that_is_cleared_on_a_paused_day_stays_as_it_was(chain: Chain) -> None:
    assert chain.start("second", "nightly", night=NIGHT + DAY) == "success" and active(chain) == 19
    settings = chain.row("second")["settings"]
    today = dt.datetime.now(dt.UTC).date()
    settings["quiet"] = [{"from": str(NIGHT + 2 * DAY), "to": str(today + 9 * DAY), "mode": "pause"}]
    chain.glue.directory.do("update directory.sync_runs set settings = %s where run_id = 'second'", json.dumps(settings))
    before, chain.sis = chain.glue.directory.state(), sis(10)
    assert chain.clear("second", "open_run") == "success"
    assert chain.glue.directory.state() == before


@pytest.mark.usefixtures("quick")
def test_data_that_were_read_on_a_paused_day_are_not_loaded_once_it_is_over(chain: Chain) -> None:
    today = dt.datetime.now(dt.UTC).date()
    before = chain.glue.directory.state()
    assert chain.start("second", "nightly", night=NIGHT + DAY, marked=["load", "archive"]) == "failed"
    settings = chain.row("second")["settings"]
    settings["quiet"] = [{"from": str(today - DAY), "to": str(today + DAY), "mode": "pause"}]
    chain.glue.directory.do("update directory.sync_runs set settings = %s where run_id = 'second'", json.dumps(settings))
    assert chain.clear("second", "load") == "skipped" and chain.glue.directory.state() == before
