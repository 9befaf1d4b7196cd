"""The Asset of a district's directory: DAGs of others wait for it, and run after each night that loaded it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg

from include.mingasync.airflow_glue import context
from include.mingasync.district import District
from include.mingasync.run import Run

#: After these the directory is as the run's snapshot asks, but for archives that wait for an answer.
_LOADED = ("success", "completed_with_errors", "held")
_CHANGES = ("created", "updated", "restored", "archived", "deactivated", "added", "removed")


def announce_night(connection: psycopg.Connection[Any], district: District, run: Run, run_no: int, state: str) -> bool:
    """Whether a run was announced: it loaded the directory, and no later run did since.

    The event's extra holds ``run_id``, ``kind``, ``state``, the run's ``counts`` and ``changes``: how many people, lists and
    memberships it changed, 0 for a night that proved that nothing was to be changed. It holds no ids of people and no names.
    """
    from include.mingasync.directory import runs

    if not run.applies or state not in _LOADED or not runs.has_loaded(connection, run_no) or runs.newer_run(connection, run_no):
        return False
    row = connection.execute("select counts from directory.sync_runs where run_no = %s", (run_no,)).fetchone()
    assert row is not None, "a run that loaded has a row"
    counts: dict[str, Any] = row[0]
    told = {name: counts[name] for name in ("people", "lists", "memberships", "issues")}
    context.announce(district, _extra(run, state) | {"changes": _changes(counts), "counts": told})
    return True


def announce_undo(district: District, run: Run, state: str, reversed_: Mapping[str, int]) -> None:
    """Announce an undo that changed something; its extra is as a night's, ``counts`` says what was reversed."""
    if changes := sum(reversed_.values()):
        context.announce(district, _extra(run, state) | {"changes": changes, "counts": dict(reversed_)})


def _extra(run: Run, state: str) -> dict[str, Any]:
    return {"run_id": run.run_id, "kind": run.kind, "state": state}


def _changes(counts: Mapping[str, Any]) -> int:
    groups = [*counts["people"].values(), *counts["lists"].values(), counts["memberships"]]
    return sum(number for group in groups for name, number in group.items() if name in _CHANGES)
