"""Reading a big district over REST, against only fetching the same bytes and against what the server's delay allows."""

from __future__ import annotations

import asyncio
import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import accumulate, repeat
from pathlib import Path
from typing import Any

import requests
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.big import TODAY
from include.mingasync.district import District
from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.read import read_collection
from include.mingasync.oneroster.records import READING_ORDER
from include.mingasync.snapshot import Snapshot
from include.rehearsal.district import build

_ROOT = "/ims/oneroster/v1p1"
_PAGE, _THREADS, _DELAY = 1_000, 8, 0.2


def rendered(folder: Path, students: int, schools: int) -> Path:
    """The folder with every collection as JSON records one after another, and where each begins."""
    made = folder / "json"
    if not (made / "done").exists():
        made.mkdir(parents=True, exist_ok=True)
        district = build(students=students, schools=schools, today=TODAY)
        for name in READING_ORDER:
            records = [json.dumps(record).encode() for record in getattr(district, name)]
            starts = list(accumulate((len(record) + 1 for record in records), initial=0))
            (made / f"{name}.starts").write_text(json.dumps(starts))
            (made / f"{name}.json").write_bytes(b",".join(records))
        (made / "done").touch()
    return made


def serve(made: Path, port_file: Path, delay: float) -> None:
    """Serve the rendered records on a loopback port that is written to a file, each page after the delay in seconds."""
    content = {name: (made / f"{name}.json").read_bytes() for name in READING_ORDER}
    starts = {name: json.loads((made / f"{name}.starts").read_text()) for name in READING_ORDER}

    async def page(request: Request) -> Response:
        name = request.path_params["collection"]
        count = len(starts[name]) - 1
        first = min(int(request.query_params["offset"]), count)
        last = min(first + int(request.query_params["limit"]), count)
        if delay:
            await asyncio.sleep(delay)
        records = content[name][starts[name][first] : max(starts[name][last] - 1, 0)] if last > first else b""
        body = b'{"%s":[%s]}' % (name.encode(), records)
        return Response(body, media_type="application/json", headers={"X-Total-Count": str(count)})

    app = Starlette(routes=[Route(f"{_ROOT}/{{collection}}", page)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", access_log=False))

    def tell() -> None:
        while not server.started:
            time.sleep(0.05)
        port_file.write_text(str(server.servers[0].sockets[0].getsockname()[1]))

    threading.Thread(target=tell, daemon=True).start()
    server.run()


def fetch(port: int) -> None:
    """Fetch every page by 8 threads with ``requests``, and throw it away."""
    own = threading.local()

    def get(name: str, offset: int) -> int:
        if not hasattr(own, "session"):
            own.session = requests.Session()
        answer = own.session.get(f"http://127.0.0.1:{port}{_ROOT}/{name}", params={"limit": _PAGE, "offset": offset})
        return int(answer.headers["X-Total-Count"])

    _every_page(get)


def sockets(port: int) -> None:
    """The same by the standard library's client, which is as bare as Python gets."""
    own = threading.local()

    def get(name: str, offset: int) -> int:
        if not hasattr(own, "connection"):
            own.connection = http.client.HTTPConnection("127.0.0.1", port)
        own.connection.request("GET", f"{_ROOT}/{name}?limit={_PAGE}&offset={offset}")
        answer = own.connection.getresponse()
        answer.read()
        return int(answer.headers["X-Total-Count"])

    _every_page(get)


def _every_page(get: Callable[[str, int], int]) -> None:
    with ThreadPoolExecutor(_THREADS) as threads:
        for name in READING_ORDER:
            list(threads.map(get, repeat(name), range(_PAGE, get(name, 0), _PAGE)))


def extract(port: int) -> None:
    """Extract every collection into a snapshot as the tasks of a night do."""
    district = District.model_validate(
        {
            "slug": "bench",
            "name": "Bench",
            "timezone": "UTC",
            "contact": {"name": "Bench", "email": "bench@example.org"},
            "sis": {"name": "generic", "source": "rest", "version": "1.1", "page_size": _PAGE, "max_parallel_requests": _THREADS},
        }
    )
    access = Access(f"http://127.0.0.1:{port}{_ROOT}", client_secret="token", auth="bearer")
    with tempfile.TemporaryDirectory() as folder:
        for name in READING_ORDER:
            proof = read_collection(name, district, access, Snapshot(folder), parents=True)
            if proof.state != "complete":
                raise SystemExit(f"{name} is {proof.state}: {proof.reason}")


@contextmanager
def _server(made: Path, delay: float) -> Iterator[int]:
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "port"
        command = [sys.executable, "-m", "bench.reading", "serve", str(made), str(told), str(delay)]
        with subprocess.Popen(command) as process:
            try:
                while not told.exists() or not told.read_text():
                    time.sleep(0.1)
                yield int(told.read_text())
            finally:
                process.terminate()


def _measured(what: str, port: int) -> tuple[float, float]:
    """Seconds and megabytes at the peak of one piece of work in a process of its own, imports not counted."""
    command = [sys.executable, "-m", "bench.reading", what, str(port)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(said[0]), float(said[1])


def measure(folder: Path, students: int, schools: int) -> dict[str, Any]:
    """The figures: seconds to fetch, to extract, to extract with delay, what the delay alone takes, and peak megabytes."""
    made = rendered(folder, students, schools)
    counts = {name: len(json.loads((made / f"{name}.starts").read_text())) - 1 for name in READING_ORDER}
    pages = sum(-(-count // _PAGE) for count in counts.values())
    with _server(made, 0) as port:
        _measured("fetch", port)
        fetched = min(_measured("fetch", port)[0] for _ in range(3))
        bare = min(_measured("sockets", port)[0] for _ in range(3))
        extracted = min(_measured("extract", port) for _ in range(3))
    with _server(made, _DELAY) as port:
        delayed = _measured("extract", port)
    return {
        "rows": sum(counts.values()),
        "pages": pages,
        "megabytes": sum((made / f"{name}.json").stat().st_size for name in READING_ORDER) / 1e6,
        "fetch": fetched,
        "sockets": bare,
        "extract": extracted[0],
        "peak": max(extracted[1], delayed[1]),
        "delayed": delayed[0],
        "ideal": pages * _DELAY / _THREADS,
    }


def main() -> None:
    """One piece of the bench in this process; ``python -m bench reading`` runs them all."""
    what, *more = sys.argv[1:]
    if what == "serve":
        serve(Path(more[0]), Path(more[1]), float(more[2]))
        return
    began = time.perf_counter()
    {"fetch": fetch, "sockets": sockets, "extract": extract}[what](int(more[0]))
    took = time.perf_counter() - began
    # Not getrusage: that still holds the peak of the process which this one was forked from.
    peak = next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    sys.stdout.write(f"{took} {int(peak) / 1024}\n")


if __name__ == "__main__":
    main()
