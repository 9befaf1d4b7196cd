"""Shapes rows of the OneRoster History for pages and for CSV; pure, and content with counts lacking keys."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from include.mingasync.console import words
from include.mingasync.console.places import Place
from include.mingasync.results.cells import safe_cell
from include.mingasync.settings import LIST_KINDS, ROLES

Row = Mapping[str, Any]

#: What the history shows per role: heading, and the counts that are added up in it.
PEOPLE_SHORT = {
    "Created": ("created",),
    "Updated": ("updated",),
    "Restored": ("restored",),
    "Archived": ("archived",),
    "Held back": ("update_suppressed", "archive_suppressed", "archive_held"),
    "Skipped": ("skipped",),
}
PEOPLE_FULL = {
    "Created": ("created",),
    "Updated": ("updated",),
    "Restored": ("restored",),
    "Archived": ("archived",),
    "Unchanged": ("unchanged",),
    "Updates held back": ("update_suppressed",),
    "Archives held back": ("archive_suppressed",),
    "Archives waiting": ("archive_held",),
    "Skipped": ("skipped",),
}
LISTS = {name.capitalize(): (name,) for name in ("created", "updated", "deactivated", "unchanged")}
SEVERITIES = ("critical", "error", "warning")


@dataclass(frozen=True)
class Tally:
    """One line of a table of counts."""

    name: str
    numbers: tuple[int, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all was counted."""
        return not any(self.numbers)


def tallies(counts: Row | None, group: str, names: Iterable[str], columns: Mapping[str, tuple[str, ...]]) -> list[Tally]:
    """One line per role or kind of list, in the order of ``columns``; what was not counted is 0."""
    lines = _inside(counts, group)
    return [
        Tally(name, tuple(sum(_count(_inside(lines, name), key) for key in keys) for keys in columns.values())) for name in names
    ]


def total(lines: Iterable[Tally]) -> Tally:
    """The sum of some lines."""
    return Tally("All", tuple(sum(column) for column in zip(*(line.numbers for line in lines), strict=True)))


def _inside(counts: Any, key: str) -> Mapping[str, Any]:
    inner = counts.get(key) if isinstance(counts, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def _any_number(counts: Any) -> bool:
    """Whether anything but issues was counted."""
    if isinstance(counts, Mapping):
        return any(_any_number(inner) for key, inner in counts.items() if key != "issues")
    return isinstance(counts, int) and counts != 0


def _count(counts: Mapping[str, Any], key: str) -> int:
    value = counts.get(key)
    return value if isinstance(value, int) else 0


@dataclass(frozen=True)
class Run:
    """A run as the pages show it; ``lists`` holds created, updated and deactivated, all kinds together."""

    run_id: str
    kind: str
    state: words.State
    reason: str
    night: dt.date
    started_at: dt.datetime
    finished_at: dt.datetime | None
    snapshot_at: dt.datetime | None
    is_counted: bool
    people: list[Tally]
    people_in_full: list[Tally]
    lists: list[Tally]
    added: int
    removed: int
    issues: dict[str, int]

    @property
    def everybody(self) -> Tally:
        """All roles together."""
        return total(self.people)

    @property
    def list_changes(self) -> int:
        """Lists that were created, updated or deactivated."""
        return sum(total(self.lists).numbers[:3])

    @property
    def duration(self) -> str | None:
        """How long it took, None while it has not ended."""
        return words.span(self.finished_at - self.started_at) if self.finished_at else None

    @property
    def is_preview(self) -> bool:
        """Whether its numbers are what would happen, not what happened."""
        return self.kind == "preview"


def run_from(row: Row) -> Run:
    """A run from its row of ``sync_runs``."""
    counts = row["counts"]
    undone = row.get("undone_at") is not None
    state = words.UNDONE if undone else words.state(row["state"])
    return Run(
        run_id=row["run_id"],
        kind=row["kind"],
        state=state,
        # A good night needs no words; anything else gets the run's own, or else what the state means.
        reason=f"Taken back by the run {row['undone_by']}, but for what a later run or a person decided since."
        if undone
        else row["reason"] or ("" if row["state"] == "success" else state.meaning),
        night=row["night"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        snapshot_at=row["snapshot_at"],
        # A run that broke off before its plan has counts of nothing but zeros.
        is_counted=bool(counts) and (row["state"] != "failed" or _any_number(counts)),
        people=tallies(counts, "people", ROLES, PEOPLE_SHORT),
        people_in_full=tallies(counts, "people", ROLES, PEOPLE_FULL),
        lists=tallies(counts, "lists", LIST_KINDS, LISTS),
        added=_count(_inside(counts, "memberships"), "added"),
        removed=_count(_inside(counts, "memberships"), "removed"),
        issues={severity: _count(_inside(counts, "issues"), severity) for severity in SEVERITIES},
    )


@dataclass(frozen=True)
class Standing:
    """How a district stands: its last run, and how long ago its last good night was."""

    place: Place
    last: Run | None
    good_for: dt.timedelta | None

    @property
    def is_late(self) -> bool:
        """Whether its last good night is over 26 hours ago; one skipped by its own settings is not late."""
        if self.last is None or self.last.state is words.STATES["skipped"]:
            return False
        return self.good_for is None or self.good_for > words.LATE_AFTER

    @property
    def urgency(self) -> int:
        """0 for what needs somebody first, larger for what can wait."""
        tone = self.last.state.tone if self.last else "quiet"
        if self.is_late:
            return 0 if tone == "bad" else 1 if tone == "held" else 2
        return {"bad": 0, "held": 1, "warn": 3}.get(tone, 4)


def standing_from(place: Place, row: Row | None, now: dt.datetime) -> Standing:
    """A district's standing from its row of ``standings.sql``, None when it has none."""
    if row is None:
        return Standing(place, None, None)
    good_at = row["good_at"]
    return Standing(place, run_from(row), now - good_at if good_at else None)


def as_csv(runs: Iterable[Run], zone: dt.tzinfo) -> Iterator[str]:
    """The history as lines of CSV, heading first; moments in the district's own time."""
    heading = ["night", "run_id", "kind", "state", "reason", "started_at", "finished_at"]
    heading += [f"{role}_{_key(column)}" for role in ROLES for column in PEOPLE_SHORT]
    heading += ["lists_changed", "memberships_added", "memberships_removed"]
    yield _line([*heading, *(f"issues_{severity}" for severity in SEVERITIES)])
    for run in runs:
        cells: list[Any] = [run.night.isoformat(), run.run_id, run.kind, run.state.word, run.reason]
        cells += [_local(run.started_at, zone), _local(run.finished_at, zone)]
        cells += [number for line in run.people for number in line.numbers]
        yield _line([*cells, run.list_changes, run.added, run.removed, *run.issues.values()])


def _local(at: dt.datetime | None, zone: dt.tzinfo) -> str:
    return at.astimezone(zone).isoformat(timespec="seconds") if at else ""


def _key(heading: str) -> str:
    return heading.lower().replace(" ", "_")


def _line(cells: list[Any]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow([safe_cell(cell) for cell in cells])
    return line.getvalue()
