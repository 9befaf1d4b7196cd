"""The changes of a run as CSV, with names: only for districts that asked for it (setting attach_changes)."""

from __future__ import annotations

import csv
import datetime as dt
import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import psycopg

from include.mingasync.results.cells import safe_cell

_SQL = Path(__file__).parent / "sql"
COLUMNS = ("entity", "action", "role", "school", "person", "sourced_id", "list", "member_role", "reason")
#: More rows than this are sent as a zip: a district's first night changes everything.
_AT_MOST_PLAIN = 50_000
#: Some ten megabytes as a zip, which is what mail servers take. What is more stays in the database, and the mail says so.
_AT_MOST_ZIPPED = 500_000


@dataclass(frozen=True)
class Attachment:
    """The file for the mail, how many changes there were, and what the mail says of the file, if it is not plainly the whole."""

    name: str
    content: bytes
    changes: int
    told: str = ""


def attachment(
    connection: psycopg.Connection[Any], district: str, run_id: str, night: dt.date, school_id: str | None = None
) -> Attachment:
    """What a run really changed, in the district or one school, in COLUMNS: people, then lists, then memberships."""
    of = {"district": district, "run_id": run_id, "school": school_id}
    name = f"{district}-{night.isoformat()}-changes"
    with connection.transaction():
        (changes,) = connection.execute((_SQL / "changes_size.sql").read_bytes(), of).fetchone() or (0,)
        left_out = 0 if changes <= _AT_MOST_ZIPPED else changes - _AT_MOST_PLAIN
        with connection.cursor(name="changes") as cursor:
            cursor.itersize = 10_000
            rows = cursor.execute((_SQL / "changes.sql").read_bytes(), of | {"limit": _AT_MOST_PLAIN if left_out else None})
            if left_out:
                told = (
                    f"The attachment holds the first {_AT_MOST_PLAIN:,} of {changes:,} changes; {left_out:,} are left out. "
                    f"All of them stand in the database: directory.sync_changes, district '{district}', run_id '{run_id}'."
                )
                return Attachment(f"{name}.csv", as_csv(chain(rows, [(told,)])), changes, told)
            if changes > _AT_MOST_PLAIN:
                told = f"The attachment is a zip, because it holds {changes:,} changes."
                return Attachment(f"{name}.csv.zip", _zipped(f"{name}.csv", rows), changes, told)
            return Attachment(f"{name}.csv", as_csv(rows), changes)


def as_csv(rows: Iterable[tuple[Any, ...]]) -> bytes:
    """The rows under their headings, in UTF-8 as Excel recognises it; no cell is a formula."""
    text = io.StringIO()
    _write(text, rows)
    return text.getvalue().encode("utf-8-sig")


def _zipped(name: str, rows: Iterable[tuple[Any, ...]]) -> bytes:
    """The same in a zip, written as it comes: the whole text is never in memory."""
    content = io.BytesIO()
    with (
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(name, "w") as file,
        io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text,
    ):
        _write(text, rows)
    return content.getvalue()


def _write(text: io.TextIOBase, rows: Iterable[tuple[Any, ...]]) -> None:
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([safe_cell("" if cell is None else str(cell)) for cell in row] for row in rows)
