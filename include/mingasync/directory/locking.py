"""The lock of a district."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg


def lock_district(cursor: psycopg.Cursor[Any], district: str) -> None:
    """Hold the district until the transaction ends: one run at a time, and what people do by hand waits."""
    cursor.execute("select directory.lock_district(%s)", (district,))


def lock_free_district(cursor: psycopg.Cursor[Any], district: str) -> None:
    """As lock_district, but never wait for it: raises psycopg's LockNotAvailable while anybody else holds the district."""
    cursor.execute("insert into directory.district_locks (district) values (%s) on conflict do nothing", (district,))
    cursor.execute("select from directory.district_locks where district = %s for update nowait", (district,))


@contextmanager
def at_most(connection: psycopg.Connection[Any], seconds: float) -> Iterator[None]:
    """The block, broken off by psycopg's QueryCanceled at its first statement that goes on after so many seconds in all.

    PostgreSQL's own limits are per statement, and the one per transaction is not in every version.
    """
    is_done = threading.Event()

    def break_off() -> None:
        late = is_done.wait(seconds)
        while not late:
            connection.cancel()
            late = is_done.wait(0.5)

    watching = threading.Thread(target=break_off, daemon=True)
    watching.start()
    try:
        yield
    finally:
        is_done.set()
        watching.join()
