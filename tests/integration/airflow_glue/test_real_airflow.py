"""What only Airflow itself can show: that it calls, once a night failed for good, what needs no directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from include.rehearsal.mailsink import MailFolder, smtp_server
from tests.integration.airflow_glue.conftest import OAK, SIS
from tests.integration.rehearsal.test_server import free_port

ROOT = Path(__file__).parents[3]


def test_a_night_without_a_directory_is_mailed_by_a_real_airflow(tmp_path: Path) -> None:
    districts, folder, port = tmp_path / "districts", MailFolder(tmp_path / "mails"), free_port()
    districts.mkdir()
    (districts / "oak.yaml").write_text(OAK, encoding="utf-8")
    extra = json.dumps({"disable_ssl": True, "disable_tls": True, "from_email": "sync@example.org"})
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "MINGASYNC"))} | {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_ONEROSTER_OAK": json.dumps(SIS),
        "AIRFLOW_CONN_ROSTER_DB": "postgresql://nobody@127.0.0.1:9/roster",
        "AIRFLOW_CONN_SMTP_DEFAULT": json.dumps({"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra}),
        "MINGASYNC_DISTRICTS_DIR": str(districts),
        "MINGASYNC_SNAPSHOTS": (tmp_path / "snapshots").as_uri(),
    }

    def airflow(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "airflow", *arguments]
        return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)

    assert airflow("db", "migrate").returncode == 0
    with smtp_server(folder, port):
        night = airflow("dags", "test", "mingasync_oak", "--conf", '{"send_email": true}')
    assert night.returncode != 0
    ((_, mail),) = folder.mails()
    assert mail["To"] == "contact@example.org" and "Failed" in mail["Subject"], night.stdout
    part = mail.get_body(("plain",))
    assert part and "it cannot be reached" in " ".join(part.get_content().split())
