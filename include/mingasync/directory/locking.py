"""The lock of a district."""

from __future__ import annotations

from typing import Any

import psycopg


def lock_district(cursor: psycopg.Cursor[Any], district: str) -> None:
    """Hold the district until the transaction ends: one writer at a time."""
    cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"mingasync {district}",))
