"""Names of lists: by what people are called in the directory, once the plan has settled it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import psycopg
import pyarrow as pa

from include.mingasync.directory.copying import copy_table
from include.mingasync.rosters.names import NAMING, named_here


def without_naming(lists: pa.Table) -> pa.Table:
    """The lists as they are staged: their names are made, and what they are made of stays behind."""
    return lists.drop_columns([name for name in NAMING if name in lists.column_names])


def name_as_here(cursor: psycopg.Cursor[Any], lists: pa.Table) -> None:
    """Name the staged lists after what the directory calls their teachers; needs the tables of sql/58_names.sql."""
    called = cursor.execute("select n, family_name, full_name from called").fetchall()
    if not called or not set(NAMING) <= set(lists.column_names):  # a snapshot derived by an older version
        return
    table = lists.select(["k", "kind", "source_id", "name", *NAMING]).to_pandas()
    names = named_here(table, pd.DataFrame(called, columns=["n", "family_name", "full_name"]))
    if not names.empty:
        columns = {"k": pa.array(names["k"].tolist(), pa.int32()), "name": pa.array(names["name"].tolist(), pa.string())}
        copy_table(cursor, "s_names", pa.table(columns))
        cursor.execute("update s_lists as l set name = s_names.name from s_names where l.k = s_names.k")
