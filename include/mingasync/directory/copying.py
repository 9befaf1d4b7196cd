"""Rows into PostgreSQL by COPY, straight from Arrow columns."""

from __future__ import annotations

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from psycopg import sql


def copy_table(cursor: psycopg.Cursor, target: str, table: pa.Table) -> int:
    """The number of rows copied into ``target``, a table in reach whose columns bear the Arrow columns' names."""
    columns = {name: _as_text(table.column(name)) for name in table.column_names}
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(
        pa.table(columns),
        sink,
        pyarrow.csv.WriteOptions(include_header=False, quoting_style="all_valid"),
    )
    statement = sql.SQL("copy {} ({}) from stdin (format csv)").format(
        sql.Identifier(target), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with cursor.copy(statement) as copy:
        copy.write(memoryview(sink.getvalue()))
    return table.num_rows


def _as_text(column: pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """The column as CSV can carry it; a list becomes PostgreSQL's array literal, null the empty one."""
    if not pa.types.is_list(column.type):
        return pc.cast(column, pa.string()) if pa.types.is_null(column.type) else column
    lists = column.combine_chunks()
    if isinstance(lists, pa.ChunkedArray):
        lists = lists.chunk(0) if lists.num_chunks else pa.array([], column.type)
    values = pc.cast(lists.flatten(), pa.string())
    escaped = pc.replace_substring(pc.replace_substring(values, "\\", "\\\\"), '"', '\\"')
    quoted = pc.binary_join_element_wise('"', pc.fill_null(escaped, ""), '"', "")
    offsets = pc.fill_null(pc.list_value_length(lists), 0)
    whole = pa.ListArray.from_arrays(_offsets(offsets), quoted)
    return pc.binary_join_element_wise("{", pc.binary_join(whole, ","), "}", "")


def _offsets(lengths: pa.Array) -> pa.Array:
    ends = pc.cumulative_sum(pc.cast(lengths, pa.int32()))
    return pa.concat_arrays([pa.array([0], pa.int32()), ends])
