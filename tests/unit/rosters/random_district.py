"""Districts made by chance, with what real ones have: co-teachers, people at two schools, classes without title, grades or subject."""

from __future__ import annotations

from random import Random
from typing import Any

from include.rehearsal.district import District

_GRADES = ["KG", "01", "07", "09", "12"]
_SUBJECTS = ["Math", "math ", "MATH", "Art", "World  History", "world history"]
_ROLES = ["student"] * 12 + ["teacher"] * 4 + ["aide", "counselor", "principal", "parent", "wizard"]


def random_district(seed: int, people: int = 90, classes: int = 25) -> District:
    """The district of a seed, in OneRoster 1.2's form."""
    chance = Random(seed)
    schools = [f"S{number}" for number in range(chance.randint(1, 4))]
    terms = [
        {"sourcedId": "full-year", "type": "schoolYear", "startDate": "2026-08-01", "endDate": "2027-06-30"},
        {"sourcedId": "fall", "parent": _ref("full-year"), "startDate": "2026-08-17", "endDate": "2026-12-18"},
        {"sourcedId": "spring", "parent": _ref("full-year"), "startDate": "2027-01-05", "endDate": "2027-06-15"},
    ]
    users = [_user(chance, f"u{number}", schools) for number in range(people)]
    courses = [
        {
            "sourcedId": f"co{number}",
            "status": "active",
            "title": chance.choice(["Algebra", "Drawing", ""]),
            "grades": chance.sample(_GRADES, chance.randint(0, 2)),
            "subjects": chance.sample(_SUBJECTS, chance.randint(0, 2)),
        }
        for number in range(6)
    ]
    made = [_class(chance, f"c{number}", schools, terms) for number in range(classes)]
    enrollments = [
        {
            "sourcedId": f"e{number}",
            "status": chance.choice(["active"] * 9 + ["tobedeleted"]),
            "class": _ref(chance.choice(made)["sourcedId"]),
            "user": _ref(chance.choice(users)["sourcedId"] if chance.random() < 0.97 else "nobody"),
            "role": chance.choice(["student"] * 6 + ["teacher"] * 2 + ["aide"]),
            "primary": chance.choice(["true", "false"]),
        }
        | _dates(chance, 0.3)
        for number in range(people * 5)
    ]
    return District(
        orgs=[{"sourcedId": school, "status": "active", "type": "school", "name": f"School {school}"} for school in schools],
        academicSessions=[{"status": "active", "title": term["sourcedId"], "type": "semester"} | term for term in terms],
        courses=courses,
        classes=made,
        users=users,
        enrollments=enrollments,
    )


def _ref(sourced_id: str) -> dict[str, str]:
    return {"sourcedId": sourced_id}


def _dates(chance: Random, share: float) -> dict[str, Any]:
    """Begin and end of a role or an enrollment around 2026-11-24, one of them sometimes no date."""
    if chance.random() > share:
        return {}
    begins = ["2026-08-17", "2026-11-24", "2026-11-25", "2027-01-05", "1/5/2027", None]
    ends = ["2026-10-30", "2026-11-23", "2026-11-24", "2026-12-18", "12/18/2026", "", None]
    return {"beginDate": chance.choice(begins), "endDate": chance.choice(ends)}


def _roles(chance: Random, role: str, at: list[str], schools: list[str]) -> list[dict[str, Any]]:
    """A role at each school, and sometimes another one, some of them with dates."""
    roles = [{"role": role, "roleType": "primary", "org": _ref(one)} for one in at] or [{"role": role, "roleType": "primary"}]
    if chance.random() < 0.15:
        other = {"role": chance.choice(_ROLES), "roleType": chance.choice(["primary", "secondary"])}
        roles.append(other | {"org": _ref(chance.choice(schools))})
    return [one | _dates(chance, 0.2) for one in roles]


def _user(chance: Random, sourced_id: str, schools: list[str]) -> dict[str, Any]:
    role, at = chance.choice(_ROLES), chance.sample(schools, min(len(schools), chance.choice([0, 1, 1, 1, 1, 2])))
    return {
        "sourcedId": sourced_id,
        "status": chance.choice(["active"] * 9 + ["tobedeleted"]),
        "enabledUser": chance.choice(["true"] * 9 + ["false"]),
        "identifier": sourced_id,
        "username": sourced_id,
        "givenName": chance.choice(["Ada", "Bo", "Cy"]),
        "familyName": chance.choice(["Oak", "Elm"]),
        "roles": _roles(chance, role, at, schools),
        "primaryOrg": _ref(at[0]) if at and chance.random() < 0.8 else None,
        "grades": chance.sample(_GRADES, chance.choice([0, 1, 1, 1, 2])) if role == "student" else [],
    }


def _class(chance: Random, sourced_id: str, schools: list[str], terms: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "sourcedId": sourced_id,
        "status": chance.choice(["active"] * 8 + ["tobedeleted", "inactive"]),
        "title": chance.choice(["Algebra", "Art 1", "", None]),
        "classCode": chance.choice(["A1", "A2", None]),
        "course": chance.choice([None, *(_ref(f"co{number}") for number in range(7))]),
        "school": _ref(chance.choice(schools)),
        "terms": [_ref(term["sourcedId"]) for term in chance.sample(terms, chance.choice([0, 1, 1, 1, 2]))],
        "grades": chance.sample(_GRADES, chance.choice([0, 0, 1, 2])),
        "subjects": chance.sample(_SUBJECTS, chance.choice([0, 0, 1, 2])),
        "periods": chance.sample(["1", "2", "Block A"], chance.choice([0, 1])),
    }
