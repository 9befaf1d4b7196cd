"""A synthetic district, the same for the same seed: records in the shape of OneRoster 1.2 REST."""

from __future__ import annotations

import datetime as dt
import gc
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from include.rehearsal.dirt import add_dirt
from include.rehearsal.maker import Maker
from include.rehearsal.nights import next_night
from include.rehearsal.records import District, Record

__all__ = ["District", "build", "school_year"]

SECTION = 18  # students in a class, about


@dataclass(frozen=True)
class Level:
    """A kind of school: its grades, and its eight subjects by code, those of one semester last."""

    name: str
    grades: tuple[str, ...]
    subjects: tuple[tuple[str, str], ...]


_CORE = (("Mathematics", "MATH"), ("English", "ENG"), ("Science", "SCI"), ("Social Studies", "SOC"))
_SEMESTER = (("Art", "ART"), ("Music", "MUS"), ("Physical Education", "PE"))
LEVELS = (
    Level("Elementary School", ("KG", "01", "02", "03", "04", "05"), (*_CORE, ("Homeroom", "HR"), *_SEMESTER)),
    Level("Middle School", ("06", "07", "08"), (*_CORE, ("Spanish", "SPA"), *_SEMESTER)),
    Level("High School", ("09", "10", "11", "12"), (*_CORE, ("World Languages", "WL"), *_SEMESTER)),
)
_TREES = (
    "Maple",
    "Cedar",
    "Oak",
    "Birch",
    "Willow",
    "Juniper",
    "Alder",
    "Linden",
    "Poplar",
    "Rowan",
    "Aspen",
    "Elm",
)


def build(
    students: int = 2400,
    schools: int = 3,
    *,
    seed: int = 7,
    night: int = 1,
    today: dt.date | None = None,
    dirt: bool = False,
    changed_at: dt.datetime | None = None,
) -> District:
    """The district as it is on a night, counted from 1; each night follows from the one before.

    ``today`` lies in its school year. Records that the last night changed are stamped ``changed_at``, which
    is midnight ``night - 1`` days after ``today`` unless it is given. ``dirt`` adds a few bad records of each
    kind.
    """
    today = today or dt.date.today()
    with _no_collection():
        maker = Maker(random.Random(seed), f"{school_year(today)}-07-01T00:00:00.000Z")
        district = _district(maker, students, schools, today)
        gone: list[Record] = []
        for number in range(2, night + 1):
            moment = dt.datetime.combine(today + dt.timedelta(days=number - 1), dt.time())
            if number == night and changed_at is not None:
                moment = changed_at
            maker.stamp = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
            maker.chance = random.Random(f"{seed}/{number}")
            next_night(district, maker, number, gone)
        if dirt:
            add_dirt(district, maker)
    return district


def school_year(today: dt.date) -> int:
    """The year in which the school year that holds the day began."""
    return today.year if (today.month, today.day) >= (7, 15) else today.year - 1


