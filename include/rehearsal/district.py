"""A synthetic district, the same for the same seed: records in the shape of OneRoster 1.2 REST."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

Record = dict[str, Any]

_GIVEN = "Ada Ben Clara David Elena Felix Grace Hugo Ines Jonas Kira Leo Maya Noah Olivia Pablo Quinn Rosa Sam Tara Uma Victor Wanda Xavier Yara Zoe Amir Bella Carlos Dina Emil Fatima".split()
_FAMILY = "Adler Brooks Castillo Duarte Eriksen Farah Garcia Hoang Ibarra Jensen Kimura Lopez Mbeki Novak Okafor Petrov Quigley Rossi Silva Tanaka Ueda Vargas Weber Xu Young Zimmer Alvarez Bauer Cohen Diaz Evans Fischer Gupta Haddad".split()
_SUBJECTS = {"Mathematics": "MATH", "English": "ENG", "Science": "SCI", "Social Studies": "SOC", "Art": "ART", "Music": "MUS", "Physical Education": "PE", "Spanish": "SPA"}
_SCHOOLS = (("Maple Elementary School", ("KG", "01", "02", "03", "04", "05")), ("Cedar Middle School", ("06", "07", "08")), ("Oak High School", ("09", "10", "11", "12")))
_SIZE = 25  # students in a class
_STAMP = "2026-08-01T00:00:00.000Z"


def ref(kind: str, sourced_id: str) -> Record:
    """A GUIDRef (OneRoster 1.2 section 4.9)."""
    return {"href": f"/{kind}s/{sourced_id}", "sourcedId": sourced_id, "type": kind}


@dataclass
class District:
    """All collections of a district, each a list of records."""

    orgs: list[Record] = field(default_factory=list)
    academicSessions: list[Record] = field(default_factory=list)  # noqa: N815 - OneRoster's name
    courses: list[Record] = field(default_factory=list)
    classes: list[Record] = field(default_factory=list)
    users: list[Record] = field(default_factory=list)
    enrollments: list[Record] = field(default_factory=list)
    changes: Counter[str] = field(default_factory=Counter)

    def numbers(self) -> dict[str, Any]:
        """The district's own plain counts: users per role, classes per term, enrollments per role, the night's changes."""
        live = [u for u in self.users if u["status"] == "active"]
        return {
            "users": dict(Counter(u["roles"][0]["role"] for u in live)),
            "classes": dict(Counter(t["sourcedId"] for c in self.classes for t in c["terms"])),
            "enrollments": dict(Counter(e["role"] for e in self.enrollments)),
            "changes": dict(self.changes),
        }


def school_year(today: dt.date) -> int:
    """The year in which the school year that holds the day began."""
    return today.year if today.month >= 7 else today.year - 1


def build(
    students: int = 2400, schools: int = 3, seed: int = 7, night: int = 1, today: dt.date | None = None
) -> District:
    """The district as it is on a night; each night after the first follows from the one before."""
    maker = _Maker(random.Random(seed), school_year(today or dt.date.today()))
    district = maker.district(students, schools)
    for number in range(2, night + 1):
        _next_night(district, random.Random(seed * 1000 + number), maker, number)
    return district


class _Maker:
    def __init__(self, chance: random.Random, year: int) -> None:
        self.chance, self.year, self.serial = chance, year, 0
        self.taken: set[str] = set()

    def base(self, sourced_id: str) -> Record:
        return {"sourcedId": sourced_id, "status": "active", "dateLastModified": _STAMP}

    def district(self, students: int, schools: int) -> District:
        made = District()
        made.orgs.append(self.base("district") | {"name": "Rehearsal Unified", "type": "district", "identifier": "0"})
        self._sessions(made)
        for number in range(schools):
            title, grades = _SCHOOLS[number % len(_SCHOOLS)]
            school = f"school-{number + 1}"
            name = title if schools <= len(_SCHOOLS) else f"{title} {number // len(_SCHOOLS) + 1}"
            made.orgs.append(
                self.base(school) | {"name": name, "type": "school", "identifier": str(number + 1), "parent": ref("org", "district")}
            )
            share = students // schools + (number < students % schools)
            self._school(made, school, grades, share)
        made.users.append(self.user("districtAdministrator", "district"))
        return made

    def _sessions(self, made: District) -> None:
        first, last = self.year, self.year + 1
        for sourced_id, title, kind, start, end, parent in (
            ("year", f"{first}-{last}", "schoolYear", f"{first}-08-15", f"{last}-06-15", None),
            ("full-year", "Full Year", "term", f"{first}-08-15", f"{last}-06-15", "year"),
            ("fall", "Fall Semester", "semester", f"{first}-08-15", f"{last}-01-15", "year"),
            ("spring", "Spring Semester", "semester", f"{last}-01-16", f"{last}-06-15", "year"),
        ):
            session = self.base(sourced_id) | {"title": title, "type": kind, "startDate": start, "endDate": end, "schoolYear": str(last)}
            made.academicSessions.append(session | ({"parent": ref("academicSession", parent)} if parent else {}))

    def user(self, role: str, school: str, grade: str | None = None, agents: list[str] | None = None) -> Record:
        """A new user of a role at a school."""
        self.serial += 1
        given, family = self.chance.choice(_GIVEN), self.chance.choice(_FAMILY)
        sourced_id = f"u{self.serial:06d}"
        username = f"{given}.{family}{self.serial}".lower()
        return self.base(sourced_id) | {
            "enabledUser": "true",
            "username": username,
            "userIds": [],
            "givenName": given,
            "familyName": family,
            "identifier": f"{100000 + self.serial}",
            "email": f"{username}@{'families' if role == 'parent' else 'rehearsal'}.example.org",
            "phone": f"555-{self.serial:07d}" if role == "parent" else None,
            "roles": [{"roleType": "primary", "role": role, "org": ref("org", school)}],
            "primaryOrg": ref("org", school),
            "agents": [ref("user", agent) for agent in agents or []],
            "grades": [grade] if grade else [],
        }

    def _school(self, made: District, school: str, grades: tuple[str, ...], students: int) -> None:
        parents = [self.user("parent", school) for _ in range(students * 5 // 12)]
        pupils = []
        for number in range(students):
            agents = [parents[number % len(parents)]["sourcedId"]] if parents and number % 3 else []
            pupils.append(self.user("student", school, grades[number % len(grades)], agents))
        teachers = [self.user("teacher", school) for _ in range(max(2, students // 16))]
        staff = [self.user(role, school) for role in ("aide", "counselor", "proctor") for _ in range(max(1, students // 160))]
        admins = [self.user("principal", school), self.user("siteAdministrator", school)]
        made.users += [*parents, *pupils, *teachers, *staff, *admins]
        turn = 0
        for grade in grades:
            own = [pupil for pupil in pupils if pupil["grades"] == [grade]]
            for place, (subject, code) in enumerate(_SUBJECTS.items()):
                course = f"{school}-{code}-{grade}"
                made.courses.append(
                    self.base(course)
                    | {"title": f"{subject} {grade}", "courseCode": f"{code}{grade}", "org": ref("org", school), "grades": [grade],
                       "subjects": [subject], "subjectCodes": [code], "schoolYear": ref("academicSession", "year")}
                )  # fmt: skip
                term = "full-year" if place < 5 else ("fall" if place % 2 else "spring")
                for section, start in enumerate(range(0, len(own), _SIZE)):
                    turn += 1
                    klass = f"{course}-{section + 1}"
                    made.classes.append(
                        self.base(klass)
                        | {"title": f"{subject} {grade}", "classCode": f"{code}{grade}-{section + 1}", "classType": "scheduled",
                           "course": ref("course", course), "school": ref("org", school), "terms": [ref("academicSession", term)],
                           "grades": [grade], "subjects": [subject], "subjectCodes": [code], "periods": [str(place + 1)]}
                    )  # fmt: skip
                    made.enrollments.append(self.enrollment(klass, school, teachers[turn % len(teachers)], "teacher", primary=True))
                    if turn % 4 == 0:
                        made.enrollments.append(self.enrollment(klass, school, teachers[(turn + 7) % len(teachers)], "teacher"))
                    for pupil in own[start : start + _SIZE]:
                        made.enrollments.append(self.enrollment(klass, school, pupil, "student"))

    def enrollment(self, klass: str, school: str, user: Record, role: str, primary: bool = False) -> Record:
        """A user's place in a class."""
        return self.base(f"{klass}:{user['sourcedId']}") | {
            "class": ref("class", klass),
            "school": ref("org", school),
            "user": ref("user", user["sourcedId"]),
            "role": role,
            "primary": "true" if primary else "false",
        }


