"""One school year as one story, night by night: ``python -m tests.simulation.year`` plays it and writes docs/school-year.md."""

from __future__ import annotations

import datetime as dt
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from stack.postgres import embedded_postgres
from tests.integration.directory.world import klass, term
from tests.simulation import invariants, runs_held, second_opinion  # noqa: F401  (they register themselves)
from tests.simulation import world as living
from tests.simulation.__main__ import a_place
from tests.simulation.hands import put
from tests.simulation.judging import Judge, Violation
from tests.simulation.life import Fact, Life
from tests.simulation.steps import Step
from tests.simulation.story import quietly
from tests.simulation.world import Human, Record, World

PAGE = Path(__file__).parents[2] / "docs" / "school-year.md"
SEED = 2026
FIRST, LAST = dt.date(2026, 8, 10), dt.date(2027, 8, 9)
#: of each grade 40 students; the ninth grade and up are at S1, those below at S2
GRADES = {"S2": ("06", "07", "08"), "S1": ("09", "10", "11", "12")}
SUBJECTS = ("Math", "English", "Science", "History")
TERMS = {
    "T1": ("2026-08-17", "2026-12-18"),
    "T2": ("2027-01-04", "2027-06-11"),
    "T3": ("2027-08-16", "2027-12-17"),
    "T4": ("2028-01-03", "2028-06-09"),
}
#: How many of each come in a hundred days of school.
EVENTS = {
    "join": 25, "leave": 25, "come_back": 12, "move": 12, "marry": 5, "prefer": 5, "mail": 10, "blank": 3, "role": 2,
    "reissue": 2, "inherit": 2, "second_record": 3, "drop_record": 3, "enroll": 80, "drop": 50, "end_enrollment": 12, "teach": 8,
    "class": 2, "merge": 2, "retitle": 5, "grade": 4,
}  # fmt: skip
HANDS = {
    "pin": 8, "add_person": 2, "exclude": 3, "include": 1, "add_member": 10, "remove_member": 6, "rename": 6, "visible": 10,
}  # fmt: skip
BAD_NIGHTS, KILLED_NIGHTS = 7, 4
END_OF_SCHOOL, QUIET_UNTIL = dt.date(2027, 6, 11), dt.date(2027, 7, 31)
#: What the SIS does in summer.
GRADUATION, OLD_TERMS_GO, NEW_TERMS_COME = dt.date(2027, 6, 25), dt.date(2027, 7, 1), dt.date(2027, 7, 15)
#: What a person has to do, and when.
QUIET_IS_SET, TERMS_ARE_SELECTED, LEAVERS_ARE_APPROVED = dt.date(2027, 6, 7), dt.date(2027, 8, 2), dt.date(2027, 8, 1)
#: So long it takes until somebody mends in the SIS what the mail asks for.
CORRECTED_AFTER = dt.timedelta(days=5)
_PLAIN, _APPROVED = Step("night", 1, 0), Step("night", 1, 1)
_SYLLABLES = ("Ba", "De", "Ki", "Lo", "Mu", "Na", "Pe", "Ri", "So", "Tu")
_FAMILIES = ("Adams", "Baker", "Clark", "Diaz", "Evans", "Foster", "Garcia", "Hill", "Ito", "Jones", "Khan", "Lopez", "Moore")


def given_name(number: int) -> str:
    """A given name that nobody else has."""
    return "".join(_SYLLABLES[int(digit)] for digit in f"{number:04d}").capitalize()


def district(luck: random.Random) -> World:
    """The district before its first day of school, and those who will come in the course of the year."""
    world = living.first_world()
    world.keeps_ids = True
    world.humans, world.classes, world.rolls, world.night = [], {}, {}, FIRST
    world.terms = {name: _term(name) for name in ("T1", "T2")}
    for at, grades in GRADES.items():
        for grade in grades:
            for _ in range(40):
                _add(world, luck, "student", at, (grade,))
        for role, number in (("teacher", 14), ("aide", 4), ("administrator", 2)):
            for _ in range(number):
                _add(world, luck, role, at)
    for place in range(160):
        at = ("S1", "S2")[place % 2]
        role = "student" if place % 10 else "teacher"
        _add(world, luck, role, at, (luck.choice(GRADES[at]),) if role == "student" else (), here=False)
    _new_classes(world, luck, ("T1", "T2"))
    return world


