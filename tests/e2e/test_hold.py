"""Forty per cent of one school vanish: the archive waits for a person in a live Airflow, and everything else is done."""

from __future__ import annotations

from typing import Any

import pytest

from stack.demo import DAG_ID
from tests.e2e.live import Live

SCHOOLS = ("school-1", "school-2", "school-3")


def active_students(live: Live) -> dict[str, int]:
    query = "select count(*) from directory.people where role = 'student' and status = 'active' and school_ids[1] = %s"
    return {school: live.rows(query, school)[0][0] for school in SCHOOLS}


def history(live: Live, run_id: str) -> tuple[str, dict[str, int], Any]:
    state, counts, reason = live.rows("select state, counts, reason from directory.sync_runs where run_id = %s", run_id)[0]
    return state, counts["people"]["student"], reason


@pytest.mark.parametrize("option", ["Reject", "Approve"])
def test_a_mass_archive_waits_for_an_answer(option: str, live: Live) -> None:
    words = "Waiting for you"
    told, results = len(live.mails(words)), len(live.mails("roster sync"))
    before = active_students(live)
    leaving = before["school-1"] * 40 // 100
    live.faults(gone_school="school-1", gone_percent=40)
    run_id = live.trigger(send_email=True)
    live.parked(run_id)
    state, counts, _ = history(live, run_id)
    assert state == "held" and abs(counts["archive_held"] - leaving) <= 3
    assert active_students(live) == before

    (action,) = live.api._call("GET", f"dags/{DAG_ID}/dagRuns/{run_id}/hitlDetails")["hitl_details"]
    assert action["subject"].startswith(f"{counts['archive_held']} people would be archived")
    assert f"| student | {counts['archive_held']} | {before['school-1']} |" in action["body"]

    assert len(live.mails(words)) == told + 1

    live.answer(run_id, option)
    assert live.ended(run_id) == "success"
    state, after, reason = history(live, run_id)
    archived = counts["archive_held"] if option == "Approve" else 0
    # The missing students' enrollments are still sent: those are errors of the SIS.
    assert (state, after["archived"]) == (("completed_with_errors", archived) if archived else ("held", 0))
    assert active_students(live) == before | {"school-1": before["school-1"] - archived}

    # One mail asked, one tells how it ended; the second has no question any more.
    every = live.mails("roster sync")
    assert len(every) == results + 2 and len(live.mails(words)) == told + 1
    assert ("Done, with problems" if archived else "Archives held back") in every[-1]["subject"]
    if not archived:
        assert reason == f"{counts['archive_held']} archives were rejected; these people stay active."

    live.faults()
    run_id = live.trigger()
    assert live.ended(run_id) == "success"
    assert active_students(live) == before
    assert history(live, run_id)[1]["restored"] == archived
