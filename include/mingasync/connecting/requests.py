"""A connection request as it is typed: what it has to say, and what is wrong with it."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from include.mingasync.addresses import valid_address
from include.mingasync.connecting.checklists import NAMES

OTHER = "other"
FIELDS = ("district_name", "schools", "sis", "other_sis", "contact_name", "contact_email")
_LONGEST = 200
_MOST_SCHOOLS = 500


@dataclass(frozen=True)
class Typed:
    """The fields of a request, white space put right; ``sis`` is one of the names, or ``other`` with the name beside it."""

    district_name: str = ""
    schools: tuple[str, ...] = ()
    sis: str = ""
    other_sis: str = ""
    contact_name: str = ""
    contact_email: str = ""

    @property
    def sis_name(self) -> str:
        """What the SIS is called."""
        return self.other_sis if self.sis == OTHER else self.sis

    def faults(self) -> dict[str, str]:
        """What has to be corrected first, by field."""
        found = {
            "district_name": _fault("The name of the district", self.district_name),
            "contact_name": _fault("The contact's name", self.contact_name),
            "schools": next((said for one in self.schools if (said := _fault("A school's name", one))), None),
            "other_sis": _fault("The name of the SIS", self.other_sis) if self.sis == OTHER else None,
        }
        if not self.schools:
            found["schools"] = "Name at least one school, each on a line of its own."
        elif len(self.schools) > _MOST_SCHOOLS:
            found["schools"] = f"At most {_MOST_SCHOOLS} schools can be named; write “all schools” instead."
        if self.sis not in (*NAMES, OTHER):
            found["sis"] = "Choose the SIS."
        if valid_address(self.contact_email) is None:
            found["contact_email"] = "This is no e-mail address that a mail can go to; write one such as sam@example.org."
        return {name: said for name, said in found.items() if said}


def typed(texts: Mapping[str, str]) -> Typed:
    """The request that the texts of a form make; each line of ``schools`` is one."""
    fields = {name: " ".join(texts[name].split()) for name in FIELDS if name != "schools"}
    lines = (" ".join(line.split()) for line in texts["schools"].splitlines())
    return Typed(**fields, schools=tuple(dict.fromkeys(line for line in lines if line)))


def _fault(what: str, value: str) -> str | None:
    if not value:
        return f"{what} may not be empty."
    if len(value) > _LONGEST or any(unicodedata.category(one) in ("Cc", "Cs") for one in value):
        return f"{what} may have at most {_LONGEST} characters, and no control characters."
    return None
