"""What a bundle of changes is merged into, and whether every bundle before it is in that: a delta says nothing of earlier ones.

A bundle that nobody read, or that was read and never loaded, leaves no trace in the next one. Whom it brought is missing then,
and whom it said to be here again is still gone in what is merged: so the collection proves no absence until it comes in full.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from croniter import croniter

from include.mingasync.errors import SnapshotUnusable
from include.mingasync.snapshot import Snapshot, folders_of, loaded_before

if TYPE_CHECKING:
    from include.mingasync.contacts import Contacts
    from include.mingasync.district import District

_IN_FULL = "export in full once"


@dataclass(frozen=True)
class Bases:
    """The newest loaded snapshot that is still there, what was read after it without ever being loaded, and why changes are
    missing whatever comes tonight: of every collection (``missing``), or of users (``contacts``)."""

    previous: Snapshot | None = None
    passed_over: Sequence[Snapshot] = ()
    missing: str | None = None
    contacts: str | None = None
    #: the digest of what this very run read before, if its bundle was a delta then
    own: str | None = None

    def with_own(self, snapshot: Snapshot, collection: str) -> Bases:
        """With what the run's own snapshot holds, before it is read again."""
        proof = snapshot.proofs().get(collection)
        return replace(self, own=proof.sha256 if proof and proof.delta else None)

    def lost_changes(self, collection: str, digest: str) -> str | None:
        """Why changes are missing from a collection that was merged from a delta, None where none are."""
        if self.missing:
            return self.missing
        base = self.previous.proofs().get(collection) if self.previous else None
        # The very same bundle may have been read by a preview or by a run that failed later: then nothing is missing.
        known = {digest, base.sha256 if base else None}
        if (self.own and self.own not in known) or any(self._lacks(one, collection, known) for one in self.passed_over):
            return f"an earlier bundle of changes was read and never loaded, so its changes are missing; {_IN_FULL}"
        return self.contacts if collection == "users" else None

    def _lacks(self, passed_over: Snapshot, collection: str, known: Set[str | None]) -> bool:
        """Whether a bundle that was passed over had changes of a collection, as far as they were read, that are not in it now."""
        proofs = passed_over.proofs()
        if collection not in proofs:
            # The reading broke off before it: what the bundle said of this collection, nobody knows.
            return any(proof.delta for proof in proofs.values())
        proof = proofs[collection]
        return proof.delta and proof.sha256 not in known and not self._adds_nothing(passed_over, collection)

    def _adds_nothing(self, snapshot: Snapshot, collection: str) -> bool:
        return self.previous is not None and bool(snapshot.table(collection).equals(self.previous.table(collection)))


def bases_of(
    root_url: str,
    district: District,
    loaded: Iterable[tuple[str, Mapping[str, Any]]],
    own: Snapshot,
    *,
    wanted: Contacts,
    now: dt.datetime,
) -> Bases:
    """What the reading of a run builds on.

    ``loaded``: as in ``loaded_before``; ``own``: the run's snapshot; ``wanted``: whose parents' contacts are wanted.
    """
    gaps, previous = 0, None
    for one in loaded_before(root_url, district.slug, loaded):
        if one is not None:
            previous = one
            break
        gaps += 1
    if previous is None:
        return Bases()
    after = previous.taken_at
    later = [one for one in folders_of(root_url, district.slug) if one.url != own.url and (at := _taken_at(one)) and at > after]
    missing = None
    if gaps:
        missing = f"the snapshot of a night that was loaded is not there any more, so its changes are missing; {_IN_FULL}"
    elif nights := nights_between(district, after, now) - 1:
        number = "1 scheduled night" if nights == 1 else f"{nights} scheduled nights"
        missing = f"{number} since the last loaded one loaded no bundle, so changes may be missing; {_IN_FULL}"
    contacts = None
    if wanted.want_more_than(previous):
        contacts = f"parents' contacts are wanted that were not kept when everything was read; {_IN_FULL}"
    return Bases(previous, later, missing, contacts)


def nights_between(district: District, since: dt.datetime, until: dt.datetime) -> int:
    """How many nights the district's schedule has after a moment and up to another, at least one: the one that is read."""
    zone = ZoneInfo(district.timezone)
    times = croniter(district.schedule, since.astimezone(zone))
    number = 0
    while times.get_next(dt.datetime) <= until:
        number += 1
    return max(number, 1)


def _taken_at(snapshot: Snapshot) -> dt.datetime | None:
    """When a snapshot was begun to be read; None where nothing was, or a newer version read it."""
    try:
        return snapshot.taken_at if snapshot.exists() else None
    except SnapshotUnusable:
        return None
