"""What happens to teachers and other employees in a night."""

from __future__ import annotations

from collections.abc import Callable

from include.rehearsal.night import Night
from include.rehearsal.records import Record


def change_teachers(night: Night) -> None:
    """Let teachers leave, each with a successor, become administrator, hand over a class, get help."""
    teachers = night.chance.sample(night.people["teacher"], len(night.people["teacher"]))
    rounds = max(1, len(teachers) // 120)
    for _ in range(min(rounds, len(teachers) // 8)):  # a round needs up to seven
        _succeed(night, teachers.pop(), "vanished", night.vanish)
        _succeed(night, teachers.pop(), "tobedeleted", night.delete)
        _promote(night, teachers.pop())
        _hand_over(night, teachers.pop(), teachers)
        _help(night, teachers.pop(), teachers)


def change_staff(night: Night) -> None:
    """Let aides leave and counselors join."""
    aides = night.people["aide"]
    for aide in night.chance.sample(aides, min(len(aides), max(1, len(aides) // 40))):
        night.vanish(aide)
        night.district.users.append(night.maker.user("counselor", aide["primaryOrg"]["sourcedId"]))
        night.changes.update(staff_vanished=1, staff_joined=1)


def _succeed(night: Night, teacher: Record, what: str, leave: Callable[[Record], None]) -> None:
    successor = night.maker.user("teacher", teacher["primaryOrg"]["sourcedId"])
    night.district.users.append(successor)
    for seat in night.seats[teacher["sourcedId"]]:
        night.seat(night.class_of(seat), successor, "teacher", seat["primary"] == "true")
    leave(teacher)
    night.changes.update({f"teachers_{what}": 1, "teachers_joined": 1})


def _promote(night: Night, teacher: Record) -> None:
    """A teacher becomes an administrator of the school, and keeps the classes."""
    night.changed(teacher, roles=[teacher["roles"][0] | {"role": "siteAdministrator"}])
    night.changes["teachers_promoted"] += 1


def _hand_over(night: Night, teacher: Record, others: list[Record]) -> None:
    """A class gets another leading teacher."""
    other = _colleague(teacher, others)
    seat = next((one for one in night.seats[teacher["sourcedId"]] if one["primary"] == "true"), None)
    if other and seat and not _teaches(night, other, night.class_of(seat)):
        night.unseat(seat)
        night.seat(night.class_of(seat), other, "teacher", primary=True)
        night.changes["classes_handed_over"] += 1


def _help(night: Night, teacher: Record, others: list[Record]) -> None:
    """A class gets a co-teacher."""
    other = _colleague(teacher, others)
    klass = next((night.class_of(one) for one in night.seats[teacher["sourcedId"]]), None)
    if other and klass and not _teaches(night, other, klass):
        night.seat(klass, other, "teacher")
        night.changes["co_teachers_added"] += 1


def _teaches(night: Night, teacher: Record, klass: Record) -> bool:
    return any(seat["class"]["sourcedId"] == klass["sourcedId"] for seat in night.seats[teacher["sourcedId"]])


def _colleague(teacher: Record, others: list[Record]) -> Record | None:
    """A teacher of the same school, who is then no longer among the others."""
    school = teacher["primaryOrg"]["sourcedId"]
    found = next((one for one in others if one["primaryOrg"]["sourcedId"] == school), None)
    if found:
        others.remove(found)
    return found
