"""The environment of Airflow's processes: everything is configured by variables, nothing by airflow.cfg."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from stack.home import FOLDER_VARIABLE, REPOSITORY, Home
from stack.postgres import EmbeddedPostgres

#: The ports wanted by each part; another free one is taken when a port is in use.
WANTED_PORTS = {"airflow": 8080, "postgres": 54329}
WANTED_PORTS_DEMO = {**WANTED_PORTS, "sis": 8331, "smtp": 8325, "mails": 8326}


def wanted_ports(home: Home) -> dict[str, int]:
    """The ports that a kind of stack would like to have."""
    return WANTED_PORTS_DEMO if home.kind == "demo" else WANTED_PORTS


def database(home: Home) -> EmbeddedPostgres:
    """The stack's PostgreSQL; the demo's need not survive a power cut."""
    return EmbeddedPostgres(home.folder / "postgres", home.ports["postgres"].given, durable=home.kind == "up")


def environment(home: Home, inherited: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables for every process of a stack, on top of those inherited.

    A demo inherits no setting of Airflow or of the product: a Connection or Variable in the environment would
    shadow the demo's own.
    """
    base = dict(os.environ if inherited is None else inherited)
    # Importing Airflow takes twice as long without compiled files.
    base.pop("PYTHONDONTWRITEBYTECODE", None)
    if home.kind == "demo":
        base = {name: value for name, value in base.items() if not name.startswith(("AIRFLOW", "MINGASYNC"))}
        base["MINGASYNC_DISTRICTS_DIR"] = str(home.districts)
    # Said to every process, so that each finds this stack's ports and passwords and not another's.
    base[FOLDER_VARIABLE] = str(home.folder.parent)
    base.setdefault("MINGASYNC_SNAPSHOTS", home.snapshots.as_uri())
    base["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), base.get("PATH", os.defpath)])
    base["PYTHONPATH"] = os.pathsep.join(filter(None, [str(REPOSITORY), base.get("PYTHONPATH")]))
    base["PYTHONUNBUFFERED"] = "1"
    return base | _airflow(home) | _pace(home)


def _airflow(home: Home) -> dict[str, str]:
    own = home.secrets()
    server = database(home)
    url = home.airflow_url
    return {
        "AIRFLOW_HOME": str(home.airflow),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__DEFAULT_WRAP": "True",  # a sentence in a log is read whole
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(home.ports["airflow"].given),
        "AIRFLOW__API__SECRET_KEY": own.api_secret,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": own.jwt_secret,
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__FERNET_KEY": own.fernet_key,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": server.dsn("airflow", "airflow").replace(
            "postgresql://", "postgresql+psycopg2://", 1
        ),
        "AIRFLOW__FAB__CONFIG_FILE": str(REPOSITORY / "stack" / "webserver_config.py"),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home.logs / "airflow"),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }


def _pace(home: Home) -> dict[str, str]:
    # A person waits for a demo; a nightly schedule need not look for new files as often.
    return {
        # Takes a chain of ten short tasks from 11 s to 5 s.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10" if home.kind == "demo" else "60",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30" if home.kind == "demo" else "300",
    }
