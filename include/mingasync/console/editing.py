"""An edit of a district's settings: what holds, what the form changes, what somebody else changed meanwhile, and the saving."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from include.mingasync.console.fields import INHERITED, Field, Names, Place, in_words, inside, label, typed
from include.mingasync.console.forms import Form
from include.mingasync.console.reading import Directory, writing
from include.mingasync.console.variables import Stored, read_variable, saving
from include.mingasync.errors import SettingsError
from include.mingasync.settings import Settings, faults_in, read_settings, useless_recipients

Content = dict[str, Any]
NOT_AN_ADDRESS = "this is no e-mail address that a mail can go to; write one such as sam@example.org"


@dataclass(frozen=True)
class Sheet:
    """The settings as they stand: ``content`` is what an edit starts from, ``fault`` why a run would refuse the Variable."""

    stored: Stored
    content: Content
    fault: str | None = None

    @property
    def is_shadowed(self) -> bool:
        """Whether another place wins over the Variable that the console could write."""
        return self.stored.shadowed_by is not None


def sheet_of(slug: str, here: Directory) -> Sheet:
    """The settings of a district now. Of a Variable that a run would refuse, those of the last run that had any are the start."""
    variable = f"mingasync_{slug}"
    stored = read_variable(variable)
    try:
        read_settings(stored.text, variable)
    except SettingsError as error:
        last = here.rows("last_settings", district=slug)
        return Sheet(stored, last[0]["settings"] if last else {}, str(error))
    return Sheet(stored, json.loads(stored.text) if stored.text and stored.text.strip() else {})


def whole(content: Content) -> Content:
    """The content with the default of every setting that it leaves out; only of a content without faults."""
    return Settings.model_validate(content).model_dump(mode="json", by_alias=True)


@dataclass(frozen=True)
class Change:
    """A setting that differs, in words."""

    label: str
    before: str
    after: str


def changes_between(before: Content, after: Content, names: Names) -> list[Change]:
    """What differs between two contents without faults."""
    was, now = _leaves(whole(before)), _leaves(whole(after))
    places = [
        place
        for place in (*now, *(one for one in was if one not in now))
        if was.get(place, INHERITED) != now.get(place, INHERITED)
    ]
    return [
        Change(
            label(place, names),
            in_words(place, was.get(place, INHERITED), names),
            in_words(place, now.get(place, INHERITED), names),
        )
        for place in places
    ]


def _leaves(content: Any, place: Place = ()) -> dict[Place, Any]:
    if not isinstance(content, Mapping):
        return {place: content}
    return {at: value for key, inner in content.items() for at, value in _leaves(inner, (*place, key)).items()}


def values_of(fields: Iterable[Field], content: Content, school: str | None) -> dict[Place, Any]:
    """The value of each field, or of each that a school has of its own (else INHERITED)."""
    source = whole(content) if school is None else content.get("schools", {}).get(school, {})
    if school is not None:
        # As the model writes it, so that a number or a date compares as what was typed.
        source = _spelled(source)
    return {field.place: inside(source, field.place) for field in fields}


def _spelled(override: Content) -> Content:
    if not isinstance(override.get("quiet"), list):
        return override
    return override | {"quiet": whole({"quiet": override["quiet"]})["quiet"]}


def typed_values(fields: Iterable[Field], form: Form, shown: Mapping[Place, Any], school: str | None) -> dict[Place, Any]:
    """What the form says of each field that it changes against what was shown."""
    said = {field.place: typed(field, form, shown[field.place], of_school=school is not None) for field in fields}
    return {place: value for place, value in said.items() if not _same(value, shown[place])}


def _same(one: Any, other: Any) -> bool:
    # True == 1 in Python, and a switch is no number.
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def with_values(content: Content, values: Mapping[Place, Any], school: str | None) -> Content:
    """The content with other values; everything that they do not name stays as it is written."""
    changed = deepcopy(content)
    for place, value in values.items():
        _put(changed, place if school is None else ("schools", school, *place), value)
    return changed


def _put(content: Content, place: Place, value: Any) -> None:
    first, *rest = place
    if not rest:
        if value is INHERITED:
            content.pop(first, None)
        else:
            content[first] = value
        return
    below = content.setdefault(first, {})
    _put(below, tuple(rest), value)
    if not below:
        del content[first]


def faults_of(content: Content, fields: Iterable[Field], school: str | None) -> dict[str, str]:
    """Why the content cannot be saved: a sentence by the name of the field it belongs to, "" for what no field here can mend."""
    prefix: Place = () if school is None else ("schools", school)
    every = list(fields)
    found: dict[str, str] = {}
    for place, sentence in faults_in(content):
        own = place[len(prefix) :] if place[: len(prefix)] == prefix else ()
        field = next((one for one in every if own[: len(one.place)] == one.place), None)
        name = field.name if field else ""
        found[name] = f"{found[name]} {sentence}" if name in found else sentence
    if not found and any(field.kind == "addresses" for field in every):
        begins = ".".join((*prefix, "results_email.recipients["))
        bad = [key for key in useless_recipients(Settings.model_validate(content)) if key.startswith(begins)]
        if bad:
            numbers = ", ".join(str(int(key.rpartition("[")[2].rstrip("]")) + 1) for key in bad)
            found["results_email.recipients"] = f"Address {numbers}: {NOT_AN_ADDRESS}."
    return found


def save(slug: str, sheet: Sheet, content: Content, who: str) -> None:
    """Write the Variable, and who changed what into the audit, both or none of them.

    Raises Changed when the Variable is not any more what ``sheet`` holds.
    """
    before = json.loads(sheet.stored.text) if sheet.stored.text and sheet.fault is None else sheet.stored.text
    text = json.dumps(content, indent=2, ensure_ascii=False)
    with writing() as connection:
        row = None
        try:
            with saving(f"mingasync_{slug}", sheet.stored.version, text):
                row = connection.execute(
                    "insert into directory.settings_history (district, changed_at, changed_by, before, after)"
                    " values (%s, clock_timestamp(), %s, %s, %s) returning changed_at",
                    (slug, who, None if before is None else Jsonb(before), Jsonb(content)),
                ).fetchone()
        except BaseException:
            if row:  # Airflow's database broke off at the last moment: what was not changed is not told of.
                connection.execute(
                    "delete from directory.settings_history where district = %s and changed_at = %s and changed_by = %s",
                    (slug, *row, who),
                )
            raise
