"""The addresses under /rehearsal that steer the server: its night, its faults, its counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from include.rehearsal.faults import Faults, read_faults

if TYPE_CHECKING:
    from include.rehearsal.server import Sis

_HELP = """The rehearsal SIS: a OneRoster server of an invented district.

OneRoster 1.1   /ims/oneroster/v1p1/<collection>
OneRoster 1.2   /ims/oneroster/rostering/v1p2/<collection>
Token           POST /token

GET, PUT            /rehearsal/night      {"night": 2}
GET                 /rehearsal/numbers    the district's own counts of that night
GET, PUT, PATCH     /rehearsal/faults     PUT sets all (those left out are off), PATCH changes those named,
   DELETE                                 DELETE turns all off
GET, DELETE         /rehearsal/requests   how often each path was asked; DELETE counts anew
GET                 /rehearsal/load       answers by status, bytes, most requests at once
"""


def control_routes(sis: Sis) -> list[Route]:
    """The routes that steer a server."""

    async def help_(_: Request) -> Response:
        return PlainTextResponse(_HELP)

    async def night(request: Request) -> Response:
        if request.method == "PUT":
            try:
                wanted = msgspec.json.decode(await request.body(), type=dict[str, int])["night"]
            except (msgspec.MsgspecError, KeyError):
                wanted = 0
            if wanted < 1:
                return JSONResponse({"error": 'say {"night": n}, n from 1'}, 400)
            sis.show(wanted)
        return JSONResponse({"night": sis.night})

    async def faults(request: Request) -> Response:
        if request.method != "GET":
            before = sis.faults if request.method == "PATCH" else None
            try:
                body = b"" if request.method == "DELETE" else await request.body()
                sis.faults = read_faults(body, before)
            except ValueError as error:
                known = sorted(Faults.__struct_fields__)
                return JSONResponse({"error": str(error), "faults": known}, 400)
        return JSONResponse(msgspec.to_builtins(sis.faults))

    async def numbers(_: Request) -> Response:
        return JSONResponse({"night": sis.night, **sis.rows.district.numbers()})

    async def requests(request: Request) -> Response:
        if request.method == "DELETE":
            sis.forget()
        return JSONResponse(dict(sorted(sis.asked.items())))

    async def load(_: Request) -> Response:
        answered = {str(status): count for status, count in sorted(sis.answered.items())}
        return JSONResponse({"answers": answered, "bytes": sis.bytes, "most_at_once": sis.most_at_once})

    return [
        Route("/", help_),
        Route("/rehearsal/night", night, methods=["GET", "PUT"]),
        Route("/rehearsal/faults", faults, methods=["GET", "PUT", "PATCH", "DELETE"]),
        Route("/rehearsal/numbers", numbers),
        Route("/rehearsal/requests", requests, methods=["GET", "DELETE"]),
        Route("/rehearsal/load", load),
    ]
