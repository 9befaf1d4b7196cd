"""Quirks by SIS name, and the cures that people read."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.quirks import GENERIC, quirks_of
from include.mingasync.oneroster.records import COLUMNS
from include.mingasync.oneroster.rest import RestSource
from tests.unit.oneroster.bundles import district

_NAMES = ["PowerSchool", "Infinite Campus", "Skyward", "Aeries", "Synergy", "ClassLink", "Clever"]


@pytest.mark.parametrize("name", _NAMES)
def test_each_sis_has_a_cure_of_its_own_for_every_resource(name: str) -> None:
    for collection in COLUMNS:
        cure = quirks_of(name).cure(collection)
        assert name in cure
        assert collection in cure
    assert quirks_of(name) != GENERIC


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("power school", "PowerSchool"),
        ("PowerSchool SIS", "PowerSchool"),
        ("infinite-campus", "Infinite Campus"),
        ("Q", "generic"),
    ],
)
def test_a_name_is_known_in_any_spelling(written: str, expected: str) -> None:
    assert quirks_of(written).name == expected


def test_quirks_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        GENERIC.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        GENERIC.share["users"] = "x"  # type: ignore[index]


@pytest.mark.parametrize(("name", "asked"), [("PowerSchool", 1000), ("Synergy", 5000)])
def test_no_page_is_asked_for_that_is_longer_than_the_sis_gives(name: str, asked: int) -> None:
    own = district(source="rest", url=None, name=name, page_size=5000)
    source = RestSource.of(own, Access("http://localhost/v1p1"))
    assert source._page_size == asked
