"""docs/behaviours.md and docs/names.md are held to the tests: every behaviour names some, every named one is there, no number is lost."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = {name: (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("behaviours.md", "names.md")}
#: Numbers that no behaviour ever had.
NEVER_USED = {28, 29, *range(35, 40), *range(44, 50), 59}
#: Where a behaviour begins, and where the next one or another section does.
_BEGINS = re.compile(r"^(?:- \*\*B(\d+)\*\* |#+ )", re.MULTILINE)
_TEST = re.compile(r"`([\w/.]*)::(test_\w+)`")


def behaviours() -> list[tuple[int, str]]:
    """Number and text of every behaviour, in the order of the page."""
    page = PAGES["behaviours.md"]
    begins = [*_BEGINS.finditer(page)]
    ends = [found.start() for found in begins[1:]] + [len(page)]
    return [(int(found[1]), page[found.start() : end]) for found, end in zip(begins, ends, strict=True) if found[1]]


def named(text: str) -> list[tuple[str, str]]:
    """File and name of each test that a text names; one without a file is in the file named before it."""
    tests, file = [], ""
    for at, name in _TEST.findall(text):
        file = at or file
        tests.append((file, name))
    return tests


@cache
def there_in(file: str) -> frozenset[str]:
    """The tests of a file, read and not imported; none where it is not there."""
    path = ROOT / file
    if not file.startswith("tests/") or not path.is_file():
        return frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))


def test_no_number_is_lost_and_none_comes_twice() -> None:
    numbers = [number for number, _ in behaviours()]
    assert sorted({one for one in numbers if numbers.count(one) > 1}) == []
    assert sorted(set(range(1, max(numbers) + 1)) - set(numbers)) == sorted(NEVER_USED)
    assert max(numbers) >= 67


def test_every_behaviour_names_a_test_or_says_that_it_is_not_built() -> None:
    without = [number for number, text in behaviours() if not named(text) and "\n  Not built: " not in text]
    assert without == []


@pytest.mark.parametrize("page", PAGES)
def test_every_named_test_is_there(page: str) -> None:
    # Part by part, as each begins with a file of its own; the whole page for what stands between them.
    texts = [text for _, text in behaviours()] if page == "behaviours.md" else PAGES[page].split("\nTests: ")[1:]
    found = [one for text in [*texts, PAGES[page]] for one in named(text)]
    assert len(found) > 50
    assert [f"{file}::{name}" for file, name in found if name not in there_in(file)] == []
