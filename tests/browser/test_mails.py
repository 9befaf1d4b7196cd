"""The mails of every kind of night in a real browser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from include.mingasync.results.mail import compose
from tests.browser.mails import draw
from tests.unit.results.nights import BAD_CLASS, NIGHTS, night


def test_nights_stand_well_on_a_phone_and_on_a_desk(tmp_path: Path) -> None:
    drawn = draw(tmp_path)
    assert len(drawn) == 2 * len(NIGHTS) and all(path.stat().st_size > 5_000 for path in drawn)


def test_words_without_a_blank_do_not_make_a_mail_wider_than_a_phone(tmp_path: Path) -> None:
    district = "Unified" * 12
    cause = replace(BAD_CLASS, message=f"https://sis.example.org/ims/oneroster/v1p1/{'district' * 9} answered 503.")
    draw(tmp_path, {"long words": night("success", district=district, causes=(cause,))}, cards=True)


def test_text_parts_are_readable_as_they_are() -> None:
    for name, one in NIGHTS.items():
        lines = compose(one).text.splitlines()
        assert lines[0].isupper() and max(map(len, lines)) <= 90, name
