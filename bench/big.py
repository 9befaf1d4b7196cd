"""A district of 100,000 students as a snapshot's tables, made once and kept."""

from __future__ import annotations

import datetime as dt
import json
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from include.mingasync.oneroster.decode import rows_of, table_of
from include.mingasync.oneroster.records import COLUMNS
from include.rehearsal.district import build

TODAY = dt.date(2026, 11, 24)


def tables(folder: Path, students: int, schools: int) -> dict[str, pa.Table]:
    """Every collection of the district, read from the folder or made into it."""
    if not all((folder / f"{name}.parquet").exists() for name in COLUMNS):
        folder.mkdir(parents=True, exist_ok=True)
        district = build(students=students, schools=schools, today=TODAY)
        for name in COLUMNS:
            parts = [_table(name, part) for part in _parts(getattr(district, name))]
            pq.write_table(pa.concat_tables(parts), folder / f"{name}.parquet")
    return {name: pq.read_table(folder / f"{name}.parquet") for name in COLUMNS}


def _parts(records: list[Any], size: int = 20_000) -> Any:
    rows = iter(records)
    while part := list(islice(rows, size)):
        yield part


def _table(name: str, records: list[Any]) -> pa.Table:
    return table_of(rows_of(json.dumps({name: records}).encode(), name), name, parents=False)[0]
