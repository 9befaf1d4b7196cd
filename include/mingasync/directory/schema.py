"""Brings the schema ``directory`` to its newest version, by Alembic, in one transaction under a lock."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import psycopg

from include.mingasync.errors import DirectoryRefused, SchemaRefused

if TYPE_CHECKING:
    import sqlalchemy

log = logging.getLogger(__name__)

_MIGRATIONS = Path(__file__).parent / "migrations"
#: One lock for everybody who may make the schema at the same moment ("minga" in bytes).
_LOCK = 0x6D696E6761
_TRIES = 3
#: Another run's migration may take as long; a table is only waited for while a page or a load goes on.
_SECONDS_FOR_OTHERS = 900
_SECONDS_FOR_A_TABLE = 60
WHO_HOLDS = (
    "select pid, usename, state, xact_start from pg_stat_activity where pid in "
    "(select pid from pg_locks where relation::regclass::text like 'directory.%')"
)
#: Alembic keeps what it is doing in global variables.
_one_at_a_time = Lock()


def newest() -> str:
    """The newest revision's id, from the file names, so that an up-to-date schema costs no import of Alembic."""
    return max(re.match(r"\d+", path.name)[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))  # type: ignore[index]


def current(connection: psycopg.Connection[Any]) -> str | None:
    """The revision that the database is at, or None when it has no directory yet."""
    if connection.execute("select to_regclass('directory.schema_version')").fetchone() == (None,):
        return None
    row = connection.execute("select version_num from directory.schema_version").fetchone()
    return row[0] if row else None


def bring_to_head(connection: psycopg.Connection[Any]) -> None:
    """Migrate when the database is behind, else nothing; several runs at once wait for each other.

    The connection must be outside a transaction and is left so. Raises SchemaRefused, with nothing changed, where it cannot.
    """
    _refuse_strangers(connection)
    behind = current(connection)
    connection.rollback()
    if behind == newest():
        return
    if behind and behind > newest():
        raise SchemaRefused(
            f"The directory is at version {behind}, and this code knows no version after {newest()}. "
            "Install the release that the directory was last used with, or a later one. Nothing was changed."
        )
    for tries_left in range(_TRIES, 0, -1):
        try:
            upgrade(connection, "head")
            break
        except psycopg.errors.DeadlockDetected:  # with whoever reads several tables at this moment
            if tries_left == 1:
                raise
    log.info("Directory schema: %s -> %s", behind or "empty", newest())
    for (statement,) in connection.execute("select directory.statements_for_administrator()").fetchall():
        log.warning("Before an application can be given rights, an administrator of the database runs: %s", statement)
    connection.rollback()


def upgrade(connection: psycopg.Connection[Any], revision: str) -> None:
    """Migrate to a revision, all of it and its stamp or nothing; the connection must be outside a transaction and is left so."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with _one_at_a_time, _in_one_transaction(connection) as transaction:
        # Whoever waited here looks only afterwards at what is there.
        _hold(transaction)
        # Whoever waits for a table makes all wait that come after: not for as long as somebody has forgotten an open transaction.
        transaction.exec_driver_sql(f"set local lock_timeout = '{_SECONDS_FOR_A_TABLE}s'")
        transaction.exec_driver_sql("create schema if not exists directory")
        _act_as_owner(transaction)
        if revision == "head" and current(connection) == newest():
            return
        config.attributes["connection"] = transaction
        if reached := _reached_without_stamp(connection):
            command.stamp(config, reached)
        command.upgrade(config, revision)
        if connection.execute("select to_regprocedure('directory.set_rights()')").fetchone() != (None,):
            connection.execute("select directory.set_rights()")


def _hold(transaction: sqlalchemy.Connection) -> None:
    """Let one run at a time bring the schema up to date, until the transaction ends."""

    def has_stamp() -> bool:
        return transaction.exec_driver_sql("select to_regclass('directory.schema_version') is not null").scalar_one() is True

    transaction.exec_driver_sql(f"set local lock_timeout = '{_SECONDS_FOR_OTHERS}s'")
    if not has_stamp():
        transaction.exec_driver_sql(f"select pg_advisory_xact_lock({_LOCK})")
    if has_stamp():
        # A table that only the owner may lock: the number above can be taken by any session of the server, for ever.
        transaction.exec_driver_sql("lock table directory.schema_version in share row exclusive mode")


@contextmanager
def _in_one_transaction(connection: psycopg.Connection[Any]) -> Iterator[sqlalchemy.Connection]:
    """The connection as Alembic wants it, committed at the end of the block, whether it commits by statement else or not."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import StaticPool

    by_statement = connection.autocommit
    connection.autocommit = False
    # Alembic speaks through SQLAlchemy; it borrows the very connection, so no second way to reach the database is needed.
    engine = create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool)
    try:
        with engine.begin() as transaction:
            yield transaction
    except DBAPIError as error:
        raise _in_plain_words(error.orig) from error.orig
    except psycopg.Error as error:
        raise _in_plain_words(error) from error
    finally:
        if not connection.closed:
            connection.rollback()
            connection.autocommit = by_statement


