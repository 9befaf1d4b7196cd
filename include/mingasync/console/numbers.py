"""Numbers that make one look: who and what lacks something, how that changed, and where the list of them is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from include.mingasync.console.reading import Row

NIGHTS = 14
#: Key in the counts of a run, one of them, several of them, and the search that lists them.
_NUMBERS = (
    ("students_without_class", "student without a class", "students without a class", "people?status=active&lacks=class"),
    ("classes_without_teacher", "class without a teacher", "classes without a teacher", "lists?lacks=manager"),
    ("classes_without_student", "class without a student", "classes without a student", "lists?lacks=member"),
    ("people_without_email", "person without an e-mail", "people without an e-mail", "people?status=active&lacks=email"),
    ("people_without_school", "person without a school", "people without a school", "people?status=active&lacks=school"),
)
_WIDTH, _HEIGHT = 96, 20


@dataclass(frozen=True)
class Number:
    """One number: how many now, in words, where they are listed, and how it changed since the oldest night that is shown."""

    count: int
    words: str
    address: str
    more: int
    since: dt.date | None
    line: str

    @property
    def trend(self) -> str:
        """How it changed, in words."""
        if self.since is None:
            return "the first night that counts it"
        if not self.more:
            return "as many as on"
        return f"{abs(self.more):,} {'more' if self.more > 0 else 'fewer'} than on"


def numbers_from(rows: Sequence[Row]) -> list[Number]:
    """The numbers of the newest night and their change since the oldest, from rows newest first; without those of no meaning."""
    found = []
    for key, one, several, address in _NUMBERS:
        counted = [(row["night"], row["lacking"][key]) for row in rows if row["lacking"].get(key) is not None]
        if not counted or rows[0]["lacking"].get(key) is None:
            continue
        now, (night, before) = counted[0][1], counted[-1]
        words = one if now == 1 else several
        since = night if len(counted) > 1 else None
        found.append(Number(now, words, address, now - before, since, _line([count for _, count in reversed(counted)])))
    return found


def _line(counts: Sequence[int]) -> str:
    """The points of a line from the oldest to the newest, in a box of _WIDTH times _HEIGHT; none of a single night."""
    if len(counts) < 2:
        return ""
    most, least = max(counts), min(counts)
    return " ".join(
        f"{place * _WIDTH / (len(counts) - 1):.1f},{_HEIGHT - 2 - (count - least) * (_HEIGHT - 4) / ((most - least) or 1):.1f}"
        for place, count in enumerate(counts)
    )
