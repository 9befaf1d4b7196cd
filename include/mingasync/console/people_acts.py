"""What somebody does by hand with people: each act is carried out and written down together, or not at all."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException

from include.mingasync.addresses import valid_address
from include.mingasync.console.list_acts import NO_PERSON, NOTHING, Different, fingerprint
from include.mingasync.console.reading import Directory, Row, acting
from include.mingasync.console.searching import NOWHERE
from include.mingasync.console.told import FIELDS
from include.mingasync.settings import ROLES

REQUIRED = ("given_name", "family_name")
_LONGEST = 200
_LONGEST_REASON = 500
_SAME_SHOWN = 10


class Alike(Exception):
    """Somebody who is there already may be the one that is about to be added; nothing was changed."""

    def __init__(self, people: list[Row]) -> None:
        super().__init__()
        self.people = people


@dataclass(frozen=True)
class NewPerson:
    """Somebody to be added by hand, as it was typed."""

    role: str
    given_name: str
    family_name: str
    email: str
    username: str
    identifier: str
    school: str

    def faults(self, schools: Mapping[str, str]) -> dict[str, str]:
        """What has to be corrected first, by field."""
        found = {
            name: said for name in FIELDS if name != "preferred_given_name" and (said := fault_of(name, getattr(self, name)))
        }
        if self.role not in ROLES:
            found["role"] = "Choose a role."
        if self.school and self.school not in schools.keys() - {NOWHERE}:
            found["school"] = "Choose one of the schools."
        return found


@dataclass(frozen=True)
class Pin:
    """A field to be pinned, as it was typed."""

    field: str
    value: str
    reason: str
    until: str

    def checked(self, today: dt.date) -> dict[str, str]:
        """What has to be corrected first, by field of the form."""
        found = {}
        if self.field not in FIELDS:
            found["field"] = "Choose a field."
        elif said := fault_of(self.field, self.value):
            found["value"] = said
        if not self.reason or len(self.reason) > _LONGEST_REASON:
            found["reason"] = f"Say why, in at most {_LONGEST_REASON} characters: whoever comes after you reads it."
        if self.until and ((day := day_of(self.until)) is None or day < today):
            found["until"] = "The end is a date from today on, such as 2027-06-30; empty means for good."
        return found


def day_of(text: str) -> dt.date | None:
    """The date that a form names; None where it is none."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def fault_of(name: str, value: str) -> str | None:
    """Why a field of a person cannot have a value, None where it can."""
    if not value:
        return f"{FIELDS[name]} may not be empty." if name in REQUIRED else None
    if len(value) > _LONGEST or any(unicodedata.category(one) == "Cc" for one in value):
        return f"{FIELDS[name]} may have at most {_LONGEST} characters, and no control characters."
    if name == "email" and valid_address(value) is None:
        return "This is no e-mail address that a mail can go to; write one such as sam@example.org."
    return None


def version_of(person: Row, pins: list[Row]) -> str:
    """What tells how somebody's fields and pins stand from how they stood at any other time."""
    told = [person[name] for name in FIELDS], [(pin["field"], pin["value"], pin["reason"], pin["until"]) for pin in pins]
    return fingerprint(repr(told))


def version_of_alike(people: list[Row]) -> str:
    """What tells some people from any others."""
    return fingerprint([one["person_id"] for one in people])


def add_person(slug: str, person: NewPerson, who: str, *, unlike: str) -> tuple[int, int]:
    """The id of the new person, and the number of the change; Alike where they may be there already.

    ``unlike``: the version of those of whom it was said that it is none of them, "" where nobody was asked.
    """
    row = {name: getattr(person, name) for name in FIELDS if name != "preferred_given_name"} | {"role": person.role}
    with acting(slug, alone=True) as here:
        alike = here.rows("same_people", district=slug, limit=_SAME_SHOWN, **row)
        if alike and version_of_alike(alike) != unlike:
            raise Alike(alike)
        (made,) = here.rows("add_person", district=slug, school_ids=[person.school] if person.school else [], **row)
        person_id = int(made["person_id"])
        done = _keep(here, slug, who, "add_person", person_id=person_id, after={"role": person.role})
    return person_id, done


def set_include(slug: str, person_id: int, include: bool, who: str) -> int:
    """The number of the change, after the sync may touch somebody, or may not."""
    with acting(slug) as here:
        if _found(here, slug, person_id)["include_in_sync"] == include:
            return NOTHING
        here.rows("set_include", person_id=person_id, include=include)
        return _keep(
            here, slug, who, "set_include_in_sync", person_id=person_id,
            before={"include_in_sync": not include}, after={"include_in_sync": include},
        )  # fmt: skip


def pin(slug: str, person_id: int, wanted: Pin, version: str, who: str) -> int:
    """The number of the change, after a field was pinned; Different where fields or pins are not those that the page showed."""
    with acting(slug) as here:
        before, pins = _found(here, slug, person_id), _pins(here, slug, person_id)
        until, value = day_of(wanted.until), wanted.value or None
        if (wanted.field, value, wanted.reason, until) in [
            (one["field"], one["value"], one["reason"], one["until"]) for one in pins
        ]:
            return NOTHING
        if version_of(before, pins) != version:
            raise Different
        here.rows("pin", person_id=person_id, field=wanted.field, value=value, reason=wanted.reason, until=until)
        here.rows("sign_pin", person_id=person_id, field=wanted.field, who=who)
        after = {"field": wanted.field, "value": value, "reason": wanted.reason, "until": until and until.isoformat()}
        was = {"field": wanted.field, "value": before[wanted.field]}
        return _keep(here, slug, who, "pin", person_id=person_id, before=was, after=after)


def unpin(slug: str, person_id: int, name: str, version: str, who: str) -> int:
    """The number of the change, after a pin was taken off; Different where fields or pins are not those that the page showed."""
    with acting(slug) as here:
        person, pins = _found(here, slug, person_id), _pins(here, slug, person_id)
        if name not in [one["field"] for one in pins]:
            return NOTHING
        if version_of(person, pins) != version:
            raise Different
        (gone,) = here.rows("unpin", district=slug, person_id=person_id, field=name)
        return _keep(
            here,
            slug,
            who,
            "unpin",
            person_id=person_id,
            before={"field": name, "value": gone["value"], "reason": gone["reason"]},
        )


def _found(here: Directory, slug: str, person_id: int) -> Row:
    # Held until the end, so that of two who act at the same moment the second sees what the first did.
    if not here.rows("hold_person", district=slug, person_id=person_id):
        raise HTTPException(404, NO_PERSON)
    return here.rows("person", district=slug, person_id=person_id)[0]


def _pins(here: Directory, slug: str, person_id: int) -> list[Row]:
    return here.rows("pins", district=slug, person_id=person_id, today=dt.date.min)


def _keep(
    here: Directory,
    slug: str,
    who: str,
    action: str,
    *,
    person_id: int,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> int:
    (kept,) = here.rows(
        "keep_change", district=slug, who=who, action=action, list_ids=[], person_id=person_id, before=before, after=after
    )
    return int(kept["change_no"])
