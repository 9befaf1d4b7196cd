"""Single records of the synthetic district, made one after another from one source of chance."""

from __future__ import annotations

import random

from include.rehearsal.names import FAMILY, GIVEN, plain
from include.rehearsal.records import Record, ref

#: Reserved domains (RFC 2606): no mail sent there reaches anybody.
STAFF_DOMAIN = "rehearsal.example.org"
STUDENT_DOMAIN = "students.rehearsal.example.org"
FAMILY_DOMAIN = "families.example.org"


class Maker:
    """Makes records; ``stamp`` is the dateLastModified of those made from now on."""

    def __init__(self, chance: random.Random, stamp: str) -> None:
        self.chance, self.stamp, self.serial = chance, stamp, 0
        self._refs: dict[tuple[str, str], Record] = {}

    def base(self, sourced_id: str) -> Record:
        """The fields that every record has."""
        return {"sourcedId": sourced_id, "status": "active", "dateLastModified": self.stamp}

    def ref(self, kind: str, sourced_id: str) -> Record:
        """A GUIDRef, the same object for the same target: a large district has millions of them."""
        key = (kind, sourced_id)
        if key not in self._refs:
            self._refs[key] = ref(kind, sourced_id)
        return self._refs[key]

    def user(self, role: str, school: str, grade: str | None = None, agents: list[str] | None = None) -> Record:
        """A new user with one role at one org."""
        self.serial += 1
        given, family = self.chance.choice(GIVEN), self.chance.choice(FAMILY)
        username = f"{plain(given)}.{plain(family)}{self.serial}"
        return self.base(f"u{self.serial:06d}") | {
            "enabledUser": "true",
            "username": username,
            "userIds": [{"type": "SIS", "identifier": str(100_000 + self.serial)}],
            "givenName": given,
            "familyName": family,
            "identifier": str(100_000 + self.serial),
            "email": f"{username}@{_domain(role)}",
            "phone": f"+1555{self.serial:07d}" if role in ("parent", "guardian", "relative") else None,
            "roles": [{"roleType": "primary", "role": role, "org": self.ref("org", school)}],
            "primaryOrg": self.ref("org", school),
            "agents": [self.ref("user", agent) for agent in agents or ()],
            "grades": [grade] if grade else [],
        }

    def course(self, school: str, subject: str, code: str, grade: str) -> Record:
        """A course of a school, for one grade."""
        return self.base(f"{school}-{code}-{grade}") | {
            "title": subject if subject == "Homeroom" else f"{subject} {grade}",
            "courseCode": f"{code}{grade}",
            "org": self.ref("org", school),
            "grades": [grade],
            "subjects": [subject],
            "subjectCodes": [code],
            "schoolYear": self.ref("academicSession", "year"),
        }

    def klass(self, course: Record, section: int, term: str, period: str) -> Record:
        """A class of a course; sections of a course share its title."""
        return self.base(f"{course['sourcedId']}-{section}") | {
            "title": course["title"],
            "classCode": f"{course['courseCode']}-{section}",
            "classType": "homeroom" if course["title"] == "Homeroom" else "scheduled",
            "location": f"Room {100 + section}",
            "course": self.ref("course", course["sourcedId"]),
            "school": course["org"],
            "terms": [self.ref("academicSession", term)],
            "grades": course["grades"],
            "subjects": course["subjects"],
            "subjectCodes": course["subjectCodes"],
            "periods": [period],
        }

    def enrollment(self, klass: Record, user: Record, role: str, primary: bool = False) -> Record:
        """A user's place in a class; ``primary`` is the leading teacher's."""
        return self.base(f"{klass['sourcedId']}:{user['sourcedId']}") | {
            "class": self.ref("class", klass["sourcedId"]),
            "school": klass["school"],
            "user": self.ref("user", user["sourcedId"]),
            "role": role,
            "primary": "true" if primary else "false",
        }


def _domain(role: str) -> str:
    if role in ("parent", "guardian", "relative"):
        return FAMILY_DOMAIN
    return STUDENT_DOMAIN if role == "student" else STAFF_DOMAIN
