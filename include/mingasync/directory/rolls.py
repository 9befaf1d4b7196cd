"""Rolls: who ought to be on which list, as one sorted array of person_ids per list and role."""

from __future__ import annotations

from typing import Any

import numpy as np
import psycopg
import pyarrow as pa

from include.mingasync.directory.copying import copy_rolls, copy_table, read_numbers
from include.mingasync.rosters.frames import sorted_once


def stage_rolls(cursor: psycopg.Cursor[Any], members: pa.Table) -> None:
    """Stage the members (k, n, manager; n numbers the snapshot's people) under the person_ids that the plan gave them.

    Needs the tables ``who`` and ``bystanders``: a member whom the first does not name is on no list, and one whom the second
    names keeps a place that they have. Fills s_rolls, s_still and s_not_managing.
    """
    if not members.num_rows:
        return
    k, n = members.column("k").to_numpy(), members.column("n").to_numpy()
    manager = members.column("manager").to_numpy(zero_copy_only=False)
    person = _person_of(cursor, "who", n)
    _stage(cursor, "s_rolls", k, manager, person)
    still = _person_of(cursor, "bystanders", n)
    if (still >= 0).any():
        _stage(cursor, "s_still", k, manager, still)
    away = (person < 0) & manager
    copy_table(cursor, "s_not_managing", pa.table({"k": k[away], "n": n[away]}))
    # Not the arrays: nothing is ever looked up by them, and a sample of them is a lot to read.
    cursor.execute("analyze s_rolls (k, manager)")


def _stage(cursor: psycopg.Cursor[Any], target: str, k: np.ndarray, manager: np.ndarray, person: np.ndarray) -> None:
    # One number sorts by list, role and person at once; equal numbers are the same membership.
    every = (k.astype(np.int64) << 1 | manager) << 32 | person
    there = person >= 0
    every = sorted_once(every if there.all() else every[there])
    roll = every >> 32
    starts = np.flatnonzero(np.diff(roll, prepend=-1))
    copy_rolls(cursor, target, roll[starts], starts, every & 0xFFFFFFFF)


def _person_of(cursor: psycopg.Cursor[Any], table: str, n: np.ndarray) -> np.ndarray:
    """The person_id of each of the snapshot's people named, -1 for whom the table does not have."""
    known_n, known_person = read_numbers(cursor.connection, table, ("n", "person_id"))
    person = np.full(max(n.max(), known_n.max(initial=0)) + 1, -1, dtype=np.int64)
    person[known_n] = known_person
    named: np.ndarray = person[n]
    return named
