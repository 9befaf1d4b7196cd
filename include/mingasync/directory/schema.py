"""Brings the schema ``directory`` to its newest version, by Alembic, under a lock."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import psycopg

log = logging.getLogger(__name__)

_MIGRATIONS = Path(__file__).parent / "migrations"
#: One lock for everybody who may migrate at the same moment ("minga" in bytes).
_LOCK = 0x6D696E6761


def newest() -> str:
    """The newest revision's id, from the file names, so that an up-to-date schema costs no import of Alembic."""
    return max(re.match(r"\d+", path.name)[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))  # type: ignore[index]


def current(connection: psycopg.Connection) -> str | None:
    """The revision that the database is at, or None when it has no directory yet."""
    if connection.execute("select to_regclass('directory.schema_version')").fetchone() == (None,):
        return None
    row = connection.execute("select version_num from directory.schema_version").fetchone()
    return row[0] if row else None


def bring_to_head(connection: psycopg.Connection) -> None:
    """Migrate when the database is behind, else nothing; several runs at once wait for each other.

    The connection must be outside a transaction and is left so.
    """
    behind = current(connection)
    connection.rollback()
    if behind == newest():
        return
    upgrade(connection, "head")
    log.info("Directory schema: %s -> %s", behind or "empty", newest())


def upgrade(connection: psycopg.Connection, revision: str) -> None:
    """Migrate to a revision, under the lock; the connection must be outside a transaction and is left so."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine, text
    from sqlalchemy.pool import StaticPool

    # Alembic speaks through SQLAlchemy; it borrows the very connection, so no second way to reach the database is needed.
    engine = create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool)
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with engine.connect() as alembic_connection:
        alembic_connection.execute(text(f"select pg_advisory_xact_lock({_LOCK})"))
        alembic_connection.execute(text("create schema if not exists directory"))
        config.attributes["connection"] = alembic_connection
        command.upgrade(config, revision)
        alembic_connection.commit()
