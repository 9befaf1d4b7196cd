"""Who a record was found to be stays so while updates are held back: the sourcedId cannot be written, and nobody is made twice."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.integration.directory.test_undo import a_night, one, take_back
from tests.integration.directory.world import NIGHT, Directory, Row, Sis, everything_on, user

DAY = dt.timedelta(days=1)
NEW_KEYS = {"email": "new@example.org", "username": "new"}


def held_back(why: str) -> dict[str, Any]:
    """Settings with which somebody who is here is not updated."""
    on = everything_on()
    if why == "quiet":
        return on | {"quiet": [{"from": "2026-11-24", "to": "2026-12-24", "mode": "additions_only"}]}
    return on | {"roles": {role: own | {"auto_update": False} for role, own in on["roles"].items()}}


def made_by_hand(directory: Directory, **keys: str) -> int:
    """Somebody made by hand, with the switch on."""
    made = directory.value(
        "select directory.add_person('oak', 'student', 'Givenx', 'Familyx', %s, %s)", keys.get("email"), keys.get("username")
    )
    directory.do("select directory.set_include_in_sync(%s, true)", made)
    return int(made)


def night(directory: Directory, number: int, *users: Row, **more: Any) -> None:
    """A night with somebody else, who is always there, and these."""
    a_night(directory, Sis(users=[user("a"), *users]), f"run-{number}", night=NIGHT + number * DAY, **more)


def people(directory: Directory) -> list[tuple[Any, ...]]:
    return directory.rows("select person_id, sourced_ids from directory.people where given_name <> 'Givena' order by 1")


@pytest.mark.parametrize("why", ["auto_update_off", "quiet"])
@pytest.mark.parametrize("change", [NEW_KEYS, NEW_KEYS | {"identifier": "other"}, NEW_KEYS | {"family_name": "Married"}])
@pytest.mark.parametrize("between", ["nothing", "set_aside", "unproven"])
def test_somebody_made_by_hand_is_not_made_twice_when_their_keys_change(
    directory: Directory, why: str, change: dict[str, Any], between: str
) -> None:
    night(directory, 0)
    made = made_by_hand(directory, email="x@example.org", username="user.x")
    directory.settings = held_back(why)
    night(directory, 1, user("x"))
    if between == "set_aside":
        night(directory, 2, user("x"), set_aside=["x"])
    elif between == "unproven":
        night(directory, 2, unproven="It moved.")
    night(directory, 3, user("x", **change))
    night(directory, 4, user("x", **change))
    assert people(directory) == [(made, [])]
    directory.settings = everything_on()
    night(directory, 5, user("x"))
    assert people(directory) == [(made, ["x"])]


def test_who_was_only_matched_by_a_run_that_was_undone_is_not_known_by_it(directory: Directory) -> None:
    night(directory, 0)
    made = made_by_hand(directory, email="x@example.org")
    directory.settings = held_back("auto_update_off")
    night(directory, 1, user("x"))
    take_back(directory, "run-1")
    night(directory, 2, user("x", **NEW_KEYS))
    assert [row[0] for row in people(directory)] == [made, one(directory, "x")]


def test_a_sourced_id_that_came_to_another_human_is_asked_about(directory: Directory) -> None:
    night(directory, 0)
    made = made_by_hand(directory, email="x@example.org")
    directory.settings = held_back("auto_update_off")
    night(directory, 1, user("x"))
    night(directory, 2, user("x", given_name="Some", family_name="Body", **NEW_KEYS))
    assert people(directory) == [(made, [])]
    assert directory.rows("select person_id, sourced_id, state from directory.relink_proposals") == [(made, "x", "proposed")]
    directory.do("select directory.refuse_relink(%s, 'x')", made)
    night(directory, 3, user("x", given_name="Some", family_name="Body", **NEW_KEYS))
    assert people(directory) == [(made, []), (one(directory, "x"), ["x"])]
    assert directory.value("select given_name from directory.people where person_id = %s", made) == "Givenx"


def test_somebody_linked_by_a_person_since_is_known_by_that_alone(directory: Directory) -> None:
    """The id that was held back came to somebody else, and says so in every key."""
    night(directory, 0)
    made = made_by_hand(directory, email="x@example.org")
    directory.settings = held_back("auto_update_off")
    night(directory, 1, user("x"))
    directory.do("update directory.people set sourced_id = 'y', sourced_ids = '{y}' where person_id = %s", made)
    night(
        directory,
        2,
        user("x", given_name="Some", family_name="Body", **NEW_KEYS),
        user("y", given_name="Givenx", family_name="Familyx"),
    )
    assert people(directory) == [(made, ["y"]), (one(directory, "x"), ["x"])]


def test_a_further_record_of_somebody_stays_theirs_when_it_is_the_only_one(directory: Directory) -> None:
    """A record a school, joined by the number: the second id was never written."""
    first = {"identifier": "77", "email": "x@example.org", "given_name": "Givenx", "family_name": "Familyx"}
    night(directory, 0, user("x", **first))
    known = one(directory, "x")
    directory.settings = held_back("auto_update_off")
    night(directory, 1, user("x", **first), user("x2", **first))
    assert people(directory) == [(known, ["x"])]
    night(directory, 2, user("x", status="tobedeleted", **first), user("x2", **first | NEW_KEYS | {"identifier": None}))
    assert people(directory) == [(known, ["x"])]
    assert directory.value("select status from directory.people where person_id = %s", known) == "active"
