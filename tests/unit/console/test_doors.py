"""Which district a request to Airflow's own API is about, and what becomes of one that the caller has no right to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from include.mingasync.console import doors
from include.mingasync.console.doors import EVERY, Doors, districts_touched

UNDO = ["dags", "mingasync_undo"]
RUNS = {"undo__oak": {"district": "oak", "run_id": "r"}, "undo__elm": {"district": "elm"}, "undo__odd": {"district": ["elm"]}}


@pytest.fixture(autouse=True)
def runs_of_airflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that Airflow has, by what they were started with."""
    monkeypatch.setattr(doors, "_conf_of", lambda _, run_id: RUNS.get(run_id))


@pytest.mark.parametrize(
    ("method", "parts", "body", "districts"),
    [
        ("POST", [*UNDO, "dagRuns"], {"conf": {"district": "oak"}}, {"oak"}),
        ("POST", ["dags", "MingaSync_Undo", "dagRuns"], {"conf": {"district": "oak"}}, {"oak"}),
        ("POST", ["dags", "mingasync_connect", "dagRuns"], {"conf": {"district": "oak"}}, {"oak"}),
        ("POST", [*UNDO, "dagRuns"], {"conf": {"district": ["oak"]}}, {EVERY}),
        ("POST", [*UNDO, "dagRuns"], {"conf": {"district": "oak/../elm"}}, {EVERY}),
        ("POST", [*UNDO, "dagRuns"], {"conf": {}}, set()),
        ("POST", [*UNDO, "dagRuns"], None, set()),
        ("POST", [*UNDO, "dagRuns", "undo__oak", "clear"], {}, {"oak"}),
        ("PATCH", [*UNDO, "dagRuns", "undo__elm", "taskInstances", "undo"], {"new_state": "failed"}, {"elm"}),
        ("DELETE", [*UNDO, "dagRuns", "undo__elm"], None, {"elm"}),
        ("GET", [*UNDO, "dagRuns", "undo__elm", "taskInstances", "undo", "logs", "1"], None, {"elm"}),
        ("POST", [*UNDO, "clearTaskInstances"], {"dag_run_id": "undo__elm", "dry_run": False}, {"elm"}),
        ("POST", [*UNDO, "clearTaskInstances"], {"only_failed": True}, {EVERY}),
        ("POST", [*UNDO, "clearTaskInstances"], {"dag_run_id": "undo__oak", "include_past": False}, {"oak"}),
        ("POST", [*UNDO, "clearTaskInstances"], {"dag_run_id": "undo__oak", "include_past": True}, {EVERY}),
        ("POST", [*UNDO, "clearTaskInstances"], {"dag_run_id": "undo__oak", "include_future": "yes"}, {EVERY}),
        ("PATCH", [*UNDO, "dagRuns", "undo__oak", "taskInstances", "undo"], {"new_state": "failed", "include_past": 1}, {EVERY}),
        ("POST", [*UNDO, "dagRuns", "undo__odd", "clear"], {}, {EVERY}),
        ("POST", [*UNDO, "clearDagRuns"], {"dag_runs": [{"dag_run_id": "undo__oak"}]}, {EVERY}),
        ("PATCH", UNDO, {"is_paused": True}, {EVERY}),
        ("POST", ["backfills"], {"dag_id": "mingasync_undo", "dag_run_conf": {"district": "elm"}}, {EVERY}),
        ("PATCH", ["dags", "~", "dagRuns", "~", "taskInstances"], {"actions": [{"entities": [{"dag_id": "mingasync_undo"}]}]}, {EVERY}),
        ("POST", ["backfills"], {"dag_id": "mingasync_oak"}, set()),
        ("PATCH", ["variables", "mingasync_oak"], {"value": "{}"}, {"oak"}),
        ("PATCH", ["variables", "harmless"], {"key": "mingasync_elm", "value": "{}"}, {"elm"}),
        ("POST", ["variables"], {"key": "mingasync_elm", "value": "{}"}, {"elm"}),
        ("PATCH", ["variables"], {"actions": [{"action": "delete", "entities": ["mingasync_elm", "other"]}]}, {"elm"}),
        ("DELETE", ["variables", "mingasync_elm"], None, {"elm"}),
        ("GET", ["variables", "mingasync_elm"], None, {"elm"}),
        ("POST", ["variables"], {"key": "mingasync_undo", "value": "a Variable of nobody's"}, set()),
        ("POST", ["dags", "mingasync_oak", "dagRuns"], {"conf": {}}, set()),
    ],
)  # fmt: skip
def test_the_district_that_a_request_is_about(method: str, parts: list[str], body: Any, districts: set[str]) -> None:
    assert districts_touched(method, parts, body) == districts


