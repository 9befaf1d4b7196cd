"""Archiving leavers: its own transaction, after everything else of the night is done and visible.

Whoever archives asks again, under the district's lock, whether the newest loaded snapshot still lacks these people.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from include.mingasync.directory.counts import Counts, count_run
from include.mingasync.directory.lacking import count_lacking
from include.mingasync.directory.locking import lock_district
from include.mingasync.directory.runs import is_undone, newer_run
from include.mingasync.run import Run

_SQL = Path(__file__).parent / "sql" / "archive.sql"
_MOVES = Path(__file__).parent / "sql" / "moves_of_attempts.sql"

#: A school's id (None for people without a school) and a role: what is answered as one.
Group = tuple[str | None, str]


def key_of(group: Group) -> str:
    """A group as one word, such as ``student|school-1``."""
    school_id, role = group
    return f"{role}|{school_id or ''}"


def group_of(key: str) -> Group:
    """The group of a key; a word that is none stands for a group in which nobody is."""
    role, _, school_id = key.partition("|")
    return school_id or None, role


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


def ask(connection: psycopg.Connection[Any], run_no: int) -> list[dict[str, Any]]:
    """What is held, as ``held``, now kept as what a person is shown: an approval releases nobody else.

    Asked once more, those who are still held may be answered once more.
    """
    with connection.transaction():
        _lock_district_of(connection, run_no)
        _show(connection, run_no)
        return held(connection, run_no)


def approve(connection: psycopg.Connection[Any], run_no: int, by: str, groups: Iterable[Group] | None = None) -> int:
    """How many held archives an approval releases: those that were shown for this run, and no others.

    ``groups`` approves some schools and roles and rejects the others. The first answer counts. An approval that comes after
    a newer night was loaded releases nobody: that night decided about the same people.
    """
    with connection.transaction():
        _lock_district_of(connection, run_no)
        if not _is_asked(connection, run_no):
            _show(connection, run_no)
        if is_undone(connection, run_no) or newer_run(connection, run_no):
            if _answer(connection, run_no, "none", by):
                _close(connection, run_no, "late", by)
            return 0
        wanted = None if groups is None else list(groups)
        answered = connection.execute(
            """
            update directory.approvals
            set answer = case when %(all)s or (coalesce(school_id, ''), role) in (
                                  select * from unnest(%(schools)s::text[], %(roles)s::text[]))
                              then 'approved' else 'rejected' end,
                answered_by = %(by)s, answered_at = now()
            where run_no = %(run_no)s and answer is null
            returning answer
            """,
            {
                "run_no": run_no,
                "by": by,
                "all": wanted is None,
                "schools": [school_id or "" for school_id, _ in wanted or ()],
                "roles": [role for _, role in wanted or ()],
            },
        ).fetchall()
        answers = {row[0] for row in answered}
        if answers:
            _close(connection, run_no, "partly" if len(answers) == 2 else answers.pop(), by)
        return connection.execute(
            """
            update directory.changes as c set status = 'planned'
            from directory.approvals as a
            where c.run_no = %(run_no)s and c.entity = 'person' and c.action = 'archive' and c.status = 'held'
              and a.run_no = c.run_no and a.person_id = c.entity_no and a.answer = 'approved'
            """,
            {"run_no": run_no},
        ).rowcount


def reject(connection: psycopg.Connection[Any], run_no: int, by: str | None) -> None:
    """Keep the held archives of a run held for good; ``by`` is None when nobody answered in time. The first answer counts."""
    answer = "rejected" if by else "none"
    with connection.transaction():
        _lock_district_of(connection, run_no)
        if not _is_asked(connection, run_no):
            _show(connection, run_no)
        if _answer(connection, run_no, answer, by):
            _close(connection, run_no, answer, by)


def _lock_district_of(connection: psycopg.Connection[Any], run_no: int) -> None:
    row = connection.execute("select district from directory.sync_runs where run_no = %s", (run_no,)).fetchone()
    assert row is not None, "a run is asked about after it was opened"
    with connection.cursor() as cursor:
        lock_district(cursor, row[0])


def _is_asked(connection: psycopg.Connection[Any], run_no: int) -> bool:
    row = connection.execute("select exists (select from directory.approvals where run_no = %s)", (run_no,)).fetchone()
    return row == (True,)


def _show(connection: psycopg.Connection[Any], run_no: int) -> None:
    """Keep whose archive is held now; earlier answers about them are asked for anew."""
    connection.execute(
        """
        insert into directory.approvals as known (run_no, person_id, district, school_id, role)
        select c.run_no, c.entity_no, r.district, c.school_id, c.role
        from directory.changes as c join directory.sync_runs as r using (run_no)
        where c.run_no = %s and c.entity = 'person' and c.action = 'archive' and c.status = 'held'
        on conflict (run_no, person_id) do update
            set school_id = excluded.school_id, role = excluded.role, asked_at = now(),
                answer = null, answered_by = null, answered_at = null
        """,
        (run_no,),
    )
    connection.execute(
        "update directory.sync_runs set answer = null, answered_by = null, answered_at = null"
        " where run_no = %s and exists (select from directory.approvals where run_no = %s and answer is null)",
        (run_no, run_no),
    )


def _answer(connection: psycopg.Connection[Any], run_no: int, answer: str, by: str | None) -> int:
    """How many had not been answered yet, and are now."""
    return connection.execute(
        "update directory.approvals set answer = %s, answered_by = %s, answered_at = now() where run_no = %s and answer is null",
        (answer, by, run_no),
    ).rowcount


def _close(connection: psycopg.Connection[Any], run_no: int, answer: str, by: str | None) -> None:
    connection.execute(
        "update directory.sync_runs set answer = %s, answered_by = %s, answered_at = now() where run_no = %s",
        (answer, by, run_no),
    )


def archive(connection: psycopg.Connection[Any], run: Run, run_no: int) -> Counts:
    """The counts of a run after its planned archives were carried out; held and suppressed ones stay as they are.

    Once a newer night is loaded nobody is archived: that night decided about the same people. Somebody whom the newest snapshot
    has, or whose switch was turned off, or who was archived or linked by hand since the plan was made, is left alone. A run
    that was undone archives nobody. What the directory lacks is counted anew by the newest run where it archived
    somebody; else what the load counted stands.
    """
    with connection.transaction(), psycopg.ClientCursor(connection) as cursor:
        lock_district(cursor, run.district)
        if run.applies and not is_undone(connection, run_no):
            if not archive_leavers(cursor, run, run_no) and (known := _counted(connection, run_no)):
                return known
            counts = count_run(connection, run_no)
            if any(own["archived"] for own in counts["people"].values()) and newer_run(connection, run_no) is None:
                counts |= {"lacking": count_lacking(connection, run.district)}
        else:
            counts = count_run(connection, run_no)
        cursor.execute("update directory.sync_runs set counts = %s where run_no = %s", (Jsonb(counts), run_no))
    return counts


def archive_leavers(cursor: psycopg.Cursor[Any], run: Run, run_no: int) -> bool:
    """Whether the run has archives at all, held ones too; the planned ones are carried out.

    Within the caller's transaction and under the district's lock.
    """
    any_archive = cursor.execute(
        "select exists (select from directory.changes where run_no = %s and entity = 'person' and action = 'archive')", (run_no,)
    ).fetchone()
    if any_archive == (False,):
        return False
    is_newest = newer_run(cursor.connection, run_no) is None
    cursor.execute(_SQL.read_bytes(), {"run_no": run_no, "district": run.district, "is_newest": is_newest})
    cursor.execute(_MOVES.read_bytes(), {"run_no": run_no})
    return True


def _counted(connection: psycopg.Connection[Any], run_no: int) -> Counts:
    """The counts that stand in the directory: those of the load, once it happened."""
    row = connection.execute(
        "select counts from directory.sync_runs where run_no = %s and loaded_at is not null and counts ? 'people'", (run_no,)
    ).fetchone()
    return dict(row[0]) if row else {}
