"""One person is exported and erased on their page: by whom that may be, in two steps, and what is left."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from include.mingasync.console import erasing_pages
from include.mingasync.oneroster.records import COLUMNS
from include.mingasync.snapshot import Proof, Snapshot
from tests.integration.console.conftest import Console
from tests.integration.console.school import School
from tests.integration.console.test_pages import words
from tests.integration.directory.test_one_person import texts

PEOPLE = "/districts/oak/people"
VALUES = ["Zoltan", "Quirrelmann", "zoltan@pupils.example", "zquirrel", "ZID-90210", "zq-4711"]


@pytest.fixture
def school(console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> School:
    monkeypatch.setenv("MINGASYNC_SNAPSHOTS", (tmp_path / "store").as_uri())
    return School(console)


def somebody(school: School, folder: Path) -> int:
    """The number of a student whom a night read and loaded, with a pin and a place on a list."""
    number = school.person(
        "Zoltan", "Quirrelmann", email="zoltan@pupils.example", username="zquirrel", identifier="ZID-90210",
        sourced_id="zq-4711", sourced_ids=["zq-4711"],
    )  # fmt: skip
    other = school.person("Ann", "Ames", sourced_id="a-1", sourced_ids=["a-1"])
    school.list("Choir", members=[number, other])
    school.do("select directory.pin_field(%s, 'preferred_given_name', 'Zolly', 'asked')", number)
    school.do("select directory.pin_field(%s, 'email', 'zoltan@pupils.example', 'asked')", number)
    snapshot = Snapshot.of((folder / "store").as_uri(), "oak", "night")
    blank: dict[str, Any] = dict.fromkeys(COLUMNS["users"].names)
    users = [
        blank | {"sourced_id": "zq-4711", "given_name": "Zoltan", "family_name": "Quirrelmann", "roles": ["student"]},
        blank | {"sourced_id": "a-1", "given_name": "Ann", "family_name": "Ames", "roles": ["student"]},
    ]
    size, digest = snapshot.write("users", [pa.Table.from_pylist(users, schema=COLUMNS["users"])])
    at = dt.datetime.now(dt.UTC)
    snapshot.prove(Proof(collection="users", state="complete", rows=size, sha256=digest, started_at=at, finished_at=at))
    school.console.run(run_id="night", snapshot_url=snapshot.url, loaded_at=at, snapshot_at=at)
    return number


def test_all_that_is_kept_comes_as_a_file_for_those_who_may_edit(school: School, tmp_path: Path) -> None:
    number = somebody(school, tmp_path)
    answer = school.console.browser.get(f"{PEOPLE}/{number}/export")
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"] == f'attachment; filename="person-oak-{number}.json"'
    found = answer.json()
    assert found["person"][0]["email"] == "zoltan@pupils.example" and [pin["value"] for pin in found["pins"]] == [
        "zoltan@pupils.example",
        "Zolly",
    ]
    assert found["lists"][0]["name"] == "Choir" and found["snapshots"][0]["users"][0]["sourced_id"] == "zq-4711"
    assert school.console.browser.get(f"{PEOPLE}/999999/export").status_code == 404
    assert "Erase …" in school.console.page(f"{PEOPLE}/{number}")
    school.console.editable.clear()
    assert school.console.browser.get(f"{PEOPLE}/{number}/export").status_code == 403
    assert "Erase …" not in school.console.page(f"{PEOPLE}/{number}")
    elsewhere = school.person("Eve", "Elm", district="elm")
    assert school.console.browser.get(f"{PEOPLE}/{elsewhere}/export").status_code in (403, 404)


def test_somebody_is_erased_in_two_steps(school: School, tmp_path: Path) -> None:
    number = somebody(school, tmp_path)
    directory = Rows(school)
    # All the pins that there are: afterwards the table is empty.
    school.do("analyze")
    before = texts(directory, tmp_path / "store")
    assert "Zolly" in before["pg_stats"] and all(any(value in text for text in before.values()) for value in VALUES)
    review = school.send(f"{PEOPLE}/{number}", "erase")
    assert "Erase Zoltan Quirrelmann for good?" in words(review.text) and "Snapshot with their records 1" in words(review.text)
    for typed in ("", "yes", str(number + 1)):
        refused = school.send(f"{PEOPLE}/{number}", "erase_for_good", typed=typed, status=422)
        assert f"Nobody was erased. Type the number {number} to confirm." in words(refused.text)
    assert texts(directory, tmp_path / "store") == before
    done = school.send(f"{PEOPLE}/{number}", "erase_for_good", typed=number)
    assert done.url.path == PEOPLE and "One person was erased for good: 1 entry of the directory, 1 place on a list" in words(
        done.text
    )
    after = texts(directory, tmp_path / "store")
    assert [(place, value) for place, text in after.items() for value in [*VALUES, "Zolly"] if value in text] == []
    assert school.rows("select erased_by from directory.erasures") == ["robin"]
    assert school.rows("select given_name from directory.people") == ["Ann"]
    school.send(f"{PEOPLE}/{number}", "erase_for_good", typed=number, status=404)


def test_who_may_only_look_and_other_sites_erase_nobody(school: School, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    number = somebody(school, tmp_path)
    called: list[int] = []
    monkeypatch.setattr(erasing_pages.one_person, "erase", lambda *all_of_it: called.append(1))
    form = {"action": "erase_for_good", "typed": str(number), "end": "1"}
    foreign = school.console.browser.post(f"{PEOPLE}/{number}", data=form, headers={"sec-fetch-site": "cross-site"})
    assert foreign.status_code == 403
    elsewhere = school.person("Eve", "Elm", district="elm")
    school.send(f"{PEOPLE}/{elsewhere}", "erase_for_good", typed=elsewhere, status=404)
    school.console.editable.clear()
    for action in ("erase", "erase_for_good"):
        school.send(f"{PEOPLE}/{number}", action, typed=number, status=403)
    assert called == [] and len(school.rows("select 1 from directory.people")) == 3


def test_while_a_run_goes_on_the_page_says_so(school: School, tmp_path: Path) -> None:
    number = somebody(school, tmp_path)
    school.console.run(run_id="beside", finished_at=None, state="running")
    refused = school.send(f"{PEOPLE}/{number}", "erase_for_good", typed=number, status=409)
    assert "Nobody was erased. The run 'beside' of oak is going on" in words(refused.text)
    assert "zq-4711" in json.dumps(school.rows("select sourced_ids from directory.people"))


class Rows:
    """The directory as ``texts`` asks for it."""

    def __init__(self, school: School) -> None:
        self._connection = school.console.connection

    def rows(self, query: str, *parameters: Any) -> list[Any]:
        """The rows of a query."""
        return self._connection.execute(query, parameters).fetchall()


@pytest.mark.parametrize("number", ["123456789012345678x", "9" * 30, "x", "-1", "²"])
def test_an_address_that_tells_of_no_erasure_is_the_page_of_people(number: str, console: Console) -> None:
    assert "erased for good" not in console.page(f"/districts/oak/people?erased={number}")
