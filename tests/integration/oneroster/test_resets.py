"""Servers that break a connection, cut a body short, answer in HTML, or never move on; and the check of a
connection.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from include.mingasync.errors import SourceError
from include.mingasync.oneroster import rest
from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.connect import check
from include.mingasync.oneroster.read import read_collection
from include.mingasync.oneroster.records import COLUMNS
from include.mingasync.snapshot import Proof, Snapshot
from tests.unit.oneroster.bundles import SAMPLES, district

_ROWS = [{"sourcedId": f"o{number}", "name": "Maple", "type": "school"} for number in range(1000)]
_SECRET = "never-in-a-log"


class _Server(BaseHTTPRequestHandler):
    """Orgs in pages, each answered by ``behave`` first; tokens are good until the server forgets them."""

    behave: Callable[[_Server, int, int], bool]
    rows: list[Any]
    total = True
    seen: Counter[tuple[int, int]]
    tokens: set[str]
    served = 0

    def do_POST(self) -> None:
        token = f"{_SECRET}-{len(self.tokens)}-{type(self).served}"
        self.tokens.add(token)
        self.send(200, json.dumps({"access_token": token, "expires_in": 3600}).encode())

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        limit, offset = int(query["limit"][0]), int(query["offset"][0])
        type(self).served += 1
        self.seen[limit, offset] += 1
        if self.headers["Authorization"].removeprefix("Bearer ") not in self.tokens:
            return self.send(401, b'{"imsx_description": "pupil Ada"}')
        if not type(self).behave(self, limit, offset):
            self.page(limit, offset)
        return None

    def page(self, limit: int, offset: int) -> None:
        body = json.dumps({"orgs": self.rows[offset : offset + limit]}).encode()
        self.send(200, body, {"X-Total-Count": str(len(self.rows))} if self.total else {})

    def send(self, status: int, body: bytes, headers: dict[str, str] | None = None, length: int | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Silent."""


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Access, type[_Server]]]:
    monkeypatch.setattr(rest, "_backoff", lambda _: 0.01)

    class Own(_Server):
        rows, seen, tokens = list(_ROWS), Counter(), set()

        @staticmethod
        def behave(*_: Any) -> bool:
            return False

    server = ThreadingHTTPServer(("127.0.0.1", 0), Own)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    root = f"http://127.0.0.1:{server.server_port}"
    extra = {"token_url": f"{root}/token"}
    yield Access.from_connection(host=root, login="client", password=_SECRET, extra=extra), Own
    server.shutdown()
    server.server_close()


def _pull(access: Access, folder: Path, parallel: int = 4) -> tuple[list[str], Proof, Snapshot]:
    own = district(source="rest", url=None, page_size=100, max_parallel_requests=parallel)
    snapshot = Snapshot.of(str(folder), "maple", "run")
    proof = read_collection("orgs", own, access, snapshot, parents=False)
    return [row["sourced_id"] for row in snapshot.table("orgs").to_pylist()], proof, snapshot


def _reset(server: _Server, limit: int, offset: int) -> bool:
    if server.seen[limit, offset] > 1 or offset % 297:
        return False
    server.close_connection = True
    server.send(200, b'{"orgs": [', length=5000)
    server.connection.close()
    return True


def _cut(server: _Server, limit: int, offset: int) -> bool:
    if server.seen[limit, offset] > 1 or offset % 297:
        return False
    server.send(200, b'{"orgs": [{"sourcedId": "o1"')
    return True


def _html(server: _Server, limit: int, offset: int) -> bool:
    if server.seen[limit, offset] > 1:
        return False
    server.send(200, b"<html>pupil Ada</html>")
    return True


def _too_heavy(server: _Server, limit: int, offset: int) -> bool:
    if limit <= 60 or offset != 297:
        return False
    server.send(502, b"")
    return True


def _forgets_tokens(server: _Server, limit: int, offset: int) -> bool:
    if offset == 495 and server.seen[limit, offset] == 1:
        server.tokens.clear()
        server.send(401, b"")
        return True
    return False


@pytest.mark.parametrize("total", [True, False])
@pytest.mark.parametrize("fault", [_reset, _cut, _html, _too_heavy, _forgets_tokens])
def test_a_fault_that_passes_leaves_the_pull_whole(
    fault: Callable[..., bool], total: bool, served: tuple[Access, type[_Server]], tmp_path: Path
) -> None:
    access, server = served
    server.behave, server.total = fault, total  # type: ignore[method-assign]
    ids, proof, _ = _pull(access, tmp_path)
    assert ids == [row["sourcedId"] for row in _ROWS]
    assert proof.state == "complete"
    assert proof.requests > 11
    assert proof.retries > 0 or fault is _forgets_tokens


