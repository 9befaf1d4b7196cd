"""What the SIS said of somebody when it was read last: the record in the snapshot that is in the directory now."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from include.mingasync.console.reading import Directory, Row
from include.mingasync.console.told import FIELDS
from include.mingasync.errors import MingaSyncError
from include.mingasync.snapshot import Snapshot

log = logging.getLogger(__name__)
_NOT_KEPT = "What was read from the SIS last is not kept any more, or cannot be read from here."
_COLUMNS = ("sourced_id", "status", "enabled", *FIELDS, "grades", "roles", "org_ids")


@dataclass(frozen=True)
class SisRecord:
    """What the SIS said; ``values`` is None where that is not known, and empty where it sent nobody under this id."""

    values: dict[str, Any] | None
    because: str = ""

    @property
    def is_there(self) -> bool:
        """Whether there is a record to show."""
        return bool(self.values)


def sis_record(here: Directory, slug: str, person: Row) -> SisRecord:
    """The record of a person."""
    if not person["sourced_id"]:
        return SisRecord(None, "Added by hand, and known to the SIS by no sourcedId.")
    found = here.rows("last_loaded", district=slug)
    if not found or not found[0]["snapshot_url"]:
        return SisRecord(None, _NOT_KEPT if found else "No run has loaded anything yet.")
    snapshot = Snapshot(found[0]["snapshot_url"])
    try:
        proof = snapshot.proof("users")
        if proof is None:
            return SisRecord(None, _NOT_KEPT)
        table, is_whole = snapshot.table("users", _COLUMNS), proof.state == "complete"
    except (OSError, MingaSyncError, pa.ArrowException, ValueError) as error:
        log.warning("The snapshot of %s could not be read: %s", slug, type(error).__name__)
        return SisRecord(None, _NOT_KEPT)
    rows = table.filter(pc.equal(table["sourced_id"], person["sourced_id"])).to_pylist()
    if not rows and not is_whole:
        return SisRecord(
            None, "The users did not come whole when the SIS was read last, and this person is not among those that came."
        )
    return SisRecord(rows[-1] if rows else {}, "" if rows else "The SIS sent nobody with this sourcedId when it was read last.")
