"""People on their pages: what is found, who may do what, and how people, pins and the record of it stand in the end."""

from __future__ import annotations

import datetime as dt
import re
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest

from include.mingasync.console.searching import PER_PAGE
from include.mingasync.oneroster.records import COLUMNS
from include.mingasync.snapshot import Proof, Snapshot
from stack.ports import free_port
from tests.integration.console.conftest import Console
from tests.integration.console.school import SCRIPT, School, names_in
from tests.integration.console.sheets import PAGE
from tests.integration.console.test_pages import rows, words
from tests.integration.console.test_unreadable import as_airflow_connection

PEOPLE = "/districts/oak/people"
NEW = {"role": "student", "given_name": "Ann", "family_name": "Ames", "email": "ann@example.org", "username": "ann.a",
       "identifier": "77", "school": "S1"}  # fmt: skip
SOON = (dt.date.today() + dt.timedelta(days=30)).isoformat()


@pytest.fixture
def school(console: Console) -> School:
    school = School(console)
    for slug in ("oak", "ash"):
        school.do("insert into directory.schools values (%s, 'S1', 'North <High>', null), (%s, 'S2', 'South', null)", slug, slug)
    return school


def found(at: School, /, **fields: str) -> list[str]:
    return names_in(at.look(PEOPLE, **fields).text, PEOPLE)


def version(school: School, path: str) -> str:
    (told,) = set(re.findall(r'name="version" value="(\w+)"', school.console.page(path)))
    return str(told)


def loaded(school: School, folder: Path, *users: dict[str, Any]) -> None:
    """A night that read these users and was loaded."""
    import pyarrow as pa

    snapshot = Snapshot(str(folder / "snapshot"))
    blank = dict.fromkeys(COLUMNS["users"].names)
    size, digest = snapshot.write("users", [pa.Table.from_pylist([blank | user for user in users], schema=COLUMNS["users"])])
    at = dt.datetime.now(dt.UTC)
    snapshot.prove(Proof(collection="users", state="complete", rows=size, sha256=digest, started_at=at, finished_at=at))
    school.console.run(run_id="night", snapshot_url=snapshot.url, loaded_at=at, snapshot_at=at)


def test_people_are_found_by_any_key_role_school_status_and_switch(school: School) -> None:
    school.person("Ann", "Ames", email="A.Ames@example.org", username="aames", identifier="0001")
    school.person("Annette", "Byrd", role="teacher", school_ids=["S1", "S2"], preferred_given_name="Nettie")
    school.person("Cy", "Cole", status="archived", school_ids=[], source="manual", include_in_sync=False)
    school.person("Ann", "Ash", district="ash")
    every = ["Ann Ames", "Annette Byrd", "Cy Cole"]
    assert names_in(school.console.page(PEOPLE), PEOPLE) == every
    for text, who in (("ann", every[:2]), ("byrd ann", [every[1]]), ("nettie", [every[1]]), ("a.ames@EXAMPLE.org", [every[0]]),
                      ("AAMES", [every[0]]), ("0001", [every[0]]), ("%", []), ("ash", [])):  # fmt: skip
        assert found(school, text=text) == who, text
    assert found(school, role="teacher") == [every[1]]
    assert found(school, school="S2") == [every[1]] and found(school, school="~none") == [every[2]]
    assert found(school, status="archived") == [every[2]] and found(school, sync="off") == [every[2]]
    assert found(school, text="ann", role="student", school="S1", status="active", sync="on") == [every[0]]
    assert "Nobody is found." in school.look(PEOPLE, text="nobody like it").text


