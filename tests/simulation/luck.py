"""Bad luck with an answer of the SIS: partial, empty, shrunken, refused, foreign and dirty pulls."""

from __future__ import annotations

import copy
from typing import Any

from tests.integration.directory.world import Sis, school
from tests.simulation.tasking import Pull

_COLLECTIONS = ("users", "enrollments", "classes", "academicSessions", "orgs")


def whole(sis: Sis) -> Pull:
    """An answer with nothing wrong."""
    return Pull(copy.deepcopy(sis))


def spoilt(sis: Sis, a: int, b: int) -> Pull:
    """An answer with one thing wrong."""
    sis = copy.deepcopy(sis)
    kinds: list[Any] = [
        _partial,
        _refused,
        _empty,
        _shrunken,
        _foreign,
        _unreadable,
        _nameless,
        _odd_status,
        _twice,
        _class_aside,
    ]
    return kinds[a % len(kinds)](sis, b)  # type: ignore[no-any-return]  # chosen by name


def _rows(sis: Sis, collection: str) -> list[dict[str, Any]]:
    return sis.terms if collection == "academicSessions" else getattr(sis, collection)  # type: ignore[no-any-return]  # chosen by name


def _partial(sis: Sis, b: int) -> Pull:
    name = _COLLECTIONS[b % 5]
    rows = _rows(sis, name)
    del rows[len(rows) * 2 // 3 :]
    return Pull(sis, {name: {"state": "incomplete", "reason": "a page was missing"}}, words=f"{name} only in part")


def _refused(sis: Sis, b: int) -> Pull:
    name = _COLLECTIONS[1 + b % 3]
    _rows(sis, name).clear()
    return Pull(sis, {name: {"state": "absent", "reason": "the SIS answered 403"}}, words=f"{name} refused")


def _empty(sis: Sis, b: int) -> Pull:
    name = _COLLECTIONS[b % 5]
    _rows(sis, name).clear()
    return Pull(sis, words=f"{name} empty")


def _shrunken(sis: Sis, b: int) -> Pull:
    name = _COLLECTIONS[b % 3]
    rows = _rows(sis, name)
    del rows[len(rows) // 3 :]
    return Pull(sis, words=f"{name} shrunken to a third")


def _foreign(sis: Sis, b: int) -> Pull:
    other = {"D1": "X1", "S1": "X2", "S2": "X3"}
    sis.orgs = [school(other[row["sourced_id"]], "Elsewhere") | {"type": row["type"]} for row in sis.orgs]
    for row in sis.users:
        row["org_ids"] = [other.get(one, one) for one in row["org_ids"]]
    for row in sis.classes:
        row["school_id"] = other.get(row["school_id"], row["school_id"])
    return Pull(sis, words="another district's")


def _unreadable(sis: Sis, b: int) -> Pull:
    name = _COLLECTIONS[b % 3]
    rows = _rows(sis, name)
    if not rows:
        return Pull(sis)
    bad = rows.pop(b % len(rows))
    return Pull(sis, unreadable=[(name, bad["sourced_id"])], words=f"{name} with {bad['sourced_id']} unreadable")


def _nameless(sis: Sis, b: int) -> Pull:
    name = _COLLECTIONS[b % 3]
    rows = _rows(sis, name)
    if rows:
        rows.pop(b % len(rows))
    return Pull(sis, unreadable=[(name, "")], words=f"{name} with a row that has no sourcedId")


def _odd_status(sis: Sis, b: int) -> Pull:
    name = _COLLECTIONS[b % 3]
    rows = _rows(sis, name)
    if not rows:
        return Pull(sis)
    rows[b % len(rows)]["status"] = "perhaps"
    return Pull(sis, words=f"{name} with an odd status of {rows[b % len(rows)]['sourced_id']}")


def _twice(sis: Sis, b: int) -> Pull:
    if not sis.users:
        return Pull(sis)
    sis.users.append(dict(sis.users[b % len(sis.users)]))
    return Pull(sis, words=f"users with {sis.users[-1]['sourced_id']} twice")


def _class_aside(sis: Sis, b: int) -> Pull:
    if not sis.classes:
        return Pull(sis)
    sis.classes[b % len(sis.classes)]["school_id"] = ("nowhere", None)[b % 2]
    return Pull(sis, words=f"classes with {sis.classes[b % len(sis.classes)]['sourced_id']} at no school")
