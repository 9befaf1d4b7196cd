"""Servers that page in every way that was seen or can be thought of, and what a pull from each has to end as.

The rows of the table in docs/reading.md: ``python -m tests.integration.oneroster.pagers`` prints it.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from include.mingasync.errors import MingaSyncError
from include.mingasync.oneroster import rest
from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.read import read_collection
from include.mingasync.snapshot import Snapshot
from tests.unit.oneroster.bundles import district

BEGIN, END = "<!-- made by tests.integration.oneroster.pagers -->", "<!-- end -->"
ROWS, PAGE = 950, 100
Rows = list[str]


@dataclass
class Pager:
    """A server's memory: its rows, in its order, and how often each place was asked."""

    rows: Rows = field(default_factory=lambda: [f"u{number:04}" for number in range(ROWS)])
    asked: Counter[int] = field(default_factory=Counter)
    answered: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    #: every row that was there at any time of the reading
    ever: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.ever.update(self.rows)


@dataclass(frozen=True)
class Said:
    """An answer: rows, status, and the total that its header says, if any."""

    rows: Sequence[str] = ()
    status: int = 200
    total: object = None


#: What a server answers to an offset and a limit.
Behaviour = Callable[[Pager, int, int], Said]


@dataclass(frozen=True)
class Case:
    """A way of paging: how the pull ends without and with a total that is right, and whether every row comes."""

    words: str
    behave: Behaviour
    without: str
    with_total: str | None = None
    #: what the server's own data are, where they are not its rows
    lacking: frozenset[str] = frozenset()
    whole: bool = True


def plain(pager: Pager, offset: int, limit: int) -> Said:
    """Rows by offset and limit, as OneRoster says."""
    return Said(pager.rows[offset : offset + limit])


def _clamped(pager: Pager, offset: int, limit: int) -> Said:
    return plain(pager, offset, min(limit, 37))


def _passing(status: int, at: int = 300, times: int = 1) -> Behaviour:
    """Nothing, so many times, where a page lies at or just before a row."""

    def behave(pager: Pager, offset: int, limit: int) -> Said:
        if at - limit < offset <= at and pager.answered <= at // limit + 2 and pager.asked[-1] < times:
            pager.asked[-1] += 1
            return Said(status=status)
        return plain(pager, offset, limit)

    return behave


def _past_the_end(status: int) -> Behaviour:
    return lambda pager, offset, limit: plain(pager, offset, limit) if offset < len(pager.rows) else Said(status=status)


def _hole(status: int) -> Behaviour:
    """Nothing for pages that begin in a stretch, for good."""
    return lambda pager, offset, limit: Said(status=status) if 280 <= offset < 420 else plain(pager, offset, limit)


def _broken_stretch(pager: Pager, offset: int, limit: int) -> Said:
    """Rows up to a stretch that never comes, and after it."""
    return Said([row for n, row in enumerate(pager.rows[offset : offset + limit], offset) if not 300 <= n < 450])


def _row_too_many(pager: Pager, offset: int, limit: int) -> Said:
    """A page that repeats its second row is one row longer than asked."""
    rows = pager.rows[offset : offset + limit]
    return Said([*rows[:2], *rows[1:]]) if len(rows) > 2 else Said(rows)


def _row_pushed_out(pager: Pager, offset: int, limit: int) -> Said:
    """A page that repeats its second row, and loses its last for it."""
    rows = pager.rows[offset : offset + limit]
    return Said([*rows[:2], *rows[1:]][:limit]) if len(rows) > 2 else Said(rows)


def _more_than_asked(pager: Pager, offset: int, limit: int) -> Said:
    return plain(pager, offset, max(limit, 250))


def _pages_for_offsets(pager: Pager, offset: int, limit: int) -> Said:
    return plain(pager, offset * limit, limit)