def test_what_is_looked_for_stands_in_no_address_and_pages_keep_it(school: School) -> None:
    for number in range(PER_PAGE + 3):
        school.person("Okonkwo", f"F{number:02d}")
    answer = school.look(PEOPLE, text="okonkwo", role="student")
    (after,) = re.findall(r'<a href="([^"]+)" rel="next"', answer.text)
    assert "okonkwo" not in (str(answer.url) + after).lower() and f"{PER_PAGE + 3} people found" in words(answer.text)
    assert len(names_in(school.console.page(f"{PEOPLE}{after.replace('&amp;', '&')}"), PEOPLE)) == 3
    for spoilt in ("find=x", "role=parent", "school=S9", "status=gone", "sync=maybe", "page=0"):
        school.console.page(f"{PEOPLE}?{spoilt}", status=422)


def test_a_person_is_added_by_hand_and_left_alone_by_the_sync(school: School) -> None:
    page = words(school.send(PEOPLE, "add", **NEW).text)
    assert "Ann Ames was added by hand. “Include user in SIS sync” is off for them." in page and "Made by hand" in page
    ((person, *told),) = school.rows(
        "select person_id, district, source, role, given_name, family_name, email, username, identifier, school_ids,"
        " include_in_sync, status from directory.people"
    )
    assert told == ["oak", "manual", "student", "Ann", "Ames", "ann@example.org", "ann.a", "77", ["S1"], False, "active"]
    assert school.rows("select changed_by, action, person_id from directory.hand_changes") == [("robin", "add_person", person)]
    few = {
        "role": "admin",
        "given_name": " Bo  B ",
        "family_name": "Byrd",
        "email": "",
        "username": "",
        "identifier": "",
        "school": "",
    }
    school.send(PEOPLE, "add", **few)
    assert school.rows(
        "select given_name, email, username, identifier, school_ids from directory.people where role = 'admin'"
    ) == [("Bo B", None, None, None, [])]


@pytest.mark.parametrize(
    ("field", "typed"),
    [("role", ""), ("role", "parent"), ("given_name", " "), ("family_name", ""), ("family_name", "x" * 201), ("given_name", "a\u0007"),
     ("email", "nobody"), ("email", "a@x.org, b@x.org"), ("school", "S9"), ("school", "~none")],
)  # fmt: skip
def test_a_person_who_cannot_be_added_is_refused_with_what_was_typed(school: School, field: str, typed: str) -> None:
    answer = school.send(PEOPLE, "add", status=422, **(NEW | {field: typed}))
    assert "Not added: 1 field needs correcting." in words(answer.text) and 'value="77"' in answer.text
    assert school.rows("select count(*) from directory.people") == [0] and school.by_hand() == []


@pytest.mark.parametrize(
    "other",
    [{"email": "ANN@example.org"}, {"username": "ANN.A"}, {"identifier": "77"}, {"given_name": "ANN", "family_name": "ames"}],
)
def test_somebody_who_may_be_there_already_is_asked_about_first(school: School, other: dict[str, str]) -> None:
    there = school.person(other.pop("given_name", "Zoe"), other.pop("family_name", "Zimmer"), status="archived", **other)
    school.person("Ann", "Ames", district="ash", email="ann@example.org")
    asked = school.send(PEOPLE, "add", status=409, **NEW)
    assert "is it one of these, who are there already?" in words(asked.text) and f"{PEOPLE}/{there}" in asked.text
    assert school.rows("select count(*) from directory.people where district = 'oak'") == [1] and school.by_hand() == []
    (unlike,) = re.findall(r'name="unlike" value="(\w+)"', asked.text)
    school.send(PEOPLE, "add", unlike=unlike, **NEW)
    assert school.rows("select count(*) from directory.people where district = 'oak'") == [2]
    # Pressed once more it asks again, as somebody more is there by now.
    school.send(PEOPLE, "add", status=409, unlike=unlike, **NEW)
    assert school.rows("select count(*) from directory.people where district = 'oak'") == [2]


def test_a_button_pressed_twice_adds_one_person(school: School) -> None:
    answers: list[int] = []

    def press() -> None:
        try:
            answers.append(school.send(PEOPLE, "add", **NEW).status_code)
        except AssertionError:
            answers.append(409)

    threads = [threading.Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 409, 409, 409]
    assert school.rows("select count(*) from directory.people") == [1] and school.by_hand() == [("robin", "add_person")]


