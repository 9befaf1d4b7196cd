"""The console's pages: each route reads what it shows and hands it to a template."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import FileResponse, RedirectResponse, Response, StreamingResponse

from include.mingasync.console import starting
from include.mingasync.console.access import NO_DISTRICT, DistrictSlug, Readable, may_edit, may_start, slug_of
from include.mingasync.console.history import (
    LISTS,
    PEOPLE_FULL,
    PEOPLE_SHORT,
    as_csv,
    run_from,
    standing_from,
    total,
)
from include.mingasync.console.numbers import NIGHTS, numbers_from
from include.mingasync.console.places import place, places
from include.mingasync.console.reading import directory
from include.mingasync.console.rendering import render
from include.mingasync.snapshot import Snapshot

RUNS_PER_PAGE = 25
RECORDS_PER_ISSUE = 20
ISSUES_PER_RUN = 200
_STATIC = Path(__file__).parent / "static"

#: The pages of great-expectations hold styles of their own, and nothing of other sites.
_DATA_DOCS_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)

router = APIRouter()


@router.get("/")
def districts(request: Request, readable: Readable, user: GetUserDep) -> Response:
    """Every district that one may see, those that need somebody first."""
    with directory() as here:
        rows = {row["district"]: row for row in here.rows("standings", districts=sorted(readable))}
    now = dt.datetime.now(dt.UTC)
    standings = [standing_from(its_place, rows.get(slug), now) for slug, its_place in places(readable).items()]
    standings.sort(key=lambda standing: (standing.urgency, standing.place.name.casefold()))
    return render(
        request,
        "districts.html",
        standings=standings,
        late=sum(standing.is_late for standing in standings),
        states=Counter(standing.last.state for standing in standings if standing.last),
        startable={standing.place.slug for standing in standings if not standing.last and _may_act(user, standing.place.slug)},
    )


@router.get("/districts/{slug}")
def history(
    request: Request, slug: DistrictSlug, user: GetUserDep, page: Annotated[int, Query(ge=1, le=100_000)] = 1
) -> Response:
    """A district's OneRoster History, newest run first."""
    with directory() as here:
        size = sum(row["runs"] for row in here.rows("history_size", district=slug))
        rows = here.rows("history", district=slug, limit=RUNS_PER_PAGE, offset=(page - 1) * RUNS_PER_PAGE)
        standings = here.rows("standings", districts=[slug])
        numbers = here.rows("numbers", district=slug, limit=NIGHTS)
    its_place = place(slug)
    return render(
        request,
        "history.html",
        place=its_place,
        standing=standing_from(its_place, standings[0] if standings else None, dt.datetime.now(dt.UTC)),
        runs=[run_from(row) for row in rows],
        columns=list(PEOPLE_SHORT),
        numbers=numbers_from(numbers),
        startable=_may_act(user, slug),
        page=page,
        pages=max(1, -(-size // RUNS_PER_PAGE)),
        size=size,
    )


@router.get("/districts/{slug}/history.csv")
def history_csv(slug: DistrictSlug) -> Response:
    """A district's whole OneRoster History for a spreadsheet."""
    with directory() as here:
        runs = [run_from(row) for row in here.rows("history", district=slug, limit=None, offset=0)]
    return StreamingResponse(
        as_csv(runs, place(slug).zone),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="oneroster-history-{slug}.csv"'},
    )


@router.get("/districts/{slug}/runs/{run_id}")
def run(request: Request, slug: DistrictSlug, run_id: str, user: GetUserDep) -> Response:
    """One run in full: counts, issues with their cures, changes as numbers, the settings it used."""
    with directory() as here:
        found = here.rows("run", district=slug, run_id=run_id)
        issues = here.rows("issues", district=slug, run_id=run_id, examples=RECORDS_PER_ISSUE, limit=ISSUES_PER_RUN)
        changes = here.rows("changes", district=slug, run_id=run_id)
        trend = here.rows("trend", district=slug, run_id=run_id)
    if not found:
        going = starting.run_of(slug, run_id)
        return render(request, "no_run.html", status=200 if going else 404, place=place(slug), run_id=run_id, going=going)
    its_run = run_from(found[0])
    return render(
        request,
        "run.html",
        place=place(slug),
        run=its_run,
        row=found[0],
        # An undo is a run of its own DAG, whichever district it undoes.
        dag_id="mingasync_undo" if its_run.kind == "undo" else place(slug).dag_id,
        people_columns=list(PEOPLE_FULL),
        everybody=total(its_run.people_in_full),
        list_columns=list(LISTS),
        issues=issues,
        trend=trend[0] if trend and trend[0]["compared"] else None,
        changes=changes,
        editable=may_edit(user, slug),
    )


@router.get("/districts/{slug}/runs/{run_id}/data-docs/{page:path}")
def data_docs(request: Request, slug: DistrictSlug, run_id: str, page: str) -> Response:
    """A page of the Data Docs that great-expectations made of a run; they hold numbers and rules, never a record."""
    with directory() as here:
        found = here.rows("run", district=slug, run_id=run_id)
    url = found[0]["snapshot_url"] if found else None
    content = Snapshot(url).data_docs(page or "index.html") if url else None
    if content is None:
        return render(request, "no_run.html", status=404, place=place(slug), run_id=run_id)
    kind = "text/css" if page.endswith(".css") else "text/html; charset=utf-8"
    return Response(content, media_type=kind, headers={"Content-Security-Policy": _DATA_DOCS_POLICY})


@router.get("/dags/{dag_id}")
def of_dag(request: Request, dag_id: str, readable: Readable) -> Response:
    """The history for the tab on a DAG; a polite word on a DAG that syncs no district."""
    return _of_dag(request, dag_id, readable, "")


@router.get("/dags/{dag_id}/runs/{run_id}")
def of_dag_run(request: Request, dag_id: str, run_id: str, readable: Readable) -> Response:
    """The run for the tab on a DAG run; a polite word on a DAG that syncs no district."""
    return _of_dag(request, dag_id, readable, f"/runs/{quote(run_id, safe='')}")


def _may_act(user: Any, slug: str) -> bool:
    """Whether the pages that start runs of a district take somebody's word."""
    return may_edit(user, slug) and may_start(user, slug)


def _of_dag(request: Request, dag_id: str, readable: frozenset[str], below: str) -> Response:
    slug = slug_of(dag_id)
    if slug is None:
        return render(request, "no_roster.html", dag_id=dag_id)
    if slug not in readable:
        raise HTTPException(403, NO_DISTRICT)
    return RedirectResponse(f"{request.scope.get('root_path', '')}/districts/{slug}{below}", 302)


@router.get("/static/{name}")
def static(name: str) -> Response:
    """A style sheet, script or picture of the pages."""
    if name not in {path.name for path in _STATIC.iterdir()}:
        raise HTTPException(404, "There is no such file.")
    return FileResponse(_STATIC / name)


@router.api_route("/{rest:path}", methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
def nowhere(rest: str) -> Response:
    """Nothing is here; as a route of its own so that it too is only said to those who are logged in."""
    raise HTTPException(404, "There is no such page in the console.")
