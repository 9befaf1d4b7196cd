"""Forty kinds of dirt: each found under its rule, none of them touching what is clean."""

from __future__ import annotations

import datetime as dt
import html
import io
import posixpath
import re
import zipfile
from collections import Counter
from typing import Any

import pandas as pd
import pytest

from include.mingasync.oneroster.records import COLUMNS
from include.mingasync.quality.catalogue import BY_ID
from include.mingasync.quality.prove import Findings, prove
from include.mingasync.quality.unproven import Standing, Unproven
from include.mingasync.rosters.people import people_from
from tests.integration.directory.world import klass, user
from tests.unit.quality.dirt import FORTY, Dirt, Rows, clean, frames

NIGHT = dt.date(2026, 11, 24)


def proven(rows: Rows, unreadable: pd.DataFrame | None = None) -> Findings:
    before = {name: len(own) for name, own in clean().items()}
    return prove(
        frames(rows),
        night=NIGHT,
        sis_name="Skyward",
        unreadable=unreadable,
        previous_rows=before,
        known_until=dt.date(2026, 10, 30),
    )


def test_old_data_are_no_fault_of_a_district_that_never_had_newer() -> None:
    rows = clean()
    for session in rows["academicSessions"]:
        session.update(start_date="2021-08-23", end_date="2022-05-27")
    findings = prove(frames(rows), night=NIGHT, sis_name="generic")
    assert findings.counts["critical"] == 0
    assert {"academicSessions.over", "academicSessions.long_over"} <= set(findings.issues["rule"])


@pytest.mark.parametrize(("ended", "errors"), [("2026-07-27", 0), ("2026-07-26", 1)])
def test_after_the_longest_holidays_old_data_are_no_good_night(ended: str, errors: int) -> None:
    rows = clean()
    for session in rows["academicSessions"]:
        session.update(start_date="2025-08-23", end_date=ended)
    findings = prove(frames(rows), night=NIGHT, sis_name="generic")
    assert findings.counts == {"critical": 0, "error": errors, "warning": 1} and findings.set_aside.empty


def test_a_clean_district_has_no_issues() -> None:
    findings = proven(clean())
    assert findings.issues.to_dict("records") == [] and findings.set_aside.empty
    assert findings.counts == {"critical": 0, "error": 0, "warning": 0}


@pytest.mark.parametrize("dirt", FORTY, ids=lambda dirt: dirt.name)
def test_each_kind_of_dirt_is_told(dirt: Dirt) -> None:
    rows = clean()
    dirt.throw(rows)
    findings = proven(rows)
    found = findings.issues[findings.issues["rule"] == dirt.rule]
    assert len(found), findings.issues["rule"].tolist()
    assert set(found["severity"]) == {dirt.severity}
    assert not found["message"].str.contains("None|nan|NA").any()
    assert found["fix"].str.contains("Skyward").all() and not found["fix"].str.contains("{", regex=False).any()
    if dirt.sourced_id:
        assert dirt.sourced_id in set(found["sourced_id"])
    assert found["message"].str.contains(dirt.says, regex=False).any()
    assert bool(findings.critical) == (findings.counts["critical"] > 0)
    if dirt.severity == "critical":
        assert findings.critical


@pytest.mark.parametrize("dirt", [one for one in FORTY if one.severity == "warning"], ids=lambda dirt: dirt.name)
def test_a_warning_sets_nothing_aside(dirt: Dirt) -> None:
    rows = clean()
    dirt.throw(rows)
    if dirt.rule != "users.halved":  # whose enrollments rightly miss their users
        assert proven(rows).set_aside.empty


def test_what_is_bad_is_set_aside_with_all_that_hangs_on_it_and_nothing_else() -> None:
    rows = clean()
    rows["classes"][0]["school_id"] = "S9"
    rows["users"][1]["roles"] = ["wizard"]
    aside = proven(rows).set_aside
    assert set(aside.loc[aside["resource"] == "classes", "sourced_id"]) == {"C0"}
    assert set(aside.loc[aside["resource"] == "users", "sourced_id"]) == {"u1"}
    wait = {one["sourced_id"] for one in rows["enrollments"] if one["class_id"] == "C0" or one["user_id"] == "u1"}
    assert set(aside.loc[aside["resource"] == "enrollments", "sourced_id"]) == wait


def test_of_two_records_with_one_id_the_id_stays_in() -> None:
    rows = clean()
    rows["users"].append(user("u1", given_name="Else"))
    assert proven(rows).set_aside.empty