def _add(world: World, luck: random.Random, role: str, at: str, grades: tuple[str, ...] = (), here: bool = True) -> None:
    number = len(world.humans)
    given, family = given_name(number), luck.choice(_FAMILIES)
    # Some have the number 0, which says nothing, and some brothers and sisters have their family's e-mail.
    identifier = "0" if luck.random() < 0.03 else f"n{number}"
    email = f"{family}{luck.randrange(4)}@home.example.org" if luck.random() < 0.05 else f"{given}@example.org"
    one = Human(number, given, family, role, at, identifier, email.lower(), f"{given.lower()}.{number}", grades=grades)
    if here:
        one.records.append(Record(world.new_id(number), (at,)))
    one.remember()
    world.humans.append(one)


def _term(name: str) -> dict[str, Any]:
    begin, end = TERMS[name]
    return term(name, start_date=begin, end_date=end, school_year=end[:4])


def _new_classes(world: World, luck: random.Random, terms: tuple[str, ...]) -> None:
    world.classes, world.rolls = {}, {}
    for at, grades in GRADES.items():
        teachers = [one.number for one in world.humans if one.is_here and one.role == "teacher" and one.school == at]
        for of in terms:
            for grade in grades:
                members = [one.number for one in world.humans if one.is_here and one.school == at and one.grades == (grade,)]
                for subject in SUBJECTS:
                    name = f"{of}-{at}-{grade}-{subject[:2]}"
                    world.classes[name] = klass(name, at, [of], title=f"{subject} {grade}", subjects=[subject], grades=[grade])
                    world.rolls |= {(name, number): ("student", None, None) for number in members}
                    world.rolls[name, luck.choice(teachers)] = ("teacher", None, None)


def graduate(world: World) -> None:
    """The last grade leaves the district, the others go one on; the classes of the year are over."""
    following = {one: f"{int(one) + 1:02d}" for grades in GRADES.values() for one in grades}
    for one in world.humans:
        if not one.grades or not one.is_here:
            continue
        grade = following.get(one.grades[0], "09")
        if grade == "13":
            one.records = []
        elif grade == "09" and one.school == "S2" and len(one.records) == 1:
            one.school, one.records[0].schools = "S1", ("S1",)
        one.grades = (grade,) if grade != "13" else one.grades
    for row in world.classes.values():
        row["status"] = "tobedeleted"


@dataclass
class Month:
    """What a month brought."""

    states: Counter[str] = field(default_factory=Counter)
    people: Counter[str] = field(default_factory=Counter)
    by_hand: int = 0

    def line(self, name: str) -> str:
        """The month's row of the page."""
        nights = sum(self.states.values())
        states = (self.states["success"], self.states["completed_with_errors"], self.states["failed"])
        people = (self.people[one] for one in ("created", "updated", "archived", "restored"))
        return f"| {name} | {nights} | " + " | ".join(map(str, (*states, *people, self.by_hand))) + " |"


