"""The settings as fields of forms, in the words of people who roster: which there are, and how what was typed is read."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from include.mingasync.console.forms import Form
from include.mingasync.rosters.grades import grade_code, grade_title
from include.mingasync.settings import ROLES

Place = tuple[str, ...]


class _Missing:
    """Stands for a setting that a school does not have of its own."""

    def __repr__(self) -> str:
        return "INHERITED"


INHERITED = _Missing()
_MOST_PERIODS = 200


@dataclass(frozen=True)
class Field:
    """One setting as a form asks for it: its key, its words, what kind of thing it is."""

    place: Place
    label: str
    kind: Literal["switch", "number", "addresses", "quiet", "terms", "grades"]
    help: str = ""

    @property
    def name(self) -> str:
        """How the form calls it."""
        return ".".join(self.place)


def _switch(name: str, label: str, words: str = "") -> Field:
    return Field(tuple(name.split(".")), label, "switch", words)


def _role(role: str) -> tuple[Field, ...]:
    named = role.capitalize()
    return (
        _switch(f"roles.{role}.roster", f"{named} rostering"),
        _switch(f"roles.{role}.auto_update", f"{named} rostering: Auto update"),
        _switch(f"roles.{role}.archive", f"{named} rostering: Archive"),
    )


ROSTERING: tuple[Field, ...] = (
    _switch(
        "automatic_rostering",
        "Enable Automatic Rostering",
        "Sync every night. Off, only runs by hand change anything; off for one school, no run changes it.",
    ),
    *(field for role in ROLES for field in _role(role)),
    _switch(
        "include_primary_parent_contact",
        "Include Primary Parent Contact Info",
        "One contact a student: name, e-mail, phone. Turned off again, the stored contacts are cleared.",
    ),
    _switch(
        "class_lists.enabled",
        "Sync class rosters as user lists automatically",
        "Class lists will not roster in unless terms are selected.",
    ),
    _switch("results_email.enabled", "Send rostering results email", "A daily report of the nightly sync."),
    Field(
        ("results_email", "recipients"), "Email addresses", "addresses", "One on each line, such as the address of your IT team."
    ),
    _switch(
        "results_email.attach_changes",
        "Attach the list of changes",
        "The attachment holds names; without it the mail has numbers.",
    ),
    Field(("quiet",), "Quiet periods", "quiet", "Both days included. Clear both dates of a line to remove it."),
    Field(
        ("safety", "archive_percent"),
        "Hold archives above this share, in percent",
        "number",
        "Of a role at one school, or in the whole district.",
    ),
    Field(
        ("safety", "archive_minimum"),
        "Hold archives of at least so many people",
        "number",
        "Both limits have to be passed; fewer people are never held.",
    ),
    Field(
        ("safety", "absent_nights"),
        "Nights of absence before somebody is archived",
        "number",
        "Counted on nights that were read completely.",
    ),
)
TERMS: tuple[Field, ...] = (
    Field(("class_lists", "terms"), "Terms", "terms", "Class lists will not roster in unless terms are selected."),
    Field(("class_lists", "grades"), "Grades", "grades"),
)
LISTS: tuple[Field, ...] = (
    _switch("new_lists_public", "Make new user lists public by default", "Lists that are there already stay as they are."),
    _switch("auto_lists.role", "Enable auto-generated lists by role"),
    _switch("auto_lists.grade", "Enable auto-generated lists by grade"),
    _switch("auto_lists.subject", "Enable auto-generated lists by subject", "Follows the selected terms."),
    _switch("auto_lists.teacher", "Enable auto-generated lists by teacher", "Follows the selected terms."),
)
EVERY: tuple[Field, ...] = (*ROSTERING, *TERMS, *LISTS)
_BY_PLACE = {field.place: field for field in EVERY}


def inside(content: Mapping[str, Any], place: Iterable[str]) -> Any:
    """What stands at a place; INHERITED where nothing does."""
    found: Any = content
    for part in place:
        if not isinstance(found, Mapping) or part not in found:
            return INHERITED
        found = found[part]
    return found


def typed(field: Field, form: Form, before: Any, *, of_school: bool) -> Any:
    """What the form says of a setting, as the Variable would hold it; what cannot be read stays as typed.

    ``before`` is what was shown: what is still chosen keeps its place and its spelling.
    """
    if field.kind == "switch":
        own = {"on": True, "off": False}
        return own.get(form.one(field.name), INHERITED) if of_school else form.one(field.name) == "on"
    if field.kind == "number":
        text = form.one(field.name)
        return INHERITED if of_school and not text else _number(text)
    if of_school and form.one(f"{field.name}.own") != "on":
        return INHERITED
    return _list(field, form, before if isinstance(before, list) else [])


def _list(field: Field, form: Form, kept: list[Any]) -> list[Any]:
    if field.kind == "addresses":
        return [one for one in re.split(r"[\s,;]+", form.one(field.name)) if one]
    if field.kind == "quiet":
        return _periods(field.name, form)
    chosen = list(dict.fromkeys(form.every(field.name)))
    if field.kind == "terms":
        return [one for one in kept if one in chosen] + [one for one in chosen if one not in kept]
    had = {grade_code(one) for one in kept}
    return [one for one in kept if grade_code(one) in chosen] + [code for code in chosen if code not in had]


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _periods(name: str, form: Form) -> list[dict[str, str]]:
    lines = []
    for number in range(_MOST_PERIODS):
        if f"{name}.{number}.from" not in form.fields:
            break
        line = {key: form.one(f"{name}.{number}.{key}") for key in ("from", "to", "mode")}
        if line["from"] or line["to"]:
            lines.append(line)
    return lines


@dataclass(frozen=True)
class Names:
    """What ids are called: schools by id, terms by id."""

    schools: Mapping[str, str]
    terms: Mapping[str, str]


def label(place: Place, names: Names) -> str:
    """What the setting at a place is called, with its school where it is one's own."""
    if place[:1] == ("schools",) and len(place) > 1:
        own = f": {label(place[2:], names)}" if len(place) > 2 else ""
        return f"{names.schools.get(place[1], place[1])}{own}"
    field = _BY_PLACE.get(place)
    if field is None:
        return ".".join(place)
    return {"terms": "Terms of class rosters", "grades": "Grades of class rosters"}.get(field.kind, field.label)


def in_words(place: Place, value: Any, names: Names) -> str:
    """A value as a person reads it."""
    if value is INHERITED:
        return "as the district"
    own = place[2:] if place[:1] == ("schools",) else place
    field = _BY_PLACE.get(own)
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        none = "none selected, which means all" if field and field.kind == "grades" else "none"
        return ", ".join(_one_in_words(field, one, names) for one in value) or none
    return as_typed(value)


def as_typed(value: Any) -> str:
    """A number as a person types it."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _one_in_words(field: Field | None, one: Any, names: Names) -> str:
    if field and field.kind == "terms":
        return names.terms.get(one, f"{one} (not shared)")
    if field and field.kind == "grades":
        return grade_title(grade_code(one))
    if isinstance(one, Mapping):
        mode = {"pause": "paused", "additions_only": "additions only"}.get(str(one.get("mode")), str(one.get("mode")))
        return f"{_day(one.get('from'))} to {_day(one.get('to'))}: {mode}"
    return str(one)


def _day(text: Any) -> str:
    try:
        date = dt.date.fromisoformat(str(text))
    except ValueError:
        return str(text)
    return f"{date.day} {date:%b %Y}"
