"""Whom the SIS still enrolls though it does not send them: a sign that the sharing was changed, and nobody left."""

from __future__ import annotations

import pyarrow.compute as pc

from include.mingasync.errors import MingaSyncError
from include.mingasync.snapshot import Snapshot


def still_enrolled(url: str | None) -> list[str]:
    """The sourcedIds of active enrollments that no user of a snapshot bears; none where it cannot be read any more."""
    if not url:
        return []
    try:
        snapshot = Snapshot(url)
        users = snapshot.table("users", ["sourced_id"]).column("sourced_id")
        rows = snapshot.table("enrollments", ["user_id", "status"])
    except (OSError, MingaSyncError):
        return []
    enrolled = pc.unique(rows.filter(pc.equal(rows.column("status"), "active")).column("user_id")).drop_null()
    return [str(one) for one in enrolled.filter(pc.invert(pc.is_in(enrolled, users))).to_pylist()]
