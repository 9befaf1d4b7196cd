"""The issues of a run, kept as rows."""

from __future__ import annotations

from typing import Any

import pandas as pd
import psycopg
import pyarrow as pa

from include.mingasync.directory.copying import copy_table
from include.mingasync.run import Run


def replace(connection: psycopg.Connection[Any], run: Run, run_no: int, step: str, issues: pd.DataFrame) -> None:
    """Put the issues that a step found in place of those that an earlier attempt of it found.

    ``issues``: severity, resource, sourced_id, rule, message, fix.
    """
    rows = issues[["severity", "resource", "sourced_id", "rule", "message", "fix"]].assign(
        district=run.district, run_id=run.run_id, run_no=run_no, step=step
    )
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("delete from directory.sync_issues where run_no = %s and step = %s", (run_no, step))
        cursor.execute("create temp table found (like directory.sync_issues) on commit drop")
        copy_table(cursor, "found", pa.Table.from_pandas(rows, preserve_index=False))
        cursor.execute("insert into directory.sync_issues select * from found")
