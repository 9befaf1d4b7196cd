"""Archiving leavers: its own transaction, after everything else of the night is done and visible."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from include.mingasync.directory.counts import Counts, count_run
from include.mingasync.directory.load import lock_district
from include.mingasync.directory.runs import is_undone
from include.mingasync.run import Run


def held(connection: psycopg.Connection[Any], run_no: int) -> list[dict[str, Any]]:
    """What waits for an approval: school_id, school, role, people to archive, of how many there."""
    rows = connection.execute(
        """
        select c.school_id, coalesce(s.name, c.school_id, 'no school'), c.role, count(*),
               (r.guard ->> concat(c.school_id, '|', c.role))::integer
        from directory.changes as c
        join directory.sync_runs as r using (run_no)
        left join directory.schools as s on s.district = r.district and s.school_id = c.school_id
        where c.run_no = %s and c.status = 'held'
        group by c.school_id, s.name, c.role, r.guard
        order by 2, 3
        """,
        (run_no,),
    ).fetchall()
    return [dict(zip(("school_id", "school", "role", "people", "of"), row, strict=True)) for row in rows]


def approve(connection: psycopg.Connection[Any], run_no: int, by: str) -> int:
    """How many held archives an approval releases: those of this run, no more than were shown."""
    with connection.transaction():
        released = connection.execute(
            "update directory.changes set status = 'planned' where run_no = %s and status = 'held'", (run_no,)
        ).rowcount
        _answered(connection, run_no, "approved", by)
    return released


def reject(connection: psycopg.Connection[Any], run_no: int, by: str | None) -> None:
    """Keep the held archives of a run held for good; ``by`` is None when nobody answered in time."""
    with connection.transaction():
        _answered(connection, run_no, "rejected" if by else "none", by)


def _answered(connection: psycopg.Connection[Any], run_no: int, answer: str, by: str | None) -> None:
    connection.execute(
        "update directory.sync_runs set answer = %s, answered_by = %s, answered_at = now() where run_no = %s",
        (answer, by, run_no),
    )


def archive(connection: psycopg.Connection[Any], run: Run, run_no: int) -> Counts:
    """The counts of a run after its planned archives were carried out; held and suppressed ones stay as they are.

    Somebody whose switch was turned off, or who was changed by hand since the plan was made, is left alone. A run that was
    undone archives nobody.
    """
    with connection.transaction(), psycopg.ClientCursor(connection) as cursor:
        lock_district(cursor, run.district)
        if run.applies and not is_undone(connection, run_no):
            cursor.execute(_ARCHIVE, {"run_no": run_no, "district": run.district})
        counts = count_run(connection, run_no)
        cursor.execute("update directory.sync_runs set counts = %s where run_no = %s", (Jsonb(counts), run_no))
    return counts


_ARCHIVE = """
with leavers as (
    select c.entity_no as person_id, p.status = 'active' and p.include_in_sync as still
    from directory.changes as c join directory.people as p on p.person_id = c.entity_no
    where c.run_no = %(run_no)s and c.entity = 'person' and c.action = 'archive' and c.status = 'planned'
), marked as (
    update directory.changes as c set status = case when leavers.still then 'applied' else 'conflict' end
    from leavers
    where c.run_no = %(run_no)s and c.entity = 'person' and c.action = 'archive' and c.entity_no = leavers.person_id
), off as (
    select rolls.list_id, rolls.manager, array_agg(person_id order by person_id) as people
    from leavers
    join (
        select m.list_id, m.manager, unnest(m.people) as person_id
        from directory.memberships as m join directory.user_lists as l using (list_id)
        where l.district = %(district)s and l.kind <> 'manual'
    ) as rolls using (person_id)
    where leavers.still
    group by 1, 2
), off_lists as (
    update directory.memberships as m
    set people = array(select unnest(m.people) except select unnest(off.people) order by 1)
    from off where m.list_id = off.list_id and m.manager = off.manager
), kept as (
    insert into directory.membership_changes (run_no, list_id, manager, action, status, reason, people)
    select %(run_no)s, list_id, manager, 'remove', 'applied', 'roster', people from off order by list_id
)
update directory.people as p set status = 'archived', archived_at = now(), updated_at = now()
from leavers where leavers.still and p.person_id = leavers.person_id;
"""
