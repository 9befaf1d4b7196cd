"""Rolls: who ought to be on which list, as one sorted array of person_ids per list and role."""

from __future__ import annotations

from typing import Any

import numpy as np
import psycopg
import pyarrow as pa

from include.mingasync.directory.copying import copy_table, read_numbers


def stage_rolls(cursor: psycopg.Cursor[Any], members: pa.Table) -> None:
    """Stage the members (k, n, manager; n numbers the snapshot's people) under the person_ids that the plan gave them.

    Needs the table ``who``: a member whom it does not name is on no list. Fills s_rolls and s_not_managing.
    """
    k, n = (members.column(name).to_numpy().astype(np.int64) for name in ("k", "n"))
    manager = members.column("manager").to_numpy(zero_copy_only=False).astype(np.int64)
    known_n, known_person = read_numbers(cursor, "select n, person_id from who", 2)
    person = np.full(max(n.max(initial=-1), known_n.max(initial=-1)) + 1, -1, dtype=np.int64)
    person[known_n] = known_person
    person = person[n]
    there = person >= 0
    # One number sorts by list, role and person at once; equal numbers are the same membership.
    every = np.unique((k[there] << 33) | (manager[there] << 32) | person[there])
    roll = every >> 32
    starts = np.flatnonzero(np.diff(roll, prepend=-1))
    people = pa.ListArray.from_arrays(
        pa.array(np.append(starts, len(every)), pa.int32()), pa.array(every & 0xFFFFFFFF, pa.int32())
    )
    rolls = roll[starts]
    copy_table(
        cursor, "s_rolls", pa.table({"k": pa.array(rolls >> 1, pa.int32()), "manager": (rolls & 1).astype(bool), "people": people})
    )
    away = ~there & (manager == 1)
    copy_table(cursor, "s_not_managing", pa.table({"k": pa.array(k[away], pa.int32()), "n": pa.array(n[away], pa.int32())}))
    cursor.execute("analyze s_rolls")
