"""What the directory holds at a moment, read from the database, to be compared with another moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

Row = dict[str, Any]
#: (list_id, person_id, whether as manager)
Place = tuple[int, int, bool]


@dataclass(frozen=True)
class State:
    """Everything that decides anything, by its key."""

    people: dict[int, Row]
    lists: dict[int, Row]
    places: frozenset[Place]
    pins: dict[tuple[int, str], Row]
    overrides: dict[Place, bool]
    relinks: dict[tuple[int, str], Row]
    absences: dict[int, Row]
    runs: dict[str, Row]
    #: the rows of the district beside, which nothing may touch
    beside: tuple[Any, ...]

    def content(self) -> tuple[Any, ...]:
        """What downstream reads, but for timestamps and the versions of rows."""
        people = {one: _said(row) for one, row in self.people.items()}
        lists = {one: _said(row) for one, row in self.lists.items()}
        return people, lists, self.places

    def without_numbers(self) -> tuple[Any, ...]:
        """As content, with the numbers of people and lists replaced by their place in order."""
        people = {one: place for place, one in enumerate(sorted(self.people))}
        lists = {one: place for place, one in enumerate(sorted(self.lists))}
        rows = [_said(row) | {"owner_id": people.get(row["owner_id"])} for _, row in sorted(self.lists.items())]
        places = sorted((lists.get(group, -1), people.get(one, -1), role) for group, one, role in self.places)
        return [_said(row) for _, row in sorted(self.people.items())], rows, places

    def newest_loaded(self) -> Row | None:
        """The run whose snapshot is in the directory now."""
        loaded = [row for row in self.runs.values() if row["loaded_at"] is not None]
        return max(loaded, key=lambda row: row["snapshot_at"], default=None)


_UNSAID = ("person_id", "list_id", "created_at", "updated_at", "archived_at", "digest", "xmin")


def _said(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in _UNSAID}


def look(connection: psycopg.Connection[Any], district: str = "oak") -> State:
    """The state of a district now."""
    with connection.cursor(row_factory=dict_row) as cursor:

        def rows(query: str) -> list[Row]:
            return cursor.execute(query, {"district": district}).fetchall()  # type: ignore[arg-type]  # the queries stand in this file

        people = rows("select p.*, p.xmin::text from directory.people as p where district = %(district)s order by person_id")
        lists = rows("select l.*, l.xmin::text from directory.user_lists as l where district = %(district)s order by list_id")
        places = rows(
            "select m.list_id, m.manager, unnest(m.people) as person_id from directory.memberships as m"
            " join directory.user_lists as l using (list_id) where l.district = %(district)s"
        )
        pins = rows("select * from directory.field_pins where district = %(district)s")
        overrides = rows(
            "select o.* from directory.membership_overrides as o join directory.user_lists using (list_id)"
            " where district = %(district)s"
        )
        relinks = rows("select * from directory.relink_proposals where district = %(district)s order by person_id, sourced_id")
        absences = rows("select * from directory.absences where district = %(district)s")
        runs = rows("select * from directory.sync_runs where district = %(district)s order by run_no")
        beside = rows(
            "select to_jsonb(p)::text as row, p.xmin::text from directory.people as p where district <> %(district)s"
            " union all select to_jsonb(l)::text, l.xmin::text from directory.user_lists as l where district <> %(district)s"
            " order by 1"
        )
    return State(
        people={row["person_id"]: row for row in people},
        lists={row["list_id"]: row for row in lists},
        places=frozenset((row["list_id"], row["person_id"], row["manager"]) for row in places),
        pins={(row["person_id"], row["field"]): row for row in pins},
        overrides={(row["list_id"], row["person_id"], row["manager"]): row["keep"] for row in overrides},
        relinks={(row["person_id"], row["sourced_id"]): row for row in relinks},
        absences={row["person_id"]: row for row in absences},
        runs={row["run_id"]: row for row in runs},
        beside=tuple((row["row"], row["xmin"]) for row in beside),
    )