def _refuse_strangers(connection: psycopg.Connection[Any]) -> None:
    """Stop a user who may not act for the owner: row-level security would show them a directory that is empty."""
    owner = connection.execute(
        "select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'directory' and not pg_has_role(nspowner, 'usage')"
    ).fetchone()
    connection.rollback()
    if owner:
        user, name = connection.info.user, owner[0]
        raise SchemaRefused(
            f"The schema directory belongs to the database role {name}; {user} of the Connection roster_db may not act for it. "
            f'Let the Connection name {name}, or an administrator runs: grant "{name}" to "{user}". Nothing was changed.'
        )


def _act_as_owner(transaction: sqlalchemy.Connection) -> None:
    """Make everything as the owner of the schema, whoever migrates: its functions run by the rights of who owns them."""
    owner, own = transaction.exec_driver_sql(
        "select quote_ident(pg_get_userbyid(nspowner)), pg_get_userbyid(nspowner) = current_user"
        " from pg_namespace where nspname = 'directory'"
    ).one()
    if not own:
        transaction.exec_driver_sql(f"set local role {owner}")


def _reached_without_stamp(connection: psycopg.Connection[Any]) -> str | None:
    """The version that the database is at although its stamp says less, where a run of an older release was killed in between."""
    stamp = current(connection)
    if stamp and stamp >= "0005":
        return None
    (reached,) = connection.execute((_MIGRATIONS / "reached.sql").read_bytes()).fetchone() or (None,)
    if reached == "0001 but for its functions":
        connection.execute((_MIGRATIONS / "versions" / "0001_functions.sql").read_bytes())
        reached = "0001"
    return reached if reached != stamp else None


def _in_plain_words(error: BaseException | None) -> BaseException:
    """What a person can do about an error of the database; the error itself where trying again may be enough."""
    if isinstance(error, psycopg.errors.LockNotAvailable):
        return DirectoryRefused(
            f"The directory's schema could not be brought to version {newest()}: for {_SECONDS_FOR_A_TABLE} s another session of "
            f"the database held one of its tables. This names who holds them: `{WHO_HOLDS}`. Nothing was changed."
        )
    if not isinstance(error, psycopg.Error) or error.sqlstate is None or not error.sqlstate.startswith("42"):
        return error or SchemaRefused("The directory's schema could not be brought up to date. Nothing was changed.")
    said = f"The directory's schema could not be brought to version {newest()}: {error.diag.message_primary} ({error.sqlstate})."
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return SchemaRefused(
            f"{said} The user of the Connection roster_db must own the database, or be allowed to make a schema in it: "
            "an administrator runs alter database … owner to … . Nothing was changed."
        )
    return SchemaRefused(
        f"{said} The database has a schema directory that is not MingaSync's, or whose relations were changed by hand. "
        "Give MingaSync a database of its own, or put the other one aside: alter schema directory rename to directory_before; "
        "the next run makes a new one, and the old rows stay where they are. Nothing was changed."
    )
