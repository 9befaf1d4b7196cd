"""The mails of every kind of night in a real browser."""

from __future__ import annotations

from pathlib import Path

from include.mingasync.results.mail import compose
from tests.browser.mails import draw
from tests.unit.results.nights import NIGHTS


def test_nights_stand_well_on_a_phone_and_on_a_desk(tmp_path: Path) -> None:
    drawn = draw(tmp_path)
    assert len(drawn) == 2 * len(NIGHTS) and all(path.stat().st_size > 5_000 for path in drawn)


def test_text_parts_are_readable_as_they_are() -> None:
    for name, night in NIGHTS.items():
        lines = compose(night).text.splitlines()
        assert lines[0].isupper() and max(map(len, lines)) <= 90, name
