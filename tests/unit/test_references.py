"""What texts refer to is in the repository: code, tests and documents can be read by whoever has nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_FOLDERS = ("include", "dags", "plugins", "stack", "tests", "bench", "docs", ".ci")
_KINDS = {".py", ".md", ".sql", ".html", ".txt", ".css", ".js", ".yaml", ".example", ".toml", ".in", ".cfg", ""}
#: Made on demand, so they may be named before they are there.
_MADE = {"docs/school-year.md"}
_PATH = re.compile(
    r"(?<![\w/.<>-])((?:docs|include|tests|dags|plugins|stack|bench)/[\w./-]*\w\.(?:md|py|sql|ya?ml(?:\.example)?|html|txt|json|zip|css|js|png))(?!\.?\w)"
)
_PAGE = re.compile(r"\b([A-Z][A-Z_]+\.md)\b")
_LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
_TEST = re.compile(r"^def (test_\w+)\(", re.MULTILINE)
_NUMBER = re.compile(r"behaviours\.md, B(\d+)")
#: Words for texts that are not in the repository.
_ELSEWHERE = re.compile(
    r"\b(PRODUCT|HOUSE|BRIEF)\b|\bthe reference on\b|\bthe help page\b|\bthe user's document\b|\bproduct page\b"
)
TEXTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [*(one for name in _FOLDERS for one in (ROOT / name).rglob("*")), *ROOT.glob("*")]
    if path.is_file()
    and (path.suffix in _KINDS)
    and not {"samples", "__pycache__"} & set(path.parts)
    and path not in (Path(__file__), ROOT / ".git")
}


def missing(name: str, text: str) -> Iterator[str]:
    """What a text names and what is not there."""
    for found in _PATH.findall(text):
        if found not in _MADE and not (ROOT / found).exists():
            yield found
    for found in _PAGE.findall(text):
        if not (ROOT / found).exists():
            yield found
    if name.endswith(".md"):
        yield from (found for found in _LINK.findall(text) if not ((ROOT / name).parent / found).exists())


def test_every_file_that_a_text_names_is_there() -> None:
    assert len(TEXTS) > 500
    assert {name: lost for name, text in TEXTS.items() if (lost := sorted(set(missing(name, text))))} == {}


def test_every_test_that_a_document_names_is_there() -> None:
    there = {name for path in (ROOT / "tests").rglob("test_*.py") for name in _TEST.findall(path.read_text(encoding="utf-8"))}
    named = {one for name, text in TEXTS.items() if name.endswith(".md") for one in re.findall(r"\b(test_\w+)`", text)}
    assert len(named) > 200 and sorted(named - there) == []


def test_no_text_rests_on_one_that_is_not_here() -> None:
    found = {name: sorted({one[0] for one in _ELSEWHERE.finditer(text)}) for name, text in TEXTS.items()}
    assert {name: words for name, words in found.items() if words} == {}


def test_every_behaviour_that_code_refers_to_is_on_the_page() -> None:
    page = TEXTS["docs/behaviours.md"]
    referred = {number for text in TEXTS.values() for number in _NUMBER.findall(text)}
    assert referred and [number for number in sorted(referred) if f"- **B{number}** " not in page] == []


@pytest.mark.parametrize(
    ("name", "text", "lost"),
    [
        ("include/x.py", "# as docs/nowhere.md says", ["docs/nowhere.md"]),
        ("docs/x.md", "[here](nowhere.md) and [there](settings.md#keys)", ["nowhere.md"]),
        ("docs/x.md", "see NOTES.md and docs/settings.md", ["NOTES.md"]),
        ("Makefile", "writes docs/school-year.md", []),
    ],
)
def test_what_is_not_there_is_found(name: str, text: str, lost: list[str]) -> None:
    assert list(missing(name, text)) == lost
