"""Forty per cent of one school vanish: the archive waits for a person in a live Airflow, and everything else is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import requests

from stack.airflow_api import AirflowApi
from stack.demo import DAG_ID
from stack.environment import database
from stack.home import Home

pytestmark = pytest.mark.usefixtures("demo_output")
SECONDS = 120


@pytest.fixture
def directory(live_stack: Home) -> Iterator[Any]:
    with psycopg.connect(database(live_stack).dsn("roster", "roster"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def api(live_stack: Home) -> AirflowApi:
    return AirflowApi.of(live_stack)


@pytest.fixture
def missing(live_stack: Home) -> Iterator[Callable[[int], None]]:
    """Lets so many per cent of the first school's students vanish from the SIS."""

    def vanish(percent: int) -> None:
        address = f"http://127.0.0.1:{live_stack.ports['sis'].given}/rehearsal/faults"
        faults = {"gone_school": "school-1", "gone_percent": percent}
        requests.put(address, json=faults, timeout=30, proxies={"http": ""}).raise_for_status()

    yield vanish
    vanish(0)


def until(what: Callable[[], Any]) -> Any:
    """The first true answer, asked for until it comes."""
    deadline = time.monotonic() + SECONDS
    while not (answer := what()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.5)
    return answer


def mails(home: Home, words: str) -> list[dict[str, Any]]:
    """The mails with these words in their subject, the oldest first."""
    every = requests.get(f"http://127.0.0.1:{home.ports['mails'].given}/mails.json", timeout=30, proxies={"http": ""}).json()
    return [mail for mail in sorted(every, key=lambda one: one["number"]) if words in mail["subject"]]


def waiting(api: AirflowApi, run_id: str) -> bool:
    return any(t["task_id"] == "approve" and t["state"] == "awaiting_input" for t in api.tasks(DAG_ID, run_id))


def answer(api: AirflowApi, run_id: str, option: str) -> None:
    time.sleep(3)  # an answer within a second of the parking fails the task: nobody is as quick, a test is
    path = f"dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"
    api._call("PATCH", path, {"chosen_options": [option], "params_input": {}})


def ended(api: AirflowApi, run_id: str) -> str:
    return str(until(lambda: (state := api.run(DAG_ID, run_id)["state"]) in ("success", "failed") and state))


def active_students(directory: Any, school: str) -> int:
    query = "select count(*) from directory.people where role = 'student' and status = 'active' and school_ids[1] = %s"
    return int(directory.execute(query, (school,)).fetchone()[0])


def history(directory: Any, run_id: str) -> tuple[str, dict[str, int]]:
    row = directory.execute("select state, counts from directory.sync_runs where run_id = %s", (run_id,)).fetchone()
    return row[0], row[1]["people"]["student"]


@pytest.mark.parametrize("option", ["Reject", "Approve"])
def test_a_mass_archive_waits_for_an_answer(
    option: str, api: AirflowApi, directory: Any, missing: Callable[[int], None], live_stack: Home
) -> None:
    words = "Waiting for you"
    told = len(mails(live_stack, words))
    results = len(mails(live_stack, "roster sync"))
    before = {school: active_students(directory, school) for school in ("school-1", "school-2", "school-3")}
    leaving = before["school-1"] * 40 // 100
    missing(40)
    run_id = api.trigger(DAG_ID, {"send_email": True})
    until(lambda: waiting(api, run_id))
    state, counts = history(directory, run_id)
    assert state == "held" and abs(counts["archive_held"] - leaving) <= 3
    assert active_students(directory, "school-1") == before["school-1"]

    (action,) = api._call("GET", f"dags/{DAG_ID}/dagRuns/{run_id}/hitlDetails")["hitl_details"]
    assert action["subject"].startswith(f"{counts['archive_held']} people would be archived")
    assert f"| student | {counts['archive_held']} | {before['school-1']} |" in action["body"]

    assert len(mails(live_stack, words)) == told + 1

    answer(api, run_id, option)
    assert ended(api, run_id) == "success"
    state, after = history(directory, run_id)
    archived = counts["archive_held"] if option == "Approve" else 0
    # The missing students' enrollments are still sent: those are errors of the SIS.
    assert (state, after["archived"]) == (("completed_with_errors", archived) if archived else ("held", 0))
    assert active_students(directory, "school-1") == before["school-1"] - archived
    assert active_students(directory, "school-2") == before["school-2"]

    # One mail asked, one tells how it ended; the second has no question any more.
    every = mails(live_stack, "roster sync")
    assert len(every) == results + 2 and len(mails(live_stack, words)) == told + 1
    assert ("Done, with problems" if archived else "Archives held back") in every[-1]["subject"]
    reason = directory.execute("select reason from directory.sync_runs where run_id = %s", (run_id,)).fetchone()[0]
    if not archived:
        assert reason == f"{counts['archive_held']} archives were rejected; these people stay active."

    missing(0)
    run_id = api.trigger(DAG_ID, {})
    assert ended(api, run_id) == "success"
    assert {school: active_students(directory, school) for school in before} == before
    assert history(directory, run_id)[1]["restored"] == archived
