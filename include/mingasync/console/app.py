"""The console's web application: what holds for every page. The pages themselves are in ``pages.py``.

Airflow does not log anybody in for a plugin's application, so this one demands it of every route by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from include.mingasync.console import (
    action_pages,
    connection_pages,
    decision_pages,
    erasing_pages,
    lists_pages,
    people_pages,
    settings_pages,
    why_page,
)
from include.mingasync.console.access import from_our_own_pages
from include.mingasync.console.pages import router
from include.mingasync.console.reading import Unreadable
from include.mingasync.console.rendering import render

log = logging.getLogger(__name__)

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

app = FastAPI(
    title="Rostering",
    docs_url=None,
    redoc_url=None,
    openapi_url=None,
    redirect_slashes=False,
    dependencies=[Depends(get_user), Depends(from_our_own_pages)],
)
app.include_router(settings_pages.router)
app.include_router(connection_pages.router)
app.include_router(lists_pages.router)
app.include_router(decision_pages.router)
app.include_router(people_pages.router)
app.include_router(erasing_pages.router)
app.include_router(action_pages.router)
app.include_router(why_page.router)
app.include_router(router)  # the last, since its last route takes every address


@app.middleware("http")
async def guarded(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    """The answer with the headers that keep other sites and caches out of it."""
    try:
        response = await answer(request)
    except Exception:
        log.exception("The console could not answer %s", request.url.path)
        response = _refusal(
            request,
            500,
            "Something went wrong in the console.",
            "The api-server's log says what; nothing was changed.",
        )
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


@app.exception_handler(HTTPException)
async def refused(request: Request, error: HTTPException) -> Response:
    """The way to Airflow's login for a person who is not logged in, else the refusal in words."""
    # A cookie that another installation signed is no login either; Airflow answers 403 to it.
    anonymous = error.status_code == HTTPStatus.UNAUTHORIZED or error.detail == "Invalid JWT token"
    if anonymous and request.method == "GET" and _wants_page(request):
        return RedirectResponse(get_auth_manager().get_url_login(next_url=str(request.url)), 303)
    if anonymous:
        return JSONResponse({"detail": "Not authenticated"}, 401)
    return _refusal(request, error.status_code, str(error.detail), None)


@app.exception_handler(RequestValidationError)
async def misread(request: Request, _: RequestValidationError) -> Response:
    """The refusal of an address that means nothing."""
    return _refusal(request, 422, "This address is not one that the console understands.", "Go back to all districts.")


@app.exception_handler(Unreadable)
async def unreadable(request: Request, error: Unreadable) -> Response:
    """Cause and cure when the directory cannot be read."""
    log.warning("%s %s", error.cause, error.cure)
    return _refusal(request, 503, error.cause, error.cure)


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _refusal(request: Request, status: int, cause: str, cure: str | None) -> Response:
    if not _wants_page(request):
        return JSONResponse({"detail": " ".join(filter(None, (cause, cure)))}, status)
    return render(request, "problem.html", status=status, cause=cause, cure=cure)
