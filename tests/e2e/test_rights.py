"""Who may edit no district acts for none, at any door of a live Airflow: undo, connect, Variables."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import requests

from stack.demo import DAG_ID
from stack.environment import environment
from stack.home import REPOSITORY
from tests.e2e.live import Live
from tests.waiting import PATIENCE

#: What a role needs to start and clear runs of the two DAGs and to edit Variables, none of it about a district.
_WITHOUT_A_DISTRICT = [
    *(("can_read", resource) for resource in ("Website", "DAG Runs", "Task Instances", "Task Logs", "DAG Code", "Variables")),
    *(("can_create", resource) for resource in ("DAG Runs", "Variables")),
    *(("can_edit", resource) for resource in ("DAG Runs", "Task Instances", "Variables")),
    ("can_delete", "Variables"),
    *((action, f"DAG:mingasync_{name}") for name in ("undo", "connect") for action in ("can_read", "can_edit")),
]
_DISTRICT = [("can_read", f"DAG:{DAG_ID}"), ("can_edit", f"DAG:{DAG_ID}")]


class Somebody:
    """A login of Airflow with a role of its own."""

    def __init__(self, live: Live, rights: list[tuple[str, str]], role: str = "") -> None:
        self.url, self.session = live.home.airflow_url, requests.Session()
        self.session.trust_env = False
        name, password = f"somebody{secrets.token_hex(4)}", secrets.token_urlsafe(16)
        actions = [{"action": {"name": action}, "resource": {"name": resource}} for action, resource in rights]
        admin = {"Authorization": live.api_token()}
        for path, body in (
            *([] if role else [("roles", {"name": name, "actions": actions})]),
            ("users", {"username": name, "password": password, "first_name": "Some", "last_name": "Body",
                       "email": f"{name}@example.org", "roles": [{"name": role or name}]}),
        ):  # fmt: skip
            made = self.session.post(f"{self.url}/auth/fab/v1/{path}", json=body, headers=admin, timeout=PATIENCE)
            assert made.ok, made.text
        login = self.session.post(f"{self.url}/auth/token", json={"username": name, "password": password}, timeout=PATIENCE)
        self.session.headers["Authorization"] = f"Bearer {login.json()['access_token']}"

    def call(self, method: str, path: str, body: Any = None) -> requests.Response:
        """Airflow's answer."""
        return self.session.request(method, f"{self.url}/api/v2/{path}", json=body, timeout=PATIENCE)


@pytest.fixture(scope="module")
def dag_permissions(live_stack: Any, demo_output: str) -> None:
    """Airflow knows every DAG as something that a right can be given on."""
    command = [sys.executable, "-m", "airflow", "sync-perm", "--include-dags"]
    subprocess.run(command, env=environment(live_stack), cwd=REPOSITORY, check=True, capture_output=True)


@pytest.fixture
def somebody(live: Live, dag_permissions: None) -> Callable[..., Somebody]:
    return lambda *rights: Somebody(live, [*_WITHOUT_A_DISTRICT, *rights])


def test_without_a_right_on_the_district_nothing_is_started_read_or_edited(live: Live, somebody: Callable[..., Somebody]) -> None:
    other = somebody()
    run_id = live.rows("select run_id from directory.sync_runs where kind = 'manual' order by run_no desc limit 1")[0][0]
    undo = {"logical_date": None, "conf": {"district": "rehearsal", "run_id": run_id}}
    answer = other.call("POST", "dags/mingasync_undo/dagRuns", undo)
    assert answer.status_code == 403 and "Nothing was changed." in answer.text
    assert other.call("POST", "dags/mingasync_connect/dagRuns", undo).status_code == 403
    assert other.call("GET", f"variables/{DAG_ID}").status_code == 403
    assert other.call("PATCH", f"variables/{DAG_ID}", {"key": DAG_ID, "value": "{}"}).status_code == 403
    assert other.call("DELETE", f"variables/{DAG_ID}").status_code == 403
    assert DAG_ID not in {one["key"] for one in other.call("GET", "variables").json()["variables"]}
    assert other.call("POST", "backfills", {"dag_id": "mingasync_undo", "dag_run_conf": undo["conf"]}).status_code == 403

    admins = live.api.trigger("mingasync_undo", {"district": "rehearsal", "run_id": "no such run"})
    assert other.call("POST", f"dags/mingasync_undo/dagRuns/{admins}/clear", {"dry_run": False}).status_code == 403
    clear = {"dag_run_id": admins, "dry_run": False}
    assert other.call("POST", "dags/mingasync_undo/clearTaskInstances", clear).status_code == 403
    assert other.call("GET", f"dags/mingasync_undo/dagRuns/{admins}/taskInstances/undo/logs/1").status_code == 403
    settings = json.loads(live.api._call("GET", f"variables/{DAG_ID}")["value"])
    assert settings["automatic_rostering"] is True
    assert live.rows("select count(*) from directory.sync_runs where kind = 'undo' and state = 'success'") == [(0,)]


def test_with_the_right_on_the_district_it_is_done(live: Live, somebody: Callable[..., Somebody]) -> None:
    manager = somebody(*_DISTRICT)
    assert manager.call("GET", f"variables/{DAG_ID}").status_code == 200
    started = manager.call("POST", "dags/mingasync_connect/dagRuns", {"logical_date": None, "conf": {"district": "rehearsal"}})
    assert started.status_code == 200, started.text


def test_the_command_makes_a_manager_and_a_reader_of_one_district(live: Live) -> None:
    command = [sys.executable, "-m", "include.mingasync.airflow_glue.roles", "rehearsal"]
    for _ in range(2):
        made = subprocess.run(command, env=environment(live.home), cwd=REPOSITORY, check=True, capture_output=True, text=True)
        assert "-r 'rehearsal manager'" in made.stdout and "-r 'rehearsal reader'" in made.stdout
    manager, reader = (Somebody(live, [], role=f"rehearsal {kind}") for kind in ("manager", "reader"))
    look = {"logical_date": None, "conf": {"mode": "preview"}}
    own = f"{live.home.airflow_url}/rostering/districts/rehearsal"
    headers = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
    for one in (manager, reader):
        assert one.session.get(own, headers=headers, timeout=PATIENCE).status_code == 200
        assert {dag["dag_id"] for dag in one.call("GET", "dags").json()["dags"]} <= {
            DAG_ID,
            "mingasync_undo",
            "mingasync_connect",
        }
        for path in ("variables", f"variables/{DAG_ID}", "connections", "pools", "dags/mingasync_watchdog", "eventLogs"):
            assert one.call("GET", path).status_code == 403, path
    assert reader.call("POST", f"dags/{DAG_ID}/dagRuns", look).status_code == 403
    assert reader.session.post(f"{own}/settings", headers=headers, timeout=PATIENCE).status_code == 403
    assert reader.call("GET", "dags/mingasync_undo").status_code == 403

    assert manager.session.get(f"{own}/settings", headers=headers, timeout=PATIENCE).status_code == 200
    started = manager.call("POST", f"dags/{DAG_ID}/dagRuns", look)
    assert started.status_code == 200, started.text
    run_id = started.json()["dag_run_id"]
    assert live.ended(run_id) == "success"
    tasks = manager.call("GET", f"dags/{DAG_ID}/dagRuns/{run_id}/taskInstances").json()["task_instances"]
    assert {task["state"] for task in tasks} <= {"success", "skipped"}
    assert reader.call("GET", f"dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/load/logs/1").status_code == 200
    assert manager.call("POST", "dags/mingasync_watchdog/dagRuns", {"logical_date": None}).status_code == 403