@dataclass
class Year:
    """The year as it goes on."""

    life: Life
    luck: random.Random
    months: dict[str, Month] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    bad_nights: Counter[str] = field(default_factory=Counter)
    actions: list[str] = field(default_factory=list)
    held: int = 0
    #: since when a record bears a sourcedId that is another human's, and how many of these the SIS has corrected
    mistaken: dict[str, dt.date] = field(default_factory=dict)
    corrected: int = 0

    def __post_init__(self) -> None:
        self.judge = Judge(self.life)
        settings = self.life.settings
        put(settings, "safety", {"archive_percent": 10, "archive_minimum": 20, "absent_nights": 1})
        put(settings, "class_lists.terms", ["T1", "T2"])

    def nights(self, last: dt.date) -> Iterator[dt.date]:
        """Every night to the last, played."""
        while (night := self.life.world.night) <= last:
            month = self.months.setdefault(f"{night:%Y-%m}", Month())
            self._summer(night)
            self._sis_is_corrected(night)
            if night.weekday() < 5 and not END_OF_SCHOOL < night < TERMS_ARE_SELECTED:
                self._day(month)
            self._night(night, month)
            yield night

    def _take(self, step: Step) -> Fact:
        fact = self.life.take(step)
        self.violations += self.judge.look(len(self.violations), fact)
        return fact

    def _drawn(self, rates: dict[str, int]) -> Iterator[Step]:
        for what, rate in rates.items():
            if self.luck.random() < rate / 100:
                yield Step(what, *(self.luck.randrange(100_000) for _ in range(3)))

    def _day(self, month: Month) -> None:
        for step in self._drawn(EVENTS):
            self.life.take(step)
        for step in self._drawn(HANDS):
            month.by_hand += self._take(step).kind == "hand"

    def _summer(self, night: dt.date) -> None:
        world, settings = self.life.world, self.life.settings
        if night == QUIET_IS_SET:
            quiet = {"from": (END_OF_SCHOOL + dt.timedelta(days=1)).isoformat(), "to": QUIET_UNTIL.isoformat()}
            settings["quiet"] = [quiet | {"mode": "additions_only"}]
            self.actions.append(f"{night}: quiet from {quiet['from']} to {quiet['to']}, additions only")
        elif night == GRADUATION:
            graduate(world)
        elif night == OLD_TERMS_GO:
            world.terms, world.classes, world.rolls = {}, {}, {}
        elif night == NEW_TERMS_COME:
            world.terms = {name: _term(name) for name in ("T3", "T4")}
            for one in [one for one in world.humans if not one.records and one.grades and one.school == "S2"][:40]:
                one.grades, one.records = ("06",), [Record(world.new_id(one.number), ("S2",))]
            _new_classes(world, self.luck, ("T3", "T4"))
        elif night == TERMS_ARE_SELECTED:
            settings["class_lists"]["terms"] = ["T3", "T4"]
            self.actions.append(f"{night}: the terms T3 and T4 are selected")

    def _sis_is_corrected(self, night: dt.date) -> None:
        """Who came under the sourcedId of somebody else gets their own, some days after the mail asked for it."""
        people = ((self.judge.who[at], row) for at, row in self.life.state.people.items() if at in self.judge.who)
        owners = {one: number for number, row in people for one in row["sourced_ids"]}
        for human in self.life.world.humans:
            for record in human.records:
                if owners.get(record.sourced_id, human.number) == human.number:
                    continue
                if night - self.mistaken.setdefault(record.sourced_id, night) >= CORRECTED_AFTER:
                    self.corrected += 1
                    record.sourced_id = self.life.world.new_id(human.number)

    def _night(self, night: dt.date, month: Month) -> None:
        drawn, numbers = self.luck.random() * 100, [self.luck.randrange(1000) for _ in range(2)]
        step = _PLAIN
        if night == LEAVERS_ARE_APPROVED:
            step = _APPROVED
        elif night > FIRST and drawn < BAD_NIGHTS:
            step = Step("bad_night", *numbers, 6)
        elif night > FIRST and drawn < BAD_NIGHTS + KILLED_NIGHTS:
            step = Step("killed_night", *numbers)
        fact = self._take(step)
        row = fact.after.runs[fact.jobs[-1].run.run_id]
        month.states[row["state"]] += 1
        if step.what == "bad_night":
            self.bad_nights[f"{fact.jobs[-1].pull.words.split(' with ')[0]}: {row['state']}"] += 1
        held = 0
        for numbers_of_role in ((row["counts"] or {}).get("people") or {}).values():
            month.people.update(numbers_of_role)
            held += numbers_of_role.get("archive_held", 0)
        if step is _APPROVED:
            self.actions.append(f"{night}: {month.people['archived']} leavers of the summer are approved")
        elif held:
            self.held += 1

    def wrong(self) -> list[str]:
        """Who has access and should not, or has none and should, by the SIS as it is after the last night; and edits that were lost."""
        state, world, hands = self.life.state, self.life.world, self.life.hands
        active = {self.judge.who[one] for one, row in state.people.items() if row["status"] == "active" and one in self.judge.who}
        by_hand = {
            self.judge.who[one] for one, row in state.people.items() if not row["include_in_sync"] and one in self.judge.who
        }
        here = {one.number for one in world.humans if one.is_here}
        found = [f"human {one} is gone and active" for one in sorted(active - here - by_hand)]
        found += [f"human {one} is here and not active" for one in sorted(here - active - by_hand)]
        found += [f"pin {one}" for one, value in hands.pinned.items() if state.people[one[0]][one[1]] != value]
        found += [f"name of list {one}" for one, name in hands.named.items() if state.lists[one]["name"] != name]
        return found + [f"visibility of list {one}" for one, to in hands.visible.items() if state.lists[one]["visibility"] != to]


