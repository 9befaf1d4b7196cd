"""Undo of a run that was tried more than once, and of a night that had counted as a night of absence: real database, end states."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from include.mingasync.directory.archive import archive
from include.mingasync.directory.load import load
from include.mingasync.directory.undo import undo
from include.mingasync.settings import Settings
from tests.integration.directory.world import NIGHT, Directory, Sis, enrollment, everything_on, klass, user

DAY = dt.timedelta(days=1)
CLASS_LISTS = {"class_lists": {"enabled": True, "terms": ["T1"]}}


def close(directory: Directory) -> None:
    """Every run has ended."""
    directory.do("update directory.sync_runs set finished_at = now(), state = 'success' where finished_at is null")


def attempts(directory: Directory, *pulls: Sis) -> None:
    """One run, ``tried``, read and loaded anew for each of the pulls."""
    run, run_no = directory.open(night=NIGHT + DAY, run_id="tried")
    for sis in pulls:
        load(
            directory.connection,
            run,
            run_no,
            Settings.model_validate(directory.settings),
            directory.desired(sis, night=run.night),
        )
        archive(directory.connection, run, run_no)
    close(directory)


def undone(directory: Directory, target: str) -> int:
    """The number of conflicts of an undo of the run."""
    run, run_no = directory.open("undo", NIGHT + 9 * DAY, f"undo-{target}")
    counts = undo(directory.connection, run, run_no, target)
    close(directory)
    return int(counts["conflicts"])


def status_of(directory: Directory, sourced_id: str) -> str:
    """Whether a person is active or archived."""
    return str(directory.value("select status from directory.people where sourced_id = %s", sourced_id))


def a_class(*students: str, classes: tuple[str, ...] = ("C", "D"), **changed: Any) -> Sis:
    """The students x and y, or those of them whom ``changed`` gives other fields; the named ones are in class C."""
    there = [enrollment("C", name) for name in students] if "C" in classes else []
    people = [user(name, **changed.get(name, {})) for name in ("x", "y") if changed.get(name, {}) is not None]
    return Sis(users=people, classes=[klass(name) for name in classes], enrollments=there)


FIRST = a_class("x")
TRIED = {
    "archived, then back": (a_class("x", y=None), FIRST),
    "archived, back, archived": (a_class("x", y=None), FIRST, a_class("x", y=None)),
    "one field, twice": (a_class("x", x={"given_name": "Two"}), a_class("x", x={"given_name": "Three"})),
    "one field, there and back": (a_class("x", x={"given_name": "Two"}), FIRST),
    "put on a list, taken off": (a_class("x", "y"), FIRST),
    "taken off a list, put on": (a_class(), FIRST),
    "a list ended, then back": (a_class(classes=("D",)), FIRST),
}

#: The counts, the rows of people and lists that were changed, and those of memberships, of the run "tried".
WHAT_IT_TELLS = """
    select counts - 'unchanged',
           (select coalesce(jsonb_agg(jsonb_build_array(entity, action, reason, before, after) order by entity, entity_no, action), '[]')
            from directory.changes as c where c.run_no = r.run_no and status = 'applied'),
           (select coalesce(jsonb_agg(jsonb_build_array(list_id, manager, action, people) order by list_id, manager, action), '[]')
            from directory.membership_changes as c where c.run_no = r.run_no and status = 'applied')
    from directory.sync_runs as r where run_id = 'tried'
"""


@pytest.mark.parametrize("pulls", TRIED.values(), ids=TRIED.keys())
def test_a_run_tried_with_other_data_is_taken_back_as_a_whole(directory: Directory, pulls: tuple[Sis, ...]) -> None:
    """An attempt's effect that the next attempt took back itself is not brought to life again: nobody is archived by an undo."""
    directory.settings = everything_on(**CLASS_LISTS)
    directory.night(FIRST)
    close(directory)
    before = directory.state()

    attempts(directory, *pulls)

    assert undone(directory, "tried") == 0
    assert directory.state() == before


@pytest.mark.parametrize("pulls", TRIED.values(), ids=TRIED.keys())
def test_a_run_tried_with_other_data_tells_what_one_clean_run_would(directory: Directory, pulls: tuple[Sis, ...]) -> None:
    """Its counts, its rows and the directory are those of a run that had the last data only."""
    directory.settings = everything_on(**CLASS_LISTS)
    directory.night(FIRST)
    close(directory)

    attempts(directory, *pulls)
    told, stands = directory.rows(WHAT_IT_TELLS)[0], directory.state()

    undone(directory, "tried")
    directory.do("update directory.sync_runs set run_id = 'of attempts' where run_id = 'tried'")
    attempts(directory, pulls[-1])
    assert directory.rows(WHAT_IT_TELLS)[0] == told
    assert directory.state() == stands


