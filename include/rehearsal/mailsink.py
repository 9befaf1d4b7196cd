"""A mail server that keeps every mail in a folder, and a page to read them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import msgspec
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from include.rehearsal import mailpages


class MailFolder:
    """The mails received, numbered from 0 in the order they came; ``refuse`` makes the server take none."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.refuse = folder, False
        folder.mkdir(parents=True, exist_ok=True)

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Keep a mail, or refuse it for now."""
        if self.refuse:
            return "451 4.3.0 This server was told to refuse; try again later"
        self.keep(envelope.original_content or b"")
        return "250 2.0.0 Kept"

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, mail_options: list[str]
    ) -> str:
        """Take a sender, or refuse it for now."""
        if self.refuse:
            return "451 4.3.0 This server was told to refuse; try again later"
        envelope.mail_from = address
        envelope.mail_options.extend(mail_options)
        return "250 2.1.0 OK"

    def keep(self, content: bytes) -> None:
        """Store a mail, whole or not at all."""
        part = self.folder / f"{time.time_ns()}.part"
        part.write_bytes(content)
        part.rename(part.with_suffix(".eml"))

    def files(self) -> list[Path]:
        """The mails' files, oldest first."""
        return sorted(self.folder.glob("*.eml"))

    def mail(self, number: int) -> EmailMessage | None:
        """A mail by its number."""
        files = self.files()
        return _read(files[number]) if 0 <= number < len(files) else None

    def mails(self) -> list[tuple[int, EmailMessage]]:
        """All mails with their numbers, newest first."""
        return list(reversed([(number, _read(file)) for number, file in enumerate(self.files())]))

    def empty(self) -> int:
        """How many mails were there; none are now."""
        files = self.files()
        for file in files:
            file.unlink()
        return len(files)


def _read(file: Path) -> EmailMessage:
    mail = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


@contextmanager
def smtp_server(folder: MailFolder, port: int) -> Iterator[Controller]:
    """An SMTP server on a port of the loopback, while the context lasts."""
    server = Controller(folder, hostname="127.0.0.1", port=port)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def mail_application(folder: MailFolder) -> Starlette:
    """The page to read mails, as an ASGI application."""

    async def index(_: Request) -> Response:
        return mailpages.listing(folder.mails(), folder.refuse)

    async def one(request: Request) -> Response:
        number = request.path_params["number"]
        mail = folder.mail(number)
        return mailpages.single(number, mail) if mail else _missing()

    async def part(request: Request) -> Response:
        mail = folder.mail(request.path_params["number"])
        answer = mail and mailpages.part(mail, request.path_params["part"])
        return answer or _missing()

    async def as_json(_: Request) -> Response:
        return JSONResponse([mailpages.summary(number, mail) for number, mail in folder.mails()])

    async def empty(_: Request) -> Response:
        return JSONResponse({"removed": folder.empty()})

    async def smtp(request: Request) -> Response:
        if request.method == "PUT":
            try:
                folder.refuse = msgspec.json.decode(await request.body(), type=dict[str, bool])["refuse"]
            except (msgspec.MsgspecError, KeyError):
                return JSONResponse({"error": 'say {"refuse": true} or {"refuse": false}'}, 400)
        return JSONResponse({"refuse": folder.refuse})

    return Starlette(
        routes=[
            Route("/", index),
            Route("/mails", index, methods=["GET"]),
            Route("/mails", empty, methods=["DELETE"]),
            Route("/mails.json", as_json),
            Route("/mails/{number:int}", one),
            Route("/mails/{number:int}/{part}", part),
            Route("/smtp", smtp, methods=["GET", "PUT"]),
        ]
    )


def _missing() -> Response:
    return PlainTextResponse("There is no such mail, or it has no such part", 404)
