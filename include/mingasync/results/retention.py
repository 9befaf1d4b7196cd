"""Which snapshots go: the old ones, whole or not, but never what a night that counts is built on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Container, Sequence
from dataclasses import dataclass

from include.mingasync.errors import SnapshotUnusable
from include.mingasync.snapshot import Snapshot


@dataclass(frozen=True)
class Kept:
    """How many snapshots were removed, and how many are kept."""

    removed: int = 0
    kept: int = 0

    def __add__(self, other: Kept) -> Kept:
        return Kept(self.removed + other.removed, self.kept + other.kept)


def remove_old(folders: Sequence[Snapshot], before: dt.datetime, needed: Container[str] = frozenset()) -> Kept:
    """What became of the folders that the runs of a district left: those last written before a moment go, but for those at
    the ``needed`` URLs."""
    old = [one for one in folders if one.url not in needed and last_written(one) < before]
    for snapshot in old:
        snapshot.delete()
    return Kept(len(old), len(folders) - len(old))


def last_written(snapshot: Snapshot) -> dt.datetime:
    """When the last collection was read; of a folder without a proof that can be read, when its newest file was written."""
    try:
        proofs = snapshot.proofs()
    except SnapshotUnusable:
        proofs = {}
    return max((proof.finished_at for proof in proofs.values()), default=None) or snapshot.written_at()
