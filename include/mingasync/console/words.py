"""How the console says things: states, kinds, nights, moments, ages and numbers in people's words."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

#: A district is late when its last good night is longer ago (docs/behaviours.md, B57).
LATE_AFTER = dt.timedelta(hours=26)


@dataclass(frozen=True)
class State:
    """A run's state in words; ``tone`` is its colour, ``mark`` tells it apart without one."""

    word: str
    tone: str
    mark: str
    meaning: str


STATES = {
    "running": State("Running", "going", "◐", "The run is going on, or was stopped before its last task."),
    "success": State("Success", "good", "✓", "Everything was read, proven and applied."),
    "completed_with_errors": State(
        "Completed with errors",
        "warn",
        "!",
        "Applied, but some records were set aside: the issues say which and why.",
    ),
    "held": State(
        "Held",
        "held",
        "‖",
        "More would be archived than the safety limits allow; that part was held, and these people stay active.",
    ),
    "failed": State("Failed", "bad", "✕", "A task failed. Open the run in Airflow: the task's log says why."),
    "skipped": State("Skipped", "quiet", "–", "Nothing was to be done that night, by the district's own settings."),
    "superseded": State("Superseded", "quiet", "↷", "A newer night was loaded already, so this one was not applied."),
}
UNDONE = State("Undone", "quiet", "↶", "What this run did was taken back.")
NO_RUN = State("No run yet", "quiet", "○", "The district was never synced.")

KINDS = {
    "nightly": "Nightly",
    "manual": "By hand",
    "preview": "Preview",
    "backfill": "Backfill",
    "undo": "Undo",
}


def state(name: str | None) -> State:
    """The state in words; a state that this console does not know keeps its own name."""
    if name is None:
        return NO_RUN
    return STATES.get(name) or State(plain(name), "quiet", "?", "")


def plain(name: str) -> str:
    """A name from code as a person writes it: ``new_in_sis`` becomes ``New in SIS``."""
    return name.replace("_", " ").capitalize().replace(" sis", " SIS")


def night(date: dt.date) -> str:
    """A night by its local date, such as Tue 24 Nov 2026."""
    return f"{date:%a} {date.day} {date:%b %Y}"


def moment(at: dt.datetime, zone: dt.tzinfo) -> str:
    """A moment in the district's own time, such as 24 Nov 2026, 02:03 CST."""
    local = at.astimezone(zone)
    return f"{local.day} {local:%b %Y, %H:%M %Z}"


def span(length: dt.timedelta) -> str:
    """A length of time in its two largest units, such as 2 h 5 min; less than a second is 0 s."""
    seconds = max(0, int(length.total_seconds()))
    units = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    parts: list[tuple[int, str]] = []
    for size, unit in units:
        amount, seconds = divmod(seconds, size)
        if amount or parts:
            parts.append((amount, unit))
    return " ".join(f"{amount} {unit}" for amount, unit in parts[:2] if amount) or "0 s"


def age(length: dt.timedelta) -> str:
    """How long ago, in its largest unit that says enough: hours up to two days, then days."""
    hours = int(length.total_seconds() // 3600)
    if hours < 1:
        return f"{max(0, int(length.total_seconds() // 60))} min ago"
    return f"{hours} h ago" if hours < 48 else f"{hours // 24} days ago"


def number(value: int | float) -> str:
    """A number with thousands set apart."""
    return f"{value:,}"
