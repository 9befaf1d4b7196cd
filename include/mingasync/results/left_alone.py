"""What a night left as it was, and why, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg

_SQL = Path(__file__).parent / "sql" / "left_alone.sql"

#: (what was not done, why) -> how many people.
LeftAlone = Mapping[tuple[str, str], int]

#: What was not done, in words for one and for many.
_WHAT = {
    "update_suppressed": (
        "person differs in the SIS and was left as is",
        "people differ in the SIS and were left as they are",
    ),
    "archive_suppressed": (
        "person is gone from the SIS and stays active",
        "people are gone from the SIS and stay active",
    ),
    "archive_held": (
        "archive is held by the safety limits; this person stays active",
        "archives are held by the safety limits; these people stay active",
    ),
    "skipped": ("SIS record was skipped", "SIS records were skipped"),
}
_ASKED = "it is not certain who that is, see What to fix", "it is not certain who they are, see What to fix"
#: Why, in words for one and for many; a reason that is not here is not told.
_WHY = {
    "auto_update_off": ("auto update is off for the role", "auto update is off for their role"),
    "archive_off": ("archive is off for the role", "archive is off for their role"),
    "quiet": ("tonight only additions are made (setting quiet)",) * 2,
    "absent_nights": ("not missing for enough nights running yet (setting safety.absent_nights)",) * 2,
    "excluded": ("excluded from the sync by hand",) * 2,
    "roster_off": ("of a role that is not rostered",) * 2,
    "paused": ("at a school that is paused",) * 2,
    "role_not_begun": ("the role begins later", "their role begins later"),
    "role_unknown": ("the role is none that OneRoster knows", "their role is none that OneRoster knows"),
    "school_unknown": ("the record names no school that is known", "the records name no school that is known"),
    "name_missing": ("the record has no name", "the records have no name"),
    "match_not_unique": _ASKED,
    "match_contradicts": _ASKED,
    "sourced_id_changed": _ASKED,
    "sourced_id_reissued": _ASKED,
    "two_entries_one_human": _ASKED,
    "identifier_shared": _ASKED,
}


def left_alone(connection: psycopg.Connection[Any], run_no: int, school_id: str | None = None) -> LeftAlone:
    """How many people a run, or its part of one school, left as they were, by what was not done and why."""
    rows = connection.execute(_SQL.read_bytes(), {"run": run_no, "school": school_id}).fetchall()
    return {(what, reason or ""): number for what, reason, number in rows}


def sentences(totals: Mapping[str, int], reasons: LeftAlone) -> Iterator[str]:
    """A sentence for each thing that was not done and each cause of it, the number first; ``totals`` are those of the counts."""
    for what, (one, many) in _WHAT.items():
        left = totals[what]
        for (is_one, is_many), number in _by_words(what, reasons).items():
            left -= number
            yield f"{number:,} {f'{one}: {is_one}' if number == 1 else f'{many}: {is_many}'}."
        if left > 0:
            yield f"{left:,} {one if left == 1 else many}."


def _by_words(what: str, reasons: LeftAlone) -> dict[tuple[str, ...], int]:
    """How many by the words of their cause."""
    found: dict[tuple[str, ...], int] = {}
    for (done, reason), number in reasons.items():
        if done == what and reason in _WHY:
            found[_WHY[reason]] = found.get(_WHY[reason], 0) + number
    return found