def test_somebody_brought_back_and_archived_by_two_attempts_was_archived_before(directory: Directory) -> None:
    """Not even the moment of the archive is another."""
    directory.settings = everything_on(**CLASS_LISTS)
    directory.night(FIRST)
    directory.night(a_class("x", y=None))
    close(directory)
    query = "select status, archived_at from directory.people where sourced_id = 'y'"
    before = directory.rows(query)

    attempts(directory, FIRST, a_class("x", y=None))

    assert directory.rows(query) == before
    assert directory.rows(WHAT_IT_TELLS)[0][1:] == ([], [])
    assert undone(directory, "tried") == 0
    assert directory.rows(query) == before


def test_somebody_brought_back_in_another_role_and_archived_by_two_attempts_has_the_role_of_before(directory: Directory) -> None:
    directory.settings = everything_on(**CLASS_LISTS)
    directory.night(Sis(users=[user("x"), user("y", "administrator")]))
    directory.night(Sis(users=[user("x")]))
    close(directory)
    query = "select status, archived_at, role, school_ids from directory.people where sourced_id = 'y'"
    before = directory.rows(query)
    directory.settings["roles"] = {role: own | {"auto_update": False} for role, own in directory.settings["roles"].items()}

    attempts(directory, Sis(users=[user("x"), user("y")]))
    assert directory.rows(query) == [("active", None, "student", ["S1"])]
    attempts(directory, Sis(users=[user("x")]))

    assert directory.rows(query) == before
    assert undone(directory, "tried") == 0
    assert directory.rows(query) == before


def test_somebody_made_and_changed_by_one_run_was_made_so(directory: Directory) -> None:
    """What the second attempt changed of whom the first one made is part of the making."""
    directory.night(FIRST)
    close(directory)
    attempts(
        directory,
        Sis(users=[*FIRST.users, user("z", email=None)]),
        Sis(users=[*FIRST.users, user("z", given_name="Zoe", email="zoe@example.org")]),
    )
    ((counts, rows, _),) = directory.rows(WHAT_IT_TELLS)
    student = counts["people"]["student"]
    assert (student["created"], student["updated"]) == (1, 0)
    ((_, action, _, _, after),) = rows
    assert (action, after["given_name"], after["email"]) == ("create", "Zoe", "zoe@example.org")


def test_what_was_empty_before_a_run_that_changed_it_twice_is_empty_again(directory: Directory) -> None:
    """An empty list is a value: it goes back as such, not as nothing."""
    first, *others = (
        Sis(users=[user("x", grades=grades), user("y")], classes=[klass("C", grades=grades)]) for grades in ([], ["10"], ["11"])
    )
    directory.settings = everything_on(**CLASS_LISTS)
    directory.night(first)
    close(directory)
    before = directory.state()

    attempts(directory, *others)

    assert undone(directory, "tried") == 0
    assert directory.state() == before


def test_somebody_made_and_changed_by_one_run_goes_again(directory: Directory) -> None:
    """Its second attempt is nobody else's edit."""
    directory.night(FIRST)
    close(directory)
    before = directory.state()
    newcomer = Sis(users=[*FIRST.users, user("z")])
    renamed = Sis(users=[*FIRST.users, user("z", given_name="Zoe")])

    attempts(directory, newcomer, renamed)

    assert undone(directory, "tried") == 0
    assert directory.state() == before


def test_what_a_hand_wrote_between_two_attempts_stays(directory: Directory) -> None:
    """The value that a person wrote is what was there before the last attempt."""
    directory.night(FIRST)
    close(directory)
    run, run_no = directory.open(night=NIGHT + DAY, run_id="tried")
    for name in ("Two", "Three"):
        sis = a_class(x={"given_name": name})
        load(
            directory.connection,
            run,
            run_no,
            Settings.model_validate(directory.settings),
            directory.desired(sis, night=run.night),
        )
        if name == "Two":
            directory.do("update directory.people set given_name = 'Hand' where sourced_id = 'x'")
    close(directory)

    undone(directory, "tried")

    assert directory.value("select given_name from directory.people where sourced_id = 'x'") == "Hand"