def _of_tasks_and_pages(path: str) -> Any:
    """What Airflow answers of the tasks of all runs, and to its own pages; None for every other path."""
    light = [{"dag_id": "mingasync_undo", "run_id": run_id} for run_id in RUNS]
    tasks = [{"dag_id": "mingasync_undo", "dag_run_id": run_id, "note": "why"} for run_id in RUNS]
    listed = {"task_instances": [*tasks, {"dag_id": "mingasync_oak", "dag_run_id": "night"}], "total_entries": len(RUNS) + 1}
    return {
        "api/v2/dags/mingasync_undo/dagRuns/~/taskInstances": listed,
        "api/v2/dags/~/dagRuns/~/taskInstances": listed,
        "api/v2/dags/~/dagRuns/~/taskInstances/list": listed,
        "ui/grid/runs/mingasync_undo": light,
        "ui/dags": {"dags": [{"dag_id": "mingasync_undo", "latest_dag_runs": light}], "total_entries": 1},
        "ui/dags/mingasync_undo/latest_run": light[1],
    }.get(path)


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """Somebody who may edit oak and read ash, before an Airflow that says yes to everything."""
    airflow = FastAPI()

    @airflow.api_route("/{rest:path}", methods=["GET", "POST", "PATCH", "DELETE"])
    async def anything(rest: str, request: Request) -> Any:
        if rest == "api/v2/variables" and request.method == "GET":
            keys = ["mingasync_oak", "mingasync_ash", "mingasync_elm", "other"]
            return {"variables": [{"key": key} for key in keys], "total_entries": 4}
        if rest == "api/v2/assets/events":
            of = {"mingasync_undo": ("oak", "ash", "elm"), "mingasync_elm": ("elm",), "other": ("elm",)}
            events = [
                {"source_dag_id": dag_id, "uri": f"mingasync://{slug}/directory", "extra": {"changes": 3}}
                for dag_id, slugs in of.items()
                for slug in slugs
            ]
            return {"asset_events": [*events, {"source_dag_id": "mingasync_undo", "uri": None}], "total_entries": 6}
        if rest.endswith(("/dagRuns", "/dagRuns/list")) and (request.method, rest[-4:]) in (("GET", "Runs"), ("POST", "list")):
            of_undo = [{"dag_id": "mingasync_undo", "conf": conf} for conf in ({"district": "ash"}, *RUNS.values(), {}, None)]
            return {"dag_runs": [*of_undo, {"dag_id": "mingasync_oak", "conf": {"district": "elm"}}], "total_entries": 7}
        return _of_tasks_and_pages(rest) or {"did": rest, "with": (await request.body()).decode()}

    async def user(*_: Any) -> SimpleNamespace:
        return SimpleNamespace(name="robin")

    rights = {("PUT", "mingasync_oak"), ("GET", "mingasync_oak"), ("GET", "mingasync_ash")}
    manager = SimpleNamespace(is_authorized_dag=lambda method, user, details: (method, details.id) in rights)
    monkeypatch.setattr(doors, "get_user", user)
    monkeypatch.setattr(doors, "get_auth_manager", lambda: manager)
    airflow.add_middleware(Doors)
    return TestClient(airflow)


def test_one_s_own_district_passes_with_its_body(browser: TestClient) -> None:
    body = {"conf": {"district": "oak", "run_id": "r"}}
    answer = browser.post("/api/v2/dags/mingasync_undo/dagRuns", json=body)
    assert answer.status_code == 200 and '"oak"' in answer.json()["with"]


@pytest.mark.parametrize("district", ["elm", "ash"])
def test_a_district_that_one_may_not_edit_is_refused(browser: TestClient, district: str) -> None:
    answer = browser.post("/api/v2/dags/mingasync_undo/dagRuns", json={"conf": {"district": district}})
    assert answer.status_code == 403 and "Nothing was changed." in answer.json()["detail"]
    assert browser.post("/api/v2/dags/mingasync%5Fundo/dagRuns", json={"conf": {"district": district}}).status_code == 403
    assert browser.patch(f"/api/v2/variables/mingasync_{district}", json={"value": "{}"}).status_code == 403
    assert browser.post("/api/v2/dags/mingasync_undo/dagRuns/undo__elm/clear", json={}).status_code == 403


