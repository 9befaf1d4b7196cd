"""The pages of a district's user lists: all that a search finds, and one in full with what may be done with it by hand."""

from __future__ import annotations

import unicodedata
from typing import Any

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from include.mingasync.console import list_acts
from include.mingasync.console.access import DistrictSlug, may_edit, name_of, refuse_reader
from include.mingasync.console.forms import Form, SentForm
from include.mingasync.console.list_acts import NO_LIST, Different
from include.mingasync.console.places import place as place_of
from include.mingasync.console.reading import Directory, Row, directory
from include.mingasync.console.rendering import render
from include.mingasync.console.searching import (
    NOT_UNDERSTOOD,
    NOWHERE,
    PER_PAGE,
    Filter,
    Search,
    pages_for,
    search_in,
    search_of,
    whole_number,
)
from include.mingasync.console.searching import sealed as seal
from include.mingasync.console.searching import unsealed as unseal
from include.mingasync.console.told import told

router = APIRouter()
_CANDIDATES = 20
_MANAGERS = 200
_CHANGES = 20
_OVERRIDES = 100
_LONGEST_NAME = 200
_VISIBILITIES = ("private", "public")
_ROLES = ("member", "manager")
_LARGEST_ID = 2**31 - 1

KINDS = {
    "class": "Class",
    "role": "Role",
    "grade": "Grade",
    "subject": "Subject",
    "teacher": "Teacher",
    "manual": "Made by hand",
}
VISIBILITIES = {"private": "Private", "public": "Public"}
STATES = {"active": "Active", "inactive": "Inactive"}


def number_in(text: str, refusal: str) -> int:
    """The id that an address or a form names; refused like any that is unknown where it cannot be one."""
    if (number := whole_number(text)) is not None and number <= _LARGEST_ID:
        return number
    raise HTTPException(404, refusal)


def school_names(slug: str, here: Directory) -> dict[str, str]:
    """The schools of a district by id, the last for what has none."""
    return {row["school_id"]: row["name"] for row in here.rows("schools", district=slug)} | {NOWHERE: "No school"}


def _filters(slug: str, here: Directory) -> tuple[Filter, ...]:
    return (
        Filter("kind", "Kind", KINDS),
        Filter("school", "School", school_names(slug, here)),
        Filter("visibility", "Visibility", VISIBILITIES),
        Filter("state", "State", STATES),
        Filter("lacks", "Without", {"manager": "A teacher", "member": "A student"}),
    )


