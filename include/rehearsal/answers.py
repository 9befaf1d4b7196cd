"""HTTP answers: OneRoster's errors, a page with its headers, and connections that break."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from include.rehearsal.faults import Faults

_HTML = "<!doctype html><title>{0}</title><h1>{0}</h1><p>Please come back later.</p>"
#: Key of the ASGI extension under which running.py passes the connection on.
TRANSPORT = "rehearsal.transport"


def status_info(status: int, minor: str, description: str = "") -> JSONResponse:
    """An error in OneRoster's words (imsx_StatusInfo, OneRoster 1.2 section 4.12)."""
    field = {"imsx_codeMinorFieldName": "TargetEndSystem", "imsx_codeMinorFieldValue": minor}
    info = {
        "imsx_codeMajor": "failure",
        "imsx_severity": "error",
        "imsx_description": description or minor,
        "imsx_CodeMinor": {"imsx_codeMinorField": [field]},
    }
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"imsx_StatusInfo": info}, status, headers)


def busy(faults: Faults) -> Response:
    """A 429 as rate limiters send it: an HTML page, and Retry-After in seconds or as a date."""
    after = str(faults.retry_after)
    if faults.retry_after_date:
        after = format_datetime(datetime.now(UTC) + timedelta(seconds=faults.retry_after), usegmt=True)
    return Response(_HTML.format("Too many requests"), 429, {"Retry-After": after}, "text/html")


def html(status: int = 200) -> Response:
    """A page for people where a program asked."""
    return Response(_HTML.format("Maintenance"), status, media_type="text/html")


def page(request: Request, faults: Faults, key: str, rows: list[bytes], asked: tuple[int, int]) -> Response:
    """The rows of a limit and offset, with X-Total-Count and Link, as right as the faults let them be."""
    limit, offset = asked
    some = rows[offset : offset + limit]
    if faults.row_too_many and len(some) > 1:
        some = [*some[:2], *some[1:]]
    headers = {}
    if faults.total_says:
        headers["X-Total-Count"] = str(len(some)) if faults.total_says == "page" else faults.total_says
    elif not faults.no_total:
        headers["X-Total-Count"] = str(max(0, len(rows) + faults.wrong_total))
    if not faults.no_link and (links := _links(request, faults, len(rows), limit, offset)):
        headers["Link"] = links
    if not some and faults.empty_status != 200:
        if faults.empty_status == 404:
            return status_info(404, "unknownobject", "There are no such rows.")
        return Response(status_code=204, headers=headers)
    body = b"[" + b",".join(some) + b"]"
    if not faults.bare_list:
        body = b'{"%s":%s}' % (key.encode(), body)
    return Response(b"\xef\xbb\xbf" + body if faults.bom else body, 200, headers, "application/json")


def _links(request: Request, faults: Faults, total: int, limit: int, offset: int) -> str:
    """The Link header (RFC 8288): first, last, previous and next page."""
    offsets = {"first": 0, "last": max(0, (total - 1) // limit * limit)}
    if offset > 0:
        offsets["prev"] = max(0, offset - limit)
    if offset + limit < total and not (faults.link_ends_at and offset >= faults.link_ends_at):
        offsets["next"] = offset + limit
    links = []
    for name, start in offsets.items():
        url = request.url.include_query_params(limit=limit, offset=start)
        text = f"{url.path}?{url.query}" if faults.relative_link else str(url)
        links.append(f'<{text}>; rel="{name}"')
    return ", ".join(links)


def sent_on(to: str) -> Response:
    """An answer that sends on to another address."""
    return Response(status_code=307, headers={"Location": to})


def bomb(megabytes: int) -> Response:
    """A small gzip that unpacks to so many megabytes of an empty page."""
    packer = zlib.compressobj(9, wbits=31)
    pieces = [packer.compress(b'{"users": [')]
    pieces += [packer.compress(bytes(2**20).replace(b"\0", b" ")) for _ in range(megabytes)]
    body = b"".join([*pieces, packer.compress(b"]}"), packer.flush()])
    return Response(body, 200, {"Content-Encoding": "gzip"}, "application/json")


class Drip(Response):
    """An answer whose body comes a byte at a time."""

    def __init__(self, answer: Response, seconds: float) -> None:
        super().__init__(bytes(answer.body), answer.status_code, dict(answer.headers))
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head, then byte after byte, until nobody listens."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for byte in bytes(self.body):
            await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
            await asyncio.sleep(self.seconds)
        await send({"type": "http.response.body", "body": b""})


def cut(answer: Response) -> Response:
    """The answer with a body that ends in the middle, as if that were all."""
    body = bytes(answer.body)
    return Response(body[: len(body) * 2 // 3], answer.status_code, media_type="application/json")


class Reset(Response):
    """A connection that is reset: at once, or amid the body of an answer."""

    def __init__(self, amid: Response | None = None) -> None:
        super().__init__(bytes(amid.body) if amid else b"", media_type="application/json")
        self.amid = amid is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send half of the body, if any, and reset the connection."""
        if self.amid:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            half = bytes(self.body)[: len(self.body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
            await asyncio.sleep(0.02)  # so that the half is on its way
        transport = scope["extensions"][TRANSPORT]["transport"]
        with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as connection:
            # To linger for no time is to send RST instead of FIN.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
        await asyncio.sleep(0.02)
