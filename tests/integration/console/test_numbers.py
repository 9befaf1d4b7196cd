"""The numbers that make one look: on the district's page with their trend, each leading to exactly those whom it counts."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from include.mingasync.directory.counts import count_run, empty_counts
from include.mingasync.directory.lacking import count_lacking
from tests.integration.console.conftest import Console
from tests.integration.console.school import School, names_in
from tests.integration.console.test_pages import words

PAGE = "/districts/oak"


@pytest.fixture
def school(console: Console) -> School:
    school = School(console)
    teacher = school.person("Tia", "Teach", "teacher", email="tia@example.org")
    ann = school.person("Ann", "Ames", email="ann@example.org")
    school.person("Ben", "Bell", email="ben@example.org")
    school.person("Cyd", "Cole")
    school.person("Dan", "Dorn", email="dan@example.org", status="archived")
    school.person("Eva", "Elm", "admin", school_ids=[], email="eva@example.org")
    school.person("Other", "District", district="elm")
    school.list("Algebra", members=[ann], managers=[teacher])
    school.list("Biology", members=[ann])
    school.list("Chemistry", managers=[teacher])
    school.list("Drama", status="inactive")
    school.list("Students", "role", members=[ann])
    return school


def night(school: School, days_ago: int = 0, **lacking: Any) -> str:
    """A night that was loaded, and counted what lacks, or what is said here."""
    run_id = school.console.run(days_ago=days_ago, run_id=f"night-{days_ago}")
    school.do("update directory.sync_runs set loaded_at = started_at where run_id = %s", run_id)
    if lacking:
        counts = empty_counts() | {"lacking": lacking}
    else:
        (number,) = school.rows("select run_no from directory.sync_runs where run_id = %s", run_id)
        counts = count_run(school.console.connection, number, count_lacking(school.console.connection, "oak"))
    school.do("update directory.sync_runs set counts = %s where run_id = %s", Jsonb(counts), run_id)
    return run_id


def numbers(school: School) -> list[str]:
    (found,) = re.findall(r'<ul class="numbers">(.*?)</ul>', school.console.page(PAGE), re.DOTALL) or [""]
    return [words(one) for one in re.findall(r"<li.*?</li>", found, re.DOTALL)]


def test_each_number_leads_to_exactly_those_whom_it_counts(school: School) -> None:
    night(school)
    assert [one.removesuffix(" the first night that counts it") for one in numbers(school)] == [
        "2 students without a class", "1 class without a teacher", "1 class without a student", "1 person without an e-mail",
        "1 person without a school",
    ]  # fmt: skip
    links = [
        unescape(one) for one in re.findall(rf'href="({PAGE}/(?:people|lists)\?[^"]*lacks=[^"]*)"', school.console.page(PAGE))
    ]
    shown = [names_in(school.console.page(one), one.partition("?")[0]) for one in links]
    assert shown == [["Ben Bell", "Cyd Cole"], ["Biology"], ["Chemistry"], ["Cyd Cole"], ["Eva Elm"]]


def test_the_trend_is_told_since_the_oldest_night_shown(school: School) -> None:
    night(school, 9, students_without_class=9, classes_without_teacher=1, people_without_email=0, people_without_school=1)
    night(school, 2, students_without_class=None, classes_without_teacher=4, people_without_email=0, people_without_school=1)
    undone = night(school, 1, students_without_class=500)
    school.do("update directory.sync_runs set undone_at = now() where run_id = %s", undone)
    night(school)
    told = numbers(school)
    assert told[0] == "2 students without a class 7 fewer than on Sun 15 Nov 2026"
    assert told[1] == "1 class without a teacher as many as on Sun 15 Nov 2026"
    assert told[2] == "1 class without a student the first night that counts it"
    assert told[3] == "1 person without an e-mail 1 more than on Sun 15 Nov 2026"


def test_without_a_night_that_counts_it_nothing_is_told(school: School) -> None:
    school.console.run()
    assert numbers(school) == []


def test_without_class_lists_only_people_are_told_of(school: School) -> None:
    school.do("update directory.user_lists set status = 'inactive'")
    night(school)
    assert [one.split(" the")[0] for one in numbers(school)] == ["1 person without an e-mail", "1 person without a school"]
