"""Reading one collection of a district into its snapshot, with the proof of how complete it is."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from include.mingasync.district import District
from include.mingasync.errors import SourceRefused
from include.mingasync.oneroster import csv_bundle
from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.bases import Bases
from include.mingasync.oneroster.changes import changes_since
from include.mingasync.oneroster.decode import without_parents
from include.mingasync.oneroster.diagnosis import why_refused
from include.mingasync.oneroster.failures import AccessRefused, NotSharedError
from include.mingasync.oneroster.paging import Tally
from include.mingasync.oneroster.quirks import quirks_of
from include.mingasync.oneroster.records import PARTS, REQUIRED
from include.mingasync.oneroster.rest import RestSource
from include.mingasync.oneroster.values import fit
from include.mingasync.snapshot import Proof, Snapshot

log = logging.getLogger(__name__)

_PULLS = 3
_NAMED = 5  # so many ids a message names
_GROUP = 50_000  # rows written at once


def read_collection(
    collection: str,
    district: District,
    access: Access,
    snapshot: Snapshot,
    *,
    parents: bool,
    bases: Bases | None = None,
    whole: bool = True,
) -> Proof:
    """The proof of a collection that is now in the snapshot.

    ``bases`` say what changes are merged into. ``whole`` False lets a district that wants it (``sis.incremental``) ask only for
    what changed since the newest snapshot that was loaded.

    A pull that moved while it was read (an id twice, or a total that is not met) is read again, at most
    three times; one that still moves is kept and marked incomplete, so that nobody is archived for it.
    Raises SourceError when the SIS cannot be read, or does not share what no sync can do without.
    """
    bases = bases or Bases()
    if district.sis.source == "csv":
        return _from_bundle(collection, district, access, snapshot, parents=parents, bases=bases)
    if district.sis.incremental and not whole and bases.previous is not None:
        proof = changes_since(collection, district, access, snapshot, parents=parents, previous=bases.previous)
        if proof is not None:
            return proof
    return _from_rest(collection, district, access, snapshot, parents=parents)


def _from_bundle(
    collection: str,
    district: District,
    access: Access,
    snapshot: Snapshot,
    *,
    parents: bool,
    bases: Bases,
) -> Proof:
    started, reading = dt.datetime.now(dt.UTC), csv_bundle.Reading()
    bases = bases.with_own(snapshot, collection)
    found = csv_bundle.tables(collection, access, reading, parents=parents, previous=bases.previous)
    rows, digest = snapshot.write(collection, found)
    if reading.absent:
        return _absent(collection, district, snapshot, reading.absent, started)
    _keep_unreadable(snapshot, collection, reading.unreadable)
    lost = bases.lost_changes(collection, digest) if reading.delta else None
    reason = lost or reading.doubt
    proof = Proof(
        collection=collection,
        state="incomplete" if reason else "complete",
        reason=reason,
        rows=rows,
        nameless=reading.nameless_before + _nameless(reading.unreadable),
        left_out_parents=reading.left_out,
        sha256=digest,
        parents=parents,
        delta=reading.delta,
        started_at=started,
        finished_at=dt.datetime.now(dt.UTC),
    )
    snapshot.prove(proof)
    return proof


def _nameless(unreadable: Sequence[tuple[str, str, str]]) -> int:
    """How many of the rows set aside have no readable sourcedId, so that nobody can say who is not gone."""
    return sum(not sourced_id for _, sourced_id, _ in unreadable)


def _keep_unreadable(snapshot: Snapshot, collection: str, unreadable: Sequence[tuple[str, str, str]]) -> None:
    snapshot.keep_unreadable(collection, unreadable)
    if unreadable:
        log.warning("%s: %s rows could not be read and were set aside", collection, len(unreadable))


def _from_rest(collection: str, district: District, access: Access, snapshot: Snapshot, *, parents: bool) -> Proof:
    source, started = RestSource.of(district, access), dt.datetime.now(dt.UTC)
    try:
        return _pulled(source, collection, (collection,), snapshot, parents=parents)
    except NotSharedError as refusal:
        refused = refusal
    # Only where there is no such resource: one that is refused is not shared, and says so.
    parts = [part for part in PARTS.get(collection, ()) if refused.status == 404 and source.status_of(part) == 200]
    if parts:
        log.warning("%s: status 404, so %s are read in their place", collection, " and ".join(parts))
        if (proof := _pulled(source, collection, parts, snapshot, parents=parents)).rows:
            return proof
    elif wrong := why_refused(source, district, collection, refused):
        raise AccessRefused(str(wrong))
    return _absent(collection, district, snapshot, f"not shared (status {refused.status})", started)


def _pulled(source: RestSource, collection: str, keys: Sequence[str], snapshot: Snapshot, *, parents: bool) -> Proof:
    """The proof of a collection read from the resources given: itself, or the parts that the SIS serves in its place."""
    before: _Seen | None = None
    for pull in range(_PULLS):
        started = dt.datetime.now(dt.UTC)
        seen = _Seen()
        rows, digest = snapshot.write(collection, _tables(source, collection, keys, seen, parents))
        reason = seen.doubt(before)
        _keep_unreadable(snapshot, collection, seen.unreadable)
        tallies, totals = seen.tallies, [total for tally in seen.tallies for total in tally.totals]
        note = None if keys == (collection,) else f"read from {' and '.join(keys)}, since the SIS serves no {collection}"
        proof = Proof(
            collection=collection,
            state="incomplete" if reason or (note and collection == "users") else "complete",
            reason=reason or (f"{note}: who else there is, is not known" if note and collection == "users" else note),
            rows=rows,
            nameless=_nameless(seen.unreadable),
            left_out_parents=seen.left_out,
            total_at_start=totals[0] if totals else None,
            total_at_end=totals[-1] if totals else None,
            pages=sum(tally.pages for tally in tallies),
            requests=sum(tally.requests for tally in tallies),
            retries=sum(tally.retries for tally in tallies),
            bytes=sum(tally.bytes for tally in tallies),
            sha256=digest,
            parents=parents,
            started_at=started,
            finished_at=dt.datetime.now(dt.UTC),
        )
        if reason is None:
            break
        before = seen
        log.warning("%s: %s (pull %s of %s)", collection, reason, pull + 1, _PULLS)
    snapshot.prove(proof)
    return proof


class _Seen:
    """What was counted while a pull went by: rows, ids twice, parents left out; for each resource what its pages showed."""

    def __init__(self) -> None:
        self.ids: list[pa.Array] = []
        self.rows = 0
        self.left_out = 0
        self.unreadable: list[tuple[str, str, str]] = []
        self.tallies: list[Tally] = []
        self._rows_of: list[int] = []

    def begin(self, tally: Tally) -> None:
        """Count for another resource from now on."""
        self.tallies.append(tally)
        self._rows_of.append(0)

    def add(self, rows: int) -> None:
        """Count rows of the resource that is being read."""
        self.rows += rows
        self._rows_of[-1] += rows

    def doubt(self, before: _Seen | None) -> str | None:
        """Why the pull is not proven whole, by itself or by the pull before it; None where it is."""
        doubts = [tally.doubt(rows) for tally, rows in zip(self.tallies, self._rows_of, strict=True)]
        doubt = next(filter(None, doubts), None)
        if doubt is None or (before is not None and self._agrees(before)):
            return None
        twice = pc.value_counts(self._all_ids())
        twice = twice.filter(pc.greater(twice.field(1), 1)).field(0)
        if len(twice) and all(tally.moved(rows) for tally, rows in zip(self.tallies, self._rows_of, strict=True)):
            rows = self.rows - _nameless(self.unreadable) - self._distinct()
            return f"{rows} rows came twice, so the pages shifted while they were read ({_named(twice)})"
        return doubt

    def _agrees(self, before: _Seen) -> bool:
        """Whether a pull that is in doubt for how its pages joined is proven by one before that came to the same.

        The very same rows at the same places, or all that the server announces: nothing can have moved then, however it pages.
        """
        if all(tally.skipped_none(rows) for tally, rows in zip(self.tallies, self._rows_of, strict=True)):
            return bool(self._all_ids().equals(before._all_ids()))
        same = self._all_ids().sort().equals(before._all_ids().sort())
        return bool(same) and self._meets_total() and before._meets_total()

    def _meets_total(self) -> bool:
        """Whether as many rows came, each counted once, as the server always announced."""
        return len(self.tallies) == 1 and self.tallies[0].total == self._distinct() + _nameless(self.unreadable)

    def _all_ids(self) -> pa.Array:
        return pa.chunked_array(self.ids, pa.string()).combine_chunks()

    def _distinct(self) -> int:
        return int(pc.count_distinct(self._all_ids()).as_py())


def _named(ids: pa.Array) -> str:
    """The first few of some ids, for a message."""
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return ", ".join(sorted(ids.to_pylist())[:_NAMED]) + more


def _tables(source: RestSource, collection: str, keys: Sequence[str], seen: _Seen, parents: bool) -> Iterator[pa.Table]:
    for key in keys:
        tally, earlier, waiting = Tally(), list(seen.ids), list[pa.Table]()
        seen.begin(tally)
        for page in source.pages(collection, tally, parents=parents, path=key):
            seen.add(page.num_rows)
            waiting.append(page)
            # Looked at, written and read in large groups of rows: that is many times quicker than page by page.
            if sum(table.num_rows for table in waiting) >= _GROUP:
                yield _kept(collection, pa.concat_tables(waiting), seen, earlier, parents)
                waiting = []
        if waiting:
            yield _kept(collection, pa.concat_tables(waiting), seen, earlier, parents)


def _kept(collection: str, came: pa.Table, seen: _Seen, earlier: Sequence[pa.Array], parents: bool) -> pa.Table:
    """The rows to keep of those that came; ``earlier`` are the ids that came from another resource."""
    rows, odd = fit(collection, came)
    named = pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(rows.column("sourced_id")), ""), False)
    good = rows if pc.all(named).as_py() else rows.filter(named)
    nameless = rows.num_rows - good.num_rows - _nameless(odd)
    seen.unreadable += [*odd, *[(collection, "", "it is no record, or has no sourcedId")] * nameless]
    if earlier:
        # Somebody may be both a student and a teacher.
        known = pc.is_in(good.column("sourced_id"), pa.chunked_array(earlier, pa.string()).combine_chunks())
        good = good.filter(pc.invert(known))
    seen.ids += good.column("sourced_id").chunks
    kept = good if parents or collection != "users" else without_parents(good)
    seen.left_out += good.num_rows - kept.num_rows
    return kept


def _absent(collection: str, district: District, snapshot: Snapshot, cause: str, started: dt.datetime) -> Proof:
    if collection in REQUIRED:
        raise SourceRefused(
            f"The SIS does not share {collection} ({cause}), which no sync can do without. "
            f"{quirks_of(district.sis.name).cure(collection)} Nothing was changed."
        )
    snapshot.write(collection, iter(()))
    proof = Proof(
        collection=collection,
        state="absent",
        reason=cause,
        started_at=started,
        finished_at=dt.datetime.now(dt.UTC),
    )
    snapshot.prove(proof)
    return proof
