"""The plugin as Airflow itself loads it, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[3]
LOAD = """
import json, sys
import airflow.timetables.trigger  # what every scheduler has imported
known = set(sys.modules)
from airflow import plugins_manager
plugins_manager.ensure_plugins_loaded()
errors = plugins_manager.get_import_errors()
(plugin,) = [plugin for plugin in plugins_manager._get_plugins()[0] if plugin.name == "rostering"]
imported = [name for name in sys.modules if name.startswith(("include", "airflow.api_fastapi")) and name not in known]
from starlette.testclient import TestClient
answer = TestClient(plugin.fastapi_apps[0]["app"]).get("/").status_code
print(json.dumps([errors, plugin.external_views, plugin.fastapi_apps[0]["url_prefix"], imported, answer]))
"""


@pytest.fixture(scope="module", params=["http://127.0.0.1:8080", "https://example.org/airflow/"])
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Airflow found, started outside the repository and without PYTHONPATH."""
    home = tmp_path_factory.mktemp("airflow")
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHONPATH"))}
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__BASE_URL": request.param,
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        env=own | settings,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    return dict(zip(("errors", "views", "prefix", "imported", "answer"), found, strict=True)) | {"url": request.param}


def test_it_loads_without_an_error_and_without_the_console(loaded: dict[str, Any]) -> None:
    assert loaded["errors"] == {}
    glue = "include.mingasync.airflow_glue"
    assert loaded["imported"] == ["include", "include.mingasync", glue, f"{glue}.run_note", f"{glue}.night_timetable"]


def test_the_console_answers_without_pythonpath(loaded: dict[str, Any]) -> None:
    assert loaded["answer"] == 401


def test_it_stands_in_the_navigation_and_on_every_dag_and_run(loaded: dict[str, Any]) -> None:
    console = ("/airflow" if "airflow" in loaded["url"] else "") + "/rostering"
    assert loaded["prefix"] == "/rostering"
    assert {view["destination"]: view["href"] for view in loaded["views"]} == {
        "nav": f"{console}/",
        "dag": f"{console}/dags/{{DAG_ID}}",
        "dag_run": f"{console}/dags/{{DAG_ID}}/runs/{{RUN_ID}}",
    }
    assert [view["name"] for view in loaded["views"] if view.get("nav_top_level")] == ["Rostering"]