def test_the_switch_is_turned_on_and_off_once(school: School) -> None:
    ann = school.person("Ann", "Ames", source="manual", include_in_sync=False)
    path = f"{PEOPLE}/{ann}"
    assert "Include user in SIS sync It is off ." in words(school.console.page(path))
    assert "was turned on for Ann Ames." in words(school.send(path, "include").text)
    assert "Nothing was changed" in words(school.send(path, "include").text)
    assert school.rows("select include_in_sync from directory.people") == [True]
    school.send(path, "exclude")
    assert school.rows("select include_in_sync from directory.people") == [False]
    assert school.rows("select changed_by, before, after from directory.hand_changes order by change_no") == [
        ("robin", {"include_in_sync": False}, {"include_in_sync": True}),
        ("robin", {"include_in_sync": True}, {"include_in_sync": False}),
    ]


def test_a_field_is_pinned_with_reason_and_end_and_the_pin_is_taken_off(school: School) -> None:
    ann = school.person("Ann", "Ames", email="ann@example.org")
    path = f"{PEOPLE}/{ann}"
    one = version(school, path)
    pin = {"field": "preferred_given_name", "value": " Nan ", "reason": "Asked for it", "until": SOON}
    page = words(school.send(path, "pin", version=one, **pin).text)
    assert "Preferred name of Ann Ames was pinned to “Nan”." in page and "Asked for it · robin" in page
    pins = "select field, value, sis_value, reason, until::text, set_by from directory.field_pins"
    assert school.rows(pins) == [("preferred_given_name", "Nan", None, "Asked for it", SOON, "robin")]
    assert school.rows("select preferred_given_name from directory.people") == ["Nan"]
    # Pressed twice, the second answer is the one that is seen.
    assert "Nothing was changed: it is so already." in words(school.send(path, "pin", version=one, **pin).text)
    # Whoever comes second is told, and what they typed is still there.
    late = school.send(path, "pin", status=409, version=one, field="email", value="b@example.org", reason="Other", until="")
    assert "Somebody changed this person" in words(late.text) and 'value="b@example.org"' in late.text
    assert school.rows("select email from directory.people") == ["ann@example.org"]
    school.send(path, "unpin", status=409, version=one, field="preferred_given_name")
    school.send(path, "pin", version=version(school, path), field="email", value="", reason="Has none", until="")
    assert school.rows("select email from directory.people") == [None]
    off = school.send(path, "unpin", version=version(school, path), field="preferred_given_name")
    assert "The pin on Preferred name of Ann Ames was taken off." in words(off.text)
    assert school.rows("select field, value, until from directory.field_pins") == [("email", None, None)]
    assert "Nothing was changed" in words(school.send(path, "unpin", version="", field="preferred_given_name").text)
    assert [action for _, action in school.by_hand()] == ["pin", "pin", "unpin"]


@pytest.mark.parametrize(
    "wrong",
    [{"field": "role"}, {"field": "person_id"}, {"field": ""}, {"field": "given_name", "value": ""}, {"field": "email", "value": "x"},
     {"value": "x" * 201}, {"reason": ""}, {"reason": "x" * 501}, {"until": "2020-01-01"}, {"until": "soon"}],
)  # fmt: skip
def test_a_pin_that_cannot_be_is_refused_with_what_was_typed(school: School, wrong: dict[str, str]) -> None:
    ann = school.person("Ann", "Ames", email="ann@example.org")
    path = f"{PEOPLE}/{ann}"
    pin = {"field": "username", "value": "ann.a", "reason": "Asked", "until": ""} | wrong
    answer = school.send(path, "pin", status=422, version=version(school, path), **pin)
    assert "Not pinned: 1 field needs correcting." in words(answer.text)
    assert school.rows("select count(*) from directory.field_pins") == [0] and school.by_hand() == []


