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


def plain_lists(
    users: list[Record],
    classes: list[Record],
    enrollments: list[Record],
    schools: set[str],
    terms: set[str],
    grades: set[str],
    class_lists: bool,
    auto: dict[str, bool],
) -> PlainLists:
    """Every list of a district whose schools share one set of settings."""
    lists: PlainLists = defaultdict(lambda: (set(), set()))
    people = {u["sourcedId"]: u for u in users if u["status"] == "active" and u["roles"][0]["role"] in _ROLES}
    role = {one: _ROLES[u["roles"][0]["role"]] for one, u in people.items()}
    school = {one: u["primaryOrg"]["sourcedId"] for one, u in people.items()}
    for one, user in people.items():
        if school[one] not in schools:
            continue
        if auto["role"]:
            lists["role", school[one], role[one]][0].add(one)
        if auto["grade"] and role[one] == "student":
            for grade in user["grades"]:
                lists["grade", school[one], grade][0].add(one)
    for klass in classes:
        in_terms = any(t["sourcedId"] in terms for t in klass["terms"])
        at = klass["school"]["sourcedId"]
        roll = [e for e in enrollments if e["class"]["sourcedId"] == klass["sourcedId"] and e["user"]["sourcedId"] in people]
        students = {e["user"]["sourcedId"] for e in roll if e["role"] == "student"}
        teachers = {e["user"]["sourcedId"] for e in roll if e["role"] == "teacher"}
        if class_lists and in_terms and (not grades or grades & set(klass["grades"])):
            lists["class", at, klass["sourcedId"]][0].update(students)
            lists["class", at, klass["sourcedId"]][1].update(teachers)
        if auto["subject"] and in_terms:
            for subject in klass["subjects"]:
                lists["subject", at, subject][0].update(students)
        if auto["teacher"] and in_terms:
            for teacher in teachers:
                lists["teacher", at, teacher][0].update(students)
                lists["teacher", at, teacher][1].add(teacher)
    return dict(lists)
