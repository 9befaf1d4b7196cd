"""A OneRoster server of the rehearsal district: REST 1.1 and 1.2, misbehaving on request."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Callable
from functools import partial

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from include.rehearsal import answers
from include.rehearsal.control import control_routes
from include.rehearsal.credentials import Credentials, TokenError
from include.rehearsal.district import build
from include.rehearsal.faults import Faults
from include.rehearsal.queries import Query, QueryError
from include.rehearsal.records import District
from include.rehearsal.rows import ALL, Rows, envelope

ROOTS = {"1.1": "/ims/oneroster/v1p1", "1.2": "/ims/oneroster/rostering/v1p2"}
CLIENT_ID, CLIENT_SECRET = "rehearsal", "rehearsal-secret"

#: The district of a night, whose changes happened at an instant.
Source = Callable[[int, dt.datetime], District]


def application(
    *,
    client_id: str = CLIENT_ID,
    client_secret: str = CLIENT_SECRET,
    district: District | None = None,
    students: int = 2400,
    seed: int = 7,
    night: int = 1,
    schools: int = 3,
    dirt: bool = False,
    bearer: str = "",
    today: dt.date | None = None,
    faults: Faults | None = None,
) -> Starlette:
    """The server as an ASGI application; ``district`` is served instead of the synthetic one.

    Its state is ``application(...).state.sis``. ``bearer`` is a static token, accepted beside the others.
    """
    day = today or dt.date.today()

    def source(number: int, changed_at: dt.datetime) -> District:
        return district or build(students, schools, seed=seed, night=number, today=day, dirt=dirt, changed_at=changed_at)

    sis = Sis(Credentials(client_id, client_secret, bearer), source, faults or Faults())
    sis.show(night)
    routes = [Route("/token", sis.token, methods=["POST"]), *control_routes(sis)]
    for version, root in ROOTS.items():
        for name in ALL:
            routes.append(Route(f"{root}/{name}", partial(sis.collection, version=version, name=name)))
            one = partial(sis.single, version=version, name=name)
            routes.append(Route(f"{root}/{name}/{{sourced_id:path}}", one))
    app = Starlette(routes=routes)
    app.state.sis = sis
    return app


class Sis:
    """The server's state: the night's rows, the credentials, the faults, and what was asked."""

    def __init__(self, credentials: Credentials, source: Source, faults: Faults) -> None:
        self.credentials, self.source = credentials, source
        self.forget()
        self.faults = faults

    def show(self, night: int) -> None:
        """Serve the district of a night, its changes as of now."""
        self.rows = Rows(self.source(night, dt.datetime.now(dt.UTC)))
        self.night = night

    @property
    def faults(self) -> Faults:
        """What befalls requests now; when it is set, pages are counted anew."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults = faults
        self.served = 0
        self.pages: Counter[str] = Counter()
        self.refused: set[str] = set()  # collections that answered 401 once
        self.emptied: set[str] = set()  # collections of which a page came empty once
        self.expired: set[str] = set()  # collections amid which a token died

    def forget(self) -> None:
        """Count requests anew."""
        self.asked: Counter[str] = Counter()
        self.answered: Counter[int] = Counter()
        self.at_once = self.most_at_once = self.bytes = 0

    async def token(self, request: Request) -> Response:
        """An OAuth 2 token for client credentials, in the header or the body."""
        self.asked[request.url.path] += 1
        form = {key: str(value) for key, value in (await request.form()).items()}
        if self.faults.token_sends_to:
            return answers.sent_on(self.faults.token_sends_to)
        if self.faults.token_status:
            return JSONResponse({}, self.faults.token_status)
        if self.faults.token_html:
            return answers.html()
        try:
            header = request.headers.get("authorization", "")
            return JSONResponse(self.credentials.token(header, form, self.faults), headers={"Cache-Control": "no-store"})
        except TokenError as refusal:
            return JSONResponse({"error": refusal.error} if refusal.error else {}, refusal.status)

    async def collection(self, request: Request, version: str, name: str) -> Response:
        """A page of a collection, or what the faults make of it."""
        self.asked[request.url.path] += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            answer = await self._collection(request, version, name)
        finally:
            self.at_once -= 1
        self.answered[answer.status_code] += 1
        self.bytes += len(answer.body)
        return answer

    async def single(self, request: Request, version: str, name: str) -> Response:
        """One record of a collection."""
        self.asked[request.url.path] += 1
        if not self._admitted(request):
            return answers.status_info(401, "unauthorisedrequest")
        if not self.faults.shares(name):
            return _not_shared(self.faults)
        body = self.rows.single(version, name, request.path_params["sourced_id"], self.faults)
        if body is None:
            return answers.status_info(404, "unknownobject", f"There is no such record among {name}.")
        return Response(body, media_type="application/json")

    def _admitted(self, request: Request) -> bool:
        header = request.headers.get("authorization", "")
        return self.credentials.admits(header, request.method, str(request.url))

    async def _collection(self, request: Request, version: str, name: str) -> Response:
        faults = self.faults
        if turned_away := self._turned_away(request, version, name):
            return turned_away
        if not faults.befalls(name):
            return self._page(request, version, name, faults.of_records())
        if faults.unauthorized_once and name not in self.refused:
            self.refused.add(name)
            return answers.status_info(401, "unauthorisedrequest")
        self.served += 1
        if faults.delay_ms:
            await asyncio.sleep(faults.delay_ms / 1000)
        return self._refusal(faults) or self._spoilt(faults, self._page(request, version, name, faults))

    def _turned_away(self, request: Request, version: str, name: str) -> Response | None:
        """The refusal of a request that may read nothing here."""
        faults, header = self.faults, request.headers.get("authorization", "")
        if faults.versions and version not in faults.versions:
            return JSONResponse({"error": "Not found"}, 404)
        if faults.sends_to:
            return answers.sent_on(faults.sends_to)
        if not self._admitted(request):
            return answers.status_info(faults.ended_token_status, "unauthorisedrequest")
        if faults.service_scope and not self.credentials.is_scoped(header, faults.service_scope):
            return answers.status_info(403, "forbidden")
        return None if faults.shares(name) else _not_shared(faults)

    def _nth(self, every: int) -> bool:
        return every > 0 and self.served % every == 0

    def _refusal(self, faults: Faults) -> Response | None:
        if self._nth(faults.busy_every):
            return answers.busy(faults)
        if self._nth(faults.broken_every):
            return answers.status_info(faults.broken_status, "internal_server_error")
        if self._nth(faults.html_every):
            return answers.html()
        return answers.Reset() if self._nth(faults.reset_every) and faults.reset_where == "before" else None

    def _spoilt(self, faults: Faults, answer: Response) -> Response:
        if answer.status_code != 200:
            return answer
        if faults.bomb_megabytes:
            return answers.bomb(faults.bomb_megabytes)
        if faults.drip_ms:
            return answers.Drip(answer, faults.drip_ms / 1000)
        if self._nth(faults.malformed_every):
            return answers.cut(answer)
        return answers.Reset(amid=answer) if self._nth(faults.reset_every) else answer

    def _page(self, request: Request, version: str, name: str, faults: Faults) -> Response:
        try:
            limit = int(request.query_params.get("limit", 100))
            offset = int(request.query_params.get("offset", 0))
        except ValueError:
            limit = offset = -1
        if limit < 1 or offset < 0:
            return answers.status_info(400, "invaliddata", "limit is at least 1, and offset at least 0.")
        if faults.largest_limit and limit > faults.largest_limit:
            words = f"limit {limit} is not between 1 and {faults.largest_limit}."
            return answers.status_info(faults.largest_limit_status, "invaliddata", words)
        moved = self.pages[name] // max(1, faults.shift_after)
        shifts = faults.shift_rows * min(faults.shift_times, moved) if faults.shift else 0
        query = Query.of({} if faults.ignore_filter else request.query_params)
        try:
            rows = self.rows.of(version, name, faults, query, shifts)
        except QueryError as error:
            return answers.status_info(400, error.minor, str(error))
        if self._token_dies(request, name, faults, offset, len(rows)):
            return answers.status_info(faults.ended_token_status, "unauthorisedrequest")
        self.pages[name] += 1
        if faults.empty_once_at and offset >= faults.empty_once_at and name not in self.emptied:
            self.emptied.add(name)
            return answers.page(request, faults, envelope(name, faults), [], (limit, 0))
        limit = min(limit, faults.clamp) if faults.clamp else limit
        return answers.page(request, faults, envelope(name, faults), rows, (limit, offset))

    def _token_dies(self, request: Request, name: str, faults: Faults, offset: int, total: int) -> bool:
        share = faults.token_dies_at_percent
        if not share or name in self.expired or offset * 100 < share * total or not offset:
            return False
        self.expired.add(name)
        self.credentials.revoke(request.headers.get("authorization", ""))
        return True


def _not_shared(faults: Faults) -> Response:
    minor = {401: "unauthorisedrequest", 403: "forbidden", 404: "unknownobject"}[faults.not_shared_status]
    return answers.status_info(faults.not_shared_status, minor)
