"""airflow_settings.yaml is read strictly and turned into Airflow's own terms."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from include.mingasync.settings import ROLES, read_settings
from stack.environment import WANTED_PORTS_DEMO
from stack.ports import Port
from stack.settings_file import (
    DEFAULT_FILE,
    AirflowSettings,
    ConnectionEntry,
    SettingsFileError,
    main,
    read_settings_file,
    with_database_password,
    with_ports,
)


def written(folder: Path, text: str) -> Path:
    file = folder / "airflow_settings.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def connection(settings: AirflowSettings, conn_id: str) -> ConnectionEntry:
    return next(entry for entry in settings.connections if entry.conn_id == conn_id)


def test_the_shipped_file_has_what_the_demo_needs() -> None:
    settings = read_settings_file(DEFAULT_FILE)
    assert [entry.conn_id for entry in settings.connections] == [
        "roster_db",
        "oneroster_rehearsal",
        "smtp_default",
    ]
    assert [pool.pool_name for pool in settings.pools] == ["oneroster_rehearsal"]
    assert [variable.variable_name for variable in settings.variables] == ["mingasync_rehearsal"]


def test_the_shipped_settings_are_settings_of_the_product() -> None:
    settings = read_settings(read_settings_file(DEFAULT_FILE).variables[0].text, "mingasync_rehearsal")
    assert settings.automatic_rostering
    for role in ROLES:
        toggles = getattr(settings.roles, role)
        assert (toggles.roster, toggles.auto_update, toggles.archive) == (True, True, True)
    assert settings.class_lists.enabled
    assert settings.class_lists.terms


def test_the_shipped_file_names_the_ports_that_the_demo_wants() -> None:
    settings = read_settings_file(DEFAULT_FILE)
    assert connection(settings, "roster_db").conn_port == WANTED_PORTS_DEMO["postgres"]
    assert connection(settings, "smtp_default").conn_port == WANTED_PORTS_DEMO["smtp"]
    assert f":{WANTED_PORTS_DEMO['sis']}/" in str(connection(settings, "oneroster_rehearsal").conn_host)


def test_a_mapping_is_stored_as_json_and_text_as_it_is(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        """
airflow:
  connections:
    - {conn_id: a, conn_type: http, conn_extra: {auth: oauth2}}
    - {conn_id: b, conn_type: http, conn_extra: '{"auth": "bearer"}'}
  variables:
    - {variable_name: settings, variable_value: {automatic_rostering: true}}
    - {variable_name: word, variable_value: plain}
""",
    )
    settings = read_settings_file(file)
    assert [entry.arguments()["extra"] for entry in settings.connections] == [
        '{"auth": "oauth2"}',
        '{"auth": "bearer"}',
    ]
    assert json.loads(settings.variables[0].text) == {"automatic_rostering": True}
    assert settings.variables[1].text == "plain"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("airflow: {conections: []}", "airflow.conections: unknown key"),
        (
            "airflow: {connections: [{conn_id: a, conn_type: http, host: x}]}",
            "airflow.connections.0.host: unknown key",
        ),
        ("airflow: {connections: [{conn_id: a}]}", "airflow.connections.0.conn_type: Field required"),
        ("airflow: {pools: [{pool_name: a, pool_slot: many}]}", "airflow.pools.0.pool_slot"),
        ("roster_db: {}", "airflow: Field required"),
        ("", "the file"),
        ("airflow: [", "cannot be read"),
    ],
)
def test_a_wrong_file_is_refused_with_the_key(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(SettingsFileError) as refusal:
        read_settings_file(written(tmp_path, text))
    assert named in str(refusal.value)
    assert "airflow_settings.yaml" in str(refusal.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsFileError, match=r"none\.yaml cannot be read"):
        read_settings_file(tmp_path / "none.yaml")


def test_moved_ports_are_put_in_everywhere() -> None:
    ports = {"sis": Port(8331, 8332), "smtp": Port(8325, 9000), "postgres": Port(54329, 54329)}
    moved = with_ports(read_settings_file(DEFAULT_FILE), ports)
    sis = connection(moved, "oneroster_rehearsal")
    assert sis.conn_host == "http://127.0.0.1:8332/ims/oneroster/v1p1"
    assert sis.conn_extra == {"auth": "oauth2", "token_url": "http://127.0.0.1:8332/token"}
    assert connection(moved, "smtp_default").conn_port == 9000
    assert connection(moved, "roster_db").conn_port == 54329


def test_two_ports_that_change_places_are_not_mixed_up() -> None:
    entry = ConnectionEntry(conn_id="a", conn_type="http", conn_host="http://127.0.0.1:1001/ and http://127.0.0.1:1002/")
    ports = {"one": Port(1001, 1002), "two": Port(1002, 1001)}
    moved = with_ports(AirflowSettings(connections=[entry]), ports)
    assert moved.connections[0].conn_host == "http://127.0.0.1:1002/ and http://127.0.0.1:1001/"


def test_a_port_that_begins_like_a_moved_one_is_left_alone() -> None:
    entry = ConnectionEntry(conn_id="a", conn_type="http", conn_host="http://127.0.0.1:80800/")
    moved = with_ports(AirflowSettings(connections=[entry]), {"airflow": Port(8080, 8081)})
    assert moved.connections[0].conn_host == "http://127.0.0.1:80800/"


def test_only_the_databases_password_is_replaced() -> None:
    settings = with_database_password(read_settings_file(DEFAULT_FILE), "generated")
    assert connection(settings, "roster_db").conn_password == "generated"
    assert connection(settings, "oneroster_rehearsal").conn_password == "rehearsal-secret"


def test_check_says_what_is_wrong_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(written(tmp_path, "airflow: {variables: [{name: x}]}")), "--check"]) == 1
    assert "airflow.variables.0.name: unknown key" in capsys.readouterr().err
    assert main([str(DEFAULT_FILE), "--check"]) == 0
