"""Two nights of the rehearsal district, run through Airflow's scheduler, and a table of what each did."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
import requests

from stack import lifecycle
from stack.airflow_api import TIMEOUT, AirflowApi
from stack.environment import database
from stack.home import Home

DISTRICT = "rehearsal"
DAG_ID = f"mingasync_{DISTRICT}"
GOOD = {"success", "completed_with_errors"}
#: Faults are told of at once; these only bound what hangs, also on a busy machine.
DAG_SECONDS = 900
RUN_SECONDS = 3600
ENDED_TASKS = {"success", "failed", "skipped", "upstream_failed", "removed"}

Say = Callable[[str], None]


class DemoError(RuntimeError):
    """The demo cannot go on; the message says why and where to look."""


@dataclass(frozen=True)
class Night:
    """What one night of the demo did."""

    number: int
    run_id: str
    state: str
    counts: dict[str, Any]
    seconds: float


def run_demo(home: Home, say: Say) -> list[Night]:
    """The two nights. The demo always starts from an emptied directory and the district's first night."""
    lifecycle.start(home, say)
    api = AirflowApi.of(home)
    _wait_for_dag(api, say)
    _wait_for_quiet(api, say)
    database(home).empty_database("roster")
    api.unpause(DAG_ID)
    say("the directory is empty")
    nights = []
    for number in (1, 2):
        switch_night(home, number)
        nights.append(run_night(home, api, number, say))
    return nights


def switch_night(home: Home, number: int) -> None:
    """Let the rehearsal district's SIS show its first or second night."""
    address = f"http://127.0.0.1:{home.ports['sis'].given}/rehearsal/night"
    answer = requests.put(address, json={"night": number}, timeout=TIMEOUT, proxies={"http": ""})
    if not answer.ok:
        raise DemoError(f"The rehearsal SIS answered {answer.status_code} to PUT {address}: {answer.text[:200]}")


def run_night(home: Home, api: AirflowApi, number: int, say: Say) -> Night:
    """One night, from trigger to verdict, with a line for every task that ends."""
    run_id = api.trigger(DAG_ID, {"send_email": True})
    say(f"night {number} of the rehearsal district is triggered")
    told: set[str] = set()
    deadline = time.monotonic() + RUN_SECONDS
    while True:
        run = api.run(DAG_ID, run_id)
        for task in sorted(api.tasks(DAG_ID, run_id), key=lambda task: task["end_date"] or ""):
            name = task["task_id"]
            if task["state"] in ENDED_TASKS and name not in told:
                told.add(name)
                took = f", {task['duration']:.1f} s" if task["duration"] is not None else ""
                say(f"night {number}: {name} {task['state']}{took}")
        if run["state"] in {"success", "failed"}:
            break
        if time.monotonic() > deadline:
            raise DemoError(f"Night {number} has not ended after {RUN_SECONDS} s; look at {_grid(home, run_id)}")
        time.sleep(0.4)
    seconds = (_moment(run["end_date"]) - _moment(run["queued_at"])).total_seconds()
    state, counts = _history(home, run_id)
    if run["state"] == "failed":
        say(f"night {number} failed; look at {_grid(home, run_id)}")
        state = "failed" if state in GOOD else state
    return Night(number, run_id, state, counts, seconds)


def _history(home: Home, run_id: str) -> tuple[str, dict[str, Any]]:
    with psycopg.connect(database(home).dsn("roster", "roster")) as connection:
        if connection.execute("select to_regclass('directory.sync_runs')").fetchone() == (None,):
            return "failed", {}
        row = connection.execute(
            "select state, counts from directory.sync_runs where district = %s and run_id = %s",
            [DISTRICT, run_id],
        ).fetchone()
    return (row[0], row[1] or {}) if row else ("failed", {})


