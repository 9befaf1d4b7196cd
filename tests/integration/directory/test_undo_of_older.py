"""Undo of a run that is not the newest: what later nights decided stays, and nobody is archived whom the newest night has."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.integration.directory.test_undo import ON, a_list, a_night, conflicts, everything, one, take_back, two_classes
from tests.integration.directory.world import NIGHT, Directory, Sis, enrollment, everything_on, user

DAY = dt.timedelta(days=1)
HERE, GONE = ("a", "b", "c"), ("a", "b")


@pytest.fixture
def oak(directory: Directory) -> Directory:
    """A district after a first night with three students, every list on."""
    directory.settings = everything_on(**ON)
    a_night(directory, two_classes(*HERE), "first")
    return directory


def nights(directory: Directory, *every: Sis, start: int = 1) -> None:
    """A night for each pull, named run-1, run-2 and so on."""
    for number, sis in enumerate(every, start):
        a_night(directory, sis, f"run-{number}", night=NIGHT + number * DAY)


def standing(directory: Directory, sourced_id: str) -> tuple[str, int]:
    """The status of somebody, and on how many lists they are."""
    person = one(directory, sourced_id)
    return (
        directory.value("select status from directory.people where person_id = %s", person),
        directory.value("select count(*) from directory.list_members where person_id = %s", person),
    )


def test_whom_a_later_night_restored_once_more_is_not_archived(oak: Directory) -> None:
    nights(oak, two_classes(*GONE), two_classes(*HERE), two_classes(*GONE), two_classes(*HERE))
    before = everything(oak)
    take_back(oak, "run-2")
    assert everything(oak) == before
    assert ("person", one(oak, "c")) in conflicts(oak, "undo of run-2")


def test_whom_a_later_night_archived_once_more_is_not_restored(oak: Directory) -> None:
    nights(oak, two_classes(*GONE), two_classes(*HERE), two_classes(*GONE))
    before = everything(oak)
    take_back(oak, "run-1")
    assert everything(oak) == before
    assert ("person", one(oak, "c")) in conflicts(oak, "undo of run-1")


@pytest.mark.parametrize("later", [1, 2])
@pytest.mark.parametrize("auto_update", [True, False])
def test_whom_the_newest_night_has_is_not_archived(oak: Directory, later: int, auto_update: bool) -> None:
    roles = {role: own | {"auto_update": auto_update} for role, own in everything_on()["roles"].items()}
    oak.settings = oak.settings | {"roles": roles}
    nights(oak, two_classes(*GONE), two_classes(*HERE), *[two_classes(*HERE)] * later)
    before, on = everything(oak), standing(oak, "c")
    assert on == ("active", 4)
    take_back(oak, "run-2")
    assert everything(oak) == before
    assert ("person", one(oak, "c")) in conflicts(oak, "undo of run-2")
    assert ("membership", one(oak, "c")) in conflicts(oak, "undo of run-2")


def test_whom_the_newest_night_lacks_is_archived_as_before_the_run(oak: Directory) -> None:
    """Archiving was off on that night, so that nothing else was done about them since."""
    nights(oak, two_classes(*GONE), two_classes(*HERE))
    roles = {role: own | {"archive": False} for role, own in everything_on()["roles"].items()}
    oak.settings = oak.settings | {"roles": roles}
    nights(oak, two_classes(*GONE), start=3)
    take_back(oak, "run-2")
    assert standing(oak, "c") == ("archived", 0)


def test_once_the_later_nights_are_undone_the_restore_goes_too(oak: Directory) -> None:
    nights(oak, two_classes(*GONE))
    before = everything(oak)
    nights(oak, two_classes(*HERE), two_classes(*HERE), start=2)
    take_back(oak, "run-3")
    assert take_back(oak, "run-2")["conflicts"] == 0
    assert everything(oak) == before


def test_whom_the_run_restored_and_changed_is_left_alone_as_a_whole(oak: Directory) -> None:
    """Listed as a conflict, they are as the newest night has them, and what the run changed of them still says applied."""
    back = two_classes(*HERE)
    next(row for row in back.users if row["sourced_id"] == "c")["family_name"] = "Newname"
    nights(oak, two_classes(*GONE), back, back)
    before = everything(oak)
    take_back(oak, "run-2")
    assert everything(oak) == before
    told = "select action, status from directory.sync_changes where entity = 'person' and run_id = %s order by 1"
    assert oak.rows(told, "run-2") == [("restore", "applied"), ("update", "applied")]
    assert {status for _, status in oak.rows(told, "undo of run-2")} == {"conflict"}


@pytest.mark.parametrize("later", [0, 1])
def test_the_role_of_before_comes_back_only_with_the_archive_of_before(directory: Directory, later: int) -> None:
    """Who was an admin, was archived and is back as a student while auto_update is off, is never active as an admin again."""
    directory.settings = everything_on(**ON)
    here = Sis(users=[user("stays"), user("a", "administrator")])
    nights(directory, here, Sis(users=[user("stays")]))
    before = everything(directory)
    roles = {role: own | {"auto_update": False} for role, own in directory.settings["roles"].items()}
    directory.settings = directory.settings | {"roles": roles}
    nights(directory, *[Sis(users=[user("stays"), user("a")])] * (1 + later), start=3)
    restored = everything(directory)
    assert directory.value("select role || ' ' || status from directory.people where sourced_id = 'a'") == "student active"
    take_back(directory, "run-3")
    assert everything(directory) == (restored if later else before)


def test_a_later_night_that_proved_nothing_leaves_whoever_was_restored(oak: Directory) -> None:
    """It neither has nor lacks them: unknown archives nobody."""
    nights(oak, two_classes(*GONE), two_classes(*HERE))
    oak.night(two_classes(*GONE), unproven="It moved.", run_id="run-3", night=NIGHT + 3 * DAY)
    take_back(oak, "run-2")
    assert standing(oak, "c") == ("active", 4)


@pytest.mark.parametrize(("field", "values"), [
    ("email", ["one@example.org", "two@example.org", "one@example.org"]),
    ("preferred_given_name", ["Al", None, "Al"]),
    ("grades", [["10"], ["11"], ["10"]]),
])  # fmt: skip
def test_a_value_that_a_later_night_set_once_more_stays(oak: Directory, field: str, values: list[Any]) -> None:
    for number, value in enumerate(values, 1):
        sis = two_classes(*HERE)
        sis.users[1] |= {field: value}  # a
        nights(oak, sis, start=number)
    before = everything(oak)["people"]
    take_back(oak, "run-1")
    assert everything(oak)["people"] == before
    assert ("person", one(oak, "a")) in conflicts(oak, "undo of run-1")


def test_a_list_that_later_nights_ended_and_brought_back_stays(oak: Directory) -> None:
    def without_d() -> Sis:
        sis = two_classes(*HERE)
        sis.classes = sis.classes[:1]
        sis.enrollments = [own for own in sis.enrollments if own["class_id"] == "C"]
        return sis

    nights(oak, without_d(), two_classes(*HERE), without_d(), two_classes(*HERE))
    before = everything(oak)
    take_back(oak, "run-2")
    assert everything(oak)["lists"] == before["lists"]
    assert ("list", a_list(oak, "D")) in conflicts(oak, "undo of run-2")
    nights(oak, without_d(), start=5)
    before = everything(oak)
    take_back(oak, "run-3")
    assert everything(oak)["lists"] == before["lists"]


def test_a_class_left_and_joined_once_more_by_later_nights_stays(oak: Directory) -> None:
    joined, left = two_classes(*HERE), two_classes(*HERE)
    joined.enrollments.append(enrollment("D", "a"))
    nights(oak, joined, left, joined)
    before = everything(oak)
    take_back(oak, "run-1")
    assert everything(oak) == before


def careful() -> dict[str, Any]:
    """Settings that create, and leave whoever is here as they are."""
    roles = {role: own | {"auto_update": False} for role, own in everything_on()["roles"].items()}
    return everything_on(**ON) | {"roles": roles}


@pytest.mark.parametrize("later", [0, 1, 2])
def test_who_stays_after_an_undo_joins_the_lists_again(oak: Directory, later: int) -> None:
    """Their places went with the run that gave them; the next night knows that they have been on no list since."""
    oak.settings = careful()
    nights(oak, two_classes(*HERE, "d"), *[two_classes(*HERE, "d")] * later)
    before = everything(oak)["members"]
    oak.do("select directory.pin_field(%s, 'given_name', 'Al', 'asked for')", one(oak, "d"))
    take_back(oak, "run-1")
    assert standing(oak, "d") == ("active", 0)
    nights(oak, two_classes(*HERE, "d"), start=9)
    assert everything(oak)["members"] == before


@pytest.mark.parametrize("later", [0, 1])
def test_who_joined_late_by_a_run_that_was_undone_joins_again(oak: Directory, later: int) -> None:
    oak.settings = careful() | {"class_lists": {"enabled": True, "terms": ["T2"]}}
    nights(oak, two_classes(*HERE, "d"))
    oak.settings = careful()
    nights(oak, *[two_classes(*HERE, "d")] * (1 + later), start=2)
    before = everything(oak)["members"]
    take_back(oak, "run-2")
    nights(oak, two_classes(*HERE, "d"), start=9)
    assert everything(oak)["members"] == before


def test_who_was_moved_by_a_run_that_was_undone_does_not_join_while_held_back(oak: Directory) -> None:
    """They were here before, and the switch that let the run move them is off now."""
    moved = two_classes(*HERE)
    moved.enrollments.append(enrollment("D", "a"))
    before = everything(oak)["members"]
    nights(oak, moved, moved)
    take_back(oak, "run-1")
    assert everything(oak)["members"] == before
    oak.settings = careful()
    nights(oak, moved, start=9)
    assert everything(oak)["members"] == before
