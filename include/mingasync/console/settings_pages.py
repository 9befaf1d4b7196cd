"""The pages on which a district's settings are changed: a form, a review of what it changes, and the saving."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, cast
from urllib.parse import quote

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from include.mingasync.console.access import DistrictSlug, EditableSlug, may_edit, name_of
from include.mingasync.console.editing import (
    Change,
    Content,
    Sheet,
    changes_between,
    faults_of,
    save,
    sheet_of,
    typed_values,
    values_of,
    whole,
    with_values,
)
from include.mingasync.console.fields import INHERITED, LISTS, ROSTERING, TERMS, Field, Names, Place
from include.mingasync.console.forms import END, Form, SentForm
from include.mingasync.console.places import place as place_of
from include.mingasync.console.reading import Directory, Row, Unreadable, directory
from include.mingasync.console.rendering import render
from include.mingasync.console.term_choice import grade_choices, term_choices
from include.mingasync.console.variables import Changed
from include.mingasync.console.what_if import WhatIf, what_if
from include.mingasync.errors import SettingsError

router = APIRouter()
_OWN_INPUTS = ("action", "version", "base", END)
_EDITS_SHOWN = 10
SchoolId = Annotated[str | None, Query(max_length=300)]

FIRST_MAKE_SURE = (
    "Keep Auto update and Archive turned off until you confirm your rostering sync is working correctly, then turn them on when "
    "you are ready for automated updates and archiving. No sync of this district has succeeded yet."
)
NO_TERMS = "Class lists will not roster in unless terms are selected: choose them under Manage class rosters to be synced."
NO_ADDRESS = "No address is entered, so nobody gets the rostering results email."


@dataclass(frozen=True)
class Page:
    """One of the pages: its address, its title, its fields, and the template that lays them out."""

    address: str
    title: str
    fields: tuple[Field, ...]

    @property
    def template(self) -> str:
        """The form's template."""
        return f"{self.address.replace('-', '_')}.html"


SETTINGS = Page("settings", "Rostering Settings", ROSTERING)
CLASS_ROSTERS = Page("terms", "Manage class rosters to be synced", TERMS)
LIST_SETTINGS = Page("list-settings", "User list settings", LISTS)


@dataclass(frozen=True)
class Entry:
    """A field as the form shows it: its value, what the district has where a school has none of its own, and what is wrong."""

    field: Field
    value: Any
    district: Any
    fault: str | None

    @property
    def is_own(self) -> bool:
        """Whether the school whose settings are shown has this one of its own."""
        return self.value is not INHERITED

    @property
    def shown(self) -> Any:
        """The value in force."""
        return self.value if self.is_own else self.district


@dataclass(frozen=True)
class Desk:
    """All that a page needs to know of a district and its settings at one moment."""

    slug: str
    page: Page
    school: str | None
    sheet: Sheet
    names: Names
    history: list[Row]
    had_good_run: bool
    terms: list[Row]
    grades: list[str]

    @property
    def address(self) -> str:
        """Where the page is, below the console."""
        own = f"?school={quote(self.school, safe='')}" if self.school is not None else ""
        return f"/districts/{self.slug}/{self.page.address}{own}"

    def entries(self, values: Mapping[Place, Any], faults: Mapping[str, str]) -> dict[str, Entry]:
        """The fields as the form shows them, by name."""
        district = values_of(self.page.fields, self.sheet.content, None)
        return {
            field.name: Entry(field, values[field.place], district[field.place], faults.get(field.name))
            for field in self.page.fields
        }

    def values(self) -> dict[Place, Any]:
        """The values that hold now."""
        return values_of(self.page.fields, self.sheet.content, self.school)


def _desk(slug: str, page: Page, school: str | None, here: Directory) -> Desk:
    sheet = sheet_of(slug, here)
    terms = here.rows("terms", district=slug)
    schools = {row["school_id"]: row["name"] for row in here.rows("schools", district=slug)}
    schools |= {one: one for one in sheet.content.get("schools", {}) if one not in schools}
    if school is not None and school not in schools:
        raise HTTPException(404, "There is no such school in this district.")
    standings = here.rows("standings", districts=[slug])
    return Desk(
        slug=slug,
        page=page,
        school=school,
        sheet=sheet,
        names=Names(schools, {row["term_id"]: row["title"] for row in terms}),
        history=here.rows("settings_history", district=slug, limit=_EDITS_SHOWN),
        had_good_run=any(row["good_at"] for row in standings),
        terms=terms,
        grades=[row["grade"] for row in here.rows("grades", district=slug)] if page is CLASS_ROSTERS else [],
    )


