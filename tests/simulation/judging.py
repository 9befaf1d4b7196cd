"""How invariants are written down and asked: each by name, with the one line that docs/invariants.md says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from include.mingasync.settings import SchoolSettings, Settings
from tests.simulation.life import Fact, Life
from tests.simulation.model import ROLE
from tests.simulation.seeing import Row
from tests.simulation.tasking import Job


@dataclass
class Case:
    """A step that was taken, and what the judge needs to know of it."""

    life: Life
    fact: Fact
    #: who each person of the directory is, by number of the human
    who: dict[int, int] = field(default_factory=dict)

    @property
    def before(self) -> dict[int, Row]:
        """The people before the step."""
        return self.fact.before.people

    @property
    def after(self) -> dict[int, Row]:
        """The people after it."""
        return self.fact.after.people

    @cached_property
    def job(self) -> Job | None:
        """The only run that was carried out in the step and loaded something; None where there is none, or are several."""
        loaded = [job for job in self.fact.jobs if self.loaded_now(job)]
        return loaded[0] if len(loaded) == 1 and self.fact.kind == "runs" else None

    def loaded_now(self, job: Job) -> bool:
        """Whether a run loaded its snapshot in this step."""
        was = self.fact.before.runs.get(job.run.run_id, {}).get("loaded_at")
        now = self.fact.after.runs.get(job.run.run_id, {}).get("loaded_at")
        return now is not None and now != was

    @cached_property
    def row(self) -> Row:
        """The row of that run."""
        assert self.job is not None
        return self.fact.after.runs[self.job.run.run_id]

    @cached_property
    def settings(self) -> Settings:
        """The settings of that run."""
        return Settings.model_validate(self.row["settings"])

    def of(self, person: Row) -> SchoolSettings:
        """The settings of the school at which the directory has somebody."""
        return self.settings.for_school((person["school_ids"] or [None])[0])

    @cached_property
    def archived(self) -> list[Row]:
        """Who was active before the step and is archived after it."""
        return [
            row for one, row in self.after.items()
            if row["status"] == "archived" and self.before.get(one, {}).get("status") == "active"
        ]  # fmt: skip

    @cached_property
    def off(self) -> set[tuple[int, int, bool]]:
        """Whose place on a list is gone, the list and the person being there still."""
        return {
            place for place in self.fact.before.places - self.fact.after.places
            if place[1] in self.after and place[0] in self.fact.after.lists
        }  # fmt: skip

    def changed(self, person_id: int) -> list[str]:
        """The fields of somebody that are other than before."""
        was, now = self.before.get(person_id), self.after.get(person_id)
        if was is None or now is None:
            return []
        return [name for name, value in now.items() if value != was[name] and name not in ("xmin", "updated_at", "digest")]

    def updated(self, person_id: int) -> set[str]:
        """The fields of somebody that were updated: role and schools come with a restore."""
        was, now = self.before[person_id], self.after.get(person_id)
        is_back = was["status"] == "archived" and now is not None and now["status"] == "active"
        return set(self.changed(person_id)) - ({"role", "school_ids"} if is_back else set())


Check = Callable[[Case], Iterator[str]]


@dataclass(frozen=True)
class Invariant:
    """What must hold: its name, the line that says it, and who finds out."""

    name: str
    line: str
    check: Check
    kinds: tuple[str, ...]


INVARIANTS: list[Invariant] = []


def invariant(*kinds: str) -> Callable[[Check], Check]:
    """Keep a check as an invariant, asked after steps of these kinds; its docstring is its line."""

    def keep(check: Check) -> Check:
        INVARIANTS.append(Invariant(check.__name__, " ".join((check.__doc__ or "").split()), check, kinds))
        return check

    return keep


@dataclass(frozen=True)
class Violation:
    """An invariant that did not hold, and after which step."""

    invariant: str
    step: int
    words: str


class Judge:
    """Looks at every step of a life."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.who: dict[int, int] = {}

    def look(self, number: int, fact: Fact) -> list[Violation]:
        """What does not hold after a step."""
        if fact.kind in ("event", "nothing"):
            return []
        self._recognise(fact)
        case = Case(self.life, fact, self.who)
        return [
            Violation(one.name, number, words)
            for one in INVARIANTS if fact.kind in one.kinds
            for words in one.check(case)
        ]  # fmt: skip

    def _recognise(self, fact: Fact) -> None:
        """Who the people are that are new: by the given name, which is nobody else's."""
        by_given: dict[str, int] = {human.given: human.number for human in self.life.world.humans}
        for person_id, row in fact.after.people.items():
            if person_id not in self.who and row["given_name"] in by_given:
                self.who[person_id] = by_given[row["given_name"]]


def values(row: Row, *names: str) -> Iterator[Any]:
    """The values of some columns that are not blank."""
    return (row[name] for name in names if row[name])


def present(job: Job) -> dict[str, Row]:
    """The records of a job's pull that say of somebody that they are here, by sourcedId."""
    listed = {row["sourced_id"] for row in job.pull.sis.orgs if row["type"] == "school"}
    elsewhere = listed - set(job.rostered) if job.rostered else set()
    here = {}
    for row in job.pull.sis.users:
        known = set(row["org_ids"]) - {"D1"}
        if len(row["roles"]) > 1:
            works = [one for one in zip(row["roles"], row["role_org_ids"], strict=True) if one[0] in ROLE]
            leads = any(ROLE[role] == "admin" and org == "D1" for role, org in works)
            known = set() if leads else {org for _, org in works} - {"D1"}
        if row["status"] == "active" and row["enabled"] and not (known and known <= elsewhere):
            here[row["sourced_id"]] = row
    return here
