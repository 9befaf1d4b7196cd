"""What the roles of a district may do, as FAB names it."""

from __future__ import annotations

import pytest

from include.mingasync.airflow_glue.roles import main, rights_of
from tests.unit.oneroster.bundles import district


def test_a_reader_only_reads_and_nobody_has_a_right_on_all_dags_or_on_what_is_everybodys() -> None:
    oak = district(source="rest", url=None)
    roles = rights_of(oak)
    manager, reader = roles[f"{oak.slug} manager"], roles[f"{oak.slug} reader"]
    assert {action for action, _ in reader} == {"can_read"}
    assert set(reader) < set(manager) and ("can_edit", f"DAG:{oak.dag_id}") in manager
    for _, resource in manager:
        assert resource not in ("DAGs", "Variables", "Connections", "Users", "Roles", "Audit Logs", "Configurations"), resource
    assert {resource for _, resource in manager if resource.startswith("DAG:")} == {
        f"DAG:{oak.dag_id}", "DAG:mingasync_undo", "DAG:mingasync_connect"}  # fmt: skip


def test_a_district_that_is_not_there_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MINGASYNC_DISTRICTS_DIR", str(tmp_path))
    assert main(["nowhere"]) == 1
    assert "nowhere" in capsys.readouterr().err
