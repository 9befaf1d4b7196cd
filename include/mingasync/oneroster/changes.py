"""Incremental pulls: what changed since the last snapshot, asked for by dateLastModified and merged into it.

A server's word for it is not taken. The filter counts as honoured when no record older than asked comes back and a filter that
fits everything finds something; else, and at least once a week, everything is read. What is not in such a night was
simply not asked for, so it never proves that anybody is gone; only a record does that says so.
"""

from __future__ import annotations

import datetime as dt
import logging

import pyarrow as pa
import pyarrow.compute as pc

from include.mingasync.district import District
from include.mingasync.errors import SnapshotUnusable, SourceRefused
from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.decode import without_parents
from include.mingasync.oneroster.failures import AccessRefused, NotSharedError
from include.mingasync.oneroster.merging import apply_changes, still_unreadable, with_roles_over
from include.mingasync.oneroster.paging import Tally
from include.mingasync.oneroster.records import COLUMNS
from include.mingasync.oneroster.rest import RestSource
from include.mingasync.oneroster.values import fit
from include.mingasync.snapshot import Proof, Snapshot

log = logging.getLogger(__name__)

#: What is worth asking so; orgs and terms are few.
_LARGE = frozenset({"courses", "classes", "users", "enrollments"})
#: Somewhat less than a week: the nights of a schedule, which are seconds early or late, lie on one side of it or the other.
_WEEK = dt.timedelta(days=7) - dt.timedelta(hours=8, minutes=30)
#: Asked this much further back: clocks differ, and some servers write local times and call them UTC.
_OVERLAP = dt.timedelta(days=1)
_EVERYTHING = "dateLastModified>'1970-01-01T00:00:00.000Z'"


def changes_since(
    collection: str, district: District, access: Access, snapshot: Snapshot, *, parents: bool, previous: Snapshot
) -> Proof | None:
    """The proof of a collection merged from the previous snapshot and what changed since; None when everything has to be read.

    Raises SourceError when the SIS cannot be read.
    """
    before, base = _base(collection, previous, parents)
    if before is None or base is None:
        return None
    started, whole_at = dt.datetime.now(dt.UTC), before.whole_at or before.started_at
    source, tally = RestSource.of(district, access), Tally()
    since = before.started_at - _OVERLAP
    try:
        if before.rows and not source.has_any(collection, _EVERYTHING):
            _distrust(collection, "a filter that fits everything found nothing")
            return None
        asked = f"dateLastModified>'{since:%Y-%m-%dT%H:%M:%S}.000Z'"
        pages = list(source.pages(collection, tally, parents=parents, asked=asked))
    except AccessRefused:
        raise
    except (NotSharedError, SourceRefused):
        _distrust(collection, "the filter was refused")
        return None
    came = pa.concat_tables(pages) if pages else COLUMNS[collection].append(pa.field("modified", pa.string())).empty_table()
    came, odd = fit(collection, came)
    older = "records older than asked for came back, or some without a date"
    named = pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(came.column("sourced_id")), ""), False)
    all_newer = pc.all(named).as_py() is not False and _all_newer(came.column("modified").to_pylist(), since)
    twice = None if _once_or_the_same(came) else "a record came twice and said different things"
    if doubt := tally.doubt(came.num_rows) or (None if all_newer else older) or twice:
        _distrust(collection, doubt)
        return None
    came = came.drop_columns(["modified"])
    kept = came if parents or collection != "users" else without_parents(came)
    only_parents_now = set(came.column("sourced_id").to_pylist()).difference(kept.column("sourced_id").to_pylist())
    merged = apply_changes(with_roles_over(base, only_parents_now), kept)
    rows, digest = snapshot.write(collection, iter([merged]))
    proof = Proof(
        collection=collection,
        state="changes",
        reason=f"{came.num_rows} records that changed since {since:%Y-%m-%d %H:%M} UTC, merged into the snapshot before",
        rows=rows,
        pages=tally.pages,
        requests=tally.requests,
        retries=tally.retries,
        bytes=tally.bytes,
        sha256=digest,
        parents=parents,
        whole_at=whole_at,
        started_at=started,
        finished_at=dt.datetime.now(dt.UTC),
    )
    snapshot.keep_unreadable(collection, [*odd, *still_unreadable(previous, collection, came)])
    snapshot.prove(proof)
    return proof


def _base(collection: str, previous: Snapshot, parents: bool) -> tuple[Proof, pa.Table] | tuple[None, None]:
    """The proof and rows to merge changes into; None where everything has to be read, as it is at least once a week."""
    before = previous.proofs().get(collection)
    if collection not in _LARGE or before is None or before.state not in ("complete", "changes") or before.parents != parents:
        return None, None
    # Rows that came without a sourcedId are not in the snapshot to be merged into.
    if dt.datetime.now(dt.UTC) - _whole_since(previous) >= _WEEK or before.nameless:
        return None, None
    try:
        return before, previous.table(collection)
    except SnapshotUnusable as unusable:
        _distrust(collection, str(unusable))
        return None, None


def _whole_since(snapshot: Snapshot) -> dt.datetime:
    """When the collection was read in full whose turn is the longest ago.

    The weekly night is one for all of them: nobody is gone while anything is made of changes, and collections that had their
    turns on different nights would never prove it together.
    """
    proofs = (proof for name, proof in snapshot.proofs().items() if name in _LARGE and proof.state in ("complete", "changes"))
    return min(proof.whole_at or proof.started_at for proof in proofs)


def _once_or_the_same(came: pa.Table) -> bool:
    """Whether no record came twice, or only word for word the same."""
    own = came.drop_columns(["modified"])
    if len(pc.unique(own.column("sourced_id"))) == own.num_rows:
        return True
    first: dict[str, object] = {}
    return all(first.setdefault(row["sourced_id"], row) == row for row in own.to_pylist())


def _distrust(collection: str, cause: str) -> None:
    log.warning("%s: asking only for changes is not possible (%s), so everything is read", collection, cause)


def _all_newer(modified: list[str | None], since: dt.datetime) -> bool:
    """Whether every record says that it changed after a moment; a time without zone is taken for UTC."""
    try:
        times = [dt.datetime.fromisoformat(text or "") for text in modified]
    except ValueError:
        return False
    return all((time if time.tzinfo else time.replace(tzinfo=dt.UTC)) >= since for time in times)
