"""A rehearsal server over a real socket, and a client that behaves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from include.rehearsal.running import Running, running
from include.rehearsal.server import application
from tests.waiting import PATIENCE

TODAY = dt.date(2026, 11, 24)
STUDENTS = 300


class Client:
    """Somebody who may read; every answer is as it came."""

    def __init__(self, server: Running) -> None:
        self.server = server
        self.session = requests.Session()
        self.session.trust_env = False
        self.renew()

    def renew(self, **form: str) -> requests.Response:
        """Get a token, and use it from now on."""
        answer = self.session.post(
            self.server.token_url,
            data={"grant_type": "client_credentials"} | form,
            auth=("rehearsal", "rehearsal-secret"),
            timeout=PATIENCE,
        )
        if answer.ok:
            self.session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return answer

    def get(self, path: str, version: str = "1.2", **parameters: Any) -> requests.Response:
        """The answer to a request below the version's root."""
        return self.session.get(f"{self.server.root(version)}/{path}", params=parameters, timeout=PATIENCE)

    def pull(self, path: str, limit: int = 100, version: str = "1.2") -> list[dict[str, Any]]:
        """Every row of a collection, up to the first empty page."""
        rows: list[dict[str, Any]] = []
        while some := next(iter(self.get(path, version, limit=limit, offset=len(rows)).json().values())):
            rows += some
        return rows


@pytest.fixture(scope="module")
def shared_server() -> Iterator[Running]:
    with running(application(students=STUDENTS, today=TODAY, bearer="static")) as server:
        yield server


@pytest.fixture
def server(shared_server: Running) -> Running:
    """The server on its first night, behaving."""
    shared_server.misbehave()
    shared_server.sis.forget()
    if shared_server.sis.night != 1:
        shared_server.sis.show(1)
    return shared_server


@pytest.fixture
def client(server: Running) -> Client:
    return Client(server)
