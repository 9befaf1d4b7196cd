"""The page of a district's connection: the request, what the SIS has to share, and how far it has come."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from include.mingasync.connecting.checklists import NAMES, checklist_of
from include.mingasync.connecting.requests import FIELDS, OTHER, Typed, typed
from include.mingasync.connecting.steps import STEPS, StepRefused
from include.mingasync.console import connection_acts, starting
from include.mingasync.console.access import DistrictSlug, EditableSlug, may_edit, may_start, name_of
from include.mingasync.console.forms import Form, SentForm
from include.mingasync.console.places import place as place_of
from include.mingasync.console.reading import Row, directory
from include.mingasync.console.rendering import render
from include.mingasync.console.searching import NOT_UNDERSTOOD
from include.mingasync.district import District, find_district
from include.mingasync.errors import DistrictFileError

router = APIRouter()
_MAILS = {
    "support": "The mail to MingaSync support",
    "checklist": "The mail to the contact with what to share",
    "confirmation": "The mail to the contact that the setup is complete",
}
_MAY_NOT = "You may edit this district and not start runs: your role lacks can_create on DAG Runs. Nothing was started."
CHANGED_MEANWHILE = "Somebody sent a request while you had the page open. Nothing of yours was sent; this is how it stands now."


@dataclass(frozen=True)
class Step:
    """A step as the page shows it: when it was done and by whom; of one that is not done, whether it is the next."""

    name: str
    done_at: dt.datetime | None
    done_by: str | None
    is_done: bool
    is_next: bool


@router.get("/districts/{slug}/connection")
def connection(request: Request, slug: DistrictSlug, user: GetUserDep) -> Response:
    """How far the connection of a district has come, and what is to be done next."""
    return _page(request, slug, user)


@router.post("/districts/{slug}/connection")
def connection_sent(request: Request, slug: EditableSlug, user: GetUserDep, form: SentForm) -> Response:
    """The page after its request was sent, a mail was sent again, or a step was done; with the reason where it was not."""
    try:
        match form.one("action"):
            case "request":
                return _asked(request, slug, user, form)
            case "mail" if form.one("kind") in _MAILS:
                if problem := connection_acts.send_again(slug, form.one("kind"), name_of(user)):
                    return _page(request, slug, user, status=409, problem=problem)
            case "returned":
                connection_acts.returned(slug, name_of(user))
            case "verify":
                if not may_start(user, slug):
                    raise HTTPException(403, _MAY_NOT)
                connection_acts.verify(request, slug, user, form.one("pressed_at"))
            case _:
                raise HTTPException(422, NOT_UNDERSTOOD)
    except (StepRefused, starting.NotStarted) as refused:
        return _page(request, slug, user, status=409, problem=str(refused))
    return _again(request, slug)


def _asked(request: Request, slug: str, user: Any, form: Form) -> Response:
    mine = typed({name: form.one(name) for name in FIELDS})
    if faults := mine.faults():
        return _page(request, slug, user, status=422, mine=mine, faults=faults)
    if not connection_acts.ask(slug, mine, name_of(user), form.one("version")):
        # The same form pressed twice: what it asks for stands.
        with directory() as here:
            stands = _typed_of(here.rows("connection", district=slug)) == _told(mine)
        return _again(request, slug) if stands else _page(request, slug, user, status=409, problem=CHANGED_MEANWHILE)
    return _again(request, slug)


def _typed_of(rows: list[Row]) -> tuple[Any, ...] | None:
    """What the request says that there is, as ``_told`` of what was typed."""
    for one in rows:
        return (one["district_name"], *one["schools"], one["sis_name"], one["contact_name"], one["contact_email"])
    return None


def _told(mine: Typed) -> tuple[Any, ...]:
    return (mine.district_name, *mine.schools, mine.sis_name, mine.contact_name, mine.contact_email)


def _page(
    request: Request,
    slug: str,
    user: Any,
    *,
    status: int = 200,
    problem: str | None = None,
    mine: Typed | None = None,
    faults: dict[str, str] | None = None,
) -> Response:
    with directory() as here:
        asked = next(iter(here.rows("connection", district=slug)), None)
        steps = {row["step"]: row for row in here.rows("connection_steps", district=slug)}
        mails = {row["kind"]: row for row in here.rows("connection_mails", district=slug)}
        checked = next(iter(here.rows("connection_checks", district=slug)), None)
        loaded = next(iter(here.rows("connection_loaded", district=slug)), None)
    its_place, file, file_fault = place_of(slug), *_file(slug)
    editable, by_history = may_edit(user, slug), asked is None and loaded is not None
    sis_name = asked["sis_name"] if asked else mine.sis_name if mine and mine.sis_name else (its_place.sis or "")
    return render(
        request,
        "connection.html",
        status=status,
        place=its_place,
        address=f"/districts/{slug}/connection",
        editable=editable,
        asked=asked,
        version=asked["requested_at"].astimezone(dt.UTC).isoformat() if asked else "",
        steps=_by_history(loaded) if by_history and loaded else _steps(steps),
        by_history=by_history,
        loaded=loaded,
        mails=[(kind, words, mails[kind]) for kind, words in _MAILS.items() if kind in mails],
        mine=mine or _proposed(asked, file, its_place.name, its_place.sis),
        faults=faults or {},
        may_ask=editable and loaded is None,
        checklist=checklist_of(sis_name) if sis_name else checklist_of("the SIS"),
        names=NAMES,
        other=OTHER,
        file=file,
        file_fault=file_fault,
        problem=problem,
        checked=checked,
        checks={one["collection"]: one for one in (checked["checks"] or [])} if checked else {},
        last=starting.last_verification(slug),
        may_verify=editable and "returned" in steps,
        pressed_at=dt.datetime.now(dt.UTC).isoformat(),
    )


def _steps(rows: dict[str, Row]) -> list[Step]:
    nexts = next((step for step in STEPS if step not in rows), None)
    return [
        Step(step, row["done_at"], row["done_by"], is_done=True, is_next=False)
        if (row := rows.get(step))
        else Step(step, None, None, is_done=False, is_next=step == nexts)
        for step in STEPS
    ]


def _by_history(loaded: Row) -> list[Step]:
    """The steps of a district that was connected before there were requests, as far as its runs tell."""
    return [
        Step(step, loaded["loaded_at"] if step in ("synced", "complete") else None, None, is_done=True, is_next=False)
        for step in STEPS
    ]


def _proposed(asked: Row | None, file: District | None, name: str, sis: str | None) -> Typed:
    """What stands in the fields before anything is typed: the request that there is, else what the district's file says."""
    if asked:
        known = asked["sis_name"] in NAMES
        return Typed(
            asked["district_name"],
            tuple(asked["schools"]),
            asked["sis_name"] if known else OTHER,
            "" if known else asked["sis_name"],
            asked["contact_name"],
            asked["contact_email"],
        )
    known = sis in NAMES
    contact = (file.contact.name, file.contact.email) if file else ("", "")
    return Typed(name, (), (sis or "") if known else OTHER if sis else "", "" if known else sis or "", *contact)


def _file(slug: str) -> tuple[District | None, str | None]:
    """The district's file, or what is wrong with it."""
    try:
        return find_district(slug), None
    except DistrictFileError as error:
        return None, str(error)


def _again(request: Request, slug: str) -> Response:
    return RedirectResponse(f"{request.scope.get('root_path', '')}/districts/{slug}/connection", 303)
