"""What the task of ``mingasync_housekeeping`` does."""

from __future__ import annotations

import datetime as dt
import logging
import os
import re

from include.mingasync.airflow_glue import context
from include.mingasync.airflow_glue.nightly import in_plain_words
from include.mingasync.district import read_districts
from include.mingasync.errors import MingaSyncError

log = logging.getLogger(__name__)


def keep_house() -> dict[str, int]:
    """How many snapshots were removed and how many are kept."""
    from include.mingasync.results.retention import remove_old
    from include.mingasync.snapshot import snapshots_of

    with in_plain_words():
        before = dt.datetime.now(dt.UTC) - dt.timedelta(days=days_kept())
        removed = kept = 0
        for district in read_districts()[0]:
            snapshots = snapshots_of(context.snapshots_root(), district.slug)
            gone = remove_old(snapshots, before)
            log.info("%s: %s snapshots removed, %s kept", district.slug, gone, len(snapshots) - gone)
            removed, kept = removed + gone, kept + len(snapshots) - gone
        return {"removed": removed, "kept": kept}


def days_kept() -> int:
    """For how many days a snapshot is kept: MINGASYNC_SNAPSHOT_DAYS, else 30."""
    text = os.environ.get("MINGASYNC_SNAPSHOT_DAYS") or "30"
    if not re.fullmatch(r"0*[1-9][0-9]{0,5}", text):
        raise MingaSyncError(f"MINGASYNC_SNAPSHOT_DAYS is '{text}'; write a whole number of days from 1 on. Nothing was removed.")
    return int(text)
