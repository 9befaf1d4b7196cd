"""What must hold of runs, whatever order they come in: retries, old runs, undo, previews, and what is told of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from tests.simulation.invariants import ANY
from tests.simulation.judging import Case, invariant

#: Steps that load one whole pull of the world as it is.
PLAIN = ("night", "killed_night", "preview")
_OUTCOMES = Path(__file__).parents[2] / "docs" / "outcomes.md"


def _equal(case: Case, name: str) -> Iterator[str]:
    for which, left, right in case.fact.same:
        if which == name and left != right:
            yield f"{case.fact.words}: {_difference(left, right)}"


def _difference(left: Any, right: Any) -> str:
    """The first few things that are on one side only."""
    if isinstance(left, dict) and isinstance(right, dict):
        keys = [key for key in (*left, *right) if left.get(key) != right.get(key)]
        return "; ".join(f"{key}: {left.get(key)} / {right.get(key)}" for key in dict.fromkeys(keys))[:900]
    if isinstance(left, tuple) and isinstance(right, tuple) and len(left) == len(right):
        return " | ".join(_difference(one, other) for one, other in zip(left, right, strict=True) if one != other)[:900]
    if isinstance(left, (set, frozenset)):
        return f"only before {sorted(left - right)}, only after {sorted(right - left)}"[:900]
    if isinstance(left, list) and isinstance(right, list):
        return f"only left {[one for one in left if one not in right]}, only right {[one for one in right if one not in left]}"[
            :900
        ]
    return f"{left} / {right}"[:900]


@invariant("runs")
def a_kill_ends_as_a_clean_run(case: Case) -> Iterator[str]:
    """A run killed before any statement of any task, and tried again, ends as one that was not killed."""
    return _equal(case, "a_kill_ends_as_a_clean_run")


@invariant("runs")
def a_preview_changes_nothing(case: Case) -> Iterator[str]:
    """A preview leaves people, lists and memberships as they were."""
    return _equal(case, "a_preview_changes_nothing")


@invariant("runs")
def a_preview_is_the_run(case: Case) -> Iterator[str]:
    """What a preview shows is, row by row, what the run does; it does not tell yet the school and role of new places on lists."""
    return _equal(case, "a_preview_is_the_run")


@invariant("runs")
def an_older_run_decides_nothing(case: Case) -> Iterator[str]:
    """No task of a run that a newer one followed, or that was undone, changes anything, whenever it is carried out."""
    return _equal(case, "an_older_run_decides_nothing")


@invariant("runs")
def what_is_not_loaded_changes_nothing(case: Case) -> Iterator[str]:
    """A run that fails, is skipped or superseded before it loads leaves everything as it was."""
    newest = case.fact.after.newest_loaded()
    if any(case.loaded_now(job) for job in case.fact.jobs) or any(
        newest and job.run.run_id == newest["run_id"] for job in case.fact.jobs
    ):
        return
    if case.fact.before.content() != case.fact.after.content():
        yield _difference(case.fact.before.content(), case.fact.after.content())


@invariant("undo")
def undo_brings_back_what_was(case: Case) -> Iterator[str]:
    """Undo of a run since which nothing was done brings back what was before it."""
    was = case.fact.state_before_undone
    row = case.fact.after.runs.get(case.fact.undone or "", {})
    if was is not None and row.get("undone_at") and was.content() != case.fact.after.content():
        yield f"{case.fact.words}: {_difference(was.content(), case.fact.after.content())}"


@invariant("undo")
def undo_deletes_nobody_decided_about(case: Case) -> Iterator[str]:
    """An undo removes no person and no list that was there before the run that it undoes."""
    target = case.fact.before.runs.get(case.fact.undone or "")
    if target is None:
        return
    for what in ("people", "lists"):
        for key, row in getattr(case.fact.before, what).items():
            if key not in getattr(case.fact.after, what) and row["created_at"] < target["started_at"]:
                yield f"{what} {key} is gone by the undo of {case.fact.undone}"


@invariant("runs", "undo")
def no_other_district_is_touched(case: Case) -> Iterator[str]:
    """Nothing of another district in the same database is written."""
    if case.fact.before.beside != case.fact.after.beside:
        yield "the district beside was written"


@invariant("runs")
def no_task_lets_a_fault_out(case: Case) -> Iterator[str]:
    """Every error of a task is one that a person can read."""
    for job in case.fact.jobs:
        if job.fault:
            yield f"{job.run.run_id}: {job.fault}"


@invariant("runs")
def a_whole_pull_does_not_fail(case: Case) -> Iterator[str]:
    """A night that reads all that the SIS has, without a bad record, does not fail, also where its worker was killed once."""
    loaded = {run_id for run_id, row in case.fact.before.runs.items() if row["loaded_at"]}
    if any(job.run.run_id in loaded and job.pull.words.startswith("another district's") for job in case.life.jobs):
        return  # the directory is that district's, and what comes now another one's
    for job in case.fact.jobs:
        row = case.fact.after.runs.get(job.run.run_id, {})
        if case.fact.step.what in PLAIN and job.pull.is_clean and row.get("state") == "failed":
            yield f"{job.run.run_id}: {row['reason']}"


@lru_cache(maxsize=1)
def _documented() -> set[str]:
    return set(re.findall(r"`([a-z_]+)`", _OUTCOMES.read_text(encoding="utf-8")))


@invariant("runs", "undo")
def every_reason_is_documented(case: Case) -> Iterator[str]:
    """Every outcome has a reason, and docs/outcomes.md knows it."""
    for job in case.fact.jobs:
        if not case.loaded_now(job):
            continue
        rows = case.life.connection.execute(
            "select distinct entity, action, status, reason from directory.sync_changes where run_id = %s and district = 'oak'",
            (job.run.run_id,),
        ).fetchall()
        known = _documented() | {
            "gone",
            "ended",
            "class_lists_off",
            "term_not_selected",
            "grade_not_selected",
            "roster",
            "by_hand",
        }
        for entity, action, status, reason in rows:
            if reason not in known:
                yield f"{entity} {action} {status} for the reason {reason}"


@invariant("runs")
def the_counts_are_the_rows(case: Case) -> Iterator[str]:
    """The counts of a run are the rows of its plan, and what was done to the directory."""
    if case.job is None or case.fact.step.what != "night":
        return
    counted = case.row["counts"]["people"]
    made = [row for one, row in case.after.items() if one not in case.before]
    back = [
        row for one, row in case.after.items() if one in case.before and row["status"] == "active" != case.before[one]["status"]
    ]
    for name, rows in (("created", made), ("archived", case.archived), ("restored", back)):
        if (number := sum(own[name] for own in counted.values())) != len(rows):
            yield f"{case.job.run.run_id} counts {number} {name}, and {len(rows)} were"


@invariant("runs")
def a_verdict_is_earned(case: Case) -> Iterator[str]:
    """No run is a success that loaded nothing, holds archives back for an answer, or rests on a pull that proves nothing."""
    for job in case.fact.jobs:
        row = case.fact.after.runs.get(job.run.run_id)
        if row is None or row["state"] != "success" or row["undone_at"] is not None:
            continue
        if row["kind"] != "preview" and row["loaded_at"] is None:
            yield f"{job.run.run_id} is a success and loaded nothing"
        if row["proven"] is False:
            yield f"{job.run.run_id} is a success and proves nothing"


@invariant(*ANY)
def lists_are_seen_by_whom_they_may(case: Case) -> Iterator[str]:
    """Students and archived people see no list; teachers and staff public ones and their own; admins all of their district."""
    state = case.fact.after
    rows = case.life.connection.execute(
        "select p.person_id, array(select l.list_id from directory.lists_visible_to(p.person_id) as l order by 1)"
        " from directory.people as p where p.district = 'oak'"
    ).fetchall()
    for person_id, seen in rows:
        row = state.people[person_id]
        if row["status"] != "active" or row["role"] == "student":
            may: set[int] = set()
        else:
            may = {
                group for group, own in state.lists.items()
                if row["role"] == "admin" or own["visibility"] == "public" or (group, person_id, True) in state.places
            }  # fmt: skip
        if set(seen) != may:
            yield f"person {person_id} ({row['role']}) sees {seen} and may see {sorted(may)}"
