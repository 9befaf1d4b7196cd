"""A record set aside is never read as absence: whatever is wrong with one record of a night, everything stays as it was."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.directory.tasks import Tasks, every_list, oak
from tests.integration.directory.world import Sis, enrollment, everything_on, klass, term, user

PLACES = {"orgs": "orgs", "academicSessions": "terms", "courses": "courses", "classes": "classes", "users": "users"}


def rows_of(sis: Sis, collection: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = getattr(sis, PLACES.get(collection, collection))
    return found


def everybody() -> list[tuple[str, str]]:
    """Every record of the district: collection and sourcedId."""
    sis = oak()
    return [(name, row["sourced_id"]) for name in (*PLACES, "enrollments") for row in rows_of(sis, name)]


def spoil(sis: Sis, collection: str, sourced_id: str, **values: Any) -> None:
    for row in rows_of(sis, collection):
        if row["sourced_id"] == sourced_id:
            row.update(values)


def lose(sis: Sis, collection: str, sourced_id: str) -> None:
    rows = rows_of(sis, collection)
    rows[:] = [row for row in rows if row["sourced_id"] != sourced_id]


@pytest.fixture
def settled(tasks: Tasks) -> tuple[Tasks, Any]:
    """A district after its first night, and everything that downstream reads of it."""
    tasks.directory.settings = every_list("T1", "T2")
    tasks.night(oak())
    return tasks, tasks.directory.state()


@pytest.mark.parametrize("collection", [*PLACES, "enrollments"])
def test_a_record_that_cannot_be_read_changes_nothing(collection: str, settled: tuple[Tasks, Any]) -> None:
    tasks, before = settled
    for name, sourced_id in everybody():
        if name != collection:
            continue
        sis = oak()
        lose(sis, collection, sourced_id)
        told = tasks.night(sis, unreadable=[(collection, sourced_id)])
        assert tasks.directory.state() == before, sourced_id
        assert f"{collection}.unreadable" in told.rules() and told.state == "completed_with_errors"
        assert set(told.rules()) <= {f"{collection}.unreadable", "enrollments.waits_for_class", "enrollments.waits_for_user"}


@pytest.mark.parametrize("collection", [*PLACES, "enrollments"])
def test_a_record_whose_status_is_none_changes_nothing(collection: str, settled: tuple[Tasks, Any]) -> None:
    tasks, before = settled
    for name, sourced_id in everybody():
        if name != collection:
            continue
        sis = oak()
        spoil(sis, collection, sourced_id, status="perhaps")
        told = tasks.night(sis)
        assert tasks.directory.state() == before, sourced_id
        assert f"{collection}.status_unknown" in told.rules()


def each(collection: str, **values: Any) -> Callable[[Sis, str], None]:
    return lambda sis, sourced_id: spoil(sis, collection, sourced_id, **values)


@pytest.mark.parametrize(
    ("collection", "values"),
    [
        ("academicSessions", {"start_date": "08/17/2026"}),
        ("academicSessions", {"end_date": "2026-01-01"}),
        ("classes", {"school_id": None}),
        ("classes", {"school_id": "S9"}),
        ("users", {"roles": ["wizard"]}),
        ("users", {"roles": []}),
        ("enrollments", {"class_id": "AA"}),
        ("enrollments", {"class_id": None}),
        ("enrollments", {"user_id": "ss1"}),
        ("enrollments", {"user_id": None}),
        ("enrollments", {"end_date": "12/18/2026"}),
        ("enrollments", {"end_date": "1/2/2026"}),
        ("enrollments", {"end_date": "soon"}),
        ("enrollments", {"begin_date": "soon"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "=".join(map(str, *value.items())),
)
def test_a_record_with_a_value_that_is_none_changes_nothing(
    collection: str, values: dict[str, Any], settled: tuple[Tasks, Any]
) -> None:
    tasks, before = settled
    for name, sourced_id in everybody():
        if name != collection:
            continue
        sis = oak()
        spoil(sis, collection, sourced_id, **values)
        tasks.night(sis)
        assert tasks.directory.state() == before, sourced_id


def test_what_was_set_aside_for_nights_is_still_as_it_was_and_leaves_once_it_is_really_gone(
    settled: tuple[Tasks, Any],
) -> None:
    tasks, before = settled
    for _ in range(3):
        sis = oak()
        spoil(sis, "classes", "A", school_id=None)
        spoil(sis, "enrollments", "B/s3", status="?")
        spoil(sis, "users", "s7", roles=["wizard"])
        tasks.night(sis)
        assert tasks.directory.state() == before
    gone = oak()
    for collection, one in (("enrollments", "B/s3"), ("users", "s7"), ("enrollments", "C/s7")):
        lose(gone, collection, one)
    tasks.night(gone)
    assert tasks.directory.rows("select sourced_id from directory.people where status = 'archived'") == [("s7",)]
    on = "select p.sourced_id from directory.list_members m join directory.people p using (person_id)"
    on += " join directory.user_lists l using (list_id) where l.source_id = 'B' and m.member_role = 'member' order by 1"
    assert tasks.directory.rows(on) == [("s4",), ("s6",)]


def test_a_new_record_that_is_set_aside_puts_nobody_on_a_list(settled: tuple[Tasks, Any]) -> None:
    tasks, before = settled
    sis = oak()
    sis.enrollments.append(enrollment("C", "s1", status="?"))
    sis.users.append(user("odd", roles=["wizard"]))
    sis.classes.append(klass("X", school_id=None))
    sis.enrollments.append(enrollment("X", "s1"))
    tasks.night(sis)
    assert tasks.directory.state() == before


def test_a_class_set_aside_goes_on_losing_who_leaves_it(settled: tuple[Tasks, Any]) -> None:
    tasks, _ = settled
    sis = oak()
    spoil(sis, "classes", "A", school_id=None)
    lose(sis, "enrollments", "A/s1")
    tasks.night(sis)
    on = "select count(*) from directory.list_members m join directory.people p using (person_id)"
    on += " join directory.user_lists l using (list_id) where l.source_id = 'A' and p.sourced_id = %s"
    assert (tasks.directory.value(on, "s1"), tasks.directory.value(on, "s2")) == (0, 1)


def test_a_parent_set_aside_keeps_the_contact(tasks: Tasks) -> None:
    tasks.directory.settings = everything_on(include_primary_parent_contact=True)
    sis = oak()
    sis.users[0]["agent_ids"] = ["p1"]
    sis.users.append(user("p1", "guardian", phone="555-0101"))
    tasks.night(sis)
    before = tasks.directory.rows("select * from directory.people order by person_id")
    assert tasks.directory.value("select parent_email from directory.people where sourced_id = 's1'") == "p1@example.org"
    bad = copy.deepcopy(sis)
    bad.users[-1]["status"] = "?"
    tasks.night(bad)
    assert tasks.directory.rows("select * from directory.people order by person_id") == before
    # Switched off, nothing of a parent is carried on.
    tasks.directory.settings["include_primary_parent_contact"] = False
    tasks.night(bad)
    assert tasks.directory.value("select count(*) from directory.people where parent_email is not null") == 0


def test_a_bad_row_is_not_forgiven_once_the_snapshot_before_is_lost(settled: tuple[Tasks, Any]) -> None:
    tasks, before = settled
    tasks.snapshots[0].delete()
    for _ in range(2):
        sis = oak()
        spoil(sis, "classes", "A", school_id=None)
        spoil(sis, "classes", "E", status="?")
        spoil(sis, "enrollments", "B/s3", status="?")
        spoil(sis, "enrollments", "C/s8", user_id=None)
        spoil(sis, "enrollments", "C/s7", class_id=None)
        spoil(sis, "users", "s5", roles=["wizard"])
        tasks.night(sis)
        people, lists, members = tasks.directory.state()
        assert people == before[0] and members == before[2]
        assert [row[6] for row in lists] == [row[6] for row in before[1]]


def test_dates_of_enrollments_are_compared_as_days(tasks: Tasks) -> None:
    tasks.directory.settings = every_list()
    sis = oak()
    ends = {"A/s1": "2026-11-02T00:00:00Z", "A/s2": "2026-12-18", "A/s3": "2026-12-18T00:00:00.000Z"}
    for one, end in ends.items():
        spoil(sis, "enrollments", one, end_date=end)
    tasks.night(sis)
    on = "select p.sourced_id from directory.list_members m join directory.people p using (person_id)"
    on += " join directory.user_lists l using (list_id) where l.source_id = 'A' and m.member_role = 'member' order by 1"
    assert tasks.directory.rows(on) == [("both1",), ("s2",), ("s3",)]


def test_a_term_that_is_set_aside_on_its_first_night_freezes_nothing_and_is_not_lost(tasks: Tasks) -> None:
    tasks.directory.settings = every_list("T1", "T3")
    sis = oak()
    sis.terms.append(term("T3", end_date="never"))
    told = tasks.night(sis)
    assert "terms.selected_lost" not in told.rules() and "academicSessions.dates" in told.rules()
