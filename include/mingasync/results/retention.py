"""Which snapshots go: the old ones, never a district's newest whole one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from include.mingasync.snapshot import Snapshot


def remove_old(newest_first: Sequence[Snapshot], before: dt.datetime) -> int:
    """How many snapshots were removed: those taken before a moment, but for the first given."""
    old = [snapshot for snapshot in newest_first[1:] if snapshot.taken_at < before]
    for snapshot in old:
        snapshot.delete()
    return len(old)
