"""When a scheduled run has nothing to do, and what it says; a run that a person starts always has something to do."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from include.mingasync.airflow_glue import nightly
from include.mingasync.directory import runs
from include.mingasync.run import Kind, Run
from include.mingasync.settings import Settings

NIGHT = dt.date(2026, 11, 24)
ON = {"automatic_rostering": True}
PAUSED = ON | {"quiet": [{"from": "2026-11-24", "to": "2026-11-30", "mode": "pause"}]}
ADDING = ON | {"quiet": [{"from": "2026-11-24", "to": "2026-11-30", "mode": "additions_only"}]}


def reason(kind: Kind, settings: dict[str, Any], *, loaded: bool, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """Why a run has nothing to do in a district that was loaded before, or never was."""
    monkeypatch.setattr(runs, "last_loaded", lambda connection, district: {"run_no": 1} if loaded else None)
    run = Run("oak", "one", kind, dt.datetime.combine(NIGHT, dt.time(8), dt.UTC), NIGHT)
    return nightly._reason_to_skip(None, run, Settings.model_validate(settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "loaded", "says"),
    [
        ({}, True, "Automatic rostering is off (setting automatic_rostering). Nothing was changed."),
        (PAUSED, True, "The sync is paused from 2026-11-24 to 2026-11-30 (setting quiet). Nothing was changed."),
        (ON, False, "The first sync is started by a person: trigger this DAG by hand once. Nothing was changed."),
        (ADDING, False, "The first sync is started by a person: trigger this DAG by hand once. Nothing was changed."),
        (ON, True, None),
        (ADDING, True, None),
    ],
)
def test_a_scheduled_run_that_has_nothing_to_do_says_why(
    settings: dict[str, Any], loaded: bool, says: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reason("nightly", settings, loaded=loaded, monkeypatch=monkeypatch) == says


@pytest.mark.parametrize("kind", ["manual", "preview", "backfill"])
@pytest.mark.parametrize("settings", [{}, PAUSED, ON])
def test_a_run_that_a_person_starts_always_has_something_to_do(
    kind: Kind, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reason(kind, settings, loaded=False, monkeypatch=monkeypatch) is None
