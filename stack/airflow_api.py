"""The few calls of Airflow's REST API that a demo needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests

from stack.home import Home

#: Seconds for one answer. A server that ended refuses at once; one that answers late runs on a machine that others keep busy.
TIMEOUT = 300


@dataclass
class AirflowApi:
    """Airflow at an address, with a login that is used when the first call needs it."""

    url: str
    user: str
    password: str

    def __post_init__(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy for the outside world knows nothing of our loopback

    @classmethod
    def of(cls, home: Home) -> AirflowApi:
        """The Airflow of a stack, as its administrator."""
        return cls(home.airflow_url, "admin", home.secrets().admin_password)

    def healthy_parts(self) -> set[str]:
        """Which of api, scheduler, dag_processor and triggerer are healthy; none while nobody answers."""
        try:
            answer = self._session.get(f"{self.url}/api/v2/monitor/health", timeout=60)
            report = answer.json() if answer.ok else {}
        except (requests.RequestException, ValueError):
            return set()
        return {"api"} | {name for name, part in report.items() if part.get("status") == "healthy"}

    def dag_exists(self, dag_id: str) -> bool:
        """Whether the DAG processor has found a DAG."""
        return self._call("GET", f"dags/{quote(dag_id)}", missing_is_fine=True) is not None

    def import_errors(self) -> list[str]:
        """Why DAG files could not be read."""
        errors = self._call("GET", "importErrors")["import_errors"]
        return [f"{error['filename']}: {error['stack_trace'].strip().splitlines()[-1]}" for error in errors]

    def unpause(self, dag_id: str) -> None:
        """Let a DAG run."""
        self._call("PATCH", f"dags/{quote(dag_id)}?update_mask=is_paused", {"is_paused": False})

    def unfinished_runs(self, dag_id: str) -> int:
        """How many runs of a DAG are queued or running."""
        runs = self._call("GET", f"dags/{quote(dag_id)}/dagRuns?state=queued&state=running&limit=1")
        return int(runs["total_entries"])

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """The id of the run that was started."""
        run = self._call("POST", f"dags/{quote(dag_id)}/dagRuns", {"logical_date": None, "conf": conf})
        return str(run["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """State and times of a run."""
        return dict(self._call("GET", f"dags/{quote(dag_id)}/dagRuns/{quote(run_id)}"))

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """State and times of the tasks of a run."""
        path = f"dags/{quote(dag_id)}/dagRuns/{quote(run_id)}/taskInstances"
        return list(self._call("GET", path)["task_instances"])

    def _call(self, method: str, path: str, body: Any = None, missing_is_fine: bool = False) -> Any:
        if "Authorization" not in self._session.headers:
            self._log_in()
        answer = self._session.request(method, f"{self.url}/api/v2/{path}", json=body, timeout=TIMEOUT)
        if missing_is_fine and answer.status_code == 404:
            return None
        if not answer.ok:
            raise RuntimeError(f"Airflow answered {answer.status_code} to {method} {path}: {answer.text[:300]}")
        return answer.json()

    def _log_in(self) -> None:
        login = {"username": self.user, "password": self.password}
        answer = self._session.post(f"{self.url}/auth/token", json=login, timeout=TIMEOUT)
        if not answer.ok:
            raise RuntimeError(f"Airflow refused the login of '{self.user}' ({answer.status_code})")
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