def _next_night(district: District, chance: random.Random, maker: _Maker, number: int) -> None:
    """Turn the district into what it is a day later; ``changes`` counts what happened to students and teachers."""
    maker.chance, maker.serial = chance, 900_000 + number * 1_000
    pupils = [u for u in district.users if u["roles"][0]["role"] == "student" and u["status"] == "active"]
    chosen = chance.sample(pupils, min(66, len(pupils)))
    vanished, deleted, renamed, moved = chosen[:6], chosen[6:10], chosen[10:26], chosen[26:32]
    seats = {e["class"]["sourcedId"]: e for e in district.enrollments if e["role"] == "student"}
    gone = {u["sourcedId"] for u in (*vanished, *deleted)}
    for pupil in deleted:
        pupil["status"] = "tobedeleted"
    for pupil in renamed:
        pupil["familyName"] = f"{pupil['familyName']}-{chance.choice(_FAMILY)}"
    schools = [org["sourcedId"] for org in district.orgs if org["type"] == "school"]
    for pupil in moved:
        here = pupil["primaryOrg"]["sourcedId"]
        there = next((s for s in schools if s != here), here)
        pupil["primaryOrg"] = pupil["roles"][0]["org"] = ref("org", there)
        gone.add(pupil["sourcedId"])
    district.users = [u for u in district.users if u not in vanished]
    district.enrollments = [e for e in district.enrollments if e["user"]["sourcedId"] not in gone]
    newcomers = []
    for place in range(12):
        twin = chosen[32 + place]
        newcomers.append(maker.user("student", twin["primaryOrg"]["sourcedId"], twin["grades"][0]))
        own = [e for e in district.enrollments if e["user"]["sourcedId"] == twin["sourcedId"]]
        for seat in own:
            klass = seat["class"]["sourcedId"]
            district.enrollments.append(maker.enrollment(klass, seat["school"]["sourcedId"], newcomers[-1], "student"))
    district.users += newcomers
    new_teacher = maker.user("teacher", schools[0])
    taught = next(e for e in district.enrollments if e["role"] == "teacher" and e["school"]["sourcedId"] == schools[0])
    district.users.append(new_teacher)
    district.enrollments.remove(taught)
    district.enrollments.append(maker.enrollment(taught["class"]["sourcedId"], schools[0], new_teacher, "teacher", primary=True))
    assert seats
    district.changes = Counter(
        students_joined=len(newcomers), students_vanished=len(vanished), students_tobedeleted=len(deleted),
        students_renamed=len(renamed), students_moved=len(moved), teachers_joined=1,
    )  # fmt: skip


def as_1p1(collection: str, record: Record) -> Record:
    """A record in the shape of OneRoster 1.1: one role and a list of orgs instead of roles."""
    if collection != "users":
        return record
    old = {key: value for key, value in record.items() if key not in ("roles", "primaryOrg")}
    orgs = {role["org"]["sourcedId"]: role["org"] for role in record["roles"] if role.get("org")}
    role = record["roles"][0]["role"]
    known = {"principal": "administrator", "districtAdministrator": "administrator", "siteAdministrator": "administrator", "counselor": "aide"}
    return old | {"role": known.get(role, role), "orgs": list(orgs.values())}
