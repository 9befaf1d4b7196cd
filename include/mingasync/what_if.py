"""*What if*: what the next night of a district does with other settings, found by planning that night and taking it back."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import psycopg

from include.mingasync.contacts import Contacts, forget_unwanted
from include.mingasync.directory import runs
from include.mingasync.directory.counts import Counts
from include.mingasync.directory.locking import at_most, lock_free_district
from include.mingasync.errors import LoadRefused, SnapshotUnusable
from include.mingasync.planning import Planning
from include.mingasync.run import Run
from include.mingasync.snapshot import Snapshot, loaded_before

if TYPE_CHECKING:
    from include.mingasync.district import District
    from include.mingasync.settings import Settings

#: A night that begins meanwhile waits no longer than this.
_SECONDS_HELD = 20
_IN_MEMORY = "memory://mingasync-what-if"
_NONE_YET = "No snapshot yet: run a preview first."
_SPOILT = "The snapshot of the last run cannot be used: a file is missing or is not the one that was read."
_KNOWN_AGAIN = "It is known again after the next run."


@dataclass(frozen=True)
class Ahead:
    """The plan of the next night; its rows are those of ``run_no`` until the caller's transaction is taken back.

    ``run`` is planned as a preview. ``read_at``: when the SIS was read. ``skipped``: why the scheduled night does nothing at all,
    so that the plan is that of a sync started by a person. ``contacts_come``: parents' contacts are wanted that were not read.
    """

    run: Run
    run_no: int
    read_at: dt.datetime
    counts: Counts
    skipped: str | None
    contacts_come: bool


def look_ahead(connection: psycopg.Connection[Any], root: str, district: District, settings: Settings, at: dt.datetime) -> Ahead:
    """What the night that begins at a moment does with these settings, if the SIS sends once more what it sent last.

    To be called in a transaction that is taken back as a whole. The district is held for the plan alone, not while the
    snapshot is proven and the rosters are made, and never waited for: raises psycopg's LockNotAvailable while a run writes,
    and QueryCanceled when it is held for too long. Raises SnapshotUnusable where there is nothing to plan from, CriticalData
    where the night would stop before any change, LoadRefused where a run was loaded meanwhile. ``root``: where the snapshots
    are; nothing is written there.
    """
    night = at.astimezone(ZoneInfo(district.timezone)).date()
    run = Run(district.slug, f"what_if__{uuid.uuid4()}", "preview", at, night)
    last, kept = runs.last_loaded(connection, district.slug), _last_snapshot(connection, root, district.slug)
    run_no, read_at = runs.open_run(connection, run, rehearsed=True), kept.taken_at
    runs.note(connection, run_no, settings=settings.model_dump(mode="json", by_alias=True), settings_at=dt.datetime.now(dt.UTC))
    with _read_again(kept, at) as snapshot:
        # As the extraction does: what the SIS sends of parents whose contact nobody wants is not kept.
        forget_unwanted(snapshot, Contacts.of(settings))
        planning = Planning(connection, run, run_no, district, snapshot, settings)
        planning.prove().refuse_critical()
        planning.derive(root)
        with connection.cursor() as cursor, at_most(connection, _SECONDS_HELD):
            lock_free_district(cursor, district.slug)
            if runs.last_loaded(connection, district.slug) != last:
                raise LoadRefused("A run was loaded at this very moment. Look once more.")
            counts = planning.load()
        contacts_come = bool(snapshot.read_json("derived")["contacts_rest"])
    skipped = runs.why_skipped(connection, replace(run, kind="nightly"), settings)
    return Ahead(run, run_no, read_at, counts, skipped, contacts_come)


def _last_snapshot(connection: psycopg.Connection[Any], root: str, district: str) -> Snapshot:
    """The snapshot of the run that was loaded last; before the first of them, of the last preview."""
    known = runs.loaded_runs(connection, district) or runs.previewed_runs(connection, district)
    if not known:
        raise SnapshotUnusable(_NONE_YET)
    snapshot = next(loaded_before(root, district, known[:1]), None)
    if snapshot is None:
        raise SnapshotUnusable(
            "The snapshot of the last run is not there any more, or this version of the product cannot use it, or the api-server "
            f"looks for it elsewhere (MINGASYNC_SNAPSHOTS). {_KNOWN_AGAIN}"
        )
    if snapshot.is_of_older_version():
        raise SnapshotUnusable(f"The snapshot of the last run was written by an older version of the product. {_KNOWN_AGAIN}")
    return snapshot


@contextmanager
def _read_again(kept: Snapshot, at: dt.datetime) -> Iterator[Snapshot]:
    """A copy in memory, to which the night may add what it makes."""
    copy = Snapshot(f"{_IN_MEMORY}/{uuid.uuid4()}")
    try:
        yield kept.copied_to(copy.url, at)
    except SnapshotUnusable as error:
        raise SnapshotUnusable(f"{_SPOILT} {_KNOWN_AGAIN}") from error
    finally:
        copy.delete_if_there()
