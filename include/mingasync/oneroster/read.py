"""Reading one collection of a district into its snapshot, with the proof of how complete it is."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator

import pyarrow as pa

from include.mingasync.district import District
from include.mingasync.errors import SourceError
from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.decode import table_of
from include.mingasync.oneroster.records import REQUIRED
from include.mingasync.oneroster.rest import NotShared, RestSource, Tally
from include.mingasync.snapshot import Proof, Snapshot

log = logging.getLogger(__name__)

_PULLS = 3


def read_collection(
    collection: str,
    district: District,
    access: Access,
    snapshot: Snapshot,
    *,
    parents: bool,
    previous: Snapshot | None = None,
) -> Proof:
    """The proof of a collection that is now in the snapshot.

    A pull that moved while it was read (an id twice, or a total that is not met) is read again, at most three times; one that
    still moves is kept and marked incomplete, so that nobody is archived for it. Raises SourceError when the SIS cannot be
    read, or does not share what no sync can do without.
    """
    source = RestSource(access, district.sis.version, district.sis.page_size)
    for pull in range(_PULLS):
        started = dt.datetime.now(dt.UTC)
        tally, seen = Tally(), _Seen()
        try:
            rows, digest = snapshot.write(collection, _tables(source, collection, tally, seen, parents))
        except NotShared as refusal:
            return _absent(collection, district, snapshot, refusal.status, started)
        reason = seen.moved(tally)
        proof = Proof(
            collection=collection,
            state="incomplete" if reason else "complete",
            reason=reason,
            rows=rows,
            left_out_parents=seen.left_out,
            total_at_start=tally.totals[0] if tally.totals else None,
            total_at_end=tally.totals[-1] if tally.totals else None,
            pages=tally.pages,
            requests=tally.requests,
            retries=tally.retries,
            bytes=tally.bytes,
            sha256=digest,
            started_at=started,
            finished_at=dt.datetime.now(dt.UTC),
        )
        if reason is None:
            break
        log.warning("%s: %s (pull %s of %s)", collection, reason, pull + 1, _PULLS)
    snapshot.prove(proof)
    return proof


class _Seen:
    """What was counted while a pull went by: rows, ids twice, parents left out."""

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self.rows = 0
        self.left_out = 0
        self.last = ""

    def moved(self, tally: Tally) -> str | None:
        """Why the pull cannot be trusted to be whole, or None."""
        twice = self.rows - len(self.ids)
        if twice:
            return f"{twice} rows came twice, so the pages shifted while they were read"
        if tally.totals and len(set(tally.totals)) > 1:
            return f"the server's total moved from {tally.totals[0]} to {tally.totals[-1]} while it was read"
        if tally.totals and self.rows < tally.totals[0]:
            return f"{self.rows} rows came of {tally.totals[0]} that the server announced"
        return None


def _tables(source: RestSource, collection: str, tally: Tally, seen: _Seen, parents: bool) -> Iterator[pa.Table]:
    for rows in source.pages(collection, tally):
        seen.rows += len(rows)
        seen.ids.update(str(row.sourced_id) for row in rows)
        table, left_out = table_of(rows, collection, parents=parents)
        seen.left_out += left_out
        yield table


def _absent(collection: str, district: District, snapshot: Snapshot, status: int, started: dt.datetime) -> Proof:
    if collection in REQUIRED:
        raise SourceError(
            f"The SIS does not share {collection} (status {status}), which no sync can do without. "
            f"Turn on sharing of {collection} in {district.sis.name} for this connection. Nothing was changed."
        )
    snapshot.write(collection, iter(()))
    proof = Proof(
        collection=collection,
        state="absent",
        reason=f"not shared (status {status})",
        started_at=started,
        finished_at=dt.datetime.now(dt.UTC),
    )
    snapshot.prove(proof)
    return proof