def test_html_that_stays_is_refused_and_no_word_of_it_is_told(
    served: tuple[Access, type[_Server]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    access, server = served
    caplog.set_level(logging.DEBUG, "include")
    server.behave = lambda self, *_: self.send(200, b"<html>pupil Ada</html>") or True  # type: ignore
    with pytest.raises(SourceError, match="failed 6 times") as refusal:
        _pull(access, tmp_path)
    told = str(refusal.value) + caplog.text
    assert "no OneRoster page" in told
    assert "Ada" not in told
    assert _SECRET not in told


@pytest.mark.parametrize("total", [True, False])
def test_a_server_that_ignores_the_offset_is_incomplete_and_not_endless(
    total: bool, served: tuple[Access, type[_Server]], tmp_path: Path
) -> None:
    access, server = served
    server.total = total
    server.behave = lambda self, limit, _: self.page(limit, 0) or True  # type: ignore
    ids, proof, _ = _pull(access, tmp_path)
    assert len(ids) == 100
    assert (proof.state, "same page again" in (proof.reason or "")) == ("incomplete", True)


def test_a_pull_that_never_ends_is_stopped(
    served: tuple[Access, type[_Server]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access, server = served
    monkeypatch.setattr(rest, "_BUDGET", 30)
    server.total = False

    def endless(self: _Server, limit: int, offset: int) -> bool:
        self.send(200, json.dumps({"orgs": [{"sourcedId": f"{offset}-{n}"} for n in range(limit)]}).encode())
        return True

    server.behave = endless  # type: ignore[method-assign]
    with pytest.raises(SourceError, match="30 requests were not enough"):
        _pull(access, tmp_path)


def test_rows_that_cannot_be_read_are_set_aside(served: tuple[Access, type[_Server]], tmp_path: Path) -> None:
    access, server = served
    server.rows = [*_ROWS[:120], None, {"name": "no id"}, "text", {"sourcedId": {"a": 1}}, {"sourcedId": "  "}, *_ROWS[120:]]
    ids, proof, snapshot = _pull(access, tmp_path)
    assert ids == [row["sourcedId"] for row in _ROWS]
    assert list(snapshot.unreadable()["resource"]) == ["orgs"] * 5
    assert (proof.state, proof.reason, proof.nameless) == ("complete", None, 5)


def test_no_more_requests_at_once_than_allowed(served: tuple[Access, type[_Server]], tmp_path: Path) -> None:
    access, server = served
    now, most, lock, wait = [0], [0], threading.Lock(), threading.Event()

    def slow(*_: Any) -> bool:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        wait.wait(0.05)
        with lock:
            now[0] -= 1
        return False

    server.behave = slow  # type: ignore[method-assign]
    assert len(_pull(access, tmp_path, parallel=3)[0]) == 1000
    assert most[0] == 3


def test_the_check_names_what_is_not_shared_with_its_cure(served: tuple[Access, type[_Server]]) -> None:
    access, server = served

    def behave(self: _Server, *_: int) -> bool:
        name = urlsplit(self.path).path.strip("/")
        status = {"users": 403, "classes": 404, "enrollments": 204}.get(name)
        self.send(status or 200, b"" if status else json.dumps({name: [{"sourcedId": "x"}]}).encode())
        return True

    server.behave = behave  # type: ignore[method-assign]
    checks = {one.collection: one for one in check(district(source="rest", url=None, name="PowerSchool"), access)}
    assert list(checks) == list(COLUMNS)
    assert {name for name, one in checks.items() if not one.shared} == {"users", "classes", "enrollments"}
    assert "403" in (checks["users"].cause or "")
    assert "PowerSchool" in (checks["users"].cure or "")
    assert checks["enrollments"].cause == "it is empty"
    assert checks["orgs"].cure is None
    assert [name for name, one in checks.items() if one.required] == ["orgs", "users"]


def test_the_check_reads_a_bundle_too() -> None:
    bundle = SAMPLES / "generated-1p2-small"
    assert all(one.shared for one in check(district(str(bundle)), Access.to_bundle(str(bundle))))
    gone = check(district("/nowhere"), Access.to_bundle("/nowhere"))
    assert not any(one.shared for one in gone)


def test_an_answer_that_is_nested_beyond_reading_is_refused_in_words(
    served: tuple[Access, type[_Server]], tmp_path: Path
) -> None:
    access, server = served
    server.behave = lambda self, *_: self.send(200, b'{"orgs": ' + b"[" * 200_000) or True  # type: ignore
    with pytest.raises(SourceError, match="no OneRoster page"):
        _pull(access, tmp_path)


def test_a_record_that_is_nested_beyond_reading_is_set_aside(served: tuple[Access, type[_Server]], tmp_path: Path) -> None:
    access, server = served
    deep = b'{"orgs": [{"sourcedId": "a", "parent": ' + b"[" * 200_000 + b"]" * 200_000 + b"}]}"
    server.behave = lambda self, _, offset: self.send(200, b'{"orgs": []}' if offset else deep) or True  # type: ignore
    ids, _, snapshot = _pull(access, tmp_path)
    assert (ids, list(snapshot.unreadable()["sourced_id"])) == (["a"], ["a"])
