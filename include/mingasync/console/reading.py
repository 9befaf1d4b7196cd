"""The directory as the console reads it: the statements of ``sql/``, in one read-only transaction per page; and as it writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, cast

import psycopg
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk.exceptions import AirflowNotFoundException
from psycopg import errors
from psycopg.rows import dict_row, tuple_row
from psycopg.types.json import Jsonb

from include.mingasync.directory import schema
from include.mingasync.errors import MingaSyncError, SchemaRefused

CONNECTION = "roster_db"
Row = dict[str, Any]
_SQL = Path(__file__).parent / "sql"
_SECONDS_TO_CONNECT = 5
_SECONDS_TO_ANSWER = 20


class Unreadable(MingaSyncError):
    """The directory cannot be read now: the cause, and the cure beside it."""

    def __init__(self, cause: str, cure: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.cure = cure


class Directory:
    """What the database holds; one to which no run has brought the schema yet is read as holding nothing."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self.has_runs = connection.execute("select to_regclass('directory.sync_runs') is not null").fetchone() == (True,)

    @property
    def connection(self) -> psycopg.Connection[Any]:
        """The connection itself, for what the product already asks of it; its rows are tuples."""
        self._connection.row_factory = tuple_row
        return self._connection

    def rows(self, statement: str, **parameters: Any) -> list[Row]:
        """The rows that a statement of ``sql/`` finds."""
        if not self.has_runs:
            return []
        with self._connection.cursor(row_factory=dict_row) as cursor:
            values = {name: Jsonb(value) if isinstance(value, dict) else value for name, value in parameters.items()}
            return cursor.execute(_text(statement), values).fetchall()


@cache
def _text(statement: str) -> bytes:
    return (_SQL / f"{statement}.sql").read_bytes()


def _connect() -> psycopg.Connection[Any]:
    # get_conn only: the hook's other methods log statements with their parameters.
    own = deepcopy(PostgresHook.get_connection(CONNECTION))
    # Rows come as this module asks for them, whatever kind of cursor the Connection names.
    own.extra = json.dumps({"connect_timeout": _SECONDS_TO_CONNECT, **own.extra_dejson, "cursor": None})
    return cast("psycopg.Connection[Any]", PostgresHook(connection=own).get_conn())


@contextmanager
def directory() -> Iterator[Directory]:
    """The directory as it stands at one moment; Unreadable says why when it cannot be read."""
    with _connected() as connection:
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute(f"set local statement_timeout = '{_SECONDS_TO_ANSWER}s'")
        # A user whom row-level security holds back is told so, and never shown a part of the directory as if it were all.
        # No object that another role made in the schema public is called in place of PostgreSQL's own.
        connection.execute("set local row_security = off; set local search_path = pg_catalog, pg_temp")
        yield Directory(connection)


@contextmanager
def _connected() -> Iterator[psycopg.Connection[Any]]:
    try:
        connection = _connect()
    except AirflowNotFoundException:
        raise Unreadable(
            f"The Connection '{CONNECTION}' (PostgreSQL with the people directory) is missing.",
            f"airflow connections add {CONNECTION} --conn-uri postgresql://user:password@host:5432/database",
        ) from None
    except psycopg.Error as error:
        raise Unreadable(
            "The directory's database does not answer.",
            f"Check that PostgreSQL runs and that the Connection '{CONNECTION}' names the right one.",
        ) from error
    try:
        yield connection
    except psycopg.Error as error:
        raise _refused(error) from error
    except SchemaRefused as error:
        raise Unreadable("The directory's schema does not fit this console.", str(error)) from error
    finally:
        connection.close()


@contextmanager
def writing() -> Iterator[psycopg.Connection[Any]]:
    """A connection that writes, statement by statement; the schema is made first where it is not there or is old."""
    with _connected() as connection:
        connection.autocommit = True
        # While a run holds the district, a person is told so rather than left to wait.
        connection.execute(f"set statement_timeout = '{_SECONDS_TO_ANSWER}s'; set lock_timeout = '{_SECONDS_TO_CONNECT}s'")
        connection.execute("set row_security = off; set search_path = pg_catalog, pg_temp")
        connection.row_factory = tuple_row
        schema.bring_to_head(connection)
        yield connection


@contextmanager
def rehearsing() -> Iterator[tuple[psycopg.Connection[Any], Directory]]:
    """A connection, and the directory over it, for what is done only to see what it does: all is taken back at the end."""
    with _connected() as connection:
        connection.autocommit = True
        connection.execute(f"set statement_timeout = '{_SECONDS_TO_ANSWER}s'; set lock_timeout = '{_SECONDS_TO_CONNECT}s'")
        connection.execute("set row_security = off; set search_path = pg_catalog, pg_temp")
        connection.row_factory = tuple_row
        with connection.transaction(force_rollback=True):
            yield connection, Directory(connection)


@contextmanager
def acting(district: str, *, alone: bool = False) -> Iterator[Directory]:
    """The directory for what somebody does by hand, held until the end of the block: all of it is kept, or nothing.

    Held together with others who do something by hand, or ``alone``.
    """
    with writing() as connection, connection.transaction():
        if alone:
            connection.execute("select directory.lock_district(%s)", (district,))
        connection.execute("select directory.check_may_write(%s, %s)", (district, f"District {district}"))
        yield Directory(connection)


def _refused(error: psycopg.Error) -> Unreadable:
    if isinstance(error, (errors.UndefinedTable, errors.UndefinedColumn)):
        return Unreadable(
            "The directory's schema is older than this console.",
            "Start any district's DAG: a run brings the schema up to date by itself.",
        )
    if isinstance(error, errors.InsufficientPrivilege):
        return Unreadable(
            f"The user of the Connection '{CONNECTION}' may not read the directory.",
            "Let the Connection name the owner of the schema 'directory', or let an administrator grant that owner to its user.",
        )
    if isinstance(error, errors.LockNotAvailable):
        return Unreadable(
            "A run of this district is writing its results now.",
            "Try again when it is done. Nothing was changed.",
        )
    if isinstance(error, errors.QueryCanceled):
        return Unreadable(
            f"The directory's database needed more than {_SECONDS_TO_ANSWER} seconds to answer.",
            "Try again in a moment; if it stays, look at what else the database is busy with.",
        )
    return Unreadable(
        "The connection to the directory's database broke.",
        "Try again in a moment; the api-server's log has the database's own words.",
    )
