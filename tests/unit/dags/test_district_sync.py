"""The DAGs as Airflow reads them, from district files alone: no database, no Variable."""

from __future__ import annotations

import datetime as dt
import itertools
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

from include.mingasync.district import read_districts

ROOT = Path(__file__).parents[3]
DISTRICT = """
name: {name}
timezone: {zone}
schedule: "30 1 * * *"
sis: {{name: generic}}
contact: {{name: Sam, email: sam@example.org}}
"""


_OWN = {"mingasync_connect", "mingasync_undo", "mingasync_watchdog", "mingasync_housekeeping"}


def bag(folder: Path, monkeypatch: pytest.MonkeyPatch) -> DagBag:
    monkeypatch.setenv("MINGASYNC_DISTRICTS_DIR", str(folder))
    return DagBag(dag_folder=ROOT / "dags", bundle_path=ROOT / "dags", bundle_name="tests")


@pytest.fixture
def districts(tmp_path: Path) -> Path:
    for slug, zone in (("oak", "America/Chicago"), ("elm", "Europe/Oslo")):
        (tmp_path / f"{slug}.yaml").write_text(DISTRICT.format(name=slug.title(), zone=zone), encoding="utf-8")
    return tmp_path


def test_one_dag_per_district_file_and_the_products_own(districts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dags = bag(districts, monkeypatch)
    assert not dags.import_errors
    assert set(dags.dags) == {"mingasync_oak", "mingasync_elm", *_OWN}


def test_the_products_own_are_on_from_the_start_and_a_district_waits_for_somebody(
    districts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dags = bag(districts, monkeypatch).dags
    assert {name for name, dag in dags.items() if dag.is_paused_upon_creation is False} == _OWN


def test_a_district_runs_in_its_own_time_one_run_at_a_time(districts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dag = bag(districts, monkeypatch).dags["mingasync_elm"]
    assert (dag.timetable.expression, str(dag.timetable.timezone)) == ("30 1 * * *", "Europe/Oslo")  # type: ignore[attr-defined]
    assert (dag.max_active_runs, dag.catchup, dag.start_date) == (1, False, None)


def test_the_chain_goes_one_way(districts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dag = bag(districts, monkeypatch).dags["mingasync_oak"]
    chain = ["open_run", *(f"extract.{name}" for name in ("orgs", "terms", "courses", "classes", "users", "enrollments"))]
    chain += ["validate", "transform", "load", "approve", "archive", "notify"]
    assert dag.topological_sort()[0].task_id == "open_run"
    for before, after in itertools.pairwise(chain):
        assert after in dag.task_dict[before].downstream_task_ids
    assert set(dag.task_dict) == set(chain)
    assert dag.task_dict["notify"].is_teardown
    # Also when somebody marks a task that is still to come as failed: notify says the verdict after the last task has ended.
    assert dag.task_dict["notify"].upstream_task_ids == set(chain) - {"notify"}


def test_what_hangs_ends_and_only_a_person_may_take_long(districts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = bag(districts, monkeypatch).dags["mingasync_oak"].task_dict
    most = {name: (task.execution_timeout or dt.timedelta(days=9)) * (1 + task.retries) for name, task in tasks.items()}
    assert {name for name, longest in most.items() if longest >= dt.timedelta(hours=24)} == {"approve"}


def test_every_dag_explains_itself(districts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for dag in bag(districts, monkeypatch).dags.values():
        assert dag.doc_md and dag.description and "mingasync" in dag.tags
        assert all(param.description for param in (dag.params.get_param(name) for name in dag.params))


def test_airflows_form_can_be_sent_as_it_opens(districts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A string that must not be null and is blank keeps the form's button disabled."""
    params = bag(districts, monkeypatch).dags["mingasync_oak"].params
    assert len(params) == 4
    for name in params:
        param = params.get_param(name)
        assert param.value not in ("", None) or "null" in param.schema["type"], name


def test_a_bad_file_is_an_import_error_and_every_other_district_still_runs(
    districts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (districts / "ash.yaml").write_text(DISTRICT.format(name="Ash", zone="America/Chicagoo") + "colour: red\n", encoding="utf-8")
    (districts / "oak.yml").write_text(DISTRICT.format(name="Oak", zone="UTC"), encoding="utf-8")
    dags = bag(districts, monkeypatch)
    assert set(dags.dags) == {"mingasync_elm", *_OWN}
    ((_, error),) = dags.import_errors.items()
    assert "ash.yaml" in error and "'colour' is unknown" in error and "America/Chicagoo" in error
    assert "oak.yml" in error and "described twice" in error
    # Corrected, the district is there again.
    (districts / "ash.yaml").write_text(DISTRICT.format(name="Ash", zone="America/Chicago"), encoding="utf-8")
    (districts / "oak.yml").unlink()
    dags = bag(districts, monkeypatch)
    assert {"mingasync_ash", "mingasync_oak", "mingasync_elm", *_OWN} == set(dags.dags) and not dags.import_errors


def test_a_suite_that_is_wrong_is_an_import_error_that_names_it(districts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = districts / "oak.expectations.json"
    suite.write_text(
        '{"expectations": [{"type": "expect_column_values_to_be_nul", "kwargs": {"column": "email"}}]}', encoding="utf-8"
    )
    dags = bag(districts, monkeypatch)
    assert set(dags.dags) == {"mingasync_elm", *_OWN}
    ((_, error),) = dags.import_errors.items()
    assert "oak.expectations.json" in error and "expectations.0.type" in error and "expectations.0.meta' is missing" in error
    suite.write_text('{"expectations": []}', encoding="utf-8")
    assert "mingasync_oak" in bag(districts, monkeypatch).dags


@pytest.mark.parametrize(
    "line",
    ["1: x", "on: true", "~: x", "since: 2026-11-31", f"days: {'9' * 5000}", "deep: " + "[" * 3000],
    ids=lambda line: line[:12],
)
def test_whatever_a_file_holds_every_other_district_is_read(line: str, districts: Path) -> None:
    (districts / "ash.yaml").write_text(DISTRICT.format(name="Ash", zone="UTC") + line + "\n", encoding="utf-8")
    good, bad = read_districts(districts)
    assert [district.slug for district in good] == ["elm", "oak"]
    assert [file.slug for file in bad] == ["ash"] and str(bad[0].error).startswith("ash.yaml: ")
    assert ("a key at the top is no text" in str(bad[0].error)) == (line in {"1: x", "on: true", "~: x"})


@pytest.mark.parametrize("columns", ["5", "{}", "true"])
def test_whatever_a_suite_holds_every_other_district_is_read(columns: str, districts: Path) -> None:
    (districts / "oak.expectations.json").write_text(
        '{"expectations": [{"type": "expect_compound_columns_to_be_unique", "kwargs": {"column_list": ' + columns + '}, "meta": '
        '{"resource": "users", "severity": "error", "message": "Not so.", "cure": "Mend it."}}]}',
        encoding="utf-8",
    )
    good, bad = read_districts(districts)
    assert [district.slug for district in good] == ["elm"]
    assert "oak.expectations.json: key 'expectations.0'" in str(bad[0].error)


def test_a_task_start_parses_its_own_district_only(districts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "mingasync_oak")
    assert "mingasync_elm" not in bag(districts, monkeypatch).dags
