"""The pages of a district's people: all whom a search finds, and one in full with what may be done with them by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from include.mingasync.console import people_acts
from include.mingasync.console.access import DistrictSlug, may_edit, name_of, refuse_reader
from include.mingasync.console.erasing_pages import erased_in, erasing
from include.mingasync.console.forms import Form, SentForm
from include.mingasync.console.list_acts import NO_PERSON, Different
from include.mingasync.console.lists_pages import done_in, number_in, school_names, seen_other
from include.mingasync.console.people_acts import Alike, NewPerson, Pin
from include.mingasync.console.places import place as place_of
from include.mingasync.console.reading import Directory, Row, directory
from include.mingasync.console.rendering import render
from include.mingasync.console.searching import NOT_UNDERSTOOD, NOWHERE, Filter, pages_for, search_in, search_of
from include.mingasync.console.sis_record import SisRecord, sis_record
from include.mingasync.console.told import FIELDS, told
from include.mingasync.directory.why import REASONS
from include.mingasync.settings import ROLES

router = APIRouter()
_CHANGES = 50
_NEW = ("role", "given_name", "family_name", "email", "username", "identifier", "school")
CHANGED_MEANWHILE = "Somebody changed this person while you had the page open. Nothing was changed; this is how they are now."


def _filters(slug: str, here: Directory) -> tuple[Filter, ...]:
    return (
        Filter("role", "Role", {role: role.capitalize() for role in ROLES}),
        Filter("school", "School", school_names(slug, here)),
        Filter("status", "Status", {"active": "Active", "archived": "Archived"}),
        Filter("sync", "In SIS sync", {"on": "Included", "off": "Not included"}),
        Filter("lacks", "Without", {"class": "A class", "email": "An e-mail", "school": "A school"}),
    )


@router.get("/districts/{slug}/people")
def people(request: Request, slug: DistrictSlug, user: GetUserDep) -> Response:
    """The people whom a search finds, a page of them."""
    return _people(request, slug, user)


def _people(request: Request, slug: str, user: Any, *, status: int = 200, **more: Any) -> Response:
    with directory() as here:
        search = search_in(request, _filters(slug, here))
        rows = here.rows("people", district=slug, **search.parameters, **search.window)
        schools = school_names(slug, here)
        done = done_in(request, slug, here) or erased_in(request, slug, here)
    size = rows[0]["size"] if rows else 0
    schools.pop(NOWHERE)
    content = {"typed": None, "faults": {}, "alike": [], "unlike": ""} | more
    return render(
        request,
        "people.html",
        status=status,
        place=place_of(slug),
        search=search,
        address=f"/districts/{slug}/people",
        rows=[row for row in rows if row["person_id"] is not None],
        size=size,
        pages=pages_for(size),
        roles=ROLES,
        schools=schools,
        editable=may_edit(user, slug),
        done=done,
        **content,
    )


@router.post("/districts/{slug}/people")
def people_sent(request: Request, slug: DistrictSlug, user: GetUserDep, form: SentForm) -> Response:
    """The page that a search leads to; or the page of somebody who was added by hand."""
    address, action = f"/districts/{slug}/people", form.one("action")
    if action == "search":
        with directory() as here:
            return seen_other(request, address + search_of(form, _filters(slug, here)).query())
    refuse_reader(user, slug)
    if action != "add":
        raise HTTPException(422, NOT_UNDERSTOOD)
    typed = NewPerson(**{name: " ".join(form.one(name).split()) if name != "school" else form.one(name) for name in _NEW})
    with directory() as here:
        faults = typed.faults(school_names(slug, here))
    if faults:
        return _people(request, slug, user, status=422, typed=typed, faults=faults)
    try:
        person_id, done = people_acts.add_person(slug, typed, name_of(user), unlike=form.one("unlike"))
    except Alike as error:
        return _people(
            request, slug, user, status=409, typed=typed, alike=error.people, unlike=people_acts.version_of_alike(error.people)
        )
    return seen_other(request, f"{address}/{person_id}?done={done}")


@dataclass(frozen=True)
class Line:
    """A field of a person: what the directory holds, what the SIS said, and the pin on it."""

    name: str
    label: str
    here: Any
    sis: Any
    differs: bool
    pin: Row | None
    may_pin: bool = True


def _lines(person: Row, record: SisRecord, pins: Mapping[str, Row], schools: Mapping[str, str]) -> list[Line]:
    said = record.values or {}
    lines = [
        Line(
            name,
            label,
            person[name],
            said.get(name),
            record.is_there and (said.get(name) or None) != person[name],
            pins.get(name),
        )
        for name, label in FIELDS.items()
    ]
    orgs = [schools.get(one, one) for one in said.get("org_ids") or []]
    others = [
        Line("role", "Role", person["role"], ", ".join(said.get("roles") or []), False, None, False),
        Line("grades", "Grades", ", ".join(person["grades"]), ", ".join(said.get("grades") or []), False, None, False),
        Line("schools", "Schools", ", ".join(person["schools"]), ", ".join(orgs), False, None, False),
    ]
    contact = ", ".join(filter(None, (person["parent_name"], person["parent_email"], person["parent_phone"])))
    if contact:
        others.append(Line("parent", "Primary parent contact", contact, None, False, None, False))
    return lines + others


@router.get("/districts/{slug}/people/{person_id}")
def one_person(request: Request, slug: DistrictSlug, user: GetUserDep, person_id: str) -> Response:
    """One person in full: the switch, fields beside the SIS's values, pins, lists, and what was done and why."""
    return _one(request, slug, user, number_in(person_id, NO_PERSON))