def _form(
    request: Request,
    desk: Desk,
    values: Mapping[Place, Any],
    *,
    editable: bool,
    status: int = 200,
    faults: Mapping[str, str] | None = None,
    theirs: Sequence[Change] = (),
    mine: int = 0,
    saved: bool = False,
) -> Response:
    faults = faults or {}
    entries = desk.entries(values, faults)
    extra: dict[str, Any] = {}
    if desk.page is CLASS_ROSTERS:
        extra["terms"] = term_choices(
            desk.terms, entries["class_lists.terms"].shown, dt.datetime.now(place_of(desk.slug).zone).date()
        )
        extra["grades"] = grade_choices(desk.grades, entries["class_lists.grades"].shown)
    return render(
        request,
        desk.page.template,
        status=status,
        place=place_of(desk.slug),
        desk=desk,
        entries=entries,
        editable=editable and not desk.sheet.is_shadowed,
        may_edit=editable,
        base_json=json.dumps(desk.sheet.content),
        faults=faults,
        theirs=theirs,
        changed_by=_changed_by(desk) if theirs else None,
        mine=mine,
        saved=saved,
        edits=_edits(desk),
        school_edits=_of_schools(desk),
        **extra,
    )


def _changed_by(desk: Desk) -> str:
    """Who made the settings what they are now; only the console writes that down."""
    last = desk.history[0] if desk.history else None
    return last["changed_by"] if last and last["after"] == desk.sheet.content else "Somebody, outside of this console,"


def _edits(desk: Desk) -> list[dict[str, Any]]:
    """The last changes: when, by whom, what."""
    return [{"at": row["changed_at"], "by": row["changed_by"], "changes": _told(row, desk.names)} for row in desk.history]


def _told(row: Row, names: Names) -> list[Change] | None:
    """What an edit changed; None where it replaced a text that no run could use."""
    try:
        return changes_between(row["before"] or {}, row["after"] or {}, names)
    except (ValidationError, SettingsError):
        return None


def _of_schools(desk: Desk) -> list[tuple[str, str, list[Change]]]:
    """Every school with what it has differently from the district."""
    content = desk.sheet.content
    own = content.get("schools", {})
    bare = {key: value for key, value in content.items() if key != "schools"}
    found = []
    for school, name in desk.names.schools.items():
        # Told against the district's value, and under the school's name only once.
        changes = changes_between(bare, with_school(bare, own.get(school, {})), desk.names) if own.get(school) else []
        found.append((school, name, changes))
    return found


def with_school(content: Content, override: Content) -> Content:
    """The settings in force at a school."""
    from include.mingasync.settings import Settings

    settings = Settings.model_validate({**content, "schools": {"school": override}})
    return settings.for_school("school").model_dump(mode="json", by_alias=True)


def _shown(request: Request, slug: str, user: Any, page: Page, *, school: str | None, saved: bool) -> Response:
    with directory() as here:
        desk = _desk(slug, page, school or None, here)
    return _form(request, desk, desk.values(), editable=may_edit(user, slug), saved=saved)


def _sent(request: Request, slug: str, user: Any, page: Page, *, school: str | None, form: Form) -> Response:
    with directory() as here:
        desk = _desk(slug, page, school or None, here)
    base = _base_of(form)
    mine = typed_values(page.fields, form, values_of(page.fields, base, desk.school), desk.school)
    content = with_values(desk.sheet.content, mine, desk.school)
    is_saved = form.one("action") == "save" and content == desk.sheet.content and desk.sheet.fault is None
    # Pressed twice, the second answer is the one that is seen: what it asks for is there already.
    back = None if is_saved else _why_back(desk, form, base, faults_of(content, page.fields, desk.school))
    if back is not None:
        return _form(request, desk, {**desk.values(), **mine}, editable=True, mine=len(mine), **back)
    if form.one("action") == "what_if":
        return _review(request, desk, form, content, foreseen=what_if(slug, content))
    if form.one("action") != "save":
        return _review(request, desk, form, content)
    if content != desk.sheet.content or desk.sheet.fault is not None:
        try:
            save(slug, desk.sheet, content, name_of(user))
        except Changed:
            return _sent(request, slug, user, page, school=school, form=form)  # which now sees what the other one changed
        except Unreadable as error:
            return _review(request, desk, form, content, problem=error)
    joint = "&" if "?" in desk.address else "?"
    return RedirectResponse(f"{request.scope.get('root_path', '')}{desk.address}{joint}saved=1", 303)


