"""Grades however they are written."""

from __future__ import annotations

import pytest

from include.mingasync.rosters.grades import grade_code, grade_title, known_grade


@pytest.mark.parametrize(
    ("code", "title", "spellings"),
    [
        ("09", "Grade 9", ["9", "09", "9th", "Grade 9", "grade 09", "Ninth grade", "NINTH GRADE", " 9 "]),
        ("12", "Grade 12", ["12", "12th Grade", "Twelfth grade"]),
        ("01", "Grade 1", ["1", "01", "First grade"]),
        ("KG", "Kindergarten", ["KG", "kg", "K", "Kindergarten", "0"]),
        ("PK", "Prekindergarten", ["PK", "Pre-K", "P4"]),
        ("UG", "Ungraded", ["UG", "ungraded"]),
        ("02", "Grade 2", ["2", "Grade-2", "grade - 2", "Gr. 2"]),
        ("-2", "-2", ["-2", " -2 "]),
    ],
)
def test_spellings_of_a_grade_are_one_code(code: str, title: str, spellings: list[str]) -> None:
    assert {grade_code(text) for text in spellings} == {code}
    assert grade_title(code) == title


@pytest.mark.parametrize("text", ["-2", "-02", "−2", "–3", "Grade -2", "year -3"])
def test_a_year_before_kindergarten_is_no_grade_of_school(text: str) -> None:
    assert not known_grade(text)


def test_a_home_made_grade_keeps_its_name() -> None:
    assert grade_code("Upper  School") == grade_code("upper school") == "upper school"
    assert grade_title("upper school") == "Upper School"
    assert known_grade("7") and not known_grade("Upper School")
