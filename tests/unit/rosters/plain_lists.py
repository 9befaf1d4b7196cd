"""User lists worked out the slow and simple way from OneRoster records, to hold the product's against."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

Record = dict[str, Any]
#: (kind, school, source) -> (members, managers) as sourcedIds.
PlainLists = dict[tuple[str, str, str], tuple[set[str], set[str]]]

_ROLES = {
    "student": "student", "teacher": "teacher", "aide": "staff", "counselor": "staff", "proctor": "staff",
    "principal": "admin", "siteAdministrator": "admin", "districtAdministrator": "admin",
}  # fmt: skip


def plain_lists(  # noqa: PLR0912 (long and simple is its purpose)
    users: list[Record],
    classes: list[Record],
    enrollments: list[Record],
    schools: set[str],
    terms: set[str],
    grades: set[str],
    class_lists: bool,
    auto: dict[str, bool],
    courses: list[Record] | None = None,
) -> PlainLists:
    """Every list of a district whose schools share one set of settings."""
    lists: PlainLists = defaultdict(lambda: (set(), set()))
    people = {u["sourcedId"]: u for u in users if _is_here(u)}
    role = {one: _ROLES[u["roles"][0]["role"]] for one, u in people.items()}
    for one, user in people.items():
        for school in _schools(user) & schools:
            if auto["role"]:
                lists["role", school, role[one]][0].add(one)
            if auto["grade"] and role[one] == "student":
                for grade in user["grades"]:
                    lists["grade", school, grade][0].add(one)
    lent = {course["sourcedId"]: course for course in courses or []}
    followed = [
        klass for klass in classes if klass["status"] == "active" and any(t["sourcedId"] in terms for t in klass["terms"])
    ]
    spelled: dict[str, str] = {}
    for klass in followed:
        for subject in _subjects(klass, lent):
            spelled[subject.casefold()] = min(subject, spelled.get(subject.casefold(), subject))
    for klass in followed:
        at = klass["school"]["sourcedId"]
        roll = [
            e
            for e in enrollments
            if e["status"] == "active" and e["class"]["sourcedId"] == klass["sourcedId"] and e["user"]["sourcedId"] in people
        ]
        students = {e["user"]["sourcedId"] for e in roll if e["role"] == "student"}
        teachers = {e["user"]["sourcedId"] for e in roll if e["role"] == "teacher"}
        own_grades = klass["grades"] or lent.get((klass.get("course") or {}).get("sourcedId"), {}).get("grades", [])
        if class_lists and (not grades or grades & set(own_grades)):
            lists["class", at, klass["sourcedId"]][0].update(students)
            lists["class", at, klass["sourcedId"]][1].update(teachers)
        if auto["subject"]:
            for subject in _subjects(klass, lent):
                lists["subject", at, spelled[subject.casefold()]][0].update(students)
        if auto["teacher"]:
            for teacher in teachers:
                lists["teacher", at, teacher][0].update(students)
                lists["teacher", at, teacher][1].add(teacher)
    return dict(lists)


def _is_here(user: Record) -> bool:
    return user["status"] == "active" and user.get("enabledUser") != "false" and user["roles"][0]["role"] in _ROLES


def _schools(user: Record) -> set[str]:
    primary = [user["primaryOrg"]["sourcedId"]] if user.get("primaryOrg") else []
    return {*primary, *(one["org"]["sourcedId"] for one in user["roles"] if one.get("org"))}


def _subjects(klass: Record, lent: dict[str, Record]) -> list[str]:
    course = lent.get((klass.get("course") or {}).get("sourcedId"), {})
    return [" ".join(one.split()) for one in klass["subjects"] or course.get("subjects", [])]
