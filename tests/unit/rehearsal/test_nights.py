"""What a night does to the district, found out by comparing the two days."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from include.rehearsal.district import District, build
from include.rehearsal.records import is_active, mapped_role

TODAY = dt.date(2026, 11, 24)
SIZES = [(2400, 3, 7), (2400, 3, 11), (900, 7, 3), (240, 3, 7)]


def by_id(records: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {record["sourcedId"]: record for record in records}


def differences(before: District, after: District) -> dict[str, int]:
    """The night's changes as a comparison of the records tells them, under the names of ``changes``."""
    old, new = by_id(before.users), by_id(after.users)
    found: dict[str, int] = {}

    def count(name: str, wanted: bool = True) -> None:
        found[name] = found.get(name, 0) + wanted

    names = {"student": "students", "teacher": "teachers", "staff": "staff", "contact": "parents"}
    for one in new.keys() - old.keys():
        count(f"{names[mapped_role(new[one])]}_joined")
    for one in old.keys() - new.keys():
        count(f"{names[mapped_role(old[one])]}_vanished")
    for one in old.keys() & new.keys():
        was, now = old[one], new[one]
        role = names.get(mapped_role(was), "admins")
        moved = was["primaryOrg"] != now["primaryOrg"]
        count(f"{role}_tobedeleted", was["status"] != now["status"])
        count(f"{role}_disabled", was["enabledUser"] != now["enabledUser"])
        count(f"{role}_moved", moved)
        count(f"{role}_renamed", was["familyName"] != now["familyName"])
        count(f"{role}_email_changed", was["email"] != now["email"])
        count(f"{role}_grade_changed", was["grades"] != now["grades"] and not moved)
        count(f"{role}_promoted", mapped_role(was) != mapped_role(now))
    classes, later = by_id(before.classes), by_id(after.classes)
    found["classes_opened"] = len(later.keys() - classes.keys())
    found["classes_vanished"] = len(classes.keys() - later.keys())
    both = [(classes[one], later[one]) for one in classes.keys() & later.keys()]
    found["classes_retitled"] = sum(was["title"] != now["title"] for was, now in both)
    found["classes_tobedeleted"] = sum(was["status"] != now["status"] for was, now in both)
    return {name: number for name, number in found.items() if number}


@pytest.mark.parametrize(("students", "schools", "seed"), SIZES)
@pytest.mark.parametrize("night", [2, 3, 4])
def test_the_changes_counted_are_the_changes_found(students: int, schools: int, seed: int, night: int) -> None:
    before, after = (build(students, schools, seed=seed, night=n, today=TODAY) for n in (night - 1, night))
    counted = dict(after.numbers()["changes"])
    for inner in ("students_rescheduled", "classes_handed_over", "co_teachers_added"):
        counted.pop(inner, None)
    # Who returns was absent the night before, as a newcomer was.
    counted["students_joined"] += counted.pop("students_returned", 0)
    assert differences(before, after) == counted


@pytest.mark.parametrize(("students", "schools", "seed"), SIZES)
@pytest.mark.parametrize("night", [2, 3, 5])
def test_every_night_leaves_a_whole_district(students: int, schools: int, seed: int, night: int) -> None:
    district = build(students, schools, seed=seed, night=night, today=TODAY)
    users, classes = by_id(district.users), by_id(district.classes)
    assert len(users) == len(district.users)
    assert len(classes) == len(district.classes)
    assert len(by_id(district.enrollments)) == len(district.enrollments)
    leading = set()
    for seat in district.enrollments:
        klass, user = classes[seat["class"]["sourcedId"]], users[seat["user"]["sourcedId"]]
        if is_active(seat):
            assert klass["status"] == "active"
            assert user["status"] == "active"
            assert klass["school"]["sourcedId"] == user["primaryOrg"]["sourcedId"]
            assert seat["role"] == "teacher" or klass["grades"] == user["grades"]
        if seat["role"] == "teacher" and seat["primary"] == "true":
            leading.add(seat["class"]["sourcedId"])
    assert leading == set(classes)


def test_the_second_night_of_the_default_district() -> None:
    numbers = build(night=2, today=TODAY).numbers()
    assert numbers["people"] == {"admin": 16, "staff": 78, "student": 2406, "teacher": 238}
    assert numbers["changes"]["students_joined"] == 24
    assert numbers["changes"]["students_vanished"] + numbers["changes"]["students_tobedeleted"] == 18
    assert numbers["changes"]["students_moved"] == 10
    assert numbers["changes"]["students_rescheduled"] == 29
    assert numbers["changes"]["teachers_promoted"] == 2


def test_nobody_is_touched_twice_in_a_night() -> None:
    before, after = (by_id(build(night=n, today=TODAY).users) for n in (1, 2))
    for one in before.keys() & after.keys():
        changed = {key for key in before[one] if before[one][key] != after[one][key]} - {"dateLastModified"}
        moved = ({"primaryOrg", "roles", "grades"}, {"primaryOrg", "roles"})
        assert len(changed) <= 1 or changed in moved


def test_what_changed_is_stamped_and_nothing_else() -> None:
    moment = dt.datetime(2026, 11, 25, 3, 4, 5, 678_000, dt.UTC)
    before = build(night=1, today=TODAY)
    after = build(night=2, today=TODAY, changed_at=moment)
    for collection in ("users", "classes", "enrollments"):
        old, new = by_id(getattr(before, collection)), by_id(getattr(after, collection))
        for one, record in new.items():
            is_new = one not in old or {**old[one], "dateLastModified": ""} != {
                **record,
                "dateLastModified": "",
            }
            assert record["dateLastModified"] == ("2026-11-25T03:04:05.678Z" if is_new else old[one]["dateLastModified"])


def test_somebody_who_vanished_returns_as_the_same_person() -> None:
    nights = [by_id(build(night=n, today=TODAY).users) for n in (1, 2, 3)]
    returned = (nights[0].keys() & nights[2].keys()) - nights[1].keys()
    assert len(returned) == 2
    for one in returned:
        assert nights[2][one]["identifier"] == nights[0][one]["identifier"]
