"""A stack's folder: secrets generated once and closed to others; demo and real districts apart."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter

from include.mingasync.district import read_district
from stack.district import write_demo_district
from stack.environment import environment
from stack.home import Home
from stack.ports import Port, remember_ports


@pytest.fixture(params=["demo", "up"])
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("MINGASYNC_HOME", str(tmp_path))
    made = Home.of(request.param)
    made.create()
    remember_ports(made.ports_file, {"airflow": Port(8080, 8081), "postgres": Port(54329, 54330)})
    (made.folder / "postgres").mkdir()
    (made.folder / "postgres" / "pgpassword").write_text("generated")
    return made


def test_secrets_are_made_once_long_enough_and_closed_to_others(home: Home) -> None:
    first = home.secrets()
    assert home.secrets() == first
    assert len(first.jwt_secret.encode()) >= 64
    assert (home.folder / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_only_the_demos_login_is_well_known(home: Home) -> None:
    assert (home.secrets().admin_password == "admin") == (home.kind == "demo")


def test_airflow_is_told_the_ports_that_were_given(home: Home) -> None:
    settings = environment(home, {})
    assert settings["AIRFLOW__API__PORT"] == "8081"
    assert settings["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8081/execution/"
    assert settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].endswith("@127.0.0.1:54330/airflow")


def test_the_demo_ignores_settings_of_the_caller_and_real_districts_get_them(home: Home) -> None:
    callers = {
        "AIRFLOW_CONN_ROSTER_DB": "postgres://somewhere.example.org/real",
        "MINGASYNC_DISTRICTS_DIR": "/srv/districts",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    settings = environment(home, callers)
    assert ("AIRFLOW_CONN_ROSTER_DB" in settings) == (home.kind == "up")
    assert (settings["MINGASYNC_DISTRICTS_DIR"] == "/srv/districts") == (home.kind == "up")
    assert "PYTHONDONTWRITEBYTECODE" not in settings


def test_make_up_runs_no_rehearsal_district(home: Home) -> None:
    districts = environment(home, {}).get("MINGASYNC_DISTRICTS_DIR")
    if home.kind == "up":
        assert districts is None
        assert not list((Path(__file__).parents[3] / "include" / "districts").glob("*.y*ml"))
    else:
        write_demo_district(home)
        assert [file.name for file in Path(str(districts)).glob("*.yaml")] == ["rehearsal.yaml"]


@pytest.mark.parametrize("now", ["2026-11-29T07:59:30Z", "2026-11-29T20:00:00Z", "2027-03-14T07:00:00Z", "2026-11-01T06:30:00Z"])
def test_no_night_of_the_schedule_comes_between_the_demos_own(tmp_path: Path, now: str) -> None:
    demo = Home("demo", tmp_path)
    demo.create()
    started = datetime.fromisoformat(now)
    write_demo_district(demo, started)
    district = read_district(demo.districts / "rehearsal.yaml")
    local = started.astimezone(ZoneInfo(district.timezone))
    coming = croniter(district.schedule, local).get_next(datetime)
    assert timedelta(hours=10) < coming - started < timedelta(hours=14)
