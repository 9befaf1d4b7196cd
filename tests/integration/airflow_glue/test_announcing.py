"""After which runs the Asset of a district's directory is announced, and with what numbers."""

from __future__ import annotations

import ast
import datetime as dt
import json
from pathlib import Path

import pytest

from include.mingasync.airflow_glue import context, nightly, undoing
from include.mingasync.oneroster import read
from tests.integration.airflow_glue.chain import Chain
from tests.integration.airflow_glue.conftest import Glue
from tests.integration.airflow_glue.test_clearing import SETTINGS, sis
from tests.integration.directory.world import NIGHT

DAY = dt.timedelta(days=1)
ROOT = Path(__file__).parents[3]


@pytest.fixture
def chain(glue: Glue, monkeypatch: pytest.MonkeyPatch) -> Chain:
    """A district after its first sync of 20 students and a teacher, on six lists."""
    made = Chain(glue, sis(20))
    monkeypatch.setattr(read, "read_collection", made.read)
    monkeypatch.setattr(context, "sis_access", lambda district: None)
    monkeypatch.setattr(context, "links", lambda district, run: {})
    glue.settings = json.dumps(SETTINGS)
    assert made.start("first") == "success", made.row("first")["reason"]
    return made


def test_a_night_is_announced_with_its_numbers_and_nobodys_name(chain: Chain) -> None:
    (first,) = chain.glue.announced
    assert (first["run_id"], first["kind"], first["state"]) == ("first", "manual", "success")
    tables = chain.glue.directory.value(
        "select (select count(*) from directory.people) + (select count(*) from directory.user_lists)"
        " + (select count(*) from directory.list_members)"
    )
    assert first["changes"] == tables > 100
    assert first["counts"]["people"]["student"]["created"] == 20
    told = json.dumps(first)
    assert "Oak1" not in told and "@" not in told and "u1" not in told


def test_a_night_that_proves_that_nothing_changed_is_announced_as_that(chain: Chain) -> None:
    assert chain.start("second", night=NIGHT + DAY) == "success"
    assert [one["changes"] for one in chain.glue.announced[1:]] == [0]


def test_a_held_night_is_announced_as_held(chain: Chain) -> None:
    chain.sis, chain.answer = sis(10), None
    assert chain.start("second", night=NIGHT + DAY) == "held"
    assert [one["state"] for one in chain.glue.announced[1:]] == ["held"]


@pytest.mark.parametrize("how", ["failed", "skipped", "preview", "superseded", "old"])
def test_what_loaded_nothing_new_is_not_announced(chain: Chain, how: str) -> None:
    if how == "failed":
        chain.sis = None
        assert chain.start("second", night=NIGHT + DAY) == "failed"
    elif how == "skipped":
        chain.glue.settings = "{}"
        assert chain.start("second", kind="nightly", night=NIGHT + DAY) == "skipped"
    elif how == "preview":
        assert chain.start("second", kind="preview", night=NIGHT + DAY) == "success"
    else:
        chain.sis = None if how == "superseded" else chain.sis
        chain.start("second", night=NIGHT + DAY)
        chain.sis = sis(20)
        chain.start("third", night=NIGHT + 2 * DAY)
        del chain.glue.announced[1:]
        assert chain.clear("second", "open_run" if how == "superseded" else "notify") in ("superseded", "success")
    assert len(chain.glue.announced) == 1


def test_an_undo_is_announced_with_what_it_reversed_and_only_once(chain: Chain) -> None:
    chain.sis = sis(21)
    assert chain.start("second", night=NIGHT + DAY) == "success"
    chain.glue.conf |= {"district": "oak", "run_id": "second"}
    undoing.undo()
    undone = chain.glue.announced[-1]
    assert (undone["kind"], undone["counts"]["people"]) == ("undo", 1) and undone["changes"] > 1
    undoing.get_current_context()["dag_run"].run_id = "manual__again"
    undoing.undo()
    assert len(chain.glue.announced) == 3
    assert nightly.notify() and len(chain.glue.announced) == 3, "what was undone is not announced again"


def test_an_undo_that_left_something_alone_says_so(chain: Chain) -> None:
    chain.sis = sis(20, "Elm")
    assert chain.start("second", night=NIGHT + DAY) == "success"
    person = chain.glue.directory.value("select person_id from directory.people where sourced_id = 'u1'")
    chain.glue.directory.do("select directory.pin_field(%s, 'family_name', 'Elm1', 'asked for')", person)
    chain.glue.conf |= {"district": "oak", "run_id": "second"}
    undoing.undo()
    assert chain.glue.announced[-1]["state"] == "completed_with_errors"


def test_the_example_waits_for_an_asset_of_the_name_that_is_announced() -> None:
    text = (ROOT / "docs" / "examples" / "after_a_good_night.py").read_text(encoding="utf-8")
    named = [one.value for one in ast.walk(ast.parse(text)) if isinstance(one, ast.Constant) and "://" in str(one.value)]
    assert named == ["mingasync://springfield/directory"]
