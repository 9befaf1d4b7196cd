"""How much of each collection counts, whatever is sent along, and whether that is under half of what it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from include.mingasync.rosters.people import roles_of
from include.mingasync.settings import ROLES

#: A collection under this share of its last complete size is taken for a broken pull, not for leavers.
SHRUNK_BELOW = 0.5
#: The columns of each collection that its size is taken from, where they are more than the status.
SIZE_COLUMNS = {"users": ["status", "enabled", "roles", "role_types"]}
#: A role of fewer people than this may halve by itself.
_ENOUGH_OF_A_ROLE = 20
_PLURAL = {"student": "students", "teacher": "teachers", "staff": "staff", "admin": "admins"}
#: People of these change between them without leaving.
_EMPLOYEES = tuple(role for role in ROLES if role != "student")


@dataclass(frozen=True)
class Smaller:
    """What came under half of its last complete size: records or people in words, how many came, how many there were."""

    what: str
    now: int
    then: int


def sizes_of(collection: str, frame: pd.DataFrame) -> dict[str, int]:
    """How many records count (``here``), and how many only say that somebody or something is over (``gone``).

    Of users only people count, no parents: both numbers are also given per role, as ``student.here`` and so on.
    """
    here = frame["status"].eq("active").fillna(False).to_numpy(dtype=bool)
    if collection != "users":
        return {"here": int(here.sum()), "gone": int((~here).sum())}
    here = here & ~frame["enabled"].eq(False).fillna(False).to_numpy(dtype=bool)
    found = Counter(zip(roles_of(frame), here.tolist(), strict=True))
    sizes = {f"{role}.{word}": found[role, is_here] for role in ROLES for word, is_here in (("here", True), ("gone", False))}
    return {word: sum(sizes[f"{role}.{word}"] for role in ROLES) for word in ("here", "gone")} | sizes


def smaller(collection: str, rows: int, now: Mapping[str, int], before: Mapping[str, int]) -> Smaller | None:
    """Why a collection is smaller than it can be believed to be, None where it is not.

    ``now`` as from ``sizes_of``; ``before`` holds the last complete number of rows under the collection's name and, unless an
    older version kept it, the sizes behind it (``users.student.here``).
    """
    then = before.get(f"{collection}.here")
    if then is None or not now:
        all_then = before.get(collection)
        return Smaller(collection, rows, all_then) if all_then is not None and rows < all_then * SHRUNK_BELOW else None
    if _known(collection, "", now, before) < then * SHRUNK_BELOW:
        return Smaller(collection, now["here"], then)
    if collection == "users":
        for role in ROLES:
            if found := _smaller_role(role, now, before):
                return found
    return None


def _known(collection: str, part: str, now: Mapping[str, int], before: Mapping[str, int]) -> int:
    """How many of those who were here are told of: those who still are, and those who are said to be over since."""
    over = now[f"{part}gone"] - before.get(f"{collection}.{part}gone", 0)
    return now[f"{part}here"] + max(over, 0)


def _smaller_role(role: str, now: Mapping[str, int], before: Mapping[str, int]) -> Smaller | None:
    """A role that shrank, unless its people only changed into another one."""
    then = before.get(f"users.{role}.here", 0)
    if then < _ENOUGH_OF_A_ROLE or _known("users", f"{role}.", now, before) >= then * SHRUNK_BELOW:
        return None
    group = _EMPLOYEES if role in _EMPLOYEES else (role,)
    lost = sum(before.get(f"users.{one}.here", 0) - _known("users", f"{one}.", now, before) for one in group)
    return Smaller(_PLURAL[role], now[f"{role}.here"], then) if lost > then * SHRUNK_BELOW else None
