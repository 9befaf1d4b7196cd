"""Lists as they stand in the database, against the slow and simple computation."""

from __future__ import annotations

import pandas as pd
import pytest

from include.rehearsal.district import District, build
from tests.integration.directory.world import Directory, Sis, everything_on
from tests.unit.rosters.plain_lists import PlainLists
from tests.unit.rosters.random_district import random_district
from tests.unit.rosters.test_lists import TODAY, frames, plain_of


class FromRecords(Sis):
    """A SIS that sends a district's records."""

    def __init__(self, district: District) -> None:
        super().__init__()
        self._frames = frames(district)

    def frame(self, collection: str) -> pd.DataFrame:
        """A collection as a snapshot would give it."""
        return self._frames[collection]


def as_loaded(directory: Directory) -> PlainLists:
    """The active lists that downstream reads."""
    lists: PlainLists = {
        (kind, school, source): (set(), set())
        for kind, school, source in directory.rows(
            "select kind, school_id, source_id from directory.user_lists where status = 'active'"
        )
    }
    for kind, school, source, person, role in directory.rows(
        "select l.kind, l.school_id, l.source_id, p.sourced_id, m.member_role from directory.list_members as m"
        " join directory.user_lists as l using (list_id) join directory.people as p using (person_id) where l.status = 'active'"
    ):
        lists[kind, school, source][role == "manager"].add(person)
    return lists


def folded(lists: PlainLists) -> PlainLists:
    """A subject's list keeps the spelling it was made under, so only the folded one can be foretold."""
    return {
        (kind, school, source.casefold() if kind == "subject" else source): on for (kind, school, source), on in lists.items()
    }


@pytest.mark.parametrize("which", ["rehearsal", 11, 12])
def test_what_is_loaded_equals_the_simple_computation(which: str | int, directory: Directory) -> None:
    district = build(students=240, night=2, today=TODAY) if isinstance(which, str) else random_district(which)
    sis = FromRecords(district)
    on = dict.fromkeys(("role", "grade", "subject", "teacher"), True)
    for terms, grades in (({"fall"}, set()), ({"full-year", "spring"}, {"KG", "07", "09"}), ({"fall"}, set())):
        chosen = {"enabled": True, "terms": sorted(terms), "grades": sorted(grades)}
        directory.settings = everything_on(class_lists=chosen, auto_lists=on)
        directory.night(sis)
        assert folded(as_loaded(directory)) == folded(plain_of(district, terms, grades, on))
