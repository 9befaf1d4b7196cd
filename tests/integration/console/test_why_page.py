"""Why? on its page: who and what is found, what is said of what is not there, and the control that is offered."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from include.mingasync.console.app import app
from tests.integration.console.conftest import Console
from tests.integration.console.school import School
from tests.integration.console.test_pages import words

WHY = "/districts/oak/why"


@pytest.fixture
def school(console: Console) -> School:
    console.run(run_id="night")
    console.store('{"automatic_rostering": true}')
    return School(console)


def test_one_who_fits_is_answered_at_once_with_the_control_that_mends_the_first_cross(school: School) -> None:
    ann = school.person("Ann", "Ames", email="ann@example.org", include_in_sync=False)
    page = school.look(WHY, text="ann@example.org").text
    assert 'Not so: "Include user in SIS sync" is off' in words(page)
    assert f'/districts/oak/people/{ann}"' in page and "Mend it on the person's page" in words(page)
    assert f"(person {ann})" in page and f"(person {ann})" in school.console.page(f"{WHY}?person={ann}")


def test_names_that_several_share_are_asked_about(school: School) -> None:
    lists = [school.list("Algebra"), school.list("Algebra")]
    page = school.look(WHY, text="algebra").text
    assert [f"{WHY}?list={number}" in page for number in lists] == [True, True] and 'class="chain"' not in page


def test_a_private_list_is_answered_with_its_page(school: School) -> None:
    number = school.list("Algebra", members=[school.person("Ann", "Ames")], visibility="private")
    page = school.look(WHY, text="algebra").text
    assert "Private: only its managers and admins see it." in page and f'/districts/oak/lists/{number}"' in page


def test_nobody_of_another_district_is_told_of(school: School) -> None:
    other = school.person("Zoe", "Zimmer", district="ash", email="zoe@example.org")
    hidden = school.list("Zoology", district="ash")
    for text in ("zoe@example.org", "zoology", str(other)):
        page = school.look(WHY, text=text).text
        assert "Nobody in the directory fits" in page and "No list fits" in page and "Zimmer" not in page
    for address in (f"{WHY}?person={other}", f"{WHY}?list={hidden}", f"{WHY}?person={other}9"):
        school.console.page(address, status=404)
    school.console.page("/districts/ash/why", status=403)


def test_a_reader_may_ask_and_nobody_may_unnamed(school: School) -> None:
    school.person("Ann", "Ames", include_in_sync=False)
    school.console.editable.clear()
    assert "It is mended on" in school.look(WHY, text="ames").text
    app.dependency_overrides.clear()
    assert TestClient(app).get(WHY).status_code == 401
