"""What the task of ``mingasync_housekeeping`` does."""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

import fsspec
import psycopg

from include.mingasync.airflow_glue import context
from include.mingasync.airflow_glue.plain_words import in_plain_words
from include.mingasync.district import District, Retention, district_files, read_districts, snapshot_days
from include.mingasync.errors import MingaSyncError
from include.mingasync.results.retention import Kept, remove_old

log = logging.getLogger(__name__)


def keep_house() -> dict[str, int]:
    """How many snapshots and rows were removed for their age, and how many snapshots are kept.

    What fails for one district is told at the end, and keeps no other from being looked after.
    """
    from include.mingasync.directory import runs, schema
    from include.mingasync.private_files import tighten

    with in_plain_words(), context.directory() as connection:
        schema.bring_to_head(connection)
        retentions, unreadable = _retentions(runs.districts(connection))
        found, problems = {"removed": 0, "kept": 0, "tightened": 0, "rows": 0, "people": 0}, [*unreadable]
        for district, (retention, file) in retentions.items():
            try:
                snapshots = _snapshots(connection, district, retention, file is not None)
                found["removed"], found["kept"] = found["removed"] + snapshots.removed, found["kept"] + snapshots.kept
                found["tightened"] += tighten(*fsspec.core.url_to_fs(f"{context.snapshots_root().rstrip('/')}/{district}"))
                if file:
                    _contacts(connection, file)
                rows = _rows(connection, district, retention)
                found["rows"], found["people"] = found["rows"] + rows[0], found["people"] + rows[1]
            except (MingaSyncError, OSError) as error:
                problems.append(f"{district}: {error if isinstance(error, MingaSyncError) else type(error).__name__}")
        log.info("%s", found)
        if problems:
            raise MingaSyncError(f"{len(problems)} district(s) could not be looked after. {' '.join(problems)}")
        return found


def _retentions(known: list[str]) -> tuple[dict[str, tuple[Retention, District | None]], list[str]]:
    """Per district its retention and what its file says, if it still has one; and what keeps districts from being looked after.

    A district whose file is gone is one that this directory had runs of, and has the defaults. One whose file cannot be read
    may have any retention, so nothing of it is removed.
    """
    good, bad = read_districts()
    there = {path.stem for path in district_files()}
    retentions: dict[str, tuple[Retention, District | None]] = {one.slug: (one.retention, one) for one in good}
    retentions |= {slug: (Retention(), None) for slug in known if slug not in there}
    return retentions, [str(file.error) for file in bad]


def _snapshots(connection: psycopg.Connection[Any], district: str, retention: Retention, is_there: bool) -> Kept:
    from include.mingasync.directory import runs
    from include.mingasync.snapshot import Snapshot, folders_of, newest_loaded, snapshots_of

    root = context.snapshots_root()
    needed = {Snapshot.of(root, district, run_id).url for run_id in runs.going_on(connection, district)}
    if is_there:
        base = newest_loaded(root, district, runs.loaded_runs(connection, district))
        # Before anything was loaded, what was read last is all there is.
        kept = base or next(iter(snapshots_of(root, district)), None)
        needed |= {kept.url} if kept else set()
    folders = [one for one in folders_of(root, district) if one.looks_like_one()]
    before = dt.datetime.now(dt.UTC) - dt.timedelta(days=retention.snapshots_days or snapshot_days())
    snapshots = remove_old(folders, before, needed)
    log.info("%s: %s snapshots removed, %s kept", district, snapshots.removed, snapshots.kept)
    return snapshots


def _contacts(connection: psycopg.Connection[Any], district: District) -> None:
    """Clear parents' contacts that are not wanted any more, where the district is off or paused and no run does it."""
    from include.mingasync.directory import runs
    from include.mingasync.directory.load import forget_contacts
    from include.mingasync.settings import read_settings

    settings = read_settings(context.settings_text(district), district.settings_variable)
    forget_contacts(connection, district.slug, settings)
    context.forget_contacts(connection, district.slug, settings, runs.going_on(connection, district.slug))


def _rows(connection: psycopg.Connection[Any], district: str, retention: Retention) -> tuple[int, int]:
    from include.mingasync.directory.retention import remove_old_rows

    removed = remove_old_rows(connection, district, retention, dt.datetime.now(dt.UTC))
    log.info("%s: %s", district, removed)
    return removed.changes + removed.issues + removed.mails, removed.people
