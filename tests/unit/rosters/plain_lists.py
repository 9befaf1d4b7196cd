"""User lists worked out the slow and simple way from OneRoster records, to hold the product's against."""

from __future__ import annotations

import datetime as dt
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
    sessions: list[Record] | None = None,
    night: dt.date = dt.date(2026, 11, 24),
) -> PlainLists:
    """Every list of a district whose schools share one set of settings."""
    lists: PlainLists = defaultdict(lambda: (set(), set()))
    people = {u["sourcedId"]: u for u in users if _is_here(u, night)}
    role = {one: _role(u, night) for one, u in people.items()}
    starts = {one["sourcedId"]: _date(one.get("startDate")) for one in sessions or []}
    for one, user in people.items():
        for school in _schools(user, night) & schools:
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
        own = [e for e in enrollments if e["status"] == "active" and e["class"]["sourcedId"] == klass["sourcedId"]]
        last_end = max((_date(e.get("endDate")) or dt.date.max for e in own), default=dt.date.max)
        has_begun = any((starts.get(t["sourcedId"]) or dt.date.max) <= night for t in klass["terms"])
        has_begun = has_begun or any((_date(e.get("beginDate")) or dt.date.min) <= night for e in own)
        roll = []
        for e in own:
            begin, end = _date(e.get("beginDate")) or dt.date.min, _date(e.get("endDate")) or dt.date.max
            dropped = end <= night and end < last_end
            early = begin > night and has_begun
            if e["user"]["sourcedId"] in people and not dropped and not early:
                roll.append(e)
        students = {e["user"]["sourcedId"] for e in roll if e["role"] == "student"}
        teachers = {e["user"]["sourcedId"] for e in roll if e["role"] == "teacher"}
        teachers = {one for one in teachers if role[one] != "student"}
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


def _date(text: str | None) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text or "")
    except ValueError:
        return None


def _counts(role: Record, night: dt.date) -> bool:
    begin, end = _date(role.get("beginDate")), _date(role.get("endDate"))
    if begin and end and end < begin:
        return True
    return not (begin and begin > night) and not (end and end < night)


def _role(user: Record, night: dt.date) -> str:
    """The role of somebody who is here."""
    now = [one for one in user["roles"] if one["role"] in _ROLES and _counts(one, night)]
    first = [one for one in now if one["roleType"] == "primary"] or now
    return next(role for role in ("admin", "teacher", "staff", "student") if role in {_ROLES[one["role"]] for one in first})


def _is_here(user: Record, night: dt.date) -> bool:
    now = any(one["role"] in _ROLES and _counts(one, night) for one in user["roles"])
    return user["status"] == "active" and user.get("enabledUser") != "false" and now


def _schools(user: Record, night: dt.date) -> set[str]:
    primary = [user["primaryOrg"]["sourcedId"]] if user.get("primaryOrg") else []
    # To be a parent at a school is not to be at it.
    own = [one for one in user["roles"] if one["role"] != "parent"]
    now = {one["org"]["sourcedId"] for one in own if one.get("org") and _counts(one, night)}
    ever = {one["org"]["sourcedId"] for one in user["roles"] if one.get("org")}
    return {*primary, *ever} - (ever - now)


def _subjects(klass: Record, lent: dict[str, Record]) -> list[str]:
    course = lent.get((klass.get("course") or {}).get("sourcedId"), {})
    return [" ".join(one.split()) for one in klass["subjects"] or course.get("subjects", [])]