def test_who_leaves_needs_no_content() -> None:
    rows = clean()
    bare = {"sourced_id": "u8", "status": "tobedeleted"}
    rows["users"] += [bare, user("u9", roles=["wizard"], enabled=False)]
    rows["classes"].append(klass("C9", school_id="S9", terms=(), status="inactive"))
    assert proven(rows).issues.empty


def test_the_several_records_of_one_human_share_e_mail_and_username() -> None:
    rows = clean()
    rows["users"].append(rows["users"][0] | {"sourced_id": "u0b", "org_ids": ["S2"]})
    assert proven(rows).issues.empty


#: How else one human's records may be written, a record per school, so that they are one person here.
_ONE_HUMAN: dict[str, dict[str, Any]] = {
    "the same": {},
    "a space behind the number": {"identifier": "9 "},
    "another role first, theirs marked as primary": {"roles": ["aide", "teacher"], "role_types": ["secondary", "primary"]},
    "a parent as well": {"roles": ["parent", "teacher"], "role_types": [None, None]},
    "a preferred name": {"given_name": "Joanna", "preferred_given_name": "Jo"},
}


@pytest.mark.parametrize("written", _ONE_HUMAN.values(), ids=_ONE_HUMAN.keys())
def test_one_humans_own_records_are_not_several_people(written: dict[str, Any]) -> None:
    rows, of = clean(), {"identifier": "9", "email": "j@x.org", "username": "jo", "given_name": "Jo", "family_name": "Berg"}
    rows["users"] += [user("j1", "teacher", **of), user("j2", "teacher", ("S2",), **of | written)]
    findings = proven(rows)
    assert len(people_from(frames(rows)["users"], frames(rows)["orgs"], night=NIGHT).present) == 9
    assert findings.issues.empty


def test_people_without_an_identifier_are_not_one_human() -> None:
    rows = clean()
    for one in rows["users"][:2]:
        one |= {"identifier": "", "email": "a@x.org"}
    assert list(proven(rows).issues["rule"]) == ["users.email_shared"]


def test_parents_share_an_address() -> None:
    rows = clean()
    rows["users"] += [
        user("p1", "parent", email="us@example.org"),
        user("p2", "guardian", email="us@example.org"),
    ]
    assert proven(rows).issues.empty


def test_warnings_are_told_once_with_twenty_examples() -> None:
    rows = clean()
    rows["users"] = [user(f"u{number}", org_ids=[]) for number in range(30)]
    found = proven(rows).issues
    (told,) = found.loc[found["rule"] == "users.org_missing", "message"]
    assert told.startswith("30 records: ") and told.endswith("u19 …)") and "u20" not in told


def test_records_that_could_not_be_read_are_set_aside_under_their_collection() -> None:
    bad = pd.DataFrame([("classes", "C7", "grades is a number")], columns=["resource", "sourced_id", "reason"])
    findings = proven(clean(), bad)
    (issue,) = findings.issues.to_dict("records")
    assert (issue["rule"], issue["severity"]) == ("classes.unreadable", "error")
    assert issue["message"] == "The record could not be read: grades is a number."
    assert findings.set_aside.to_dict("records") == [{"resource": "classes", "sourced_id": "C7", "rule": "classes.unreadable"}]


def test_all_forty_at_once_crash_nothing() -> None:
    rows = clean()
    for dirt in FORTY:
        if dirt.severity != "critical" and dirt.rule != "users.halved":
            dirt.throw(rows)
    assert proven(rows).counts["error"] > 10


def test_nothing_shared_but_people_is_fine() -> None:
    rows = clean()
    for name in ("academicSessions", "courses", "classes", "enrollments"):
        rows[name] = []
    assert prove(frames(rows), night=NIGHT, sis_name="generic").issues.empty


def test_every_rule_has_a_kind_of_dirt_or_is_the_same_rule_of_another_collection() -> None:
    thrown = {dirt.rule.split(".")[1] for dirt in FORTY} | {"unreadable", "long_over"}
    # What only a comparison with earlier nights or with the settings can tell is thrown by tests of its own.
    thrown |= {"not_shared", "other_district", "parents_not_shared"}
    assert {rule.split(".")[1] for rule in BY_ID} <= thrown
    assert {rule.resource for rule in BY_ID.values()} == set(COLUMNS)


def test_classes_without_any_title_are_no_fault_for_they_are_named_after_their_course() -> None:
    rows = clean()
    for own in rows["classes"]:
        own.update(title="")
    assert proven(rows).counts["critical"] == 0