def test_a_person_shows_fields_beside_the_sis_lists_and_what_was_done_and_why(school: School, tmp_path: Path) -> None:
    ann = school.person(
        "Ann", "Ames", sourced_id="u1", sourced_ids=["u1"], email="old@example.org", grades=["09"], parent_name="Pat"
    )
    one = school.list("Algebra 1", members=[ann])
    school.list("Not hers", members=[school.person("Bo", "Byrd")])
    loaded(school, tmp_path, {"sourced_id": "u1", "given_name": "Ann", "family_name": "Ames", "email": "new@example.org",
                              "roles": ["student"], "org_ids": ["S1"], "grades": ["09"]}, {"sourced_id": "u2"})  # fmt: skip
    school.do(
        "insert into directory.changes (run_no, entity, entity_no, role, action, status, reason, before, after) select run_no, 'person',"
        " %s, 'student', 'update', 'suppressed', 'auto_update_off', '{\"email\": \"old@example.org\"}', '{\"email\": \"new@example.org\"}'"
        " from directory.sync_runs",
        ann,
    )
    page = school.console.page(f"{PEOPLE}/{ann}")
    told = rows(page)
    assert "E-mail old@example.org new@example.org differs –" in told
    assert "Given name Ann Ann –" in told and "Schools North <High> North <High> –" in told
    assert "Primary parent contact Pat – –" in told
    assert "Algebra 1 Member private Active –" in told and "Not hers" not in page
    text = words(page)
    assert "Update suppressed auto update is off for the role; turn it on to let changes through" in text
    assert "E-mail: old@example.org → new@example.org" in text
    assert f"/districts/oak/lists/{one}" in page and "/districts/oak/runs/night" in page
    # Without the snapshot the page is still there.
    Snapshot(str(tmp_path / "snapshot")).delete()
    gone = words(school.console.page(f"{PEOPLE}/{ann}"))
    assert "is not kept any more, or cannot be read from here." in gone and "E-mail old@example.org not known –" in rows(
        school.console.page(f"{PEOPLE}/{ann}")
    )


def test_somebody_of_another_district_is_refused_like_one_who_is_not_there(school: School) -> None:
    foreign = school.person("Theo", "Secret", district="ash")
    refusals = set()
    for number in (foreign, 999_999, 2**31, "x", "-1"):
        refusals.add(words(school.console.page(f"{PEOPLE}/{number}", status=404)).replace(str(number), ""))
        pin = {"field": "email", "value": "", "reason": "x", "until": "", "version": ""}
        for action in ("include", "exclude", "unpin", "pin"):
            assert "There is no such person" in school.send(f"{PEOPLE}/{number}", action, status=404, **pin).text
    assert len(refusals) == 1
    assert school.rows("select include_in_sync from directory.people") == [True] and school.by_hand() == []


