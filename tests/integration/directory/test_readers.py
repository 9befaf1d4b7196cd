"""The app downstream: the restricted role sees the districts it was given and can change nothing."""

from __future__ import annotations

import psycopg
import pytest

from tests.integration.directory.apps import act_as, make_app
from tests.integration.directory.test_lists import LISTS, classroom, list_id, person
from tests.integration.directory.world import Directory, everything_on

RELATIONS = ("people", "user_lists", "list_members", "sync_runs", "sync_changes", "sync_issues", "terms")


@pytest.fixture
def two_districts(directory: Directory) -> Directory:
    directory.settings = everything_on(**LISTS)
    directory.night(classroom())
    directory.do("select directory.add_person('elm', 'teacher', 'E', 'E', 'e@example.org')")
    return directory


def reading(directory: Directory, districts: str) -> None:
    directory.do("reset role")
    act_as(directory.connection, make_app(directory.connection, districts or "pine"))


def test_without_a_district_a_wrong_query_shows_nothing(two_districts: Directory) -> None:
    reading(two_districts, "")
    assert {name: two_districts.value(f"select count(*) from directory.{name}") for name in RELATIONS} == dict.fromkeys(
        RELATIONS, 0
    )


def test_a_reader_sees_its_own_district_only(two_districts: Directory) -> None:
    numbers = "select (select count(*) from directory.people), (select count(*) from directory.list_members), (select count(*) from directory.sync_changes)"
    reading(two_districts, "elm")
    assert two_districts.rows(numbers) == [(1, 0, 0)]
    reading(two_districts, "oak")
    # 4 people and 1 list created, 4 memberships added
    assert two_districts.rows(numbers) == [(4, 4, 9)]
    reading(two_districts, "oak,elm")
    assert two_districts.value("select count(*) from directory.people") == 5


@pytest.mark.parametrize(("viewer", "sees"), [("t", True), ("co", True), ("a", False)])
def test_visibility_is_the_same_through_the_restricted_role(two_districts: Directory, viewer: str, sees: bool) -> None:
    who, group = person(two_districts, viewer), list_id(two_districts)
    reading(two_districts, "oak")
    assert (two_districts.rows("select list_id from directory.lists_visible_to(%s)", who) == [(group,)]) == sees
    reading(two_districts, "elm")
    assert two_districts.rows("select list_id from directory.lists_visible_to(%s)", who) == []


@pytest.mark.parametrize(
    "statement",
    [
        "update directory.people set role = 'admin'",
        "delete from directory.memberships",
        "select directory.set_include_in_sync(1, true)",
        "select directory.set_list_visibility(array[1]::bigint[], 'public')",
        "select * from directory.mails",
    ],
)
def test_a_reader_can_change_nothing(two_districts: Directory, statement: str) -> None:
    reading(two_districts, "oak")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        two_districts.do(statement)