def test_an_undone_night_is_no_night_of_absence(directory: Directory) -> None:
    """With absent_nights 2, one night that stands and one that was undone are one night: y stays."""
    directory.settings = everything_on(safety={"archive_percent": 100, "archive_minimum": 0, "absent_nights": 2})
    gone = a_class(y=None)
    directory.night(FIRST, night=NIGHT)
    close(directory)
    directory.night(gone, night=NIGHT + DAY, run_id="bad")
    close(directory)
    undone(directory, "bad")

    directory.night(gone, night=NIGHT + 2 * DAY)
    assert status_of(directory, "y") == "active"

    directory.night(gone, night=NIGHT + 3 * DAY)
    assert status_of(directory, "y") == "archived"


def test_a_night_undone_among_others_counts_no_longer(directory: Directory) -> None:
    """Of three nights of absence two stand; a second run of a night that counted already is none more."""
    directory.settings = everything_on(safety={"archive_percent": 100, "archive_minimum": 0, "absent_nights": 4})
    directory.night(FIRST, night=NIGHT)
    for nights in (1, 2, 3):
        close(directory)
        directory.night(a_class(y=None), night=NIGHT + nights * DAY, run_id=f"night {nights}")
    directory.night(a_class(y=None), night=NIGHT + 3 * DAY, run_id="night 3 again")
    close(directory)
    query = "select nights, first_night, last_night from directory.absences"

    undone(directory, "night 3")
    assert directory.rows(query) == [(3, NIGHT + DAY, NIGHT + 3 * DAY)]
    undone(directory, "night 1")
    assert directory.rows(query) == [(2, NIGHT + 2 * DAY, NIGHT + 3 * DAY)]


def test_a_night_tried_again_without_proof_is_no_night_of_absence(directory: Directory) -> None:
    """Its first attempt was proven, the one that stands is not: with absent_nights 2 the next night is the first."""
    directory.settings = everything_on(safety={"archive_percent": 100, "archive_minimum": 0, "absent_nights": 2})
    gone = a_class(y=None)
    directory.night(FIRST, night=NIGHT)
    close(directory)
    run, run_no = directory.open(night=NIGHT + DAY, run_id="tried")
    for unproven in (None, "The users are too few."):
        desired = directory.desired(gone, night=run.night, unproven=unproven)
        load(directory.connection, run, run_no, Settings.model_validate(directory.settings), desired)
    close(directory)

    directory.night(gone, night=NIGHT + 2 * DAY)

    assert status_of(directory, "y") == "active"
    assert directory.rows("select nights, first_night, last_night from directory.absences") == [
        (1, NIGHT + 2 * DAY, NIGHT + 2 * DAY)
    ]


def test_whom_an_undone_night_had_archived_is_counted_anew(directory: Directory) -> None:
    """An undo never brings anybody nearer to being archived: with absent_nights 2 it takes two more nights."""
    directory.settings = everything_on(safety={"archive_percent": 100, "archive_minimum": 0, "absent_nights": 2})
    directory.night(FIRST)
    close(directory)
    for place in (1, 2):
        directory.night(Sis(users=[user("x")]), night=NIGHT + place * DAY, run_id="tried" if place == 2 else None)
        close(directory)
    status = "select status from directory.people where sourced_id = 'y'"
    assert directory.value(status) == "archived"
    undone(directory, "tried")
    assert directory.value(status) == "active"
    directory.night(Sis(users=[user("x")]), night=NIGHT + 3 * DAY)
    assert directory.value(status) == "active"
    close(directory)
    directory.night(Sis(users=[user("x")]), night=NIGHT + 4 * DAY)
    assert directory.value(status) == "archived"


@pytest.mark.parametrize(("absent_nights", "statuses"), [(1, ["archived", "archived"]), (2, ["active", "archived"])])
def test_whom_one_attempt_brought_back_and_the_next_lacks_leaves_as_anybody_absent(
    directory: Directory, absent_nights: int, statuses: list[str]
) -> None:
    """Two readings of one night are no two nights of absence: docs/decisions/0008-whom-an-attempt-saw.md."""
    directory.settings = everything_on(**CLASS_LISTS)
    directory.night(FIRST)
    directory.night(a_class("x", y=None))
    close(directory)
    before = directory.state()
    directory.settings = everything_on(
        **CLASS_LISTS, safety={"archive_percent": 100, "archive_minimum": 0, "absent_nights": absent_nights}
    )
    attempts(directory, FIRST, a_class("x", y=None))
    seen = [status_of(directory, "y")]
    directory.night(a_class("x", y=None), night=NIGHT + 2 * DAY)
    assert [*seen, status_of(directory, "y")] == statuses
    assert directory.state() == before
