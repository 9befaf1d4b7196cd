"""Running an application on a port of this machine's loopback, for good or for a while."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from include.rehearsal.answers import TRANSPORT
from include.rehearsal.faults import Faults
from include.rehearsal.server import ROOTS, Sis

HOST = "127.0.0.1"
_START_SECONDS = 30


class _Protocol(HttpToolsProtocol):
    """HTTP that lets the application reset its connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: {"transport": self.transport}}


@dataclass(frozen=True)
class Running:
    """A server that runs in this process."""

    port: int
    app: Starlette

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://{HOST}:{self.port}"

    @property
    def token_url(self) -> str:
        """Its token address."""
        return f"{self.url}/token"

    @property
    def sis(self) -> Sis:
        """The state of a OneRoster server."""
        sis: Sis = self.app.state.sis
        return sis

    def root(self, version: str) -> str:
        """The OneRoster root of a version, 1.1 or 1.2."""
        return f"{self.url}{ROOTS[version]}"

    def misbehave(self, **faults: object) -> None:
        """Let these faults, and no others, befall requests from now on."""
        self.sis.faults = msgspec.convert(faults, Faults)


def serve(app: Starlette, port: int) -> None:
    """Serve an application on a port of the loopback until the process is asked to end."""
    uvicorn.Server(_config(app)).run(sockets=[_bound(port)])


@contextmanager
def running(app: Starlette, port: int = 0) -> Iterator[Running]:
    """A server of the application while the context lasts, in a thread; port 0 is any free one."""
    bound = _bound(port)
    server = uvicorn.Server(_config(app))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    ends = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > ends:
            raise RuntimeError("The rehearsal server did not start")
        time.sleep(0.005)
    try:
        yield Running(bound.getsockname()[1], app)
    finally:
        server.should_exit = True
        thread.join()
        bound.close()


def _config(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Protocol,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
    )


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((HOST, port))
    return bound
