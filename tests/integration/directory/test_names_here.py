"""Lists are named after what their teachers are called in the directory: a name that is pinned, or held back, is the one that people see."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.integration.directory.world import NIGHT, Directory, Sis, enrollment, everything_on, klass, user

LISTS: dict[str, Any] = {"class_lists": {"enabled": True, "terms": ["T1"]}, "auto_lists": {"teacher": True}}
BEFORE = {"A": "Math · Berg", "B": "Math · Lee", "t": "Jo Berg's students", "u": "Kim Lee's students"}


def two_of_one_title(family_name: str = "Berg") -> Sis:
    """Two classes of one title, told apart by their teachers."""
    return Sis(
        users=[
            user("s"),
            user("t", "teacher", given_name="Jo", family_name=family_name),
            user("u", "teacher", given_name="Kim", family_name="Lee"),
        ],
        classes=[klass("A", title="Math"), klass("B", title="Math")],
        enrollments=[
            enrollment("A", "s"),
            enrollment("B", "s"),
            enrollment("A", "t", "teacher"),
            enrollment("B", "u", "teacher"),
        ],
    )


def names(directory: Directory) -> dict[str, str]:
    return dict(directory.rows("select source_id, name from directory.user_lists"))


def pin(directory: Directory, field: str, value: str, until: dt.date | None = None, of: str = "t") -> None:
    query = "select directory.pin_field(person_id, %s, %s, 'their wish', %s) from directory.people where sourced_id = %s"
    directory.do(query, field, value, until, of)


def night(directory: Directory, after: int, sis: Sis | None = None, **more: Any) -> dict[str, Any]:
    return directory.night(sis or two_of_one_title(), night=NIGHT + dt.timedelta(days=after), **more)


def told(directory: Directory, run_id: str) -> list[tuple[Any, ...]]:
    query = (
        "select entity_id, action, replace(status, 'planned', 'applied'), reason, before, after from directory.sync_changes"
        " where entity = 'list' and run_id = %s order by 1"
    )
    return directory.rows(query, run_id)


@pytest.fixture
def named(directory: Directory) -> Directory:
    """A district whose lists are named by the SIS."""
    directory.settings = everything_on(**LISTS)
    night(directory, 0)
    assert names(directory) == BEFORE
    return directory


@pytest.mark.parametrize("auto_update", [True, False])
def test_a_pin_renames_the_lists_on_the_next_night_and_its_end_names_them_back(named: Directory, auto_update: bool) -> None:
    named.settings["roles"] = {
        role: {"roster": True, "auto_update": auto_update, "archive": True} for role in everything_on()["roles"]
    }
    pin(named, "family_name", "Voss", NIGHT + dt.timedelta(days=2))
    assert names(named) == BEFORE
    night(named, 1, kind="preview", run_id="preview")
    assert names(named) == BEFORE
    assert night(named, 1, run_id="real")["lists"]["class"]["updated"] == 1
    pinned = BEFORE | {"A": "Math · Voss", "t": "Jo Voss's students"}
    assert names(named) == pinned and told(named, "real") == told(named, "preview")
    calm = named.rows("select list_id, updated_at from directory.user_lists order by 1")
    night(named, 2)
    assert named.rows("select list_id, updated_at from directory.user_lists order by 1") == calm
    # Over, or taken off by hand, it names them back once the field follows the SIS again.
    night(named, 3)
    assert names(named) == (BEFORE if auto_update else pinned)


def test_a_pin_that_is_taken_off_names_them_back(named: Directory) -> None:
    pin(named, "family_name", "Voss")
    night(named, 1)
    named.do("delete from directory.field_pins")
    night(named, 2)
    assert names(named) == BEFORE


def test_a_name_that_is_held_back_names_no_list(named: Directory) -> None:
    named.settings["roles"] = {role: {"roster": True, "auto_update": False, "archive": True} for role in everything_on()["roles"]}
    before = named.state()
    night(named, 1, two_of_one_title("Voss"))
    assert named.state() == before


def test_two_who_are_called_the_same_here_are_told_apart_by_more(named: Directory) -> None:
    pin(named, "family_name", "Lee")
    pin(named, "preferred_given_name", "Kim")
    night(named, 1)
    assert names(named) == {"A": "Math · A", "B": "Math · B", "t": "Kim Lee's students · t", "u": "Kim Lee's students · u"}


def test_a_list_named_by_hand_keeps_its_name(named: Directory) -> None:
    named.do("update directory.user_lists set name = 'My own' where source_id = 'A'")
    pin(named, "family_name", "Voss")
    night(named, 1)
    assert names(named)["A"] == "My own" and names(named)["t"] == "Jo Voss's students"


def test_a_night_that_proves_nothing_renames_nothing(named: Directory) -> None:
    pin(named, "family_name", "Voss")
    night(named, 1, unproven="the users came in part")
    assert names(named) == BEFORE


def test_while_it_is_asked_whose_a_sourced_id_is_the_name_stays(named: Directory) -> None:
    other = {"given_name": "Max", "family_name": "Else", "identifier": "e", "email": "e@x.org", "username": "e"}
    sis = two_of_one_title()
    sis.users[1] |= other
    night(named, 1, sis)
    assert named.value("select rule from directory.sync_issues where severity = 'error'") == "users.sourced_id_reissued"
    assert names(named) == BEFORE
