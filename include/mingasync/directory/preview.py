"""A preview is the run itself, carried out and taken back: only the rows of its plan stay, so it cannot say anything else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

#: What a run leaves of its plan.
_TABLES = ("changes", "membership_changes", "sync_issues")
#: What a load writes into its run's row; whether it was loaded is what a preview does not say.
_OF_RUN = ("guard", "snapshot_at", "collections", "proven", "unproven_because", "counts")


@contextmanager
def taken_back(connection: psycopg.Connection[Any], run_no: int) -> Iterator[None]:
    """Undo whatever the block did to the directory; the rows of its plan stay, and what was applied is planned."""
    with connection.transaction(force_rollback=True), connection.cursor() as cursor:
        yield
        rows = {table: _read(cursor, table, run_no) for table in _TABLES}
        own = cursor.execute(_own("select {} from directory.sync_runs where run_no = %s"), (run_no,)).fetchone()
    with connection.cursor() as cursor:
        for table, content in rows.items():
            _write(cursor, table, run_no, content)
        values = [Jsonb(value) if isinstance(value, dict) else value for value in own or ()]
        cursor.execute(_own("update directory.sync_runs set ({}) = row ({}) where run_no = %s", len(values)), (*values, run_no))


def _own(statement: str, placeholders: int = 0) -> sql.Composed:
    columns = sql.SQL(", ").join(map(sql.Identifier, _OF_RUN))
    return sql.SQL(statement).format(columns, sql.SQL(", ").join([sql.Placeholder()] * placeholders))


def _columns(cursor: psycopg.Cursor[Any], table: str) -> list[str]:
    """The columns that are written; a number that PostgreSQL gives is given anew."""
    return [
        row[0]
        for row in cursor.execute(
            "select column_name from information_schema.columns where table_schema = 'directory' and table_name = %s"
            " and is_identity = 'NO' order by ordinal_position",
            (table,),
        )
    ]


def _read(cursor: psycopg.Cursor[Any], table: str, run_no: int) -> bytes:
    columns = sql.SQL(", ").join(
        sql.SQL("case when status = 'applied' then 'planned' else status end") if name == "status" else sql.Identifier(name)
        for name in _columns(cursor, table)
    )
    query = sql.SQL("copy (select {} from {} where run_no = {}) to stdout (format binary)").format(
        columns, sql.Identifier("directory", table), run_no
    )
    with cursor.copy(query) as copy:
        return b"".join(bytes(part) for part in copy)


def _write(cursor: psycopg.Cursor[Any], table: str, run_no: int, content: bytes) -> None:
    """Put the rows in place of those that the run has now."""
    name = sql.Identifier("directory", table)
    cursor.execute(sql.SQL("delete from {} where run_no = %s").format(name), (run_no,))
    columns = sql.SQL(", ").join(map(sql.Identifier, _columns(cursor, table)))
    with cursor.copy(sql.SQL("copy {} ({}) from stdin (format binary)").format(name, columns)) as copy:
        copy.write(content)