def _aligned(pager: Pager, offset: int, limit: int) -> Said:
    return plain(pager, offset // limit * limit, limit)


def _aligned_and_clamped(pager: Pager, offset: int, limit: int) -> Said:
    return plain(pager, offset // limit * limit, min(limit, 40))


def _ignores_the_offset(pager: Pager, offset: int, limit: int) -> Said:
    return plain(pager, 0, limit)


def _last_page_on_and_on(pager: Pager, offset: int, limit: int) -> Said:
    return plain(pager, min(offset, len(pager.rows) - limit), limit)


def _listed_twice(pager: Pager, offset: int, limit: int) -> Said:
    """The SIS's own list has 18 rows twice, next to each other or far apart."""
    if len(pager.rows) == ROWS:
        pager.rows = [row for n, row in enumerate(pager.rows) for row in [row] * (1 + (n % 100 in (99, 0)))]
    return plain(pager, offset, limit)


def _hidden_after_paging(pager: Pager, offset: int, limit: int) -> Said:
    """Every third row is left out after the page was cut."""
    return Said([row for n, row in enumerate(pager.rows[offset : offset + limit], offset) if n % 3])


def _one_goes(pager: Pager, offset: int, limit: int) -> Said:
    """The first row goes after three answers."""
    if pager.answered == 3:
        pager.rows = pager.rows[1:]
    return plain(pager, offset, limit)


def _one_comes(pager: Pager, offset: int, limit: int) -> Said:
    if pager.answered == 3:
        pager.rows = ["new", *pager.rows]
        pager.ever.add("new")
    return plain(pager, offset, limit)


def _one_goes_and_one_comes(pager: Pager, offset: int, limit: int) -> Said:
    """The first row goes and another comes last, after three answers: the total stays the same."""
    if pager.answered == 3:
        pager.rows = [*pager.rows[1:], "new"]
        pager.ever.add("new")
    return plain(pager, offset, limit)


def _goes_on_and_on(pager: Pager, offset: int, limit: int) -> Said:
    """Three rows move from the head to the end with every answer."""
    pager.rows = [*pager.rows[3:], *pager.rows[:3]]
    return plain(pager, offset, limit)


def _said(total: Callable[[Said, int, int, Pager], object]) -> Behaviour:
    def behave(pager: Pager, offset: int, limit: int) -> Said:
        said = plain(pager, offset, limit)
        return Said(said.rows, said.status, total(said, offset, limit, pager))

    return behave


GONE = frozenset({"u0000"})
CASES = (
    Case("pages as asked", plain, "complete"),
    Case("clamps to 37 rows", _clamped, "complete"),
    Case("404 past the end", _past_the_end(404), "complete"),
    Case("204 past the end", _past_the_end(204), "complete"),
    Case("400 past the end", _past_the_end(400), "complete"),
    Case("404 once, amid the rows", _passing(404), "complete"),
    Case("204 once, amid the rows", _passing(204), "complete"),
    Case("an empty page once, amid the rows", _passing(200), "complete"),
    Case("an empty page twice, amid the rows", _passing(200, times=2), "complete"),
    Case("an empty page once, at the first row", _passing(200, at=0), "complete"),
    Case("404 for pages that begin in a stretch, for good", _hole(404), "incomplete", whole=False),
    Case("an empty page for pages that begin in a stretch, for good", _hole(200), "incomplete", whole=False),
    Case("leaves out a stretch of 150 rows", _broken_stretch, "incomplete", whole=False),
    Case("repeats a row, and the page is one row longer", _row_too_many, "complete"),
    Case("repeats a row, and loses the page's last for it", _row_pushed_out, "complete"),
    Case("sends 250 rows where 100 are asked", _more_than_asked, "complete"),
    Case("counts pages where OneRoster counts rows", _pages_for_offsets, "complete"),
    Case("rounds offsets down to whole pages", _aligned, "complete"),
    Case("rounds offsets down to whole pages, and clamps to 40 rows", _aligned_and_clamped, "complete"),
    Case("ignores the offset", _ignores_the_offset, "incomplete", whole=False),
    Case("sends the last page on and on", _last_page_on_and_on, "incomplete", "complete"),
    Case("lists rows twice itself", _listed_twice, "complete"),
    Case("hides rows after the page was cut", _hidden_after_paging, "complete", "incomplete",
         lacking=frozenset(f"u{n:04}" for n in range(0, ROWS, 3))),
    Case("loses its first row while it is read", _one_goes, "complete", lacking=GONE),
    Case("gets a row at its head while it is read", _one_comes, "complete"),
    Case("loses its first row and gets another while it is read", _one_goes_and_one_comes, "complete", lacking=GONE),
    Case("moves rows to the end on and on", _goes_on_and_on, "incomplete", whole=False),
    Case("says the page's length for the total", _said(lambda said, *_: len(said.rows)), "complete"),
    Case("says the limit for the total", _said(lambda said, offset, limit, pager: limit), "complete"),
    Case("says what is left for the total", _said(lambda said, offset, limit, pager: max(len(pager.rows) - offset, 0)), "complete"),
    Case("says a total that is too small", _said(lambda *_: 500), "complete"),
    Case("says a total that is too large", _said(lambda *_: 960), "incomplete"),
    Case("says another total each time", _said(lambda said, offset, limit, pager: 950 + pager.answered), "incomplete"),
    Case("says a negative total", _said(lambda *_: -5), "complete"),
    Case("says a total that is no number", _said(lambda *_: "²"), "complete"),
    Case("says a total of a hundred thousand million", _said(lambda *_: 99_999_999_999), "incomplete"),
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """How a pull ended: its state and reason, the ids that came, and how many requests it took."""

    state: str
    reason: str
    ids: list[str]
    requests: int
    there: frozenset[str]


def pulled(case: Case, folder: Path, *, total: bool, parallel: int, page: int = PAGE) -> Outcome:
    """A pull of users from a server that pages so."""
    pager = Pager()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            limit, offset = int(query["limit"][0]), int(query["offset"][0])
            with pager.lock:
                pager.asked[offset] += 1
                pager.answered += 1
                said = case.behave(pager, offset, limit)
                announced = said.total if said.total is not None else len(pager.rows) if total else None
            body = json.dumps({"users": [{"sourcedId": row, "role": "student"} for row in said.rows]}).encode()
            body = b"" if said.status != 200 else body
            self.send_response(said.status)
            if announced is not None:
                self.send_header("X-Total-Count", str(announced).encode().decode("latin-1"))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Silent."""

    with _serving(Handler) as root:
        access = Access.from_connection(host=root, password="token", extra={"auth": "bearer"})
        own = district(source="rest", url=None, page_size=page, max_parallel_requests=parallel)
        snapshot = Snapshot.of(str(folder), "maple", "run")
        try:
            proof = read_collection("users", own, access, snapshot, parents=False)
        except MingaSyncError as error:
            return Outcome("refused", str(error), [], pager.answered, frozenset(pager.ever))
    ids = snapshot.table("users").column("sourced_id").to_pylist()
    return Outcome(proof.state, proof.reason or "", ids, pager.answered, frozenset(pager.ever))


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def as_markdown() -> str:
    """The table for people, each case tried with one request at a time."""
    lines = ["| the server | without a total | with the right total | what is told |", "| --- | --- | --- | --- |"]
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(rest, "_backoff", lambda _: 0.0)
        for case in CASES:
            bare, counted = (pulled(case, Path(folder), total=total, parallel=1) for total in (False, True))
            own = case.behave.__qualname__.startswith("_said")
            told = bare.reason or counted.reason
            lines.append(f"| {case.words} | {bare.state} | {'' if own else counted.state} | {told} |")
    return "\n".join(lines)


if __name__ == "__main__":
    import sys

    sys.stdout.write(as_markdown() + "\n")
