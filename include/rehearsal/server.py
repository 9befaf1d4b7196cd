"""A OneRoster server of the rehearsal district: REST 1.1 and 1.2 over a real socket, misbehaving on request."""

from __future__ import annotations

import base64
import dataclasses
import json
import secrets
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from include.rehearsal.district import District, as_1p1, build

_ROOTS = {"1.1": "/ims/oneroster/v1p1", "1.2": "/ims/oneroster/rostering/v1p2"}
_COLLECTIONS = ("orgs", "academicSessions", "courses", "classes", "users", "enrollments")
#: Collections that are a part of another: envelope key and the values of a field that belong.
_PARTS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "schools": ("orgs", "type", ("school",)),
    "terms": ("academicSessions", "type", ("term", "semester")),
    "gradingPeriods": ("academicSessions", "type", ("gradingPeriod",)),
}


@dataclass
class Faults:
    """How the server misbehaves; every field may be changed while it runs."""

    clamp: int = 0  # pages never longer than this, silently
    no_total: bool = False  # neither X-Total-Count nor Link
    wrong_total: int = 0  # added to every total
    busy_every: int = 0  # each so many requests one 429
    retry_after: int = 1  # seconds said with a 429
    broken_every: int = 0  # each so many requests one 503
    token_seconds: int = 3600  # how long a token lives
    delay_ms: int = 0  # before every page
    not_shared: str = ""  # this collection answers 403
    empty: str = ""  # this collection is empty
    shrink_percent: int = 0  # so many per cent of every collection's rows are missing
    gone_school: str = ""  # at this school ...
    gone_percent: int = 0  # ... so many per cent of the students are missing