def played(connection: psycopg.Connection[object], folder: Path, last: dt.date, told: bool = False) -> Year:
    """The year as it stands after a night."""
    luck = random.Random(SEED)
    with pytest.MonkeyPatch.context() as patch, quietly():
        year = Year(Life(connection, folder, patch, world=district(luck)), luck)
        try:
            for night in year.nights(last):
                if told and (night.day == 1 or year.violations):
                    print(night, year.violations[:3], flush=True)  # noqa: T201 (told to who runs it)
                if year.violations:
                    break
        finally:
            year.life.close()
            connection.cursor_factory = psycopg.Cursor
    return year


def page(year: Year) -> str:
    """The page of a year that was played to its end."""
    nights = sum(sum(month.states.values()) for month in year.months.values())
    state, hands = year.life.state, year.life.hands
    months = "\n".join(month.line(name) for name, month in year.months.items())
    bad = "\n".join(f"| {kind} | {how} | {number} |" for (kind, how), number in sorted(
        (tuple(one.split(": ")), number) for one, number in year.bad_nights.items()))  # fmt: skip
    actions = "\n".join(f"{place}. {words}." for place, words in enumerate(year.actions, 1))
    active = sum(row["status"] == "active" for row in state.people.values())
    return f"""# A school year, night by night

`make year` plays a district of two schools through {nights} nights, on a real PostgreSQL, through the code of the tasks: from a week
before the first day of school to a week before the next one. Pupils join, leave, come back and move between the schools; people marry
and get new e-mails; some bear the number 0 and some share their family's e-mail; sourcedIds and e-mails go to new people; classes are
merged and renamed; pulls come incomplete, refused, empty, shrunken, from another district or with bad rows; workers die in the middle
of a night. In summer the last grade leaves, the old terms vanish from the SIS, and a new year's classes come. All [invariants](invariants.md)
are asked after each night and each edit by hand. The seed is {SEED}: the same year each time.

| of {nights} nights | |
| --- | --- |
| invariants that did not hold | {len(year.violations)} |
| people wrongly archived or wrongly active at the end, and edits by hand that were lost | {len(year.wrong())} |
| nights that waited for an answer without need | {year.held} |
| people who came under the sourcedId of somebody else, told in each mail, and corrected in the SIS {CORRECTED_AFTER.days} days later | {year.corrected} |
| active people at the end | {active} |
| archived, with history | {len(state.people) - active} |
| user lists at the end, active and inactive | {len(state.lists)} |
| edits by hand that hold at the end: pins, list names, visibilities, places on lists | {len(hands.pinned) + len(hands.named) + len(hands.visible) + len(hands.placed)} |

What a person had to do in the year:

{actions}

| month | nights | success | with errors | failed | created | updated | archived | restored | edits by hand |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
{months}

Nights on which the SIS gave something else than it should, and how they ended. None of them archived anybody or took anybody off a list
for it:

| what came | the night | times |
| --- | --- | --- |
{bad}

This SIS gives whoever comes back the sourcedId that they had. One that gives people new sourcedIds asks a person who is who (`relink`); that
is left out here, since a year without it is what a district should have. `make simulate` has it.
"""


def main() -> int:
    """0 when the year went well."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as place:
        folder = Path(place)
        with embedded_postgres(folder / "postgres") as server, a_place(server.dsn(), "year") as connection:
            year = played(connection, folder / "year", LAST, told=True)
            for one in [*map(str, year.violations), *year.wrong()]:
                print(one)  # noqa: T201 (told to who runs it)
            if year.violations or year.wrong() or len(year.actions) > 3:
                return 1
            PAGE.write_text(page(year), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
