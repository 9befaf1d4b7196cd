"""Every way a server is known to misbehave, with what a pull from it has to end as: the rows of docs/faults.md."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from include.mingasync.errors import MingaSyncError
from include.mingasync.oneroster import rest
from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.read import read_collection
from include.mingasync.rosters.grades import grade_code
from include.mingasync.snapshot import Proof, Snapshot
from include.rehearsal.faults import Faults
from include.rehearsal.running import Running, running
from include.rehearsal.server import CLIENT_ID, CLIENT_SECRET, application
from tests.unit.oneroster.bundles import district

#: The day of the rehearsal district, so that its numbers are the same on every day.
TODAY = dt.date(2026, 11, 24)
HEAD = """# What a misbehaving server does to a night

Each row is one fault of a OneRoster server, tried by the tests against the rehearsal server: one pull of a collection with the fault, next to
one without. "Equal" is row for row. An incomplete pull archives nobody and takes nobody off a list; a refusal changes nothing at all.
Made from the tests by `python -m tests.integration.oneroster.faulty > docs/faults.md`.

"""


@dataclass(frozen=True)
class Case:
    """A fault: what the server does, the collection it is tried on, how the pull ends, and words that its reason has.

    `or_reason` are words that the reason may have instead where many requests are under way at once: which page is answered
    first is then a matter of chance.
    """

    words: str
    faults: Faults
    ends: str = "equal"
    reason: str = ""
    collection: str = "users"
    retries: bool = False
    or_reason: str = ""


CASES = (
    Case("answers no more than 37 rows, whatever is asked", Faults(clamp=37)),
    Case("the same, and sends neither a total nor a Link", Faults(clamp=37, no_total=True, no_link=True)),
    Case("sends no total", Faults(no_total=True)),
    Case("sends a total that is too small", Faults(wrong_total=-150)),
    Case("sends a total that is too large", Faults(wrong_total=50), "incomplete", "of 523 that the server announced"),
    Case("sends a Link without scheme and host", Faults(relative_link=True)),
    Case("sends no Link", Faults(no_link=True)),
    Case("stops sending a next Link though rows remain", Faults(link_ends_at=100)),
    Case("answers 404 after the last row", Faults(empty_status=404)),
    Case("answers 204 after the last row", Faults(empty_status=204)),
    Case("lists every 50th row twice itself", Faults(repeat_every=50)),
    Case("repeats a row of each page, which is one row longer", Faults(row_too_many=True)),
    Case("sends the length of the page for the total", Faults(total_says="page")),
    Case("sends a total of a hundred thousand million", Faults(total_says="99999999999"), "incomplete", "of 99999999999 that"),
    Case("sends a total that is negative", Faults(total_says="-5")),
    Case("answers 404 once amid the rows, and sends no total", Faults(empty_once_at=150, empty_status=404, no_total=True), retries=True),
    Case("answers 204 once amid the rows, and sends no total", Faults(empty_once_at=150, empty_status=204, no_total=True), retries=True),
    Case("answers an empty page once amid the rows, and sends no total", Faults(empty_once_at=150, no_total=True), retries=True),
    Case("refuses more than 40 rows with 400", Faults(largest_limit=40)),
    Case("refuses more than 40 rows with 422", Faults(largest_limit=40, largest_limit_status=422)),
    Case("refuses more than 40 rows with 413", Faults(largest_limit=40, largest_limit_status=413)),
    Case("moves its first row to the end while it is read", Faults(shift="rotate", shift_times=1)),
    Case(
        "moves rows to the end on and on",
        Faults(shift="rotate", shift_times=10_000, shift_rows=3),
        "incomplete",
        "rows came twice",
        or_reason="that the server announced",
    ),
    Case("gets a new row at its head while it is read", Faults(shift="insert", shift_times=1), "complete with the newer data", "", "classes"),
    Case("loses its first row while it is read", Faults(shift="remove", shift_times=1), "complete with the newer data", "", "classes"),
    Case("gives tokens that live a second", Faults(token_seconds=1, delay_ms=300)),
    Case("ends the token when half of the rows are out", Faults(token_dies_at_percent=50)),
    Case("ends the token when half of the rows are out, and says so with 403", Faults(token_dies_at_percent=50, ended_token_status=403)),
    Case("wants id and secret in the body, and says so with 422", Faults(credentials="body", credentials_status=422)),
    Case("answers the first page 401, once", Faults(unauthorized_once=True)),
    Case("answers every 4th request 429 with seconds to wait", Faults(busy_every=4, retry_after=0), retries=True),
    Case("answers every 4th request 429 with a date to wait for", Faults(busy_every=4, retry_after=0, retry_after_date=True), retries=True),
    Case("answers every request 429", Faults(busy_every=1, retry_after=0), "refused", "failed 6 times, last with status 429"),
    Case("answers every 3rd request 503", Faults(broken_every=3), retries=True),
    Case("answers every 3rd request 500", Faults(broken_every=3, broken_status=500), retries=True),
    Case("answers every request 502", Faults(broken_every=1, broken_status=502), "refused", "failed 6 times, last with status 502"),
    Case("resets every 3rd connection before it answers", Faults(reset_every=3), retries=True),
    Case("resets every 3rd connection amid the body", Faults(reset_every=3, reset_where="body"), retries=True),
    Case("is slow", Faults(delay_ms=150)),
    Case("cuts every 3rd body short", Faults(malformed_every=3), retries=True),
    Case("answers every 3rd request with an HTML page and status 200", Faults(html_every=3), retries=True),
    Case("answers only HTML pages", Faults(html_every=1), "refused", "no OneRoster page"),
    Case("refuses users with 403", Faults(not_shared="users"), "refused", "does not share users (not shared (status 403))"),
    Case("refuses classes with 401", Faults(not_shared="classes", not_shared_status=401), "absent", "status 401", "classes"),
    Case("refuses classes with 403", Faults(not_shared="classes"), "absent", "status 403", "classes"),
    Case("has no classes: 404", Faults(not_shared="classes", not_shared_status=404), "absent", "status 404", "classes"),
    Case("has no orgs, only schools", Faults(not_shared="orgs", not_shared_status=404), "without the district", "", "orgs"),
    Case("has no academicSessions, only terms", Faults(not_shared="academicSessions", not_shared_status=404),
         "without the school year", "", "academicSessions"),
    Case("has no users, only students and teachers", Faults(not_shared="users", not_shared_status=404), "incomplete", "who else there is"),
    Case("sends on to another address", Faults(sends_to="http://127.0.0.1:9/"), "refused", "sends on to 127.0.0.1 (status 307)"),
    Case("sends a gzip of 200 megabytes", Faults(bomb_megabytes=200), "refused", "more than 64 MiB, however few rows"),
    Case("sends users under another key", Faults(other_envelope=True)),
    Case("sends a bare list", Faults(bare_list=True)),
    Case("sends a byte order mark", Faults(bom=True)),
    Case("sends a grade as text", Faults(grades_as_text=True)),
    Case("sends grades in words", Faults(grade_words=True), "equal once grades are read"),
    Case("sends roles in mixed case", Faults(mixed_case_roles=True), "equal but for the case of roles"),
    Case("sends null for every empty field", Faults(nulls=True)),
    Case("sends JSON booleans for yes and no", Faults(json_booleans=True)),
    Case("sends bare ids for links", Faults(plain_ids=True)),
    Case("sends bare ids for links", Faults(plain_ids=True), collection="enrollments"),
)  # fmt: skip


def pull(
    server: Running,
    collection: str,
    folder: Path,
    run: str = "run",
    *,
    page_size: int = 100,
    parallel: int = 4,
    version: str = "1.2",
) -> tuple[pa.Table, Proof]:
    """The rows of a collection as they are in a snapshot, and its proof."""
    access = Access.from_connection(
        host=server.root(version), login=CLIENT_ID, password=CLIENT_SECRET, extra={"token_url": server.token_url}
    )
    own = district(source="rest", url=None, version=version, page_size=page_size, max_parallel_requests=parallel)
    snapshot = Snapshot.of(str(folder), "maple", run)
    proof = read_collection(collection, own, access, snapshot, parents=False)
    return snapshot.table(collection), proof


def tried(case: Case, server: Running, folder: Path, parallel: int) -> tuple[str, str, int]:
    """How a pull with the fault ended, with its reason, and the requests that were tried again."""
    server.sis.faults = Faults()
    clean, whole = pull(server, case.collection, folder, "clean")
    assert whole.state == "complete"
    server.sis.faults = case.faults
    try:
        rows, proof = pull(server, case.collection, folder, parallel=parallel)
    except MingaSyncError as refusal:
        return "refused", str(refusal), 0
    if proof.state != "complete":
        return proof.state, proof.reason or "", proof.retries
    return _compared(rows, clean), "", proof.retries


def _compared(rows: pa.Table, clean: pa.Table) -> str:
    came, expected = _by_id(rows), _by_id(clean)
    if came == expected:
        return "equal"
    types = {row.get("type") for key, row in expected.items() if key not in came}
    if came.keys() < expected.keys() and types in ({"district"}, {"schoolYear"}):
        return "without the district" if types == {"district"} else "without the school year"
    if came.keys() != expected.keys():
        return "complete with the newer data" if abs(len(came) - len(expected)) == 1 else "other rows"
    if _changed(came, "roles", str.lower) == _changed(expected, "roles", str.lower):
        return "equal but for the case of roles"
    if _changed(came, "grades", grade_code) == _changed(expected, "grades", grade_code):
        return "equal once grades are read"
    return "other values"


def _by_id(table: pa.Table) -> dict[str, dict[str, Any]]:
    return {row["sourced_id"]: row for row in table.to_pylist()}


def _changed(rows: Mapping[str, dict[str, Any]], column: str, how: Any) -> dict[str, dict[str, Any]]:
    return {key: row | {column: [how(one) for one in row[column]]} for key, row in rows.items()}


def as_markdown(outcomes: Sequence[tuple[Case, str, str, int]]) -> str:
    """The table for people."""
    lines = ["| the server | tried on | the pull ends | reason | requests tried again |", "| --- | --- | --- | --- | --- |"]
    for case, ends, reason, retries in outcomes:
        lines.append(f"| {case.words} | {case.collection} | {ends} | {reason.replace('|', '/')} | {retries} |")
    return "\n".join(lines)


def outcomes() -> list[tuple[Case, str, str, int]]:
    """Every case tried with one request at a time, so that what is tried again is the same each time."""
    with (
        pytest.MonkeyPatch.context() as patch,
        running(application(students=300, today=TODAY)) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        patch.setattr(rest, "_backoff", lambda _: 0.01)
        return [(case, *tried(case, server, Path(folder), 1)) for case in CASES]


if __name__ == "__main__":
    import sys

    sys.stdout.write(HEAD + as_markdown(outcomes()) + "\n")
