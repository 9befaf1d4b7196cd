"""What happens to students in a night."""

from __future__ import annotations

from collections.abc import Callable

from include.rehearsal.names import FAMILY, plain
from include.rehearsal.night import Night
from include.rehearsal.records import Record

_JOINED_PER_MILLE = 10


def change_students(night: Night, rare: bool) -> None:
    """Let students leave, move, change and join; what is ``rare`` too if so."""
    pupils = night.chance.sample(night.people["student"], len(night.people["student"]))
    count = len(pupils)
    for what, (per_mille, handle) in (_COMMON | _RARE if rare else _COMMON).items():
        wanted = max(1, round(count * per_mille / 1000))
        night.changes[f"students_{what}"] += _some(night, pupils, wanted, handle)
    for _ in range(max(1, round(count * _JOINED_PER_MILLE / 1000))):
        _join(night)


def let_return(night: Night) -> None:
    """Let two who vanished in an earlier night come back."""
    for pupil in [user for user in night.gone if user["sourcedId"] not in night.away][:2]:
        night.gone.remove(pupil)
        night.changed(pupil)
        night.district.users.append(pupil)
        night.changes["students_returned"] += 1
        night.seat_all(pupil)


def _some(night: Night, pupils: list[Record], wanted: int, handle: Callable[[Night, Record], bool]) -> int:
    """How many of the wanted were handled; whom it was not possible for stays for the next thing."""
    unsuited, done = [], 0
    while done < wanted and pupils:
        pupil = pupils.pop()
        if handle(night, pupil):
            done += 1
        else:
            unsuited.append(pupil)
    pupils[:0] = unsuited
    return done


def _vanish(night: Night, pupil: Record) -> bool:
    night.vanish(pupil)
    night.gone.append(pupil)
    return True


def _delete(night: Night, pupil: Record) -> bool:
    night.delete(pupil)
    return True


def _disable(night: Night, pupil: Record) -> bool:
    night.changed(pupil, enabledUser="false")
    return True


def _move(night: Night, pupil: Record) -> bool:
    """To another school of the same grade; without one, from a last grade to the next school's first."""
    here, grade = pupil["primaryOrg"]["sourcedId"], pupil["grades"][0]
    same = [place for place in night.sections if place[0] != here and place[1] == grade]
    above = [] if (here, _next(grade)) in night.sections else [p for p in night.sections if p[1] == _next(grade)]
    if not same and not above:
        return False
    school, there = night.chance.choice(same or above)
    night.unseat_all(pupil)
    org = night.maker.ref("org", school)
    night.changed(pupil, primaryOrg=org, roles=[pupil["roles"][0] | {"org": org}], grades=[there])
    night.seat_all(pupil)
    return True


def _rename(night: Night, pupil: Record) -> bool:
    new = night.chance.choice([name for name in FAMILY if name != pupil["familyName"]])
    night.changed(pupil, familyName=f"{pupil['familyName']}-{new}" if night.chance.random() < 0.5 else new)
    return True


def _change_email(night: Night, pupil: Record) -> bool:
    name = f"{plain(pupil['givenName'])[:1]}{plain(pupil['familyName'])}.{night.maker.stamp[:10]}"
    night.changed(pupil, email=f"{name}.{pupil['identifier']}@{pupil['email'].split('@')[1]}")
    return True


def _change_grade(night: Night, pupil: Record) -> bool:
    school, grade = pupil["primaryOrg"]["sourcedId"], _next(pupil["grades"][0])
    if (school, grade) not in night.sections:
        return False
    night.unseat_all(pupil)
    night.changed(pupil, grades=[grade])
    night.seat_all(pupil)
    return True


def _reschedule(night: Night, pupil: Record) -> bool:
    """From one class to another of the same course."""
    for seat in night.seats[pupil["sourcedId"]]:
        if others := night.siblings(night.class_of(seat)):
            night.unseat(seat)
            night.seat(night.chance.choice(others), pupil, "student")
            return True
    return False


def _join(night: Night) -> None:
    """A student joins, with a parent."""
    school, grade = night.chance.choice(list(night.sections))
    agent = night.maker.user("parent", school)
    pupil = night.maker.user("student", school, grade, [agent["sourcedId"]])
    night.district.users += [agent, pupil]
    night.changes.update(students_joined=1, parents_joined=1)
    night.seat_all(pupil)


def _next(grade: str) -> str:
    return "01" if grade == "KG" else f"{int(grade) + 1:02d}"


#: What happens, to how many students of a thousand (at least one), and how.
_COMMON: dict[str, tuple[float, Callable[[Night, Record], bool]]] = {
    "vanished": (5, _vanish),
    "tobedeleted": (2.5, _delete),
    "moved": (4, _move),
    "renamed": (6, _rename),
    "email_changed": (4, _change_email),
    "grade_changed": (2, _change_grade),
    "rescheduled": (12, _reschedule),
}
_RARE: dict[str, tuple[float, Callable[[Night, Record], bool]]] = {"disabled": (1, _disable)}
