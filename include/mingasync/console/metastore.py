"""Airflow's own database, for what the console reads and changes there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.utils.session import create_session
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from include.mingasync.console.reading import Unreadable


@contextmanager
def metastore(why: str, kept: str) -> Iterator[Session]:
    """A session that is kept as a whole at the end of the block, or not at all.

    Raises Unreadable where the database does not answer: ``why`` says what it was asked for, ``kept`` what was not done.
    """
    try:
        with create_session(scoped=False) as session:
            yield session
    except SQLAlchemyError as error:
        raise Unreadable(
            f"Airflow's own database, which {why}, does not answer.",
            f"Try again in a moment; the api-server's log has the database's own words. {kept}",
        ) from error