def test_the_data_docs_tell_rules_and_numbers_and_never_a_record() -> None:
    rows = clean()
    for dirt in FORTY:
        if dirt.severity == "error":
            dirt.throw(rows)
    findings = proven(rows)
    with zipfile.ZipFile(io.BytesIO(findings.data_docs)) as archive:
        pages = {name: archive.read(name).decode() for name in archive.namelist() if name.endswith(".html")}
    text = "\n".join(pages.values())
    assert "index.html" in pages and any(name.startswith("validations/users") for name in pages)
    rule = BY_ID["users.role_unknown"]
    assert f" of 9 records break {rule.id} ({rule.severity}): {rule.message}" in html.unescape(text)
    people = frames(rows)["users"]
    for column in ("sourced_id", "given_name", "family_name", "email", "username", "identifier", "phone"):
        for value in people[column].dropna():
            # Short ones such as "a" stand in every text.
            assert len(str(value)) < 5 or str(value) not in text, (column, value)


def test_the_data_docs_need_no_script_and_no_other_site_and_their_index_tells_each_collection() -> None:
    rows = clean()
    for dirt in FORTY:
        if dirt.severity == "error":
            dirt.throw(rows)
    findings = proven(rows)
    with zipfile.ZipFile(io.BytesIO(findings.data_docs)) as archive:
        names = set(archive.namelist())
        pages = {name: archive.read(name).decode() for name in names}
    for name, page in pages.items():
        assert not re.search(r"<script|<button|\son[a-z]+=|https?://|@import", page), name
        for link in re.findall(r'(?:href|src)="([^"#]+)', page):
            assert posixpath.normpath(posixpath.join(posixpath.dirname(name), link)) in names, (name, link)
    told = html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", pages["index.html"])))
    counted = Counter(findings.issues.loc[findings.issues["resource"] == "users", "rule"])
    assert len(counted) > 3
    for resource, own in frames(rows).items():
        assert f" {resource} {len(own):,} " in told
    for rule in counted.keys() & BY_ID.keys():
        # Of what breaks as a whole there is no line; an error is told once per record.
        if BY_ID[rule].severity == "error":
            number = counted[rule]
            assert f"{number} {'record' if number == 1 else 'records'} , error {rule} :" in told, rule


def test_a_collection_that_is_needed_and_was_refused_is_one_issue_with_all_that_waits_for_it() -> None:
    rows = clean()
    rows["classes"] = []
    refused = {"classes": Unproven("absent", "classes: not shared (status 403).")}
    standing = Standing(refused, {"classes": ["class_lists.enabled", "auto_lists.teacher"]})
    findings = prove(frames(rows), night=NIGHT, sis_name="PowerSchool", previous_rows={"classes": 6}, standing=standing)
    (issue,) = findings.issues.to_dict("records")
    assert (issue["rule"], issue["severity"], issue["resource"]) == ("classes.not_shared", "error", "classes")
    assert issue["message"].startswith("classes: not shared (status 403). 37 enrollments wait for them. Nobody was archived")
    assert "PowerSchool" in issue["fix"] and "class_lists.enabled, auto_lists.teacher" in issue["fix"]
    assert findings.set_aside.empty


@pytest.mark.parametrize(("collection", "can_be"), [("orgs", False), ("users", False), ("classes", True)])
def test_that_there_are_none_is_no_answer_about_what_no_district_is_without(collection: str, can_be: bool) -> None:
    rows = clean()
    rows[collection] = []
    standing = Standing({collection: Unproven("empty", f"{collection}: the SIS's answer was empty.")}, {collection: ["roles"]})
    findings = prove(frames(rows), night=NIGHT, sis_name="PowerSchool", standing=standing)
    (fix,) = findings.issues.loc[findings.issues["rule"] == f"{collection}.not_shared", "fix"]
    assert "PowerSchool" in fix and ("accept_smaller" in fix) is can_be
    assert bool(findings.critical) is not can_be


@pytest.mark.parametrize("collection", ["orgs", "academicSessions", "courses", "classes", "users"])
def test_what_points_into_a_collection_of_which_a_part_is_missing_is_no_fault_of_the_record(collection: str) -> None:
    rows = clean()
    rows[collection] = rows[collection][:1]
    moved = {collection: Unproven("incomplete", f"{collection}: it moved.")}
    findings = prove(frames(rows), night=NIGHT, sis_name="generic", standing=Standing(moved, {}))
    assert findings.issues.empty and findings.set_aside.empty


def test_a_session_whose_dates_are_none_may_be_the_one_that_is_going_on() -> None:
    rows = clean()
    for session in rows["academicSessions"]:
        session.update(start_date="2025-08-23", end_date="2026-05-27")
    rows["academicSessions"][1].update(end_date="18.12.2026")
    findings = prove(frames(rows), night=NIGHT, sis_name="generic", known_until=dt.date(2026, 12, 18))
    assert findings.counts["critical"] == 0
