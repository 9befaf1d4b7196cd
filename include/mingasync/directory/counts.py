"""The counts of a run, from the rows of its plan (docs/names.md, Relations)."""

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


def count_school(connection: psycopg.Connection[Any], run_no: int, school_id: str) -> Counts:
    """As count_run, of one school alone; who or what was unchanged is not known by school and counted as 0."""
    counts = empty_counts()
    _count_changes(connection, run_no, counts, school_id)
    return counts


def count_run(connection: psycopg.Connection[Any], run_no: int, lacking: Counts | None = None) -> Counts:
    """The counts of a run as its rows say now; what was unchanged is taken from what the load counted.

    ``lacking``: as ``count_lacking`` counted it; without it what the run's counts said before stays.
    """
    counts = empty_counts()
    _count_changes(connection, run_no, counts)
    for severity, number in connection.execute(
        "select severity, count(*) from directory.sync_issues where run_no = %s group by 1", (run_no,)
    ):
        counts["issues"][severity] = number
    unchanged, known, erased = connection.execute(
        "select coalesce(counts -> 'unchanged', '{}'), counts -> 'lacking', coalesce(erased, '{}')"
        " from directory.sync_runs where run_no = %s",
        (run_no,),
    ).fetchone() or ({}, None, {})
    for group, numbers in unchanged.items():
        for name, number in numbers.items():
            counts[group][name]["unchanged"] = number
    counts = added(counts, erased)
    counts["unchanged"] = unchanged
    return counts | ({"lacking": lacking or known} if lacking or known else {})


def added(counts: Counts, more: Counts, sign: int = 1) -> Counts:
    """Every number of the counts with the one that stands at the same place in others added, or taken off."""
    together = dict(counts)
    for key, number in more.items():
        if isinstance(number, dict):
            together[key] = added(together.get(key, {}), number, sign)
        else:
            together[key] = together.get(key, 0) + sign * number
    return together


def _count_changes(connection: psycopg.Connection[Any], run_no: int, counts: Counts, school_id: str | None = None) -> None:
    kind = connection.execute("select kind from directory.sync_runs where run_no = %s", (run_no,)).fetchone()
    preview = kind == ("preview",)
    done = {"applied", "planned"} if preview else {"applied"}
    here = psycopg.sql.SQL("school_id = %(school)s" if school_id else "true")
    for entity, role, action, status, number in connection.execute(
        psycopg.sql.SQL(
            """
        select entity, role, action, status, count(*) from directory.changes
        where run_no = %(run)s and entity_no is not null and action <> 'update' and {here} group by 1, 2, 3, 4
        union all
        -- Somebody may be updated for two reasons in one run and is one person all the same.
        select entity, role, action, status, count(distinct entity_no) from directory.changes
        where run_no = %(run)s and entity_no is not null and action = 'update' and {here}
          and not (entity = 'person' and status = 'suppressed') group by 1, 2, 3, 4
        union all
        -- What is held back of somebody may be fields, memberships or both.
        select 'person', role, 'update', 'suppressed', count(*) from (
            select distinct on (person_id) person_id, role, school_id from (
                select entity_no as person_id, role, school_id, 1 as place from directory.changes
                where run_no = %(run)s and entity = 'person' and entity_no is not null
                  and action = 'update' and status = 'suppressed'
                union all
                select moved.person_id, p.role, p.school_ids[1], 2
                from (select distinct unnest(people) as person_id from directory.membership_changes
                      where run_no = %(run)s and status = 'suppressed' and reason <> 'set_aside') as moved
                join directory.people as p using (person_id)
            ) as held_back order by person_id, place
        ) as person where {here} group by 2
        union all
        select entity, role, 'skip', status, count(*) from directory.changes
        where run_no = %(run)s and entity_no is null and {here} group by 1, 2, 3, 4
        """
        ).format(here=here),
        {"run": run_no, "school": school_id},
    ):
        group = counts["people" if entity == "person" else "lists"].get(role)
        key = _key(action, status, done)
        if group is not None and key in group:
            group[key] += number
    counts["memberships"] = _memberships(connection, run_no, preview, school_id)


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


def _memberships(connection: psycopg.Connection[Any], run_no: int, preview: bool, school_id: str | None) -> dict[str, int]:
    query = """
        select coalesce(sum(cardinality(people)) filter (where action = 'add' and status = %(done)s), 0),
               coalesce(sum(cardinality(people)) filter (where action = 'remove' and status = %(done)s), 0),
               coalesce(sum(cardinality(people)) filter (where status = 'suppressed' and reason <> 'set_aside'), 0)
        from directory.membership_changes where run_no = %(run)s"""
    if school_id:
        query += " and list_id in (select list_id from directory.user_lists where school_id = %(school)s)"
    parameters = {"run": run_no, "done": "planned" if preview else "applied", "school": school_id}
    added, removed, suppressed = connection.execute(query, parameters).fetchone() or (0, 0, 0)
    return {"added": added, "removed": removed, "suppressed": suppressed}