def test_reading_needs_the_right_to_read(browser: TestClient) -> None:
    assert browser.get("/api/v2/variables/mingasync_ash").status_code == 200
    assert browser.get("/api/v2/variables/mingasync_elm").status_code == 403
    assert browser.get("/api/v2/dags/mingasync_undo/dagRuns/undo__elm/taskInstances/undo/logs/1").status_code == 403
    assert browser.get("/api/v2/variables").json() == {
        "variables": [{"key": "mingasync_oak"}, {"key": "mingasync_ash"}, {"key": "other"}],
        "total_entries": 3,
    }


def test_of_an_undo_that_was_announced_only_those_are_told_who_may_read_its_district(browser: TestClient) -> None:
    """Airflow asks for the right on the DAG that announced it, and mingasync_undo acts for every district."""
    told = browser.get("/api/v2/assets/events", params={"source_dag_id": "mingasync_undo"}).json()
    assert [(one["source_dag_id"], one["uri"]) for one in told["asset_events"]] == [
        ("mingasync_undo", "mingasync://oak/directory"),
        ("mingasync_undo", "mingasync://ash/directory"),
        ("mingasync_elm", "mingasync://elm/directory"),
        ("other", "mingasync://elm/directory"),
    ]
    assert told["total_entries"] == 4
    assert browser.post("/api/v2/assets/events", json={"asset_id": 1}).status_code == 200


@pytest.mark.parametrize("dag_id", ["mingasync_undo", "mingasync_connect", "~"])
def test_a_list_of_runs_leaves_out_those_that_acted_for_a_district_which_one_may_not_read(
    browser: TestClient, dag_id: str
) -> None:
    """One run of them is refused; the list tells the same of it: its district, the run it undid, who started it, and the note."""
    told = [browser.get(f"/api/v2/dags/{dag_id}/dagRuns").json()]
    told += [browser.post("/api/v2/dags/~/dagRuns/list", json={"page_limit": 9}).json()] if dag_id == "~" else []
    for runs in told:
        assert [run["conf"] for run in runs["dag_runs"]] == [
            {"district": "ash"},
            RUNS["undo__oak"],
            {},
            None,
            {"district": "elm"},  # the run of a district's own DAG, on which Airflow asks for the right itself
        ]
        assert runs["total_entries"] == 5


#: The run that names its district otherwise than by a text is for those alone who may read every district.
OF_MY_DISTRICTS = ["undo__oak"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "dags/mingasync_undo/dagRuns/~/taskInstances"),
        ("GET", "dags/~/dagRuns/~/taskInstances"),
        ("POST", "dags/~/dagRuns/~/taskInstances/list"),
    ],
)
def test_a_list_of_tasks_leaves_out_those_that_acted_for_a_district_which_one_may_not_read(
    browser: TestClient, method: str, path: str
) -> None:
    """It tells of their runs what the list of runs does not: when, how they ended, and the note."""
    told = browser.request(method, f"/api/v2/{path}", json={} if method == "POST" else None).json()
    assert [one["dag_run_id"] for one in told["task_instances"]] == [*OF_MY_DISTRICTS, "night"]
    assert told["total_entries"] == len(OF_MY_DISTRICTS) + 1


def test_airflows_own_pages_draw_no_run_that_acted_for_a_district_which_one_may_not_read(browser: TestClient) -> None:
    assert [run["run_id"] for run in browser.get("/ui/grid/runs/mingasync_undo").json()] == OF_MY_DISTRICTS
    (dag,) = browser.get("/ui/dags").json()["dags"]
    assert [run["run_id"] for run in dag["latest_dag_runs"]] == OF_MY_DISTRICTS
    assert browser.get("/ui/dags/mingasync_undo/latest_run").json() is None
    assert browser.get("/ui/gantt/mingasync_undo/undo__elm").status_code == 403
    assert browser.get("/ui/gantt/mingasync_undo/undo__oak").status_code == 200
    drawn = {"run_ids": ["undo__oak", "undo__elm"]}
    assert browser.get("/ui/grid/ti_summaries/mingasync_undo", params=drawn).status_code == 403
    assert browser.get("/ui/grid/ti_summaries/mingasync_undo", params={"run_ids": ["undo__oak"]}).status_code == 200


def test_everything_else_is_not_looked_at(browser: TestClient) -> None:
    assert browser.get("/api/v2/dags/mingasync_undo").status_code == 200
    assert browser.post("/api/v2/dags/other/dagRuns", content=b"no json at all").status_code == 200
    assert browser.post("/rostering/districts/elm", content=b"{}").status_code == 200
