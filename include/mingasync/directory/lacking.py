"""What a district lacks, in numbers: the same as the views people_lacking and lists_lacking say row by row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from include.mingasync.directory.copying import read_arrays
from include.mingasync.directory.counts import Counts

_SQL = Path(__file__).parent / "sql" / "lacking.sql"
#: The students, and who is a member of a class list.
_STUDENTS = """
    from (select array_agg(person_id) as people from directory.people
          where district = %(district)s and role = 'student' and status = 'active') as students"""
_MEMBERS = """
    from directory.user_lists as lists join directory.memberships as rolls using (list_id)
    where lists.district = %(district)s and lists.kind = 'class' and lists.status = 'active' and not rolls.manager"""
#: How many of some people are at a school that has class lists.
_AT_SCHOOLS = """
    select count(*) from directory.people
    where person_id = any (%(people)s) and school_ids && (
        select array_agg(distinct school_id) from directory.user_lists
        where district = %(district)s and kind = 'class' and status = 'active')"""


def count_lacking(connection: psycopg.Connection[Any], district: str) -> Counts:
    """How many people and class lists of a district lack something now; None for what has no meaning without class lists."""
    here = {"district": district}
    lacking: Counts = (connection.execute(_SQL.read_bytes(), here).fetchone() or ({},))[0]
    has_classes = lacking["classes_without_teacher"] is not None
    return {**lacking, "students_without_class": _students_without_class(connection, here) if has_classes else None}


def _students_without_class(connection: psycopg.Connection[Any], here: dict[str, str]) -> int:
    students = read_arrays(connection, "people", _STUDENTS, here)
    members = read_arrays(connection, "rolls.people", _MEMBERS, here)
    is_member = np.zeros(max(students.max(initial=0), members.max(initial=0)) + 1, dtype=bool)
    is_member[members] = True
    without = students[~is_member[students]].tolist()
    (number,) = connection.execute(_AT_SCHOOLS, {**here, "people": without}).fetchone() or (0,) if without else (0,)
    return int(number)
