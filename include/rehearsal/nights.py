"""What happens in a district from one day to the next."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable

from include.rehearsal.maker import Maker
from include.rehearsal.names import FAMILY, plain
from include.rehearsal.records import District, Record

#: How many students of a thousand each thing happens to, at least one.
_PER_MILLE = {
    "vanished": 5,
    "tobedeleted": 2.5,
    "disabled": 1,
    "moved": 4,
    "renamed": 6,
    "email_changed": 4,
    "grade_changed": 2,
    "rescheduled": 12,
}
_JOINED_PER_MILLE = 10


def next_night(district: District, maker: Maker, number: int, gone: list[Record]) -> None:
    """Turn the district into what it is a day later, ``changes`` counting what was done.

    Nobody is touched twice in a night. ``gone`` remembers who vanished over the nights. What is rarer comes
    with the third night: accounts that are disabled, classes marked to be deleted, students who return.
    """
    night = _Night(district, maker, gone, rare=number > 2)
    night.students()
    if number > 2:
        night.returners()
    night.teachers()
    night.staff()
    night.classes()
    night.finish()


class _Night:
    def __init__(self, district: District, maker: Maker, gone: list[Record], rare: bool) -> None:
        self.rare = rare
        self.district, self.maker, self.gone, self.chance = district, maker, gone, maker.chance
        self.changes: Counter[str] = Counter()
        self.added: dict[str, Record] = {}
        self.dropped: set[str] = set()  # ids of enrollments that are no more
        self.away: set[str] = set()  # ids of users who are no more
        self.classes_by_id = {one["sourcedId"]: one for one in district.classes}
        self.seats: dict[str, list[Record]] = defaultdict(list)
        for seat in district.enrollments:
            if seat["status"] == "active":
                self.seats[seat["user"]["sourcedId"]].append(seat)
        by_role: dict[str, list[Record]] = defaultdict(list)
        for user in district.users:
            if user["status"] == "active" and user["enabledUser"] == "true":
                by_role[user["roles"][0]["role"] if len(user["roles"]) == 1 else "several"].append(user)
        self.by_role = by_role
        self.pupils = self.chance.sample(by_role["student"], len(by_role["student"]))
        self.sections = _sections(district.classes)

    def changed(self, record: Record, **fields: object) -> None:
        """Give a record other values, and the night's stamp."""
        record.update(fields, dateLastModified=self.maker.stamp)

    def seat(self, klass: Record, user: Record, role: str, primary: bool = False) -> None:
        """Seat a user in a class."""
        seat = self.maker.enrollment(klass, user, role, primary)
        self.added[seat["sourcedId"]] = seat

    def unseat(self, seat: Record) -> None:
        """Take an enrollment away."""
        self.dropped.add(seat["sourcedId"])

    def students(self) -> None:
        """Let students leave, move, change and join."""
        count = len(self.pupils)
        handlers: dict[str, Callable[[Record], bool]] = {
            "vanished": self._vanish,
            "tobedeleted": self._delete,
            "disabled": self._disable,
            "moved": self._move,
            "renamed": self._rename,
            "email_changed": self._change_email,
            "grade_changed": self._change_grade,
            "rescheduled": self._reschedule,
        }
        for what, per_mille in _PER_MILLE.items():
            if what == "disabled" and not self.rare:
                continue
            self._some(f"students_{what}", max(1, round(count * per_mille / 1000)), handlers[what])
        for _ in range(max(1, round(count * _JOINED_PER_MILLE / 1000))):
            self._join()

    def returners(self) -> None:
        """Let two who vanished in an earlier night come back."""
        for pupil in [user for user in self.gone if user["sourcedId"] not in self.away][:2]:
            self._return(pupil)

    def _some(self, name: str, wanted: int, handle: Callable[[Record], bool]) -> None:
        """Do something to so many students; who it is not possible for stays for the next thing."""
        unsuited = []
        while wanted and self.pupils:
            pupil = self.pupils.pop()
            if handle(pupil):
                self.changes[name] += 1
                wanted -= 1
            else:
                unsuited.append(pupil)
        self.pupils = unsuited + self.pupils

    def _vanish(self, user: Record) -> bool:
        self.away.add(user["sourcedId"])
        self._take_all(user)
        if user["roles"][0]["role"] == "student":
            self.gone.append(user)
        return True

    def _delete(self, user: Record) -> bool:
        self.changed(user, status="tobedeleted")
        for seat in self.seats[user["sourcedId"]]:
            self.changed(seat, status="tobedeleted")
        return True

    def _disable(self, user: Record) -> bool:
        self.changed(user, enabledUser="false")
        return True

    def _move(self, pupil: Record) -> bool:
        """To another school of the same grade, else from a school's last grade to the next school's first."""
        here, grade = pupil["primaryOrg"]["sourcedId"], pupil["grades"][0]
        for school, there in self.sections:
            if (
                school != here
                and there in (grade, _next(grade))
                and (there == grade or not self._has(grade, here))
            ):
                self._take_all(pupil)
                org = self.maker.ref("org", school)
                role = pupil["roles"][0] | {"org": org}
                self.changed(pupil, primaryOrg=org, roles=[role], grades=[there])
                self._seat_all(pupil)
                return True
        return False

    def _has(self, grade: str, school: str) -> bool:
        """Whether the grade can still go on at its own school, or anywhere else in the same grade."""
        return (school, _next(grade)) in self.sections or any(
            grade == other and school != elsewhere for elsewhere, other in self.sections
        )

    def _rename(self, pupil: Record) -> bool:
        new = self.chance.choice([name for name in FAMILY if name != pupil["familyName"]])
        self.changed(pupil, familyName=f"{pupil['familyName']}-{new}" if self.chance.random() < 0.5 else new)
        return True

    def _change_email(self, pupil: Record) -> bool:
        initial, domain = plain(pupil["givenName"])[:1], pupil["email"].split("@")[1]
        self.changed(pupil, email=f"{initial}{plain(pupil['familyName'])}.{pupil['identifier']}@{domain}")
        return True

    def _change_grade(self, pupil: Record) -> bool:
        school, grade = pupil["primaryOrg"]["sourcedId"], _next(pupil["grades"][0])
        if (school, grade) not in self.sections:
            return False
        self._take_all(pupil)
        self.changed(pupil, grades=[grade])
        self._seat_all(pupil)
        return True

    def _reschedule(self, pupil: Record) -> bool:
        """From one class to another of the same course."""
        for seat in self.seats[pupil["sourcedId"]]:
            klass = self.classes_by_id[seat["class"]["sourcedId"]]
            others = self._siblings(klass)
            if others:
                self.unseat(seat)
                self.seat(self.chance.choice(others), pupil, "student")
                return True
        return False

    def _join(self) -> None:
        school, grade = self.chance.choice(list(self.sections))
        agent = self.maker.user("parent", school)
        pupil = self.maker.user("student", school, grade, [agent["sourcedId"]])
        self.district.users += [agent, pupil]
        self.changes["parents_joined"] += 1
        self.changes["students_joined"] += 1
        self._seat_all(pupil)

    def _return(self, pupil: Record) -> None:
        self.gone.remove(pupil)
        self.changed(pupil)
        self.district.users.append(pupil)
        self.changes["students_returned"] += 1
        self._seat_all(pupil)

    def _take_all(self, pupil: Record) -> None:
        for seat in self.seats[pupil["sourcedId"]]:
            self.unseat(seat)

    def _seat_all(self, pupil: Record) -> None:
        """Seat a student in one class of each course of the grade."""
        place = (pupil["primaryOrg"]["sourcedId"], pupil["grades"][0])
        for classes in self.sections.get(place, {}).values():
            self.seat(self.chance.choice(classes), pupil, "student")

    def _siblings(self, klass: Record) -> list[Record]:
        place = (klass["school"]["sourcedId"], klass["grades"][0])
        classes = self.sections.get(place, {}).get(klass["course"]["sourcedId"], [])
        return [one for one in classes if one is not klass]

    def teachers(self) -> None:
        """Let teachers leave, each with a successor, become administrator, hand over a class, get help."""
        teachers = self.chance.sample(self.by_role["teacher"], len(self.by_role["teacher"]))
        for _ in range(min(max(1, len(teachers) // 120), len(teachers) // 8)):  # eight at most are needed
            self._succeed(teachers.pop(), "vanished", self._vanish)
            self._succeed(teachers.pop(), "tobedeleted", self._delete)
            self._promote(teachers)
            self._swap(teachers)
            self._help(teachers)

    def _succeed(self, teacher: Record, what: str, leave: Callable[[Record], bool]) -> None:
        school = teacher["primaryOrg"]["sourcedId"]
        successor = self.maker.user("teacher", school)
        self.district.users.append(successor)
        for seat in self.seats[teacher["sourcedId"]]:
            self.seat(self._class_of(seat), successor, "teacher", seat["primary"] == "true")
        leave(teacher)
        self.changes[f"teachers_{what}"] += 1
        self.changes["teachers_joined"] += 1

    def _promote(self, teachers: list[Record]) -> None:
        """A teacher becomes an administrator of the school, and keeps the classes."""
        teacher = teachers.pop()
        self.changed(teacher, roles=[teacher["roles"][0] | {"role": "siteAdministrator"}])
        self.changes["teachers_promoted"] += 1

    def _swap(self, teachers: list[Record]) -> None:
        """A class gets another leading teacher."""
        teacher = teachers.pop()
        other = self._colleague(teacher, teachers)
        seat = next((one for one in self.seats[teacher["sourcedId"]] if one["primary"] == "true"), None)
        if other and seat and not self._teaches(other, self._class_of(seat)):
            self.unseat(seat)
            self.seat(self._class_of(seat), other, "teacher", primary=True)
            self.changes["classes_handed_over"] += 1

    def _help(self, teachers: list[Record]) -> None:
        """A class gets a co-teacher."""
        teacher = teachers.pop()
        other = self._colleague(teacher, teachers)
        klass = next((self._class_of(one) for one in self.seats[teacher["sourcedId"]]), None)
        if other and klass and not self._teaches(other, klass):
            self.seat(klass, other, "teacher")
            self.changes["co_teachers_added"] += 1

    def _class_of(self, seat: Record) -> Record:
        return self.classes_by_id[seat["class"]["sourcedId"]]

    def _teaches(self, teacher: Record, klass: Record) -> bool:
        return f"{klass['sourcedId']}:{teacher['sourcedId']}" in {
            *(seat["sourcedId"] for seat in self.seats[teacher["sourcedId"]]),
            *self.added,
        }

    def _colleague(self, teacher: Record, teachers: list[Record]) -> Record | None:
        school = teacher["primaryOrg"]["sourcedId"]
        found = next((one for one in teachers if one["primaryOrg"]["sourcedId"] == school), None)
        if found:
            teachers.remove(found)
        return found

    def staff(self) -> None:
        """Let an aide leave and counselors join."""
        aides = self.by_role["aide"]
        for aide in self.chance.sample(aides, min(len(aides), max(1, len(aides) // 40))):
            self._vanish(aide)
            self.changes["staff_vanished"] += 1
            self.district.users.append(self.maker.user("counselor", aide["primaryOrg"]["sourcedId"]))
            self.changes["staff_joined"] += 1

    def classes(self) -> None:
        """Let classes be renamed, close, vanish and open."""
        courses = [
            classes for place in self.sections.values() for classes in place.values() if len(classes) > 2
        ]
        chosen = self.chance.sample(
            courses, min(len(courses), 4 * max(1, len(self.district.classes) // 1000))
        )
        for number, classes in enumerate(chosen):
            kinds = (self._retitle, self._drop, self._open, self._close if self.rare else self._open)
            kinds[number % 4](classes)

    def _retitle(self, classes: list[Record]) -> None:
        self.changed(classes[0], title=f"Advanced {classes[0]['title']}")
        self.changes["classes_retitled"] += 1

    def _close(self, classes: list[Record]) -> None:
        """A class is marked to be deleted, its enrollments too, and its students sit elsewhere."""
        for seat in self._leave(classes[-1], classes[:-1]):
            self.changed(seat, status="tobedeleted")
        self.changed(classes[-1], status="tobedeleted")
        self.changes["classes_tobedeleted"] += 1

    def _drop(self, classes: list[Record]) -> None:
        """A class vanishes, and its students sit elsewhere."""
        for seat in self._leave(classes[-1], classes[:-1]):
            self.unseat(seat)
        self.district.classes.remove(classes[-1])
        self.changes["classes_vanished"] += 1

    def _leave(self, klass: Record, others: list[Record]) -> list[Record]:
        """The class's enrollments, old and of this night, after its students got seats in other classes."""
        here = klass["sourcedId"]
        for sourced_id in [key for key, seat in self.added.items() if seat["class"]["sourcedId"] == here]:
            self._seat_instead(self.added.pop(sourced_id), others)
        old = [
            seat
            for seat in self.district.enrollments
            if seat["class"]["sourcedId"] == here
            and seat["status"] == "active"
            and seat["sourcedId"] not in self.dropped
        ]
        for seat in old:
            self._seat_instead(seat, others)
        return old

    def _seat_instead(self, seat: Record, others: list[Record]) -> None:
        if seat["role"] == "student":
            user = {"sourcedId": seat["user"]["sourcedId"]}
            self.seat(self.chance.choice(others), user, "student")

    def _open(self, classes: list[Record]) -> None:
        """A class opens with a teacher, a co-teacher and a part of another class's students."""
        first = classes[0]
        number = 1 + max(int(one["classCode"].rsplit("-", 1)[1]) for one in classes)
        course = {
            "sourcedId": first["course"]["sourcedId"],
            "courseCode": first["classCode"].rsplit("-", 1)[0],
            "org": first["school"],
        }
        shared = {key: first[key] for key in ("title", "grades", "subjects", "subjectCodes")}
        klass = self.maker.klass(course | shared, number, first["terms"][0]["sourcedId"], first["periods"][0])
        self.district.classes.append(klass)
        seats = [
            seat
            for seat in self.district.enrollments
            if seat["class"]["sourcedId"] == first["sourcedId"]
            and seat["role"] == "student"
            and seat["status"] == "active"
            and seat["sourcedId"] not in self.dropped
        ]
        for seat in seats[::2]:
            self.unseat(seat)
            self.seat(klass, {"sourcedId": seat["user"]["sourcedId"]}, "student")
        school = first["school"]["sourcedId"]
        own = [one for one in self.by_role["teacher"] if one["primaryOrg"]["sourcedId"] == school]
        own = [one for one in own if one["status"] == "active" and one["sourcedId"] not in self.away]
        for place, teacher in enumerate(self.chance.sample(own, min(2, len(own)))):
            self.seat(klass, teacher, "teacher", primary=place == 0)
        self.changes["classes_opened"] += 1

    def finish(self) -> None:
        """Put the night's departures and arrivals into the collections."""
        district = self.district
        district.users = [user for user in district.users if user["sourcedId"] not in self.away]
        kept = [
            seat
            for seat in district.enrollments
            if seat["sourcedId"] not in self.dropped
            and seat["sourcedId"] not in self.added
            and seat["user"]["sourcedId"] not in self.away
        ]
        district.enrollments = [*kept, *self.added.values()]
        district.changes = self.changes


def _sections(classes: list[Record]) -> dict[tuple[str, str], dict[str, list[Record]]]:
    """The active classes by school and grade, there by course."""
    found: dict[tuple[str, str], dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for one in classes:
        if one["status"] == "active":
            found[one["school"]["sourcedId"], one["grades"][0]][one["course"]["sourcedId"]].append(one)
    return dict(found)


def _next(grade: str) -> str:
    return "01" if grade == "KG" else f"{int(grade) + 1:02d}"
