"""Whatever the server does: the end state equals a clean pull, or is refused or incomplete with the reason."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.mingasync.oneroster import rest
from include.mingasync.oneroster.records import COLUMNS
from include.rehearsal.collections import read_collections
from include.rehearsal.faults import Faults
from include.rehearsal.running import Running, running
from include.rehearsal.server import CLIENT_SECRET, application
from tests.integration.oneroster.faulty import CASES, HEAD, TODAY, Case, as_markdown, outcomes, pull, tried
from tests.unit.oneroster.bundles import GRAND_BEND


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Running]:
    with running(application(students=300, today=TODAY)) as server:
        yield server


@pytest.fixture(scope="module")
def grandbend() -> Iterator[Running]:
    with running(application(district=read_collections(GRAND_BEND))) as server:
        yield server


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.words}, {case.collection}")
def test_a_fault_ends_as_it_should_also_with_many_requests_at_once(
    case: Case, rehearsal: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "_backoff", lambda _: 0.01)
    ends, reason, retries = tried(case, rehearsal, tmp_path, parallel=4)
    assert ends == case.ends
    assert case.reason in reason or (case.or_reason and case.or_reason in reason)
    assert retries > 0 or not case.retries


def test_the_table_of_faults_is_current_and_no_log_holds_a_secret_or_a_pupil(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    made = outcomes()
    written = Path(__file__).parents[3] / "docs" / "faults.md"
    assert written.read_text(encoding="utf-8") == HEAD + as_markdown(made) + "\n", "write docs/faults.md anew"
    said = "\n".join(record.getMessage() for record in caplog.records) + "\n".join(reason for _, _, reason, _ in made)
    assert "trying again" in said
    for secret in (CLIENT_SECRET, "Bearer ", "access_token", "givenName", "<html", "@", "Traceback"):
        assert secret not in said


@pytest.mark.parametrize("collection", COLUMNS)
def test_1p1_and_1p2_of_one_district_are_the_same_size(collection: str, rehearsal: Running, tmp_path: Path) -> None:
    rehearsal.sis.faults = Faults()
    older, _ = pull(rehearsal, collection, tmp_path, "1.1", version="1.1")
    newer, _ = pull(rehearsal, collection, tmp_path, "1.2")
    assert older.column("sourced_id").equals(newer.column("sourced_id"))


@pytest.mark.parametrize("page_size", [100, 500, 1000, 5000])
def test_the_ed_fi_district_is_whole_whatever_page_is_asked(page_size: int, grandbend: Running, tmp_path: Path) -> None:
    grandbend.sis.faults = Faults(clamp=500, no_total=True, no_link=True, busy_every=100, retry_after=0, token_seconds=6)
    users, of_users = pull(grandbend, "users", tmp_path, page_size=page_size)
    enrollments, of_enrollments = pull(grandbend, "enrollments", tmp_path, page_size=page_size)
    assert users.num_rows + of_users.left_out_parents == 2_893
    assert enrollments.num_rows == 12_048
    assert {of_users.state, of_enrollments.state} == {"complete"}
