"""The counts of a run, from the rows of its plan (PRODUCT section 10)."""

from __future__ import annotations

from typing import Any

import psycopg

from include.mingasync.settings import LIST_KINDS, ROLES

_PEOPLE = (
    "created", "updated", "restored", "archived", "unchanged", "update_suppressed", "archive_suppressed", "archive_held",
    "skipped",
)  # fmt: skip
_LISTS = ("created", "updated", "deactivated", "unchanged")
_DONE = {"create": "created", "update": "updated", "restore": "restored", "archive": "archived", "deactivate": "deactivated"}

Counts = dict[str, Any]


def empty_counts() -> Counts:
    """Counts with every key and nothing counted."""
    return {
        "people": {role: dict.fromkeys(_PEOPLE, 0) for role in ROLES},
        "lists": {kind: dict.fromkeys(_LISTS, 0) for kind in LIST_KINDS},
        "memberships": {"added": 0, "removed": 0},
        "issues": {"critical": 0, "error": 0, "warning": 0},
    }


def count_run(connection: psycopg.Connection[Any], run_no: int) -> Counts:
    """The counts of a run as its rows say now; what was unchanged is taken from what the load counted."""
    counts = empty_counts()
    (unchanged, preview) = connection.execute(
        "select coalesce(counts -> 'unchanged', '{}'), kind = 'preview' from directory.sync_runs where run_no = %s", (run_no,)
    ).fetchone() or ({}, False)
    done = {"applied", "planned"} if preview else {"applied"}
    for entity, role, action, status, number in connection.execute(
        """
        select entity, role, action, status, count(*) from directory.changes
        where run_no = %s and entity_no is not null and action <> 'update' group by 1, 2, 3, 4
        union all
        -- Somebody may be updated for two reasons in one run and is one person all the same.
        select entity, role, action, status, count(distinct entity_no) from directory.changes
        where run_no = %s and entity_no is not null and action = 'update' group by 1, 2, 3, 4
        union all
        select entity, role, 'skip', status, count(*) from directory.changes
        where run_no = %s and entity_no is null group by 1, 2, 3, 4
        """,
        (run_no, run_no, run_no),
    ):
        group = counts["people" if entity == "person" else "lists"].get(role)
        key = _key(action, status, done)
        if group is not None and key in group:
            group[key] += number
    counts["memberships"] = _memberships(connection, run_no, preview)
    for severity, number in connection.execute(
        "select severity, count(*) from directory.sync_issues where run_no = %s group by 1", (run_no,)
    ):
        counts["issues"][severity] = number
    for group, numbers in unchanged.items():
        for name, number in numbers.items():
            counts[group][name]["unchanged"] = number
    counts["unchanged"] = unchanged
    return counts


def _key(action: str, status: str, done: set[str]) -> str | None:
    if action == "skip" or (action == "create" and status == "suppressed"):
        return "skipped"
    if status in done:
        return _DONE.get(action)
    return {
        ("update", "suppressed"): "update_suppressed",
        ("archive", "suppressed"): "archive_suppressed",
        ("archive", "held"): "archive_held",
    }.get((action, status))


def _memberships(connection: psycopg.Connection[Any], run_no: int, preview: bool) -> dict[str, int]:
    query = """
        select coalesce(sum(cardinality(people)) filter (where action = 'add' and status = %(done)s), 0),
               coalesce(sum(cardinality(people)) filter (where action = 'remove' and status = %(done)s), 0),
               coalesce(sum(cardinality(people)) filter (where status = 'suppressed'), 0)
        from directory.membership_changes where run_no = %(run)s"""
    parameters = {"run": run_no, "done": "planned" if preview else "applied"}
    added, removed, suppressed = connection.execute(query, parameters).fetchone() or (0, 0, 0)
    return {"added": added, "removed": removed, "suppressed": suppressed}
