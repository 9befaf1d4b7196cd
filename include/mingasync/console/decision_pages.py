"""The page on which a held archive is approved or rejected, by school and role: the question, a last look, the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from include.mingasync.console import asking
from include.mingasync.console.access import DistrictSlug, EditableSlug, may_edit
from include.mingasync.console.decisions import TYPED_ABOVE, Decision, Group, causes_of, decision_from, reason_in_words
from include.mingasync.console.forms import Form, SentForm
from include.mingasync.console.history import run_from
from include.mingasync.console.places import place
from include.mingasync.console.reading import Row, directory
from include.mingasync.console.rendering import render
from include.mingasync.console.still_enrolled import still_enrolled

router = APIRouter()
#: More names of a school and role are counted and not shown.
NAMES_PER_GROUP = 1000
_YES, _NO = "approve", "reject"


@router.get("/districts/{slug}/runs/{run_id}/decision")
def decision(request: Request, slug: DistrictSlug, run_id: str, user: GetUserDep, given: bool = False) -> Response:
    """What a run holds back and what was answered; buttons for those who may edit the district's DAG."""
    editable = may_edit(user, slug)
    found = _look(slug, run_id)
    if found is None:
        return render(request, "no_run.html", status=404, place=place(slug), run_id=run_id)
    return _page(request, slug, *found, editable=editable, given=given)


@router.post("/districts/{slug}/runs/{run_id}/decision")
def decided(request: Request, slug: EditableSlug, run_id: str, user: GetUserDep, form: SentForm) -> Response:
    """A last look at the chosen answer, or the question again; the answer is given when the last look says so."""
    found = _look(slug, run_id)
    if found is None:
        return render(request, "no_run.html", status=404, place=place(slug), run_id=run_id)
    row, held = found
    choice = _choice(form, held)
    if back := _why_back(form, held, choice):
        return _page(request, slug, row, held, editable=True, choice=choice, **back)
    approved = [group for group in held.groups if choice[group.key] == _YES]
    if form.one("action") != "answer" or not _is_typed(form, approved):
        return _last_look(request, slug, row, held, choice, wrong=form.one("action") == "answer")
    try:
        asking.answer(place(slug).dag_id, run_id, user, held.version, [group.key for group in approved])
    except asking.NotAnswered:
        row, held = _look(slug, run_id) or found
        return _page(request, slug, row, held, editable=True, status=409, too_late=True)
    root = request.scope.get("root_path", "")
    return RedirectResponse(f"{root}/districts/{slug}/runs/{quote(run_id, safe='')}/decision?given=1", 303)


def _why_back(form: Form, held: Decision, choice: Mapping[str, str]) -> dict[str, Any] | None:
    """What the question is shown again with, where the form cannot go on to the last look; None where it can."""
    if held.stage != "waiting":
        return {"status": 409, "too_late": True}
    shown = {name: values[0] for name, values in form.fields.items() if name.startswith("people.")}
    if form.one("version") != held.version or shown != {f"people.{one.key}": str(one.people) for one in held.groups}:
        return {"status": 409, "anew": True}
    if form.one("action") == "edit":
        return {"status": 200}
    missing = len(held.groups) - len(choice)
    return {"status": 422, "missing": missing} if missing else None


def _is_typed(form: Form, approved: Sequence[Group]) -> bool:
    """Whether the number of people was typed, where they are so many that it has to be."""
    people = sum(group.people for group in approved)
    return people <= TYPED_ABOVE or form.one("typed").replace(",", "").replace(" ", "") == str(people)


def _look(slug: str, run_id: str) -> tuple[Row, Decision] | None:
    """A run's row and the decision about it, None where there is no such run."""
    with directory() as here:
        found = here.rows("run", district=slug, run_id=run_id)
        if not found:
            return None
        signs = here.rows("decision_signs", district=slug, run_id=run_id)
        enrolled = still_enrolled(found[0]["snapshot_url"]) if signs and signs[0]["orphans"] else []
        groups = here.rows("decision", district=slug, run_id=run_id, enrolled=enrolled)
        names = here.rows("decision_people", district=slug, run_id=run_id, most=NAMES_PER_GROUP) if groups else []
        grades = here.rows("decision_grades", district=slug, run_id=run_id) if groups else []
    question = asking.question(place(slug).dag_id, run_id) if groups else None
    causes = causes_of(groups, grades, signs[0] if signs else None, found[0]["night"])
    return found[0], decision_from(found[0], groups, question, causes, names)


def _choice(form: Form, held: Decision) -> dict[str, str]:
    """What was chosen for each group, without those for which nothing was."""
    everywhere = {"approve_all": _YES, "reject_all": _NO}.get(form.one("action"))
    chosen = {group.key: everywhere or form.one(f"answer.{group.key}") for group in held.groups}
    return {key: answer for key, answer in chosen.items() if answer in (_YES, _NO)}


def _page(
    request: Request,
    slug: str,
    row: Row,
    held: Decision,
    *,
    editable: bool,
    status: int = 200,
    choice: Mapping[str, str] | None = None,
    **told: Any,
) -> Response:
    return render(
        request,
        "decision.html",
        status=status,
        place=place(slug),
        run=run_from(row),
        row=row,
        held=held,
        editable=editable,
        choice=choice or {},
        reason_in_words=reason_in_words,
        most_names=NAMES_PER_GROUP,
        **{"given": False, "too_late": False, "anew": False, "missing": 0} | told,
    )


def _last_look(request: Request, slug: str, row: Row, held: Decision, choice: Mapping[str, str], *, wrong: bool) -> Response:
    def of(answer: str) -> list[Group]:
        return [group for group in held.groups if choice[group.key] == answer]

    approved = of(_YES)
    people = sum(group.people for group in approved)
    return render(
        request,
        "decision_review.html",
        status=422 if wrong else 200,
        place=place(slug),
        run=run_from(row),
        row=row,
        held=held,
        choice=choice,
        approved=approved,
        rejected=of(_NO),
        people=people,
        must_type=people > TYPED_ABOVE,
        wrong=wrong,
    )
