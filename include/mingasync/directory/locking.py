"""The lock of a district."""

from __future__ import annotations

from typing import Any

import psycopg


def lock_district(cursor: psycopg.Cursor[Any], district: str) -> None:
    """Hold the district until the transaction ends: one run at a time, and what people do by hand waits."""
    cursor.execute("select directory.lock_district(%s)", (district,))
