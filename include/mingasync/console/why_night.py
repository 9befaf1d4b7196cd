"""What every answer of the page Why? begins with: whether nights come at all, and whether they reach somebody's school."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from include.mingasync.console import starting
from include.mingasync.console.places import place as place_of
from include.mingasync.console.reading import Directory, Unreadable
from include.mingasync.console.variables import read_variable
from include.mingasync.directory.why_link import Link, broken, holding
from include.mingasync.errors import MingaSyncError
from include.mingasync.settings import Quiet, Settings, read_settings


@dataclass(frozen=True)
class Night:
    """The links that hold for the whole district, and the settings from which those of a school follow."""

    links: Sequence[Link]
    #: None where they cannot be read
    settings: Settings | None
    today: dt.date
    names: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, here: Directory, slug: str) -> Night:
        """How the nights of a district stand now."""
        today = dt.datetime.now(place_of(slug).zone).date()
        key = f"mingasync_{slug}"
        names = {row["school_id"]: row["name"] for row in here.rows("schools", district=slug)}
        runs = list(_runs(here, slug, key))
        try:
            settings = read_settings(read_variable(key).text, key)
        except MingaSyncError as error:
            return cls([broken(f"The settings cannot be read: {error}", "settings"), *runs], None, today, names)
        return cls([*_of_district(settings, today), *runs], settings, today, names)

    @property
    def schools_of_their_own(self) -> set[str]:
        """The schools that have settings of their own."""
        return set(self.settings.schools) if self.settings else set()

    def name_of(self, school_id: str | None) -> str:
        """What a school is called."""
        return self.names.get(school_id or "") or school_id or "no school"

    def of_school(self, school_id: str | None) -> Iterator[Link]:
        """What a school's own settings keep every run from, also one that is started by hand."""
        own = self.settings.schools.get(school_id or "") if self.settings else None
        if not own or self.settings is None:
            return
        settings, name = self.settings.for_school(school_id), self.name_of(school_id)
        if "automatic_rostering" in own and not settings.automatic_rostering:
            yield broken(f"“Enable Automatic Rostering” is off for {name}: no run changes anything there.", "settings")
        if "quiet" in own and (quiet := settings.quiet_on(self.today)):
            yield _quiet(quiet, f"A quiet period of {name}", "run")


def _of_district(settings: Settings, today: dt.date) -> Iterator[Link]:
    is_on = settings.automatic_rostering
    said = f"“Enable Automatic Rostering” is {'on' if is_on else 'off: no night changes anything'}."
    yield holding(said) if is_on else broken(said, "settings")
    if quiet := settings.quiet_on(today):
        yield _quiet(quiet, "A quiet period", "night")


def _quiet(quiet: Quiet, whose: str, what: str) -> Link:
    """What a quiet period keeps the runs from."""
    dates = f"from {quiet.first} to {quiet.last}"
    if quiet.mode == "pause":
        return broken(f"{whose} pauses the sync {dates}: no {what} changes anything.", "settings")
    return broken(f"{whose} allows additions only {dates}: no {what} updates or archives anybody.", "settings")


def _runs(here: Directory, slug: str, dag_id: str) -> Iterator[Link]:
    """Whether Airflow begins nights, and how the last run ended."""
    if _is_paused(dag_id):
        yield broken(f"The DAG {dag_id} is paused in Airflow: no night begins. Turn it on there.", "airflow")
    for last in here.rows("standings", districts=[slug]):
        if last["state"] == "failed":
            yield broken(f"The last run failed: {last['reason']}", f"run/{last['run_id']}")
        elif last["state"] == "skipped":
            yield Link(f"The last run, of {last['night']}, was skipped: {last['reason']}")
        elif last["finished_at"]:
            yield holding(f"The last run, of {last['night']}, has ended.")
        else:
            yield Link(f"The last run, of {last['night']}, has not ended.")


def _is_paused(dag_id: str) -> bool:
    """Whether Airflow begins no run of a DAG; no where it cannot be asked."""
    try:
        return starting.dag(dag_id).is_paused
    except Unreadable:
        return False