def _wait_for_dag(api: AirflowApi, say: Say) -> None:
    deadline = time.monotonic() + DAG_SECONDS
    while not api.dag_exists(DAG_ID):
        reasons = api.import_errors()
        if reasons or time.monotonic() > deadline:
            reasons = reasons or ["the DAG processor reports no import error; see its log"]
            raise DemoError(f"Airflow did not find the DAG {DAG_ID}:\n  " + "\n  ".join(reasons))
        time.sleep(0.3)
    say(f"Airflow found the DAG {DAG_ID}")


def _wait_for_quiet(api: AirflowApi, say: Say) -> None:
    # Emptying the directory under a running night would spoil it.
    deadline = time.monotonic() + RUN_SECONDS
    if running := api.unfinished_runs(DAG_ID):
        say(f"waiting for {running} unfinished run of an earlier demo")
        api.unpause(DAG_ID)
    while api.unfinished_runs(DAG_ID):
        if time.monotonic() > deadline:
            raise DemoError("An earlier run does not end. Run make down and make clean, then make demo.")
        time.sleep(1)


def _grid(home: Home, run_id: str) -> str:
    return f"{home.airflow_url}/dags/{DAG_ID}/runs/{run_id}"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def table(nights: list[Night]) -> list[str]:
    """The nights beside each other, a line for each count that any of them has."""
    rows: list[tuple[str, list[str]]] = [("", [f"night {night.number}" for night in nights])]
    flat = [dict(_flat(night.counts)) for night in nights]
    for label in dict.fromkeys(label for counts in flat for label in counts):
        if any(counts.get(label) for counts in flat):
            rows.append((label, [f"{counts.get(label, 0):,}" for counts in flat]))
    rows.append(("verdict", [night.state for night in nights]))
    rows.append(("seconds from trigger", [f"{night.seconds:.1f}" for night in nights]))
    width = max(len(label) for label, _ in rows)
    columns = [max(len(cells[i]) for _, cells in rows) for i in range(len(nights))]
    return [f"  {label:<{width}}  " + "  ".join(f"{cell:>{columns[i]}}" for i, cell in enumerate(cells)) for label, cells in rows]


def _flat(counts: dict[str, Any]) -> list[tuple[str, int]]:
    people = [
        (f"{role} {_words(what)}", number)
        for role, numbers in counts.get("people", {}).items()
        for what, number in numbers.items()
        if what != "unchanged"
    ]
    lists = [
        (f"{kind} lists {_words(what)}", number)
        for kind, numbers in counts.get("lists", {}).items()
        for what, number in numbers.items()
        if what != "unchanged"
    ]
    members = [(f"memberships {_words(what)}", number) for what, number in counts.get("memberships", {}).items()]
    issues = [(f"issues: {severity}", number) for severity, number in counts.get("issues", {}).items()]
    return [*people, *lists, *members, *issues]


def _words(what: str) -> str:
    return {
        "update_suppressed": "updates held back",
        "archive_suppressed": "archives held back",
        "archive_held": "archives waiting for approval",
    }.get(what, what)


def places(home: Home) -> list[str]:
    """Where to look next, and the ports that moved."""
    ports = home.ports
    login = f"admin / {home.secrets().admin_password}"
    lines = [
        f"  Airflow and the console  {home.airflow_url}/plugin/rostering   login {login}",
        f"  the nights' tasks        {home.airflow_url}/dags/{DAG_ID}",
        f"  the mails                http://127.0.0.1:{ports['mails'].given}/   ({_mails(home)} received)",
        f"  the directory            psql '{database(home).dsn('roster', 'roster')}'",
        f"  the SIS's own numbers    http://127.0.0.1:{ports['sis'].given}/rehearsal/numbers",
    ]
    lines += [
        f"  moved: {part} is on port {port.given}, because {port.wanted} is in use by another program"
        for part, port in ports.items()
        if port.moved
    ]
    return lines


def _mails(home: Home) -> str:
    try:
        address = f"http://127.0.0.1:{home.ports['mails'].given}/mails.json"
        return str(len(requests.get(address, timeout=TIMEOUT, proxies={"http": ""}).json()))
    except (requests.RequestException, json.JSONDecodeError, TypeError):
        return "number not known"
