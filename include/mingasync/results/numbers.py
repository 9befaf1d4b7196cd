"""Numbers with their nouns, as every mail, log and page says them."""

from __future__ import annotations


def told_number(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: 1 person, 2 people, 1,203 lists."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
