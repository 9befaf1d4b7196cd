"""Records as ill-mannered providers send them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from include.rehearsal.faults import Faults
from include.rehearsal.records import Record

_WORDS = "Zeroth,First,Second,Third,Fourth,Fifth,Sixth,Seventh,Eighth,Ninth,Tenth,Eleventh,Twelfth"
_NULLABLE = {
    "users": ("email", "sms", "phone", "middleName", "agents", "grades", "userIds", "metadata"),
    "classes": ("location", "grades", "subjects", "subjectCodes", "periods", "metadata"),
    "courses": ("grades", "subjects", "subjectCodes", "metadata"),
    "enrollments": ("beginDate", "endDate", "metadata"),
    "orgs": ("parent", "children", "metadata"),
    "academicSessions": ("parent", "children", "metadata"),
}

Change = Callable[[str, Record], Record]


def shape_of(faults: Faults) -> tuple[Change, ...]:
    """What is done to every record under the faults, in order; nothing for a server that behaves."""
    changes: list[Change] = []
    if faults.new_ids:
        changes.append(_new_ids)
    if faults.grade_words:
        changes.append(_grade_words)
    if faults.grades_as_text:
        changes.append(_grades_as_text)
    if faults.unknown_role:
        changes.append(lambda _, record: _other_roles(record, {"aide": faults.unknown_role}.get))
    if dates := {key: day for key, day in (("beginDate", faults.role_begins), ("endDate", faults.role_ends)) if day}:
        changes.append(lambda _, record: _dated_roles(record, dates))
    if faults.mixed_case_roles:
        changes.append(lambda _, record: _other_roles(record, _mixed_case))
    if faults.nulls:
        changes.append(_nulls)
    if faults.json_booleans:
        changes.append(_json_booleans)
    if faults.plain_ids:
        changes.append(lambda _, record: {key: _plain(value) for key, value in record.items()})
    return tuple(changes)


def shape_key(faults: Faults) -> tuple[object, ...]:
    """What distinguishes two shapes: encoded rows may be used again while it is the same."""
    return (
        faults.new_ids,
        faults.grade_words,
        faults.grades_as_text,
        faults.unknown_role,
        faults.role_begins,
        faults.role_ends,
        faults.mixed_case_roles,
        faults.nulls,
        faults.json_booleans,
        faults.plain_ids,
    )


def _grade_words(_: str, record: Record) -> Record:
    if "grades" not in record:
        return record
    words = {"KG": "Kindergarten"} | {f"{n:02d}": f"{word} grade" for n, word in enumerate(_WORDS.split(","))}
    return record | {"grades": [words.get(grade, grade) for grade in record["grades"] or ()]}


def _grades_as_text(_: str, record: Record) -> Record:
    return record | {"grades": ",".join(record["grades"] or ())} if "grades" in record else record


def _mixed_case(role: str) -> str:
    return role.upper() if role == "teacher" else role[:1].upper() + role[1:]


def _other_roles(record: Record, other: Callable[[str], str | None]) -> Record:
    """The record with its roles renamed; where ``other`` knows none they stay."""
    if "roles" in record:
        roles = [role | {"role": other(role["role"]) or role["role"]} for role in record["roles"]]
        return record | {"roles": roles}
    return record | {"role": other(record["role"]) or record["role"]} if "role" in record else record


def _dated_roles(record: Record, dates: dict[str, str]) -> Record:
    return record | {"roles": [role | dates for role in record["roles"]]} if "roles" in record else record


def _nulls(collection: str, record: Record) -> Record:
    missing = {key: None for key in _NULLABLE[collection] if not record.get(key)}
    if collection == "enrollments" and record.get("role") == "student":
        missing["primary"] = None
    return record | missing


def _json_booleans(_: str, record: Record) -> Record:
    flags = {key: record[key] == "true" for key in ("enabledUser", "primary") if isinstance(record.get(key), str)}
    return record | flags


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        if "href" in value:
            return value["sourcedId"]
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _new_ids(collection: str, record: Record) -> Record:
    if collection == "users":
        agents = [_renewed(agent) for agent in record.get("agents") or ()]
        return record | {"sourcedId": f"new-{record['sourcedId']}", "agents": agents}
    if collection == "enrollments":
        return record | {"sourcedId": f"new-{record['sourcedId']}", "user": _renewed(record.get("user"))}
    return record


def _renewed(reference: Any) -> Any:
    if not isinstance(reference, dict):
        return reference and f"new-{reference}"
    new = f"new-{reference['sourcedId']}"
    return reference | {"sourcedId": new, "href": f"/users/{new}"}
