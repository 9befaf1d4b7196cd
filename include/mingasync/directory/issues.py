"""The issues of a run, kept as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow as pa

from include.mingasync.directory.copying import copy_table
from include.mingasync.results.numbers import told_number
from include.mingasync.run import Run

if TYPE_CHECKING:
    import pandas as pd


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


def of_recipients(connection: psycopg.Connection[Any], run: Run, run_no: int, keys: Sequence[str]) -> None:
    """Put one warning in place of an earlier attempt's, if any recipient of the settings, named by its key, cannot be mailed."""
    with connection.transaction():
        connection.execute("delete from directory.sync_issues where run_no = %s and step = 'open_run'", (run_no,))
        if keys:
            told = told_number(len(keys), "recipient")
            message = f"{told} of the results mail cannot be mailed, as what was entered is no address: {', '.join(keys)}."
            fix = "Correct it in the district's settings; a recipient is one plain address such as sam@example.org."
            connection.execute(
                """insert into directory.sync_issues (district, run_id, run_no, severity, resource, rule, message, fix, step)
                   values (%s, %s, %s, 'warning', 'settings', 'settings.recipient', %s, %s, 'open_run')""",
                (run.district, run.run_id, run_no, message, fix),
            )


def has_critical(connection: psycopg.Connection[Any], run_no: int) -> bool:
    """Whether what a run read was found untrustworthy when it was proven last."""
    query = "select exists (select from directory.sync_issues where run_no = %s and severity = 'critical')"
    return connection.execute(query, (run_no,)).fetchone() == (True,)
