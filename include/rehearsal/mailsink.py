"""A mail server that keeps every mail in a folder, and a page to read them."""

from __future__ import annotations

import time
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import escape
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

_STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1c2430}
a{color:#1f5fbf;text-decoration:none}li{padding:.6rem 0;border-bottom:1px solid #e5e8ec;list-style:none}ul{padding:0}
small{color:#5b6676}iframe{width:100%;height:75vh;border:1px solid #e5e8ec;border-radius:8px}
@media(prefers-color-scheme:dark){body{background:#12161c;color:#e6eaf0}li,iframe{border-color:#2c3540}a{color:#7fb0ff}}"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; frame-ancestors 'self'"


class MailFolder:
    """The mails received, oldest first, each a file of its own; ``refuse`` makes the server take none."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.refuse = folder, False
        folder.mkdir(parents=True, exist_ok=True)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep a mail, or refuse it for now."""
        if self.refuse:
            return "451 4.3.0 Try again later"
        part = self.folder / f"{time.time_ns()}.part"
        part.write_bytes(envelope.original_content or b"")
        part.rename(part.with_suffix(".eml"))
        return "250 2.0.0 Kept"

    def files(self) -> list[Path]:
        """The mails' files, oldest first."""
        return sorted(self.folder.glob("*.eml"))

    def mail(self, number: int) -> EmailMessage:
        """A mail by its place, from 0."""
        return message_from_bytes(self.files()[number].read_bytes(), policy=policy.default)  # type: ignore[return-value]


def smtp_server(folder: MailFolder, port: int) -> Controller:
    """The SMTP server on a port of this machine, not yet started."""
    return Controller(folder, hostname="127.0.0.1", port=port)


def application(folder: MailFolder) -> Starlette:
    """The page to read mails, as an ASGI application."""

    async def index(request: Request) -> Response:
        rows = [
            f"<li><a href='/mails/{n}'>{escape(str(m['subject']))}</a><br><small>{escape(str(m['to']))} · {escape(str(m['date']))}</small></li>"
            for n, m in reversed([(n, folder.mail(n)) for n in range(len(folder.files()))])
        ]
        return _page("Mails", f"<ul>{''.join(rows) or '<li>No mail yet.</li>'}</ul>")

    async def one(request: Request) -> Response:
        number, part = request.path_params["number"], request.path_params.get("part")
        if number >= len(folder.files()):
            return PlainTextResponse("There is no such mail", 404)
        mail = folder.mail(number)
        if part:
            body = mail.get_body((part,))
            kind = "text/plain" if part == "plain" else "text/html"
            policy_of_part = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
            return Response(body.get_content() if body else "", media_type=kind, headers={"Content-Security-Policy": policy_of_part})
        head = "".join(f"<small>{name}: {escape(str(mail[name]))}</small><br>" for name in ("From", "To", "Date"))
        return _page(str(mail["subject"]), f"{head}<p><a href='/mails/{number}/plain'>Text part</a> · <a href='/'>All mails</a></p>"
                     f"<iframe sandbox src='/mails/{number}/html'></iframe>")  # fmt: skip

    async def listing(request: Request) -> Response:
        mails = [folder.mail(n) for n in range(len(folder.files()))]
        return JSONResponse([{"subject": m["subject"], "from": m["from"], "to": m["to"], "date": m["date"]} for m in mails])

    async def empty(request: Request) -> Response:
        for file in folder.files():
            file.unlink()
        return JSONResponse([])

    async def smtp(request: Request) -> Response:
        folder.refuse = bool((await request.json())["refuse"])
        return JSONResponse({"refuse": folder.refuse})

    return Starlette(
        routes=[
            Route("/", index),
            Route("/mails", empty, methods=["DELETE"]),
            Route("/mails.json", listing),
            Route("/mails/{number:int}", one),
            Route("/mails/{number:int}/{part}", one),
            Route("/smtp", smtp, methods=["PUT"]),
        ]
    )


def _page(title: str, body: str) -> HTMLResponse:
    html = f"<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'><title>{escape(title)}</title>"
    return HTMLResponse(f"{html}<style>{_STYLE}</style><h1>{escape(title)}</h1>{body}", headers={"Content-Security-Policy": _POLICY})
