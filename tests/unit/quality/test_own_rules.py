"""A district's own expectations, held to a clean district by great-expectations itself."""

from __future__ import annotations

import datetime as dt
import html
import io
import json
import logging
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from include.mingasync.errors import DistrictFileError
from include.mingasync.expectations import read_expectations
from include.mingasync.quality.prove import Findings, prove
from tests.integration.directory.world import user
from tests.unit.quality.dirt import Rows, clean, frames

_PAGE = Path(__file__).parents[3] / "docs" / "data-quality.md"
_MEANING = {"resource": "users", "severity": "error", "message": "Not so.", "cure": "Mend {it}."}


def suite(folder: Path, *expectations: dict[str, Any]) -> Path:
    path = folder / "oak.expectations.json"
    path.write_text(json.dumps({"name": "oak", "expectations": expectations}), encoding="utf-8")
    return path


def rule(what: str, meta: dict[str, Any] | None = None, **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_{what}", "kwargs": kwargs, "meta": _MEANING | (meta or {})}


def proven(rows: Rows, path: Path) -> Findings:
    return prove(frames(rows), night=dt.date(2026, 11, 24), sis_name="generic", expectations=read_expectations(path))


def people() -> Rows:
    rows = clean()
    rows["users"] += [
        user("odd", identifier="x-odd"),
        user("blank", identifier=None),
        user("gone", identifier="x-gone", status="tobedeleted"),
        user("off", identifier="x-off", enabled=False),
        user("t-odd", role="teacher", identifier="x-teacher"),
    ]
    return rows


@pytest.mark.parametrize(
    ("severity", "told", "aside"),
    [
        ("error", [("error", "odd", "Not so.", "Mend {it}."), ("error", "t-odd", "Not so.", "Mend {it}.")], ["odd", "t-odd"]),
        ("warning", [("warning", None, "2 records: Not so. (odd, t-odd)", "Mend {it}.")], []),
        ("critical", [("critical", None, "2 records: Not so. (odd, t-odd)", "Mend {it}.")], []),
    ],
)
def test_who_breaks_a_rule_is_told_as_its_severity_says(
    severity: str, told: list[tuple[Any, ...]], aside: list[str], tmp_path: Path
) -> None:
    path = suite(tmp_path, rule("column_values_to_not_match_regex", {"severity": severity}, column="identifier", regex="^x-"))
    findings = proven(people(), path)
    own = findings.issues[findings.issues["rule"] == "users.own_identifier_not_match_regex"]
    rows = own[["severity", "sourced_id", "message", "fix"]].astype(object)
    assert [tuple(row) for row in rows.where(rows.notna(), None).to_numpy()] == told
    assert sorted(findings.set_aside["sourced_id"]) == aside
    assert bool(findings.critical) == (severity == "critical")


@pytest.mark.parametrize(
    "role",
    [
        {"row_condition": {"type": "comparison", "column": {"name": "role"}, "operator": "==", "parameter": "teacher"}},
        {"row_condition": "role == 'teacher'", "condition_parser": "pandas"},
    ],
)
def test_a_rule_may_be_about_those_of_a_role_only(role: dict[str, Any], tmp_path: Path) -> None:
    path = suite(tmp_path, rule("column_values_to_not_match_regex", column="identifier", regex="^x-", **role))
    assert list(proven(people(), path).set_aside["sourced_id"]) == ["t-odd"]


@pytest.mark.parametrize(
    ("expectation", "aside"),
    [
        (rule("column_values_to_not_be_null", column="identifier"), {"blank"}),
        (rule("column_values_to_not_be_null", column="identifier", mostly=0.5), set()),
        (rule("column_value_lengths_to_be_between", column="identifier", max_value=6), {"t-odd"}),
        (rule("column_values_to_not_be_in_set", column="sourced_id", value_set=["odd"]), {"odd"}),
        (rule("column_pair_values_to_be_equal", column_A="sourced_id", column_B="status"), None),
    ],
)
def test_expectations_of_every_shape_find_the_records(
    expectation: dict[str, Any], aside: set[str] | None, tmp_path: Path
) -> None:
    out = proven(people(), suite(tmp_path, expectation)).set_aside
    found = set(out.loc[out["resource"] == "users", "sourced_id"])
    here = {row["sourced_id"] for row in people()["users"] if row["status"] == "active" and row["enabled"] is not False}
    assert found == (here if aside is None else aside)


def test_what_hangs_on_a_class_that_a_rule_sets_aside_waits_for_it(tmp_path: Path) -> None:
    rows = clean()
    one = rows["classes"][0]["sourced_id"]
    about_classes = {"resource": "classes", "rule": "odd_one"}
    path = suite(tmp_path, rule("column_values_to_not_be_in_set", about_classes, column="sourced_id", value_set=[one]))
    findings = proven(rows, path)
    waiting = sum(row["class_id"] == one for row in rows["enrollments"])
    (told,) = findings.issues.loc[findings.issues["rule"] == "classes.own_odd_one", "message"]
    assert told == f"Not so. {waiting} enrollments wait for {one}." and waiting > 1
    assert list(findings.set_aside["rule"]).count("enrollments.waits_for_class") == waiting


def test_a_rule_about_a_whole_collection_is_told_once_and_sets_nothing_aside(tmp_path: Path) -> None:
    rows = clean()
    rows["courses"] = []
    path = suite(tmp_path, rule("table_row_count_to_be_between", {"resource": "courses", "severity": "critical"}, min_value=1))
    findings = proven(rows, path)
    assert findings.critical == ["Not so."] and "courses" not in set(findings.set_aside["resource"])
    own = findings.issues["rule"].str.contains("own_")
    assert list(findings.issues.loc[own, "rule"]) == ["courses.own_table_row_count_to_be_between"]


def test_data_docs_tell_of_the_rule_and_hold_no_value(tmp_path: Path) -> None:
    path = suite(tmp_path, rule("column_values_to_not_match_regex", column="identifier", regex="^x-"))
    with zipfile.ZipFile(io.BytesIO(proven(people(), path).data_docs)) as pages:
        text = "".join(pages.read(name).decode(errors="replace") for name in pages.namelist())
    assert "users.own_identifier_not_match_regex" in text
    assert "x-odd" not in text and "x-teacher" not in text


def test_the_index_of_the_data_docs_tells_what_a_collection_as_a_whole_breaks(tmp_path: Path) -> None:
    """A critical rule that stops the night stands there, also where the collection has no record."""
    few = {"resource": "classes", "severity": "critical", "message": "Fewer than 99 classes came."}
    path = suite(tmp_path, rule("table_row_count_to_be_between", few, min_value=99))
    for rows, told in (
        (clean(), "classes.own_table_row_count_to_be_between : Fewer than 99 classes came."),
        (clean() | {"users": []}, "users 0 0 As a whole , critical users.none : The SIS sent no users."),
    ):
        with zipfile.ZipFile(io.BytesIO(proven(rows, path).data_docs)) as pages:
            index = pages.read("index.html").decode()
            links = re.findall(r'href="([^"]+)', index)
            assert set(links) <= set(pages.namelist())
        assert told in " ".join(html.unescape(re.sub(r"<[^>]+>", " ", index)).split())


@pytest.mark.parametrize(
    "expectation",
    [
        rule("column_values_to_match_regex", column="identifier", regex="["),
        rule("column_values_to_be_between", column="given_name", min_value=3),
        rule(
            "column_values_to_match_regex", column="identifier", regex="x", row_condition="roel == 1", condition_parser="pandas"
        ),
        rule("column_values_to_match_regex", column="identifier", regex="x", nonsense=1),
    ],
)
def test_arguments_that_do_not_fit_are_refused_in_a_sentence_without_values(
    expectation: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(DistrictFileError) as refused:
        proven(people(), suite(tmp_path, expectation))
    words = str(refused.value)
    assert words.startswith("The district's own rule users.own_") and words.endswith("Nothing was changed.")
    out, err = capfd.readouterr()
    assert "x-odd" not in words + caplog.text + out + err and "Calculating" not in out + err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot be read as JSON at line 1"),
        ("[]", "holds no suite"),
        ("{}", "key 'expectations' is missing"),
        (json.dumps({"expectations": [rule("column_values_to_be_lovely")]}), "is no expectation of great-expectations"),
        (json.dumps({"expectations": [rule("query_results_to_match_comparison")]}), "is no expectation of great-expectations"),
        (json.dumps({"expectations": [rule("column_values_to_be_null", column="emial")]}), "users have no column 'emial'"),
        (
            json.dumps({"expectations": [rule("column_values_to_be_null", column="grades")]}),
            "no column 'grades' of single values",
        ),
        (json.dumps({"expectations": [rule("column_to_exist", {"severty": "error"})]}), "did you mean 'severity'?"),
        (json.dumps({"expectations": [rule("column_to_exist", {"severity": "bad"})]}), "'critical', 'error' or 'warning'"),
        (json.dumps({"expectations": [rule("column_to_exist", {"rule": "Not so"})]}), "expectations.0.meta.rule"),
        (json.dumps({"expectations": [rule("column_to_exist", column="email")] * 2}), "several expectations are the rule"),
    ],
)
def test_a_suite_that_is_wrong_names_file_key_and_cure(content: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "oak.expectations.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DistrictFileError) as refused:
        read_expectations(path)
    assert str(refused.value).startswith("oak.expectations.json: ") and words in str(refused.value)


def test_what_great_expectations_writes_itself_is_read(tmp_path: Path) -> None:
    import great_expectations as gx

    made = gx.ExpectationSuite(
        name="oak",
        expectations=[gx.expectations.ExpectColumnValuesToNotBeNull(column="identifier", meta=_MEANING, notes="a note")],
    )
    path = tmp_path / "oak.expectations.json"
    path.write_text(json.dumps(made.to_json_dict()), encoding="utf-8")
    assert list(proven(people(), path).set_aside["sourced_id"]) == ["blank"]


def test_without_a_file_there_are_no_rules(tmp_path: Path) -> None:
    assert read_expectations(tmp_path / "oak.expectations.json") == ()


def test_the_suite_of_the_page_is_right_and_finds_what_it_says(tmp_path: Path) -> None:
    section = _PAGE.read_text(encoding="utf-8").split("## A district's own rules")[1]
    path = tmp_path / "oak.expectations.json"
    path.write_text(section.split("```json")[1].split("```")[0], encoding="utf-8")
    rows = clean()
    rows["users"] = [row | {"identifier": f"{place:06d}"} for place, row in enumerate(rows["users"])]
    rows["users"].append(user("odd", identifier="12345"))
    findings = proven(rows, path)
    assert list(findings.set_aside["sourced_id"]) == ["odd"]
    assert set(findings.issues["rule"]) == {"users.own_student_number", "classes.own_table_row_count_to_be_between"}


def test_great_expectations_is_silent_also_when_it_is_imported_for_a_districts_own_rules(tmp_path: Path) -> None:
    path = suite(tmp_path, rule("column_values_to_match_regex", column="identifier", regex="^x", mostly=0.1))
    program = (
        "import logging, sys, pathlib\n"
        "logging.basicConfig(level=logging.INFO, stream=sys.stdout)\n"
        "from tests.unit.quality.test_own_rules import people, proven\n"
        "proven(people(), pathlib.Path(sys.argv[1]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], cwd=_PAGE.parents[1], capture_output=True, text=True, check=True
    )
    assert "Skipping registering" not in done.stdout and "Loading" not in done.stdout


@pytest.mark.parametrize(
    ("expectation", "words"),
    [
        (rule("compound_columns_to_be_unique", column_list=5), "'column_list' in kwargs is no list of texts"),
        (rule("compound_columns_to_be_unique", column_list="email"), "'column_list' in kwargs is no list of texts"),
        (rule("column_values_to_not_be_null", column=3), "'column' in kwargs is no text"),
        (rule("column_values_to_not_be_null") | {"kwargs": ["email"]}, "key 'expectations.0.kwargs'"),
    ],
)
def test_what_kwargs_cannot_be_is_named_as_the_file_calls_it(expectation: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(DistrictFileError) as refused:
        read_expectations(suite(tmp_path, expectation))
    assert words in str(refused.value)


def test_a_suite_saved_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "oak.expectations.json"
    path.write_text('\ufeff{"expectations": []}', encoding="utf-8")
    assert read_expectations(path) == ()
