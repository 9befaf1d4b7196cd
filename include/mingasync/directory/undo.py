"""Undo: reverses what one run did, leaving later edits alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg.types.json import Jsonb

from include.mingasync.directory.counts import Counts, count_run, empty_counts
from include.mingasync.directory.locking import lock_district
from include.mingasync.errors import MingaSyncError
from include.mingasync.run import Run

_SQL = Path(__file__).parent / "sql" / "undo.sql"
_UNCOUNT = Path(__file__).parent / "sql" / "35_uncount.sql"
_NOTHING = "Nothing was changed."


class _Target(NamedTuple):
    """The run that is to be undone."""

    run_no: int
    run_id: str
    kind: str
    state: str
    has_ended: bool
    undone_by: str | None
    counts: Counts | None


def undo(connection: psycopg.Connection[Any], run: Run, run_no: int, target_run_id: str) -> Counts:
    """The counts of the undo, with ``reversed`` (people, lists and memberships taken back) and ``conflicts``, the number of
    edits made since that were left as they are.

    Run again it finds nothing more to reverse; ``undone_by`` is then the undo that did it. Raises MingaSyncError when the
    district has no such run, when it has not ended, or when it is none that can be undone.
    """
    with connection.transaction(), psycopg.ClientCursor(connection) as cursor:
        lock_district(cursor, run.district)
        target = _target(cursor, run.district, target_run_id)
        if target.undone_by == run.run_id:  # this very undo, cleared
            counts = _stored(cursor, run_no)
        elif target.undone_by:
            counts = _nothing() | {"undone_by": target.undone_by}
        else:
            _refuse(cursor, target)
            parameters = {"run_no": run_no, "run_id": run.run_id, "target": target.run_no, "district": run.district}
            cursor.execute(_SQL.read_bytes(), parameters | {"night": run.night})
            cursor.execute(_UNCOUNT.read_bytes(), {"uncounted": target.run_no, "district": run.district})
            counts = count_run(connection, run_no) | _taken_back(cursor, target.run_no, run_no) | {"undone_by": run.run_id}
        cursor.execute("update directory.sync_runs set counts = %s where run_no = %s", (Jsonb(counts), run_no))
    return counts


def _target(cursor: psycopg.Cursor[Any], district: str, run_id: str) -> _Target:
    row = cursor.execute(
        """select run_no, run_id, kind, state, finished_at is not null, undone_by, counts
           from directory.sync_runs where district = %s and run_id = %s""",
        (district, run_id),
    ).fetchone()
    if row is None:
        raise MingaSyncError(
            f"The district {district} has no run '{run_id}'. Copy the run_id from the OneRoster History. {_NOTHING}"
        )
    return _Target(*row)


def _refuse(cursor: psycopg.Cursor[Any], target: _Target) -> None:
    if target.kind in ("undo", "preview"):
        raise MingaSyncError(f"A run of kind {target.kind} cannot be undone: it applied no roster. {_NOTHING}")
    if not target.has_ended:
        cure = (
            "It waits for an answer about archives: approve or reject them, then undo it."
            if target.state == "held"
            else "Undo it once it has. If no task of it is going on any more, clear its task notify, which closes it."
        )
        raise MingaSyncError(
            f"The run '{target.run_id}' has not ended, and its tasks would go on after the undo. {cure} {_NOTHING}"
        )
    if _is_forgotten(cursor, target):
        raise MingaSyncError(
            f"What the run '{target.run_id}' changed is kept no longer, so it cannot be taken back. "
            f"Mend the cause and let the next night set it right. {_NOTHING}"
        )


def _is_forgotten(cursor: psycopg.Cursor[Any], target: _Target) -> bool:
    """Whether the run once counted changes of which no row is left, or its rows are being removed for their age."""
    counts = empty_counts() | (target.counts or {})
    changed = any(own[key] for own in counts["people"].values() for key in ("created", "updated", "restored", "archived"))
    changed |= any(own[key] for own in counts["lists"].values() for key in ("created", "updated", "deactivated"))
    changed |= bool(counts["memberships"]["added"] or counts["memberships"]["removed"])
    row = cursor.execute(
        """select forgotten_at is null
                  and (exists (select from directory.changes where run_no = %(run)s)
                       or exists (select from directory.membership_changes where run_no = %(run)s))
           from directory.sync_runs where run_no = %(run)s""",
        {"run": target.run_no},
    ).fetchone()
    return changed and row == (False,)


def _taken_back(cursor: psycopg.Cursor[Any], target: int, run_no: int) -> dict[str, Any]:
    """How many people, lists and memberships are as they were before the run, and how many were left alone."""
    people, lists, memberships, conflicts = cursor.execute(
        """
        select (select count(distinct entity_no) from directory.changes
                where run_no = %(target)s and status = 'undone' and entity = 'person'),
               (select count(distinct entity_no) from directory.changes
                where run_no = %(target)s and status = 'undone' and entity = 'list'),
               (select coalesce(sum(cardinality(people)), 0) from directory.membership_changes
                where run_no = %(target)s and status = 'undone' and reason <> 'tried_again'),
               (select count(*) from directory.changes where run_no = %(run)s and status = 'conflict')
               + (select coalesce(sum(cardinality(people)), 0) from directory.membership_changes
                  where run_no = %(run)s and status = 'conflict')
        """,
        {"target": target, "run": run_no},
    ).fetchone() or (0, 0, 0, 0)
    return {"reversed": {"people": people, "lists": lists, "memberships": int(memberships)}, "conflicts": int(conflicts)}


def _nothing() -> Counts:
    return empty_counts() | {"reversed": dict.fromkeys(("people", "lists", "memberships"), 0), "conflicts": 0}


def _stored(cursor: psycopg.Cursor[Any], run_no: int) -> Counts:
    row = cursor.execute("select counts from directory.sync_runs where run_no = %s", (run_no,)).fetchone()
    return row[0] if row and row[0] else _nothing()
