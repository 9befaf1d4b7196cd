"""Rows into PostgreSQL by COPY, and numbers out of it, straight from and into columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
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
    return int(table.num_rows)


def copy_rolls(cursor: psycopg.Cursor[Any], target: str, key: np.ndarray, starts: np.ndarray, people: np.ndarray) -> None:
    """Copy rows (k integer, manager boolean, people integer[]) into ``target``.

    ``key`` is 2 * k + manager of each row and ``starts`` where its people begin in ``people``. In the binary format, as
    millions of numbers would otherwise be written out and read again as text.
    """
    # PostgreSQL's array_send: dimensions, whether nulls occur, element type (23, int4), size, lower bound; then each element
    # with its length before it.
    elements = np.empty(len(people), dtype=[("length", ">i4"), ("value", ">i4")])
    elements["length"], elements["value"] = 4, people
    sizes = np.diff(np.append(starts, len(people)))
    rows = np.zeros(len(key), dtype=[
        ("fields", ">i2"), ("k_length", ">i4"), ("k", ">i4"), ("manager_length", ">i4"), ("manager", "i1"),
        ("people_length", ">i4"), ("dimensions", ">i4"), ("nulls", ">i4"), ("type", ">i4"), ("size", ">i4"), ("lower", ">i4"),
    ])  # fmt: skip
    rows["fields"], rows["k_length"], rows["k"] = 3, 4, key >> 1
    rows["manager_length"], rows["manager"] = 1, key & 1
    rows["people_length"], rows["dimensions"], rows["type"], rows["size"], rows["lower"] = 20 + 8 * sizes, 1, 23, sizes, 1
    heads, values, wide = rows.tobytes(), elements.tobytes(), rows.itemsize
    parts = [b"PGCOPY\n\xff\r\n\0" + bytes(8)]
    for row, (start, size) in enumerate(zip(starts.tolist(), sizes.tolist(), strict=True)):
        parts.append(heads[row * wide : (row + 1) * wide])
        parts.append(values[start * 8 : (start + size) * 8])
    parts.append(b"\xff\xff")
    statement = sql.SQL("copy {} (k, manager, people) from stdin (format binary)").format(sql.Identifier(target))
    with cursor.copy(statement) as copy:
        copy.write(b"".join(parts))


def read_numbers(connection: psycopg.Connection[Any], table: str, columns: Sequence[str]) -> tuple[np.ndarray, ...]:
    """Columns of a table, of 4-byte integers and without null, as arrays.

    As one value: a row for each would be received one by one, which takes five times as long.
    """
    parts = sql.SQL(" || ").join(sql.SQL("int4send({})").format(sql.Identifier(column)) for column in columns)
    query = sql.SQL("select coalesce(string_agg({}, ''), '') from {}").format(parts, sql.Identifier(table))
    content = _one_value(connection, query)
    rows = np.frombuffer(content, dtype=">i4").reshape(-1, len(columns))
    return tuple(rows[:, place].astype(np.int64) for place in range(len(columns)))


def read_arrays(connection: psycopg.Connection[Any], column: str, tables: str, parameters: Mapping[str, Any]) -> np.ndarray:
    """The members of an integer[] column of many rows, one after the other; half the time of a query that takes them apart.

    PostgreSQL's array_send: 20 bytes of header (none of them where the array is empty), per member its length and value, both
    big-endian. No member may be null.
    """
    query = f"select coalesce(string_agg(substr(array_send({column}), 21), ''), '') {tables}"
    content = _one_value(connection, query.encode(), parameters)
    return np.frombuffer(content, dtype=[("length", ">i4"), ("value", ">i4")])["value"].astype(np.int64)


def _one_value(
    connection: psycopg.Connection[Any], query: bytes | sql.Composed, parameters: Mapping[str, Any] | None = None
) -> bytes:
    with connection.cursor(binary=True) as cursor:
        (content,) = cursor.execute(query, parameters).fetchone() or (b"",)
    return bytes(content)


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
    lengths = pc.fill_null(pc.list_value_length(lists), 0)
    whole = pa.ListArray.from_arrays(_offsets(lengths), quoted)
    return pc.binary_join_element_wise("{", pc.binary_join(whole, ","), "}", "")


def _offsets(lengths: pa.Array) -> pa.Array:
    ends = pc.cumulative_sum(pc.cast(lengths, pa.int32()))
    return pa.concat_arrays([pa.array([0], pa.int32()), ends])
