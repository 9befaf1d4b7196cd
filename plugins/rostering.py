"""Adds the Rostering console to Airflow's navigation, guards the doors of every district (``include/mingasync/console``), and
registers the timetable of their nights and what writes the notes of runs."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# The UI uses these addresses as they stand, so they carry the path under which Airflow is served.
CONSOLE = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/") + "/rostering"


def _find_include() -> None:
    """Nothing; makes `include` importable wherever Airflow was started."""
    root = str(Path(__file__).resolve().parents[1])
    if root not in sys.path:
        sys.path.append(root)


_find_include()
from include.mingasync.airflow_glue import run_note  # noqa: E402 (include is found only now)
from include.mingasync.airflow_glue.night_timetable import NightTimetable  # noqa: E402


async def console(scope: Message, receive: Receive, send: Send) -> None:
    """Answer a request; the console is imported on the first, so schedulers and workers never pay for it."""
    from include.mingasync.console.app import app

    await app(scope, receive, send)


class DistrictDoors:
    """Airflow's own API held to the rights on each district's DAG; imported on the first request like the console."""

    def __init__(self, app: Callable[[Message, Receive, Send], Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        from include.mingasync.console.doors import Doors

        await Doors(self.app)(scope, receive, send)


def _view(name: str, page: str, url_route: str, destination: str) -> dict[str, Any]:
    icons = {"icon": f"{CONSOLE}/static/icon.svg", "icon_dark_mode": f"{CONSOLE}/static/icon-dark.svg"}
    return {"name": name, "href": CONSOLE + page, "url_route": url_route, "destination": destination, **icons}


class RosteringPlugin(AirflowPlugin):
    """The console in the navigation bar, a tab of it on every DAG and DAG run, the districts' timetable and the notes of runs."""

    name = "rostering"
    timetables = [NightTimetable]  # noqa: RUF012
    listeners = [run_note]  # noqa: RUF012
    fastapi_apps = [{"name": "Rostering", "app": console, "url_prefix": "/rostering"}]  # noqa: RUF012
    fastapi_root_middlewares = [{"name": "Districts' doors", "middleware": DistrictDoors}]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        _view("Rostering", "/", "rostering", "nav") | {"nav_top_level": True},
        _view("Roster history", "/dags/{DAG_ID}", "roster-history", "dag"),
        _view("Roster result", "/dags/{DAG_ID}/runs/{RUN_ID}", "roster-result", "dag_run"),
    ]