def _one(request: Request, slug: str, user: Any, person_id: int, *, status: int = 200, **more: Any) -> Response:
    place = place_of(slug)
    today = dt.datetime.now(place.zone).date()
    with directory() as here:
        one = {"district": slug, "person_id": person_id}
        found = here.rows("person", **one)
        if not found:
            raise HTTPException(404, NO_PERSON)
        pins = here.rows("pins", **one, today=today)
        lists = here.rows("lists_of_person", **one)
        changes = here.rows("changes_of_person", **one, limit=_CHANGES)
        hands = here.rows("hand_changes_of_person", **one, limit=_CHANGES)
        record = sis_record(here, slug, found[0])
        schools = school_names(slug, here)
        done = done_in(request, slug, here)
    content = {"fault": None, "faults": {}, "typed": Pin("", "", "", "")} | more
    return render(
        request,
        "person.html",
        status=status,
        place=place,
        person=found[0],
        address=f"/districts/{slug}/people/{person_id}",
        lines=_lines(found[0], record, {pin["field"]: pin for pin in pins}, schools),
        record=record,
        fields=FIELDS,
        version=people_acts.version_of(found[0], pins),
        lists=lists,
        changes=changes,
        reasons=REASONS,
        hands=[{**row, **told(row)} for row in hands],
        today=today,
        editable=may_edit(user, slug),
        done=done,
        **content,
    )


@router.post("/districts/{slug}/people/{person_id}")
def one_person_sent(request: Request, slug: DistrictSlug, user: GetUserDep, person_id: str, form: SentForm) -> Response:
    """What became of a person whose switch was turned, of whom a field was pinned or its pin taken off, or who is erased."""
    refuse_reader(user, slug)
    number, action, who = number_in(person_id, NO_PERSON), form.one("action"), name_of(user)
    if action in ("erase", "erase_for_good"):
        return erasing(request, slug, user, number, form)
    try:
        if action in ("include", "exclude"):
            done = people_acts.set_include(slug, number, action == "include", who)
        elif action == "unpin":
            done = people_acts.unpin(slug, number, form.one("field"), form.one("version"), who)
        elif action == "pin":
            wanted = _pin_of(form)
            if faults := wanted.checked(dt.datetime.now(place_of(slug).zone).date()):
                return _one(request, slug, user, number, status=422, faults=faults, typed=wanted)
            done = people_acts.pin(slug, number, wanted, form.one("version"), who)
        else:
            raise HTTPException(422, NOT_UNDERSTOOD)
    except Different:
        typed = _pin_of(form)
        return _one(request, slug, user, number, status=409, fault=CHANGED_MEANWHILE, typed=typed)
    return seen_other(request, f"/districts/{slug}/people/{number}?done={done}")


def _pin_of(form: Form) -> Pin:
    return Pin(form.one("field"), " ".join(form.one("value").split()), " ".join(form.one("reason").split()), form.one("until"))