def _base_of(form: Form) -> Content:
    """The settings that the form showed; refused when they are none."""
    try:
        base = json.loads(form.one("base"))
        whole(base)
    except (ValueError, SettingsError):
        raise HTTPException(422, "The form did not come whole. Open the page again. Nothing was changed.") from None
    return cast("Content", base)


def _why_back(desk: Desk, form: Form, base: Content, faults: dict[str, str]) -> dict[str, Any] | None:
    """What the form is shown again with, where it cannot go on to the review; None where it can."""
    if desk.sheet.is_shadowed:
        return {"status": 409}
    if form.one("version") != desk.sheet.stored.version:
        return {"status": 409, "faults": faults, "theirs": changes_between(base, desk.sheet.content, desk.names)}
    if form.one("action") == "edit":
        return {}
    return {"status": 422, "faults": faults} if faults else None


def _review(
    request: Request,
    desk: Desk,
    form: Form,
    content: Content,
    *,
    problem: Unreadable | None = None,
    foreseen: WhatIf | None = None,
) -> Response:
    """What the form changes, before and after, with a warning where one is due; the form travels on in it.

    ``foreseen``: what the next night does with the content; None while nobody asked for it.
    """
    before = whole(desk.sheet.content)
    changes = changes_between(desk.sheet.content, content, desk.names)
    return render(
        request,
        "review.html",
        status=503 if problem else 200,
        place=place_of(desk.slug),
        desk=desk,
        changes=changes,
        warnings=_warnings(desk, before, whole(content)),
        inputs=[(name, value) for name, values in form.fields.items() if name not in _OWN_INPUTS for value in values],
        version=form.one("version"),
        base_json=form.one("base"),
        problem=problem,
        what_if=foreseen,
        safety=whole(content)["safety"],
    )


def _warnings(desk: Desk, before: Content, after: Content) -> list[str]:
    warnings = []
    turned_on = any(
        after_role[key] and not before["roles"][role][key]
        for role, after_role in after["roles"].items()
        for key in ("auto_update", "archive")
    ) or any(
        own.get(key) and not before["schools"].get(school, {}).get("roles", {}).get(role, {}).get(key)
        for school, override in after["schools"].items()
        for role, own in override.get("roles", {}).items()
        for key in ("auto_update", "archive")
    )
    if turned_on and not desk.had_good_run:
        warnings.append(FIRST_MAKE_SURE)
    if desk.page is SETTINGS and after["class_lists"]["enabled"] and not after["class_lists"]["terms"]:
        warnings.append(NO_TERMS)
    if desk.page is SETTINGS and after["results_email"]["enabled"] and not after["results_email"]["recipients"]:
        warnings.append(NO_ADDRESS)
    return warnings


@router.get("/districts/{slug}/settings")
def settings(request: Request, slug: DistrictSlug, user: GetUserDep, school: SchoolId = None, saved: bool = False) -> Response:
    """The rostering settings of a district, or those that a school has of its own."""
    return _shown(request, slug, user, SETTINGS, school=school, saved=saved)


@router.post("/districts/{slug}/settings")
def settings_sent(request: Request, slug: EditableSlug, user: GetUserDep, form: SentForm, school: SchoolId = None) -> Response:
    """The review of edited rostering settings, or the form again; saves them when the review says so."""
    return _sent(request, slug, user, SETTINGS, school=school, form=form)


@router.get("/districts/{slug}/terms")
def terms(request: Request, slug: DistrictSlug, user: GetUserDep, school: SchoolId = None, saved: bool = False) -> Response:
    """The terms and grades whose classes become lists."""
    return _shown(request, slug, user, CLASS_ROSTERS, school=school, saved=saved)


@router.post("/districts/{slug}/terms")
def terms_sent(request: Request, slug: EditableSlug, user: GetUserDep, form: SentForm, school: SchoolId = None) -> Response:
    """The review of another choice of terms and grades, or the form again; saves it when the review says so."""
    return _sent(request, slug, user, CLASS_ROSTERS, school=school, form=form)


@router.get("/districts/{slug}/list-settings")
def list_settings(
    request: Request, slug: DistrictSlug, user: GetUserDep, school: SchoolId = None, saved: bool = False
) -> Response:
    """Which lists are made by themselves, and who may see new ones."""
    return _shown(request, slug, user, LIST_SETTINGS, school=school, saved=saved)


@router.post("/districts/{slug}/list-settings")
def list_settings_sent(
    request: Request, slug: EditableSlug, user: GetUserDep, form: SentForm, school: SchoolId = None
) -> Response:
    """The review of other list settings, or the form again; saves them when the review says so."""
    return _sent(request, slug, user, LIST_SETTINGS, school=school, form=form)
