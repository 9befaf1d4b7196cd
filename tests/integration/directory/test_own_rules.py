"""Nights of a district with rules of its own beside its district file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.directory.tasks import OAK, Tasks
from tests.integration.directory.world import Sis, enrollment, everything_on, klass, user


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINGASYNC_DISTRICTS_DIR", str(tmp_path))
    return tmp_path / f"{OAK.slug}.expectations.json"


def rule(severity: str, resource: str, value: str) -> dict[str, Any]:
    return {
        "type": "expect_column_values_to_not_be_in_set",
        "kwargs": {"column": "sourced_id", "value_set": [value]},
        "meta": {
            "resource": resource,
            "severity": severity,
            "rule": f"no_{value.lower()}",
            "message": "It is a test record.",
            "cure": "Remove it from the SIS.",
        },
    }


def write(suite: Path, *rules: dict[str, Any]) -> None:
    suite.write_text(json.dumps({"expectations": rules}), encoding="utf-8")


def sis() -> Sis:
    one = Sis(users=[user("s1"), user("s2"), user("t", role="teacher")])
    one.classes = [klass("C"), klass("D")]
    one.enrollments = [
        enrollment(at, who, role) for at in "CD" for who, role in (("s1", "student"), ("s2", "student"), ("t", "teacher"))
    ]
    return one


def state(tasks: Tasks) -> dict[str, Any]:
    rows = tasks.directory.rows
    return {
        "people": rows("select sourced_id, family_name, status from directory.people order by 1"),
        "lists": rows("select source_id, name, status from directory.user_lists where kind = 'class' order by 1"),
        "members": rows(
            "select l.source_id, p.sourced_id from directory.list_members as m join directory.user_lists as l using (list_id)"
            " join directory.people as p on p.person_id = m.person_id where l.kind = 'class' order by 1, 2"
        ),
    }


def test_a_districts_own_rules_are_held_to_every_night(tasks: Tasks, suite: Path) -> None:
    tasks.directory.settings = everything_on()
    assert tasks.night(sis()).state == "success"
    before = state(tasks)

    write(suite, rule("error", "users", "s1"), rule("error", "classes", "C"), rule("warning", "users", "s2"))
    changed = sis()
    changed.users[0]["family_name"] = "Changed"
    changed.classes[0]["title"] = "Changed"
    changed.enrollments = [row for row in changed.enrollments if row["class_id"] != "C"]
    changed.users.append(user("new"))
    told = tasks.night(changed)
    assert told.state == "completed_with_errors", told.reason
    own = [issue for issue in told.issues if "own_" in issue[3]]
    assert {(issue[0], issue[1], issue[2], issue[5]) for issue in own} == {
        ("error", "users", "s1", "Remove it from the SIS."),
        ("error", "classes", "C", "Remove it from the SIS."),
        ("warning", "users", "s2", "Remove it from the SIS."),
    }
    after = state(tasks)
    assert [row for row in after["people"] if row[0] != "new"] == before["people"], "what a record set aside said holds on"
    assert (after["lists"], after["members"]) == (before["lists"], before["members"])

    suite.unlink()
    assert tasks.night(changed).state == "success"
    assert ("s1", "Changed", "active") in state(tasks)["people"]


def test_a_rule_of_its_own_that_is_critical_stops_the_night_before_any_change(tasks: Tasks, suite: Path) -> None:
    tasks.directory.settings = everything_on()
    tasks.night(sis())
    before = state(tasks)
    write(suite, rule("critical", "users", "s1"))
    told = tasks.night(Sis(users=[user("s1"), user("t", role="teacher")]))
    assert told.state == "failed" and "It is a test record." in told.reason and state(tasks) == before


def test_a_suite_that_became_wrong_stops_the_night_before_any_change(tasks: Tasks, suite: Path) -> None:
    tasks.directory.settings = everything_on()
    tasks.night(sis())
    before = state(tasks)
    suite.write_text("{", encoding="utf-8")
    told = tasks.night(sis())
    assert told.state == "failed" and "oak.expectations.json: the file cannot be read as JSON" in told.reason
    assert state(tasks) == before
