"""One person exported and erased: a file with all that is kept of them, and the two steps to its end."""

from __future__ import annotations

import logging
from typing import Any

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from include.mingasync.airflow_glue import one_person
from include.mingasync.console.access import DistrictSlug, name_of, refuse_reader
from include.mingasync.console.forms import Form
from include.mingasync.console.list_acts import NO_PERSON
from include.mingasync.console.lists_pages import number_in, seen_other
from include.mingasync.console.places import place as place_of
from include.mingasync.console.reading import Directory, Row, directory, writing
from include.mingasync.console.rendering import render
from include.mingasync.console.searching import whole_number
from include.mingasync.directory.one_person import ErasingRefused

router = APIRouter()
log = logging.getLogger(__name__)
#: The kinds of which something may be kept, in people's words: one and several.
KINDS = {
    "person": ("entry of the directory", "entries of the directory"),
    "lists": ("place on a list", "places on lists"),
    "memberships_over_time": ("change of a membership", "changes of memberships"),
    "changes": ("change by a run", "changes by runs"),
    "by_hand": ("change by hand", "changes by hand"),
    "pins": ("pin", "pins"),
    "exceptions_of_lists": ("exception of a list", "exceptions of lists"),
    "questions_who_they_are": ("question who they are", "questions who they are"),
    "absences": ("absence", "absences"),
    "answers_about_their_archive": ("answer about their archive", "answers about their archive"),
    "issues": ("issue", "issues"),
    "mails": ("mail that they got", "mails that they got"),
    "connection_request": ("connection request whose contact they are", "connection requests whose contact they are"),
    "contact_of_students": ("student whose contact they are", "students whose contact they are"),
    "snapshots": ("snapshot with their records", "snapshots with their records"),
    "unreadable_snapshots": ("snapshot that cannot be read, removed whole", "snapshots that cannot be read, removed whole"),
}


def _kept(here: Directory, slug: str, person_id: int) -> one_person.Kept:
    if not here.rows("person", district=slug, person_id=person_id):
        raise HTTPException(404, NO_PERSON)
    return one_person.kept_of(here.connection, slug, person_id)


@router.get("/districts/{slug}/people/{person_id}/export")
def export(slug: DistrictSlug, user: GetUserDep, person_id: str) -> Response:
    """Everything that is kept of one person, as a file."""
    refuse_reader(user, slug)
    number = number_in(person_id, NO_PERSON)
    with directory() as here:
        kept = _kept(here, slug, number)
    name = f'attachment; filename="person-{slug}-{number}.json"'
    return Response(kept.as_json(), media_type="application/json", headers={"Content-Disposition": name})


def erasing(request: Request, slug: str, user: Any, person_id: int, form: Form) -> Response:
    """How much of somebody would go, to be confirmed by their number; or the people of the district after they are gone."""
    if form.one("action") != "erase_for_good":
        return _review(request, slug, person_id)
    if form.one("typed") != str(person_id):
        return _review(request, slug, person_id, status=422, fault=f"Type the number {person_id} to confirm.")
    with directory() as here:
        _kept(here, slug, person_id)
    try:
        kept = one_person.erase(writing, slug, person_id, name_of(user))
    except ErasingRefused as refusal:
        return _review(request, slug, person_id, status=409, fault=str(refusal))
    return seen_other(request, f"/districts/{slug}/people?erased={kept.erasure}")


def _review(request: Request, slug: str, person_id: int, *, status: int = 200, fault: str | None = None) -> Response:
    with directory() as here:
        kept = _kept(here, slug, person_id)
        (person,) = here.rows("person", district=slug, person_id=person_id)
    return render(
        request,
        "erase.html",
        status=status,
        place=place_of(slug),
        person=person,
        address=f"/districts/{slug}/people/{person_id}",
        numbers=worded(kept.numbers),
        fault=fault,
    )


def worded(numbers: dict[str, int]) -> list[tuple[int, str]]:
    """How much of each kind, in people's words."""
    return [(numbers[kind], words[numbers[kind] != 1]) for kind, words in KINDS.items() if kind in numbers]


def erased_in(request: Request, slug: str, here: Directory) -> Row | None:
    """That somebody was erased, in words, where the address tells of an erasure of this district; it says nothing of who."""
    number = whole_number(request.query_params.get("erased", ""))
    found = here.rows("erasure", district=slug, erasure_no=number) if number is not None else []
    if not found:
        return None
    told = ", ".join(f"{number} {kind}" for number, kind in worded(found[0]["removed"]))
    return {"sentence": f"One person was erased for good: {told}.", "may_take_back": False, "change_no": number}