class Sis:
    """The server's state: the night's pages, the tokens that live, the faults, what was asked."""

    def __init__(self, client_id: str, client_secret: str, district: District | None, students: int, seed: int) -> None:
        self.client = (client_id, client_secret)
        self.fixed, self.students, self.seed = district, students, seed
        self.faults = Faults()
        self.served = 0
        self.tokens: dict[str, float] = {}
        self.asked: Counter[str] = Counter()
        self.show(1)

    def show(self, night: int) -> None:
        """Serve the district of a night."""
        self.night = night
        self.district = self.fixed or build(students=self.students, seed=self.seed, night=night)
        self.pages: dict[tuple[str, str], list[bytes]] = {}

    def gone(self) -> set[str]:
        """The students who are missing from one school by a fault."""
        at = [
            user["sourcedId"]
            for user in self.district.users
            if user["roles"][0]["role"] == "student" and user.get("primaryOrg", {}).get("sourcedId") == self.faults.gone_school
        ]
        return set(at[: len(at) * self.faults.gone_percent // 100])

    def rows(self, version: str, collection: str) -> list[bytes]:
        """The encoded records of a collection, made once."""
        key = (version, collection)
        if key not in self.pages:
            whole, field, wanted = _PARTS.get(collection, (collection, "", ()))
            records = [r for r in getattr(self.district, whole) if not field or r.get(field) in wanted]
            if collection == "users":
                gone = self.gone()
                records = [r for r in records if r["sourcedId"] not in gone]
            shape = as_1p1 if version == "1.1" and self.fixed is None else lambda _, record: record
            self.pages[key] = [json.dumps(shape(whole, record)).encode() for record in records]
        return self.pages[key]


def application(
    client_id: str = "rehearsal",
    client_secret: str = "rehearsal-secret",
    district: District | None = None,
    students: int = 2400,
    seed: int = 7,
    night: int = 1,
) -> Starlette:
    """The server as an ASGI application; ``district`` is served instead of the synthetic one."""
    sis = Sis(client_id, client_secret, district, students, seed)
    sis.show(night)
    routes = [
        Route("/token", lambda request: _token(sis, request), methods=["POST"]),
        Route("/rehearsal/night", lambda request: _night(sis, request), methods=["PUT"]),
        Route("/rehearsal/faults", lambda request: _faults(sis, request), methods=["GET", "PUT"]),
        Route("/rehearsal/numbers", lambda _: JSONResponse(sis.district.numbers())),
        Route("/rehearsal/requests", lambda request: _requests(sis, request), methods=["GET", "DELETE"]),
    ]
    for version, root in _ROOTS.items():
        for name in (*_COLLECTIONS, *_PARTS):
            routes.append(Route(f"{root}/{name}", _page_of(sis, version, name)))
    app = Starlette(routes=[*(_async(route) for route in routes)])
    app.state.sis = sis
    return app


def _async(route: Route) -> Route:
    """The route with an endpoint that Starlette awaits, where it was written as a lambda."""
    endpoint = route.endpoint

    async def call(request: Request) -> Response:
        answer = endpoint(request)
        return await answer if hasattr(answer, "__await__") else answer

    return Route(route.path, call, methods=list(route.methods or ["GET"]))


async def _token(sis: Sis, request: Request) -> Response:
    form = await request.form()
    header = request.headers.get("authorization", "")
    given = (str(form.get("client_id", "")), str(form.get("client_secret", "")))
    if header.lower().startswith("basic "):
        name, _, secret = base64.b64decode(header[6:]).decode().partition(":")
        given = (name, secret)
    if not secrets.compare_digest("\n".join(given), "\n".join(sis.client)):
        return JSONResponse({"error": "invalid_client"}, 401)
    token = secrets.token_urlsafe(24)
    sis.tokens[token] = time.monotonic() + sis.faults.token_seconds
    return JSONResponse({"access_token": token, "token_type": "bearer", "expires_in": sis.faults.token_seconds})


async def _night(sis: Sis, request: Request) -> Response:
    sis.show(int((await request.json())["night"]))
    return JSONResponse({"night": sis.night})


async def _faults(sis: Sis, request: Request) -> Response:
    if request.method == "PUT":
        try:
            sis.faults = Faults(**await request.json())
            sis.pages.clear()
        except TypeError as error:
            return JSONResponse({"error": str(error)}, 400)
    return JSONResponse(dataclasses.asdict(sis.faults))


async def _requests(sis: Sis, request: Request) -> Response:
    if request.method == "DELETE":
        sis.asked.clear()
    return JSONResponse(dict(sis.asked))


def _page_of(sis: Sis, version: str, collection: str) -> Any:
    async def page(request: Request) -> Response:
        sis.asked[collection] += 1
        sis.served += 1
        if refused := _refusal(sis, request, collection):
            return refused
        if sis.faults.delay_ms:
            import anyio

            await anyio.sleep(sis.faults.delay_ms / 1000)
        return _page(sis, request, version, collection)

    return page


def _refusal(sis: Sis, request: Request, collection: str) -> Response | None:
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    if sis.tokens.get(token, 0.0) < time.monotonic():
        return _status(401, "unauthorisedrequest")
    faults = sis.faults
    if faults.busy_every and sis.served % faults.busy_every == 0:
        return Response("<html>slow down</html>", 429, {"Retry-After": str(faults.retry_after)}, "text/html")
    if faults.broken_every and sis.served % faults.broken_every == 0:
        return _status(503, "server_busy")
    return _status(403, "forbidden") if faults.not_shared == collection else None


def _status(code: int, minor: str) -> JSONResponse:
    """An error in OneRoster's words (imsx_StatusInfo)."""
    field = {"imsx_codeMinorFieldName": "TargetEndSystem", "imsx_codeMinorFieldValue": minor}
    return JSONResponse(
        {"imsx_codeMajor": "failure", "imsx_severity": "error", "imsx_CodeMinor": {"imsx_codeMinorField": [field]}}, code
    )


def _page(sis: Sis, request: Request, version: str, collection: str) -> Response:
    faults = sis.faults
    try:
        limit, offset = int(request.query_params.get("limit", 100)), int(request.query_params.get("offset", 0))
    except ValueError:
        limit = 0
    if limit < 1:
        return _status(400, "invaliddata")
    rows = [] if faults.empty == collection else sis.rows(version, collection)
    if faults.shrink_percent:
        rows = rows[: len(rows) * (100 - faults.shrink_percent) // 100]
    if faults.clamp:
        limit = min(limit, faults.clamp)
    envelope = _PARTS.get(collection, (collection, "", ()))[0]
    body = b'{"%s":[%s]}' % (envelope.encode(), b",".join(rows[offset : offset + limit]))
    headers = {}
    if not faults.no_total:
        headers["X-Total-Count"] = str(len(rows) + faults.wrong_total)
        if offset + limit < len(rows):
            headers["Link"] = f'<{request.url.include_query_params(limit=limit, offset=offset + limit)}>; rel="next"'
    return Response(body, headers=headers, media_type="application/json")
