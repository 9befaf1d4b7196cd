"""Undo: reverses what one run did, leaving later edits alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from include.mingasync.directory.counts import Counts, count_run
from include.mingasync.directory.load import lock_district
from include.mingasync.errors import MingaSyncError
from include.mingasync.run import Run

_SQL = Path(__file__).parent / "sql" / "undo.sql"


def undo(connection: psycopg.Connection[Any], run: Run, run_no: int, target_run_id: str) -> Counts:
    """The counts of the undo, with ``conflicts``, the number of edits made since that were left as they are.

    Run again it finds nothing more to reverse. Raises MingaSyncError when the district has no such run.
    """
    with connection.transaction(), psycopg.ClientCursor(connection) as cursor:
        lock_district(cursor, run.district)
        target = cursor.execute(
            "select run_no, kind from directory.sync_runs where district = %s and run_id = %s",
            (run.district, target_run_id),
        ).fetchone()
        if target is None:
            raise MingaSyncError(
                f"The district {run.district} has no run '{target_run_id}'. Copy the run_id from the OneRoster History. "
                "Nothing was changed."
            )
        if target[1] in ("undo", "preview"):
            raise MingaSyncError(f"A run of kind {target[1]} cannot be undone: it applied no roster. Nothing was changed.")
        cursor.execute(_SQL.read_bytes(), {"run_no": run_no, "target": target[0], "district": run.district})
        counts = count_run(connection, run_no)
        conflicts = cursor.execute(
            "select count(*) from directory.changes where run_no = %s and status = 'conflict'", (run_no,)
        ).fetchone()
        counts["conflicts"] = conflicts[0] if conflicts else 0
        cursor.execute("update directory.sync_runs set counts = %s where run_no = %s", (Jsonb(counts), run_no))
    return counts
