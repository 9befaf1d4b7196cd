"""A snapshot as a run leaves it, made from what a small SIS sends."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from include.mingasync.oneroster.records import COLUMNS
from include.mingasync.snapshot import Proof, Snapshot
from tests.integration.directory.world import DISTRICT, Directory, Sis

NOW = dt.datetime(2026, 11, 24, 8, tzinfo=dt.UTC)


def keep(folder: Path, run_id: str, directory: Directory, sis: Sis, set_aside: Sequence[str] = ()) -> Snapshot:
    """The snapshot of a run whose pull was complete; the users named were set aside."""
    snapshot = Snapshot.of(str(folder), DISTRICT, run_id)
    for name in COLUMNS:
        snapshot.write(name, [pa.Table.from_pandas(sis.frame(name), schema=COLUMNS[name], preserve_index=False)])
        snapshot.prove(Proof(collection=name, state="complete", started_at=NOW, finished_at=NOW))
    aside = {
        "resource": ["users"] * len(set_aside),
        "sourced_id": list(set_aside),
        "rule": ["users.role_unknown"] * len(set_aside),
    }
    snapshot.write_frame("set_aside", pd.DataFrame(aside, dtype="string"))
    for name, table in directory.desired(sis, set_aside).tables.items():
        snapshot.write_frame(f"derived_{name}", table.to_pandas())
    return snapshot