def seen_other(request: Request, address: str) -> Response:
    """The way to a page of the console after a form was taken."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}{address}", 303)


def done_in(request: Request, slug: str, here: Directory) -> Row | None:
    """The change that the address tells of, in words; None where it tells of none of this district."""
    number = request.query_params.get("done", "")
    if number == str(list_acts.NOTHING):
        return {"sentence": "Nothing was changed: it is so already.", "may_take_back": False, "change_no": 0}
    change_no = whole_number(number)
    found = here.rows("hand_change", district=slug, change_no=change_no) if change_no is not None else []
    return {**found[0], **told(found[0])} if found else None


@router.get("/districts/{slug}/lists")
def lists(request: Request, slug: DistrictSlug, user: GetUserDep) -> Response:
    """The user lists that a search finds, a page of them."""
    return _lists(request, slug, user)


def _lists(request: Request, slug: str, user: Any, *, status: int = 200, fault: str | None = None) -> Response:
    with directory() as here:
        search = search_in(request, _filters(slug, here))
        rows = here.rows("lists", district=slug, **search.parameters, **search.window)
        done = done_in(request, slug, here)
    size = rows[0]["size"] if rows else 0
    return render(
        request,
        "lists.html",
        status=status,
        place=place_of(slug),
        search=search,
        address=f"/districts/{slug}/lists",
        rows=[row for row in rows if row["list_id"] is not None],
        size=size,
        pages=pages_for(size),
        kinds=KINDS,
        editable=may_edit(user, slug),
        done=done,
        fault=fault,
    )


@router.post("/districts/{slug}/lists")
def lists_sent(request: Request, slug: DistrictSlug, user: GetUserDep, form: SentForm) -> Response:
    """The page that a search leads to; or what became of lists that were set as private or public, or set back."""
    address, action = f"/districts/{slug}/lists", form.one("action")
    if action == "search":
        with directory() as here:
            return seen_other(request, address + search_of(form, _filters(slug, here)).query())
    refuse_reader(user, slug)
    with directory() as here:
        search = search_in(request, _filters(slug, here))
    if action == "undo":
        done = list_acts.take_back(slug, _change_no(form), name_of(user))
        return seen_other(request, address + search.query(page=search.page, done=done))
    if action not in _VISIBILITIES:
        raise HTTPException(422, NOT_UNDERSTOOD)
    if form.one("which") == "all":
        return _all(request, slug, user, search, form)
    ids = [number_in(one, NO_LIST) for one in form.every("list")]
    if not ids:
        return _lists(
            request, slug, user, status=422, fault="No list is ticked. Tick those that you mean, or choose all that match."
        )
    done = list_acts.set_visibility_of(slug, ids, action, name_of(user))
    return seen_other(request, address + search.query(page=search.page, done=done))


def _change_no(form: Form) -> int:
    number = whole_number(form.one("change"))
    if number is None:
        raise HTTPException(404, "There is no such change in this district. Nothing was changed.")
    return number


def _all(request: Request, slug: str, user: Any, search: Search, form: Form) -> Response:
    """The review of all lists that a search finds, with their number; what became of them when it was confirmed."""
    visibility, version = form.one("action"), form.one("version")
    if version:
        try:
            done = list_acts.set_visibility_of_all(slug, search, visibility, version, name_of(user))
        except Different:
            pass  # shown again, with the numbers of now
        else:
            return seen_other(request, f"/districts/{slug}/lists{search.query(done=done)}")
    with directory() as here:
        (found,) = here.rows("list_ids", district=slug, wanted=visibility, **search.parameters)
    return render(
        request,
        "lists_review.html",
        status=409 if version else 200,
        place=place_of(slug),
        search=search,
        address=f"/districts/{slug}/lists",
        visibility=visibility,
        matching=found["matching"],
        changing=len(found["changing"]),
        version=list_acts.fingerprint(found["changing"]),
        is_different=bool(version),
    )


@router.get("/districts/{slug}/lists/{list_id}")
def one_list(request: Request, slug: DistrictSlug, user: GetUserDep, list_id: str) -> Response:
    """One user list in full: its settings, who is on it, what a hand changed."""
    return _one(request, slug, user, number_in(list_id, NO_LIST))


def _one(
    request: Request, slug: str, user: Any, list_id: int, *, status: int = 200, fault: str | None = None, typed: str | None = None
) -> Response:
    editable = may_edit(user, slug)
    with directory() as here:
        found = here.rows("list", district=slug, list_id=list_id)
        if not found:
            raise HTTPException(404, NO_LIST)
        search = search_in(request, ())
        who = unseal(request.query_params.get("who", ""))
        one = {"district": slug, "list_id": list_id}
        content = {
            "members": here.rows("roll", **one, manager=False, **search.window),
            "managers": here.rows("roll", **one, manager=True, limit=_MANAGERS, offset=0),
            "overrides": here.rows("overrides", **one, limit=_OVERRIDES),
            "changes": [{**row, **told(row)} for row in here.rows("hand_changes_of_list", **one, limit=_CHANGES)],
            "candidates": here.rows("candidates", **one, patterns=_patterns(who), limit=_CANDIDATES) if who and editable else [],
            "done": done_in(request, slug, here),
        }
    return render(
        request,
        "list.html",
        status=status,
        place=place_of(slug),
        list=found[0],
        version=list_acts.fingerprint(found[0]["name"]),
        address=f"/districts/{slug}/lists/{list_id}",
        search=search,
        pages=pages_for(found[0]["members"]),
        first=(search.page - 1) * PER_PAGE + 1,
        kinds=KINDS,
        editable=editable,
        who=who,
        most=_CANDIDATES,
        fault=fault,
        typed=typed,
        **content,
    )


def _patterns(text: str) -> list[str]:
    return Search(text, {}, ()).patterns


@router.post("/districts/{slug}/lists/{list_id}")
def one_list_sent(request: Request, slug: DistrictSlug, user: GetUserDep, list_id: str, form: SentForm) -> Response:
    """What became of a list that was renamed, set as private or public, or of which somebody became a member or was taken off."""
    refuse_reader(user, slug)
    number, action, who = number_in(list_id, NO_LIST), form.one("action"), name_of(user)
    address = f"/districts/{slug}/lists/{number}"
    if action == "find":
        text = " ".join(form.one("text").split())[:_LONGEST_NAME]
        return seen_other(request, f"{address}?who={seal(text)}#add" if text else address)
    if action in _VISIBILITIES:
        done = list_acts.set_visibility_of(slug, [number], action, who)
    elif action == "undo":
        done = list_acts.take_back(slug, _change_no(form), who)
    elif action == "rename":
        name = " ".join(form.one("name").split())
        if fault := _fault_of_name(name):
            return _one(request, slug, user, number, status=422, fault=fault, typed=name)
        try:
            done = list_acts.rename(slug, number, form.one("version"), name, who)
        except Different:
            fault = "Somebody gave this list another name while you had the page open. Nothing was changed; yours is in the form."
            return _one(request, slug, user, number, status=409, fault=fault, typed=name)
    elif action in ("add", "remove", "release") and form.one("role") in _ROLES:
        person = number_in(form.one("person"), list_acts.NO_PERSON)
        done = list_acts.set_place(slug, list_acts.Place(number, person, form.one("role")), action, who)
    else:
        raise HTTPException(422, NOT_UNDERSTOOD)
    return seen_other(request, f"{address}?done={done}")


def _fault_of_name(name: str) -> str | None:
    if not name:
        return "A list needs a name. Nothing was changed."
    if len(name) > _LONGEST_NAME:
        return f"A list's name may have at most {_LONGEST_NAME} characters. Nothing was changed."
    if any(unicodedata.category(one) == "Cc" for one in name):
        return "A list's name may not hold control characters. Nothing was changed."
    return None