def test_rights_at_every_door(school: School) -> None:
    ann = school.person("Ann", "Ames")
    path = f"{PEOPLE}/{ann}"
    school.console.editable.clear()
    for page in (PEOPLE, path):
        assert {"search"} >= set(re.findall(r'<button[^>]*value="(\w+)"', school.console.page(page)))
    assert found(school, text="ann") == ["Ann Ames"]
    assert "Nothing was changed." in school.send(PEOPLE, "add", status=403, **NEW).text
    for action in ("include", "exclude", "pin", "unpin"):
        assert "Nothing was changed." in school.send(path, action, status=403, field="email", value="", reason="x").text
    school.console.editable.add("mingasync_oak")
    for district in ("ash", "none"):
        for below in ("people", f"people/{ann}"):
            school.console.page(f"/districts/{district}/{below}", status=403)
            school.send(f"/districts/{district}/{below}", "exclude", status=403)
    for page in (PEOPLE, path):
        form = "action=exclude&role=student&given_name=A&family_name=B&end=1"
        for headers in ({"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "https://evil.example"}):
            kept = (
                {k: v for k, v in PAGE.items() if k != "sec-fetch-site"}
                | headers
                | {"content-type": "application/x-www-form-urlencoded"}
            )
            assert school.console.browser.post(page, content=form, headers=kept).status_code == 403
        assert school.console.browser.post(page, content=form[:-6], headers=PAGE).status_code == 422
        school.send(page, "explode", status=422)
    assert school.rows("select include_in_sync from directory.people") == [True] and school.by_hand() == []


def test_names_are_text_and_pages_need_nothing_that_the_policy_forbids(school: School) -> None:
    bad = school.person(SCRIPT, SCRIPT, email=SCRIPT, username=SCRIPT, identifier="77", preferred_given_name=SCRIPT)
    path = f"{PEOPLE}/{bad}"
    school.list(SCRIPT, members=[bad])
    pin = {"field": "username", "value": SCRIPT, "reason": SCRIPT, "until": ""}
    pages = [school.send(path, "pin", version=version(school, path), **pin).text, school.console.page(PEOPLE),
             school.look(PEOPLE, text=SCRIPT).text, school.send(PEOPLE, "add", status=409, **NEW).text,
             school.send(PEOPLE, "add", status=422, **(NEW | {"email": SCRIPT})).text,
             school.send(path, "pin", status=422, **(pin | {"field": SCRIPT})).text]  # fmt: skip
    for page in pages:
        assert "<script>alert" not in page and "&lt;script&gt;" in page
        assert not re.findall(r"\s(?:style|on\w+)=|<style|<script>|https?://|target=", page)


def test_a_run_that_holds_the_district_lets_nobody_in_between(school: School, database: str) -> None:
    ann = school.person("Ann", "Ames")
    with psycopg.connect(database) as run:
        run.execute("select directory.lock_district('oak')")
        for path, action in ((f"{PEOPLE}/{ann}", "exclude"), (PEOPLE, "add")):
            assert (
                "A run of this district is writing its results now."
                in school.send(path, action, status=503, **NEW | {"identifier": "8"}).text
            )
    assert school.rows("select include_in_sync from directory.people") == [True]


def test_where_the_record_cannot_be_written_nothing_is_done(school: School) -> None:
    ann = school.person("Ann", "Ames")
    path = f"{PEOPLE}/{ann}"
    one = version(school, path)
    school.do("alter table directory.hand_changes add check (changed_by <> 'robin')")
    school.send(path, "exclude", status=503)
    school.send(path, "pin", status=503, version=one, field="username", value="x", reason="y", until="")
    school.send(PEOPLE, "add", status=503, **(NEW | {"given_name": "Bo"}))
    assert school.rows("select given_name, username, include_in_sync from directory.people") == [("Ann", None, True)]
    assert school.rows("select count(*) from directory.field_pins") == [0]


def test_the_database_is_away(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = school.person("Ann", "Ames")
    monkeypatch.setenv("AIRFLOW_CONN_ROSTER_DB", as_airflow_connection(f"postgresql://a:b@127.0.0.1:{free_port()}/nothing"))
    for path, action in ((PEOPLE, "add"), (f"{PEOPLE}/{ann}", "exclude")):
        assert "does not answer" in school.console.page(path, status=503)
        assert "does not answer" in school.send(path, action, status=503, **NEW).text


def test_before_any_run_nobody_is_there_and_somebody_can_be_added(empty: Console) -> None:
    assert "Nobody yet" in empty.page(PEOPLE)
    empty.page(f"{PEOPLE}/1", status=404)
    school = School(empty)
    school.send(PEOPLE, "add", **(NEW | {"school": ""}))
    assert school.rows("select given_name, include_in_sync from directory.people") == [("Ann", False)]


def test_whoever_is_removed_leaves_nothing_in_the_record(school: School) -> None:
    school.send(PEOPLE, "add", **NEW)
    (ann,) = school.rows("select person_id from directory.people")
    path = f"{PEOPLE}/{ann}"
    school.send(
        path, "pin", version=version(school, path), field="email", value="secret@example.org", reason="Her wish", until=""
    )
    school.do("select directory.remove_people('oak', %s)", [ann])
    assert school.by_hand() == []