@contextmanager
def _no_collection() -> Iterator[None]:
    # Nothing of a district is garbage, and looking for some takes longer than making it.
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _district(maker: Maker, students: int, schools: int, today: dt.date) -> District:
    made = District(academicSessions=_sessions(maker, today))
    made.orgs.append(maker.base("district") | {"name": "Rehearsal Unified", "type": "district", "identifier": "0"})
    for number in range(schools):
        level, school = LEVELS[number % len(LEVELS)], f"school-{number + 1}"
        org = {"name": _school_name(number), "type": "school", "identifier": str(number + 1)}
        made.orgs.append(maker.base(school) | org | {"parent": maker.ref("org", "district")})
        _school(made, maker, school, level, students // schools + (number < students % schools))
    made.orgs[0]["children"] = [maker.ref("org", org["sourcedId"]) for org in made.orgs[1:]]
    made.users += [
        maker.user("districtAdministrator", "district"),
        maker.user("systemAdministrator", "district"),
    ]
    return made


def _school_name(number: int) -> str:
    level = LEVELS[number % len(LEVELS)]
    round_, tree = divmod(number, len(_TREES))
    return f"{_TREES[tree]} {level.name}{f' {round_ + 1}' if round_ else ''}"


def _sessions(maker: Maker, today: dt.date) -> list[Record]:
    """The school year, its full-year term and its semesters; today lies within, in the summer too."""
    year = school_year(today)
    start = min(dt.date(year, 8, 15), max(dt.date(year, 7, 1), today - dt.timedelta(days=14)))
    end = max(dt.date(year + 1, 6, 15), min(dt.date(year + 1, 8, 14), today + dt.timedelta(days=30)))
    half = dt.date(year + 1, 1, 15)
    sessions = []
    for sourced_id, title, kind, first, last, parent in (
        ("year", f"{year}-{year + 1}", "schoolYear", start, end, None),
        ("full-year", "Full Year", "term", start, end, "year"),
        ("fall", "Fall Semester", "semester", start, half, "year"),
        ("spring", "Spring Semester", "semester", half + dt.timedelta(days=1), end, "year"),
    ):
        session = {"title": title, "type": kind, "startDate": str(first), "endDate": str(last)}
        above = {"parent": maker.ref("academicSession", parent)} if parent else {}
        sessions.append(maker.base(sourced_id) | session | {"schoolYear": str(year + 1)} | above)
    return sessions


def _school(made: District, maker: Maker, school: str, level: Level, students: int) -> None:
    """Add a school's people, courses, classes and enrollments."""
    parents = [maker.user(_parent_role(number), school) for number in range(students * 17 // 40)]
    pupils = [
        maker.user("student", school, level.grades[number % len(level.grades)], _agents(parents, number))
        for number in range(students)
    ]
    teachers = [maker.user("teacher", school) for _ in range(max(2, students // 10))]
    made.users += [*parents, *pupils, *teachers, *_staff(maker, school, students)]
    for place, grade in enumerate(level.grades):
        own = [pupil for pupil in pupils if pupil["grades"] == [grade]]
        _grade(made, maker, level, place, school=school, pupils=own, teachers=teachers)


def _parent_role(number: int) -> str:
    return "guardian" if number % 25 == 7 else "relative" if number % 50 == 11 else "parent"


def _agents(parents: list[Record], number: int) -> list[str]:
    """Up to two parents; brothers and sisters share them, one student in eight has none."""
    if not parents or number % 8 == 5:
        return []
    first = number % len(parents)
    pair = (first, (first + 1) % len(parents)) if number % 3 == 0 else (first,)
    return [parents[one]["sourcedId"] for one in dict.fromkeys(pair)]


def _staff(maker: Maker, school: str, students: int) -> list[Record]:
    """Aides, counselors and proctors, a principal and other administrators; some with two roles."""
    staff = [maker.user(("aide", "aide", "counselor", "proctor")[n % 4], school) for n in range(max(3, students // 30))]
    admins = [maker.user("principal", school)]
    admins += [maker.user("siteAdministrator", school) for _ in range(1 + students // 300)]
    second = {"roleType": "secondary", "org": maker.ref("org", school)}
    admins[0]["roles"].append(second | {"role": "teacher"})
    staff[0]["roles"].append(second | {"role": "proctor"})
    return [*staff, *admins]


def _grade(
    made: District,
    maker: Maker,
    level: Level,
    place: int,
    *,
    school: str,
    pupils: list[Record],
    teachers: list[Record],
) -> None:
    """Add a grade's courses, each with as many classes as its students need."""
    sections = max(1, round(len(pupils) / SECTION))
    for number, (subject, code) in enumerate(level.subjects):
        course = maker.course(school, subject, code, level.grades[place])
        made.courses.append(course)
        seated = list(pupils)
        if level is not LEVELS[0]:
            maker.chance.shuffle(seated)  # older students change company from class to class
        for section in range(sections):
            klass = maker.klass(course, section + 1, _term(number, section), str(number + 1))
            made.classes.append(klass)
            first = _teacher(level, number, place * sections + section, len(teachers))
            made.enrollments.append(maker.enrollment(klass, teachers[first], "teacher", primary=True))
            if len(made.classes) % 5 == 0:
                second = teachers[(first + 1) % len(teachers)]
                made.enrollments.append(maker.enrollment(klass, second, "teacher"))
            for pupil in seated[section::sections]:
                made.enrollments.append(maker.enrollment(klass, pupil, "student"))


def _term(subject: int, section: int) -> str:
    if subject < 5:
        return "full-year"
    return ("fall", "spring")[(subject + section) % 2]


def _teacher(level: Level, subject: int, section: int, teachers: int) -> int:
    """Whose class it is: in elementary school one teacher has a section's five main subjects."""
    if level is LEVELS[0] and subject < 5:
        return section % teachers
    return (section // 4 * 8 + subject) % teachers
