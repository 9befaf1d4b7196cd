"""What happens to classes in a night."""

from __future__ import annotations

from include.rehearsal.night import Night
from include.rehearsal.records import Record


def change_classes(night: Night, rare: bool) -> None:
    """Let classes be renamed, vanish and open; where ``rare`` things happen, be marked to be deleted too."""
    courses = [classes for place in night.sections.values() for classes in place.values() if len(classes) > 2]
    wanted = 4 * max(1, len(night.district.classes) // 1000)
    kinds = (_retitle, _drop, _open, _close if rare else _open)
    for number, classes in enumerate(night.chance.sample(courses, min(len(courses), wanted))):
        kinds[number % 4](night, classes)


def _retitle(night: Night, classes: list[Record]) -> None:
    night.changed(classes[0], title=f"Advanced {classes[0]['title']}")
    night.changes["classes_retitled"] += 1


def _close(night: Night, classes: list[Record]) -> None:
    """A class is marked to be deleted, its enrollments too, and its students sit elsewhere."""
    for seat in _leave(night, classes[-1], classes[:-1]):
        night.changed(seat, status="tobedeleted")
    night.changed(classes[-1], status="tobedeleted")
    night.changes["classes_tobedeleted"] += 1


def _drop(night: Night, classes: list[Record]) -> None:
    """A class vanishes, and its students sit elsewhere."""
    _leave(night, classes[-1], classes[:-1])
    night.closed.add(classes[-1]["sourcedId"])
    night.changes["classes_vanished"] += 1


def _open(night: Night, classes: list[Record]) -> None:
    """A class opens with a teacher, a co-teacher and half of another class's students."""
    klass = _another(night, classes[0])
    night.district.classes.append(klass)
    pupils = [seat for seat in _roll(night, classes[0]) if seat["role"] == "student"]
    for seat in pupils[::2]:
        night.unseat(seat)
        night.seat(klass, seat["user"], "student")
    school = klass["school"]["sourcedId"]
    teachers = [
        one
        for one in night.people["teacher"]
        if one["primaryOrg"]["sourcedId"] == school and one["status"] == "active" and one["sourcedId"] not in night.away
    ]
    for place, teacher in enumerate(night.chance.sample(teachers, min(2, len(teachers)))):
        night.seat(klass, teacher, "teacher", primary=place == 0)
    night.changes["classes_opened"] += 1


def _another(night: Night, first: Record) -> Record:
    """A new class of the same course, term and period as the first."""
    code = first["classCode"].rsplit("-", 1)[0]
    number = 1
    while f"{first['course']['sourcedId']}-{number}" in night.classes:
        number += 1
    course = {"sourcedId": first["course"]["sourcedId"], "courseCode": code, "org": first["school"]}
    shared = {key: first[key] for key in ("title", "grades", "subjects", "subjectCodes")}
    return night.maker.klass(course | shared, number, first["terms"][0]["sourcedId"], first["periods"][0])


def _leave(night: Night, klass: Record, others: list[Record]) -> list[Record]:
    """The class's enrollments of the day before, after its students got seats in other classes."""
    here = klass["sourcedId"]
    tonight = [night.added.pop(key) for key, seat in list(night.added.items()) if seat["class"]["sourcedId"] == here]
    roll = _roll(night, klass)
    for seat in (*tonight, *roll):
        if seat["role"] == "student":
            night.seat(night.chance.choice(others), seat["user"], "student")
    return roll


def _roll(night: Night, klass: Record) -> list[Record]:
    """The class's enrollments of the day before that still hold."""
    return [
        seat
        for seat in night.district.enrollments
        if seat["class"]["sourcedId"] == klass["sourcedId"]
        and seat["status"] == "active"
        and seat["sourcedId"] not in night.dropped
    ]
