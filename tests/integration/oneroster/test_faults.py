"""Whatever the server does: the end state equals a clean pull, or is refused or incomplete with the
reason.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from include.mingasync.errors import SourceError
from include.mingasync.oneroster import rest
from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.read import read_collection
from include.mingasync.oneroster.records import COLUMNS
from include.mingasync.snapshot import Proof, Snapshot
from include.rehearsal.collections import read_collections
from include.rehearsal.server import Faults, Sis, application
from tests.unit.oneroster.bundles import SAMPLES, district

_ROOTS = {"1.1": "/ims/oneroster/v1p1", "1.2": "/ims/oneroster/rostering/v1p2"}


@contextlib.contextmanager
def _served(**options: Any) -> Iterator[tuple[str, Sis]]:
    """A rehearsal server over a real socket: its address and its state."""
    app = application(**options)
    own = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [own]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{own.getsockname()[1]}", app.state.sis
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[tuple[str, Sis]]:
    with _served(students=300) as served:
        yield served


@pytest.fixture(scope="module")
def grandbend() -> Iterator[tuple[str, Sis]]:
    with _served(district=read_collections(SAMPLES / "edfi-grandbend-1p2-json")) as served:
        yield served


def _pull(
    base: str,
    collection: str,
    folder: Path,
    run: str = "run",
    *,
    page_size: int = 100,
    parallel: int = 4,
    version: str = "1.2",
) -> tuple[list[dict[str, Any]], Proof]:
    extra = {"token_url": f"{base}/token"}
    access = Access.from_connection(host=base + _ROOTS[version], login="rehearsal", password="rehearsal-secret", extra=extra)
    own = district(source="rest", url=None, version=version, page_size=page_size, max_parallel_requests=parallel)
    snapshot = Snapshot.of(str(folder), "maple", run)
    proof = read_collection(collection, own, access, snapshot, parents=False)
    return snapshot.table(collection).to_pylist(), proof


_SURVIVED: dict[str, Faults] = {
    "pages clamped": Faults(clamp=37),
    "clamped without a total": Faults(clamp=37, no_total=True),
    "no total": Faults(no_total=True),
    "total too small": Faults(wrong_total=-150),
    "busy": Faults(busy_every=4, retry_after=0),
    "broken": Faults(broken_every=5),
    "tokens of a second": Faults(token_seconds=1, delay_ms=150),
}


@pytest.mark.parametrize("parallel", [1, 4])
@pytest.mark.parametrize("fault", _SURVIVED)
def test_a_fault_that_passes_leaves_the_pull_equal_to_a_clean_one(
    fault: str, parallel: int, rehearsal: tuple[str, Sis], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "_backoff", lambda _: 0.01)
    base, sis = rehearsal
    sis.faults = Faults()
    expected, _ = _pull(base, "users", tmp_path, "clean", parallel=1)
    sis.faults = _SURVIVED[fault]
    rows, proof = _pull(base, "users", tmp_path, parallel=parallel)
    assert rows == expected
    assert (proof.state, proof.reason) == ("complete", None)
    assert proof.retries > 0 or fault not in ("busy", "broken")


@pytest.mark.parametrize(
    ("faults", "collection", "ends"),
    [
        (Faults(wrong_total=50), "users", ("incomplete", "that the server announced")),
        (Faults(not_shared="classes"), "classes", ("absent", "status 403")),
        (Faults(empty="classes"), "classes", ("complete", "")),
        (Faults(shrink_percent=60), "enrollments", ("complete", "")),
    ],
)
def test_a_fault_that_stays_is_written_into_the_proof(
    faults: Faults, collection: str, ends: tuple[str, str], rehearsal: tuple[str, Sis], tmp_path: Path
) -> None:
    base, sis = rehearsal
    state, reason = ends
    sis.faults = Faults()
    expected, _ = _pull(base, collection, tmp_path, "clean")
    sis.faults = faults
    rows, proof = _pull(base, collection, tmp_path)
    assert rows == expected[: len(rows)]
    assert proof.state == state
    assert reason in (proof.reason or "")


def test_what_no_sync_can_do_without_is_refused(rehearsal: tuple[str, Sis], tmp_path: Path) -> None:
    base, sis = rehearsal
    sis.faults = Faults(not_shared="users")
    with pytest.raises(SourceError, match="does not share users"):
        _pull(base, "users", tmp_path)


@pytest.mark.parametrize("collection", COLUMNS)
def test_1p1_and_1p2_of_one_district_are_the_same_size(collection: str, rehearsal: tuple[str, Sis], tmp_path: Path) -> None:
    base, sis = rehearsal
    sis.faults = Faults()
    older, _ = _pull(base, collection, tmp_path, "1.1", version="1.1")
    newer, _ = _pull(base, collection, tmp_path, "1.2")
    assert [row["sourced_id"] for row in older] == [row["sourced_id"] for row in newer]


@pytest.mark.parametrize("page_size", [100, 1000, 5000])
def test_the_ed_fi_district_is_whole_whatever_page_is_asked(page_size: int, grandbend: tuple[str, Sis], tmp_path: Path) -> None:
    base, sis = grandbend
    sis.faults = Faults(clamp=500, no_total=True, busy_every=100, token_seconds=6)
    users, of_users = _pull(base, "users", tmp_path, page_size=page_size)
    enrollments, of_enrollments = _pull(base, "enrollments", tmp_path, page_size=page_size)
    assert len(users) + of_users.left_out_parents == 2_893
    assert len(enrollments) == 12_048
    assert {of_users.state, of_enrollments.state} == {"complete"}
