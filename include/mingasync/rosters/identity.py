"""Names and keys as they count for who is who: how names are compared, and which values identify nobody."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
import pandas as pd

#: What tells people apart beside their sourcedId, the surest first.
KEYS = ("identifier", "email", "username")
_NAMES = ("given_name", "family_name", "preferred_given_name")
#: Letters that no Unicode rule takes apart; directory.folded knows the same.
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})


@lru_cache(maxsize=100_000)
def folded(name: str) -> str:
    """The name without case, accents, spaces and punctuation; empty where nothing is left."""
    lower = name.lower()
    if lower.isascii():
        return lower if lower.isalnum() else "".join(filter(str.isalnum, lower))
    plain = unicodedata.normalize("NFKD", name).casefold().translate(_LETTERS)
    return "".join(one for one in plain if unicodedata.category(one)[0] in "LNM" and not "\u02b0" <= one <= "\u036f")


def shared_keys(users: pd.DataFrame) -> pd.DataFrame:
    """The values that several names share and that so identify nobody: field and value (trimmed, lower-case).

    ``users``: role, KEYS and the three names. The field is a key, but identifiers of students and of employees are two
    series that may overlap: ``student_identifier`` and ``employee_identifier``.
    """
    student = users["role"].eq("student").to_numpy(dtype=bool)
    every = np.ones(len(users), dtype=bool)
    names = [users[name].astype(object).to_numpy() for name in _NAMES]
    found: list[tuple[str, str]] = []
    for field, key, whose in (
        ("student_identifier", "identifier", student),
        ("employee_identifier", "identifier", ~student),
        ("email", "email", every),
        ("username", "username", every),
    ):
        value = users[key].astype("string").str.strip().str.lower().replace("", pd.NA)[whose]
        several = (value.duplicated(keep=False) & value.notna()).to_numpy(dtype=bool)
        bearers: dict[str, list[Sequence[object]]] = {}
        for one, *name in zip(value[several], *(column[whose][several] for column in names), strict=True):
            bearers.setdefault(one, []).append(name)
        found += [(field, one) for one, own in bearers.items() if differ(own)]
    return pd.DataFrame(found, columns=["field", "value"], dtype="string")


def differ(names: Iterable[Sequence[object]]) -> bool:
    """Whether names (given, family, preferred given) belong to several people: a part that is blank tells nothing.

    They agree when all have the same family name and some given name in common, the preferred one counted.
    """
    families: set[str] = set()
    given: set[str] | None = None
    for first, family, preferred in names:
        if own := _fold(family):
            families.add(own)
        if own_given := {one for one in (_fold(first), _fold(preferred)) if one}:
            given = own_given if given is None else given & own_given
    return len(families) > 1 or (given is not None and not given)


def _fold(name: object) -> str:
    return folded(name) if isinstance(name, str) else ""
