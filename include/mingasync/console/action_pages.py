"""The pages that start a run: a preview, a sync, a failed night once more, and the undo of a run. Each is confirmed first."""

from __future__ import annotations

import datetime as dt
from urllib.parse import quote

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from include.mingasync.console import starting
from include.mingasync.console.access import DistrictSlug, EditableSlug, may_edit, may_start
from include.mingasync.console.foresight import foresee
from include.mingasync.console.forms import Form, SentForm
from include.mingasync.console.history import Run, run_from
from include.mingasync.console.places import Place, place
from include.mingasync.console.reading import Row, directory
from include.mingasync.console.rendering import render

router = APIRouter()
_WHAT = ("preview", "sync", "replay")
_MAY_NOT = "You may edit this district and not start runs: your role lacks can_create on DAG Runs. Nothing was started."


@router.get("/districts/{slug}/start")
def choose(request: Request, slug: DistrictSlug, user: GetUserDep) -> Response:
    """What may be started: a preview, a sync, a night once more."""
    return _choice(request, place(slug), editable=may_edit(user, slug))


@router.post("/districts/{slug}")
@router.post("/districts/{slug}/start")
def chosen(request: Request, slug: EditableSlug, user: GetUserDep, form: SentForm) -> Response:
    """What the chosen run would do, to be confirmed; the run is started when that was confirmed, and its page is shown."""
    if not may_start(user, slug):
        raise HTTPException(403, _MAY_NOT)
    its_place, what = place(slug), form.one("what") or form.one("action")
    if what not in _WHAT:
        return _choice(request, its_place, editable=True)
    night = _night_of(form)
    if what == "replay" and (night is None or night > dt.datetime.now(its_place.zone).date()):
        return _choice(request, its_place, editable=True, status=422, problem="Choose the date of a night that is over.")
    if form.one("action") != "start":
        return _confirm(request, its_place, form, what, night)
    unpause = form.one("unpause") == "on"
    try:
        if night is not None and what == "replay":
            run_id = starting.replay(its_place.dag_id, user, night, its_place.zone, unpause=unpause)
        else:
            conf = {"mode": "preview"} if what == "preview" else {"send_email": True} if form.one("send_email") == "on" else {}
            run_id = starting.start(request, its_place.dag_id, user, conf, form.one("pressed_at"), unpause=unpause)
    except starting.NotStarted as refused:
        return _confirm(request, its_place, form, what, night, problem=str(refused))
    return _to_run(request, slug, run_id)


@router.get("/districts/{slug}/runs/{run_id}/undo")
def undo(request: Request, slug: DistrictSlug, run_id: str, user: GetUserDep) -> Response:
    """What an undo of a run would take back."""
    return _undo(request, slug, run_id, editable=may_edit(user, slug))


@router.post("/districts/{slug}/runs/{run_id}/undo")
def undone(request: Request, slug: EditableSlug, run_id: str, user: GetUserDep, form: SentForm) -> Response:
    """The page of the undo that was started; why there is none where the run cannot be undone."""
    row, changes = _run_and_changes(slug, run_id)
    if row is None or form.one("action") != "start" or why_not(row, changes):
        return _undo(request, slug, run_id, editable=True, status=409)
    conf = {"district": slug, "run_id": run_id}
    if begun := starting.same_that_goes_on(starting.UNDO, conf):
        return _to_run(request, slug, begun)
    try:
        started = starting.start(request, starting.UNDO, user, conf, form.one("pressed_at"), unpause=form.one("unpause") == "on")
    except starting.NotStarted as refused:
        return _undo(request, slug, run_id, editable=True, status=409, problem=str(refused))
    return _to_run(request, slug, started)


def why_not(row: Row, changes: list[Row]) -> str | None:
    """Why a run cannot be undone, in words; None where it can."""
    if row["undone_at"] is not None:
        return f"It was undone already by {row['undone_by']}."
    if row["kind"] in ("undo", "preview"):
        return "It applied no roster: a preview only says what would happen, and an undo is not undone."
    if row["finished_at"] is None:
        return "It has not ended. One that waits for an answer about archives is answered first."
    return None if changes else "It changed nothing, or what it changed is kept no longer."


def _run_and_changes(slug: str, run_id: str) -> tuple[Row | None, list[Row]]:
    with directory() as here:
        found = here.rows("run", district=slug, run_id=run_id)
        changes = here.rows("changes", district=slug, run_id=run_id)
    return (found[0] if found else None), [one for one in changes if one["status"] == "applied"]


def _undo(request: Request, slug: str, run_id: str, *, editable: bool, status: int = 200, problem: str | None = None) -> Response:
    row, changes = _run_and_changes(slug, run_id)
    if row is None:
        return render(request, "no_run.html", status=404, place=place(slug), run_id=run_id)
    its_place, because = place(slug), why_not(row, changes)
    # Finding it out holds the district for a moment, so it is done for those alone who may undo.
    foresight = foresee(its_place, run_id) if editable and not because else None
    return render(
        request,
        "undo.html",
        status=status,
        place=its_place,
        foresight=foresight,
        run=run_from(row),
        changes=changes,
        why_not=because or (foresight.refused if foresight else None),
        editable=editable,
        problem=problem,
        dag=starting.dag(starting.UNDO),
        pressed_at=_now(),
    )


def _choice(request: Request, its_place: Place, *, editable: bool, status: int = 200, problem: str | None = None) -> Response:
    last = _last_run(its_place.slug)
    return render(
        request,
        "start.html",
        status=status,
        place=its_place,
        editable=editable,
        problem=problem,
        last=last,
        dag=starting.dag(its_place.dag_id),
        today=dt.datetime.now(its_place.zone).date(),
    )


def _confirm(
    request: Request, its_place: Place, form: Form, what: str, night: dt.date | None, *, problem: str | None = None
) -> Response:
    return render(
        request,
        "start_confirm.html",
        status=409 if problem else 200,
        place=its_place,
        what=what,
        night=night,
        send_email=form.one("send_email") == "on",
        problem=problem,
        dag=starting.dag(its_place.dag_id),
        pressed_at=_now(),
    )


def _last_run(slug: str) -> Run | None:
    with directory() as here:
        rows = here.rows("standings", districts=[slug])
    return run_from(rows[0]) if rows else None


def _night_of(form: Form) -> dt.date | None:
    try:
        return dt.date.fromisoformat(form.one("night"))
    except ValueError:
        return None


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat()


def _to_run(request: Request, slug: str, run_id: str) -> Response:
    root = request.scope.get("root_path", "")
    return RedirectResponse(f"{root}/districts/{slug}/runs/{quote(run_id, safe='')}", 303)
