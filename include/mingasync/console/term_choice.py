"""The terms and grades that may be chosen, each with what one has to know to choose."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from include.mingasync.console.reading import Row
from include.mingasync.rosters.grades import grade_code, grade_title

_SOON = 14


@dataclass(frozen=True)
class TermChoice:
    """A term as the page shows it; ``when`` says how it lies to today."""

    term_id: str
    title: str
    type: str
    start: dt.date | None
    end: dt.date | None
    classes: int
    is_shared: bool
    is_chosen: bool
    when: str
    tone: str


def term_choices(rows: Iterable[Row], chosen: Sequence[str], today: dt.date) -> list[TermChoice]:
    """Every term that is shared or chosen: those that go on first, then those to come, then those that are over."""
    rows = list(rows)
    known = {row["term_id"] for row in rows}
    later = any(row["term_id"] in chosen and row["end_date"] and row["end_date"] > today + dt.timedelta(_SOON) for row in rows)
    found = [_choice(row, row["term_id"] in chosen, today, later) for row in rows if row["shared"] or row["term_id"] in chosen]
    order = {"current": 0, "next": 1}
    found.sort(key=lambda one: (order.get(one.when.split()[0], 2), one.start or dt.date.min))
    lost = [one for one in chosen if one not in known]
    return found + [TermChoice(one, one, "", None, None, 0, False, True, "not shared", "bad") for one in lost]


def _choice(row: Row, is_chosen: bool, today: dt.date, later: bool) -> TermChoice:
    start, end = row["start_date"], row["end_date"]
    if not row["shared"]:
        when, tone = "not shared any more: its lists rest as they are", "bad"
    elif end and end < today:
        when, tone = "ended", "quiet"
    elif start and start > today:
        when, tone = "next", "going"
    else:
        when, tone = "current", "good"
        days = (end - today).days if end else _SOON + 1
        if is_chosen and days <= _SOON and not later:
            when, tone = f"current, ends in {days} days, nothing selected after it", "warn"
    return TermChoice(
        row["term_id"], row["title"], row["type"] or "", start, end, row["classes"], row["shared"], is_chosen, when, tone
    )


@dataclass(frozen=True)
class GradeChoice:
    """A grade by its code and by what people call it."""

    code: str
    title: str
    is_chosen: bool


def grade_choices(there: Iterable[str], chosen: Iterable[Any]) -> list[GradeChoice]:
    """Every grade that people are in or that is chosen, in order."""
    picked = {grade_code(str(one)) for one in chosen}
    codes = sorted({grade_code(one) for one in there} | picked)
    return [GradeChoice(code, grade_title(code), code in picked) for code in codes]
