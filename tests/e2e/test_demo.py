"""The demo runs two nights through the real scheduler, and the directory ends as the SIS says."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
import pytest
import requests

from stack import lifecycle
from stack.airflow_api import AirflowApi
from stack.demo import DAG_ID
from stack.environment import database
from stack.home import Home
from tests.e2e.live import Live
from tests.waiting import PATIENCE

pytestmark = pytest.mark.usefixtures("live")


@pytest.fixture
def directory(live: Live) -> Any:
    with psycopg.connect(database(live.home).dsn("roster", "roster")) as connection:
        yield connection


def get(home: Home, part: str, path: str) -> Any:
    answer = requests.get(f"http://127.0.0.1:{home.ports[part].given}{path}", timeout=PATIENCE, proxies={"http": ""})
    answer.raise_for_status()
    return answer.json()


def test_the_table_shows_both_nights_and_where_to_look(demo_output: str, live_stack: Home) -> None:
    cells = [line.split() for line in demo_output.splitlines()]
    assert ["night", "1", "night", "2"] in cells
    created = next(line for line in cells if line[:2] == ["student", "created"])
    assert int(created[2].replace(",", "")) > 2000
    assert 0 < int(created[3].replace(",", "")) < 200
    assert any(line[:2] == ["student", "archived"] for line in cells)
    assert f"{live_stack.airflow_url}/plugin/rostering" in demo_output
    assert "is on port" in demo_output  # these ports are not the usual ones, and the table says so


def test_history_has_both_nights_with_their_settings_and_counts(directory: Any) -> None:
    rows = directory.execute(
        "select kind, state, counts, settings, finished_at from directory.sync_runs order by started_at"
    ).fetchall()
    assert [row[0] for row in rows] == ["manual", "manual"]
    assert {row[1] for row in rows} <= {"success", "completed_with_errors"}
    for _, _, counts, settings, finished in rows:
        assert set(counts) >= {"people", "lists", "memberships", "issues"}
        assert settings["automatic_rostering"] is True
        assert finished is not None


def test_each_night_is_announced_to_other_dags_with_its_counts(directory: Any, live_stack: Home) -> None:
    answer = AirflowApi.of(live_stack)._call("GET", "assets/events?source_dag_id=mingasync_rehearsal&order_by=timestamp")
    told = {one["extra"]["run_id"]: one["extra"] for one in answer["asset_events"]}
    rows = directory.execute("select run_id, state, counts from directory.sync_runs").fetchall()
    assert len(rows) == 2 and {run_id for run_id, _, _ in rows} <= set(told)
    for run_id, state, counts in rows:
        assert told[run_id]["state"] == state
        assert told[run_id]["counts"]["people"] == counts["people"] and told[run_id]["changes"] > 0
    assets = AirflowApi.of(live_stack)._call("GET", "assets?uri_pattern=mingasync")["assets"]
    assert [one["uri"] for one in assets] == ["mingasync://rehearsal/directory"]


def test_each_run_bears_its_verdict_as_a_note_and_its_tasks_lead_to_the_pages(directory: Any, live_stack: Home) -> None:
    api = AirflowApi.of(live_stack)
    for (run_id,) in directory.execute("select run_id from directory.sync_runs").fetchall():
        at = f"dags/{DAG_ID}/dagRuns/{quote(run_id, safe='')}"
        note = api._call("GET", at)["note"]
        assert note.startswith(("All good. ", "Done, ")) and " joined, " in note
        result = f"{live_stack.airflow_url}/plugin/rostering/rostering/districts/rehearsal/runs/{quote(run_id, safe='')}"
        assert note.endswith(f"[Roster result]({result})")
        links = {
            one: api._call("GET", f"{at}/taskInstances/{one}/links")["extra_links"] for one in ("validate", "load", "notify")
        }
        assert links == {
            "validate": {"Data Docs": f"{result}/data-docs/index.html"},
            "load": {"Roster result": result},
            "notify": {"Roster result": result},
        }


def test_the_counts_are_what_the_directory_holds(directory: Any) -> None:
    counted: dict[str, int] = {}
    for (counts,) in directory.execute("select counts from directory.sync_runs").fetchall():
        for role, numbers in counts["people"].items():
            gained = numbers["created"] + numbers["restored"] - numbers["archived"]
            counted[role] = counted.get(role, 0) + gained
    held = dict(directory.execute("select role, count(*) from directory.people where status = 'active' group by role").fetchall())
    # Who changed role between the nights is counted in the one and held in the other.
    assert sum(counted.values()) == sum(held.values())
    assert set(held) == {"student", "teacher", "staff", "admin"}


def test_class_lists_have_members_and_managers(directory: Any) -> None:
    rows = directory.execute(
        """
        select count(distinct l.list_id), count(*) filter (where m.member_role = 'member'),
               count(distinct l.list_id) filter (where m.member_role = 'manager')
        from directory.user_lists l join directory.list_members m using (district, list_id)
        where l.kind = 'class' and l.status = 'active'
        """
    ).fetchone()
    lists, members, managed = rows
    assert lists > 50
    assert members > 5000
    assert managed > 0.8 * lists


def test_each_night_mailed_the_contact(live_stack: Home) -> None:
    mails = get(live_stack, "mails", "/mails.json")
    assert len(mails) >= 2
    assert "roster-contact@rehearsal.example.org" in str(mails)


def test_every_port_listens_on_loopback_only(live_stack: Home) -> None:
    owner = lifecycle.supervisor(live_stack)
    assert owner is not None
    listening = set()
    for process in [owner, *owner.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # a task that ended meanwhile
            listening |= {one.laddr.ip for one in process.net_connections("inet") if one.status == "LISTEN"}
    assert listening == {"127.0.0.1"}


def test_airflow_has_no_import_error_and_the_dag_is_on(live_stack: Home) -> None:
    api = AirflowApi.of(live_stack)
    assert api.import_errors() == []
    assert api.dag_exists(DAG_ID)
    assert api.unfinished_runs(DAG_ID) == 0
