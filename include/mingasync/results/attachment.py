"""The changes of a run as CSV, with names: only for districts that asked for it (setting attach_changes)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

import psycopg

COLUMNS = ("entity", "action", "role", "school", "person", "sourced_id", "list", "member_role", "reason")
#: A district's first night changes everything; a mail server takes no more than this in good time.
_AT_MOST = 50_000


def applied_changes(
    connection: psycopg.Connection[Any], district: str, run_id: str, school_id: str | None = None
) -> tuple[tuple[Any, ...], ...]:
    """The rows of what a run really changed, in the district or one school, in COLUMNS; people, then lists, then memberships."""
    rows = connection.execute(
        """
        select changes.entity, changes.action, changes.role,
               coalesce(schools.name, changes.school_id),
               nullif(concat_ws(' ', people.given_name, people.family_name), ''), people.sourced_id,
               lists.name,
               coalesce(changes.after, changes.before) ->> 'member_role', changes.reason
        from directory.sync_changes as changes
        left join directory.people using (person_id)
        left join directory.user_lists as lists on lists.list_id = changes.list_id
        left join directory.schools as schools
          on schools.district = changes.district and schools.school_id = changes.school_id
        where changes.district = %(district)s and changes.run_id = %(run_id)s and changes.status = 'applied'
          and (%(school)s::text is null or changes.school_id = %(school)s)
        order by array_position(array['person', 'list', 'membership'], changes.entity), 2, 3, 5, 7
        limit %(at_most)s
        """,
        {"district": district, "run_id": run_id, "school": school_id, "at_most": _AT_MOST},
    ).fetchall()
    return tuple(rows)


def as_csv(rows: Iterable[tuple[Any, ...]]) -> bytes:
    """The rows under their headings, in UTF-8 as Excel recognises it; no cell is a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([_safe(cell) for cell in row] for row in rows)
    return text.getvalue().encode("utf-8-sig")


def _safe(cell: object) -> str:
    words = "" if cell is None else str(cell)
    return f"'{words}" if words.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else words
