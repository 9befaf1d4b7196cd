"""A district as it really is: its schools, people, terms and classes, and what happens to them. It knows who is who, always."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import Any

from tests.integration.directory.world import Row, Sis, enrollment, klass, school, term, user

START = dt.date(2026, 9, 7)
SCHOOLS = ("S1", "S2")


@dataclass
class Record:
    """What the SIS keeps of a human: one, or one per school."""

    sourced_id: str
    schools: tuple[str, ...]
    status: str = "active"
    enabled: bool = True


@dataclass
class Human:
    """Somebody, whatever the SIS says of them. The given name is nobody else's, and never changes."""

    number: int
    given: str
    family: str
    role: str
    school: str
    identifier: str | None
    email: str | None
    username: str | None
    preferred: str | None = None
    grades: tuple[str, ...] = ()
    records: list[Record] = field(default_factory=list)
    #: every family name, identifier, e-mail and username that was ever theirs
    ever: set[str] = field(default_factory=set)
    #: a role beside the one above, of their first record: OneRoster's role, its org, and which of the two is marked as primary
    extra: tuple[str, str, str] | None = None

    def remember(self) -> None:
        """Whatever they bear now was theirs once."""
        self.ever |= {one.lower() for one in (self.family, self.identifier, self.email, self.username) if one}

    @property
    def is_here(self) -> bool:
        """Whether the SIS has them as somebody who is here."""
        return any(one.status == "active" and one.enabled for one in self.records)


@dataclass
class World:
    """The district, its clock, and what the SIS would send now."""

    humans: list[Human] = field(default_factory=list)
    classes: dict[str, Row] = field(default_factory=dict)
    terms: dict[str, Row] = field(default_factory=dict)
    orgs: dict[str, Row] = field(default_factory=dict)
    #: (class, human) -> (role, begin, end)
    rolls: dict[tuple[str, int], tuple[str, str | None, str | None]] = field(default_factory=dict)
    night: dt.date = START
    numbers: int = 0
    #: whether the SIS gives whoever comes back the sourcedId that they had, as most do, and which that was
    keeps_ids: bool = False
    had: dict[int, str] = field(default_factory=dict)

    def sis(self) -> Sis:
        """What the SIS sends tonight."""
        rows = [self._row(human, record) for human in self.humans for record in human.records]
        rolls = []
        for (class_id, number), (role, begin, end) in self.rolls.items():
            if class_id not in self.classes:
                continue
            for record in self.humans[number].records:
                at = self.classes[class_id]["school_id"]
                if len(self.humans[number].records) == 1 or at in record.schools:
                    rolls.append(enrollment(class_id, record.sourced_id, role, begin_date=begin, end_date=end))
        return Sis(rows, list(self.orgs.values()), list(self.terms.values()), [], list(self.classes.values()), rolls)

    def _row(self, human: Human, record: Record) -> Row:
        roles = _roles(human, record) if human.extra and record is human.records[0] else {}
        return user(
            record.sourced_id, human.role, record.schools, given_name=human.given, family_name=human.family,
            preferred_given_name=human.preferred, email=human.email, username=human.username, identifier=human.identifier,
            grades=list(human.grades), status=record.status, enabled=record.enabled, **roles,
        )  # fmt: skip

    def owner_of(self, sourced_id: str) -> int | None:
        """The number of the human whose record bears a sourcedId now."""
        return next((one.number for one in self.humans if any(r.sourced_id == sourced_id for r in one.records)), None)

    def new_id(self, number: int) -> str:
        """A sourcedId that nobody ever had, or of a SIS that keeps them the one that they had and nobody has now."""
        had = self.had.get(number)
        if self.keeps_ids and had and self.owner_of(had) is None:
            return had
        self.numbers += 1
        new = f"u{number}-{self.numbers}"
        self.had.setdefault(number, new)
        return new


def _roles(human: Human, record: Record) -> Row:
    """The columns of a record that gives somebody a second role, as OneRoster 1.2 does."""
    assert human.extra is not None
    role, org, primary = human.extra
    first, second = {"first": ("primary", "secondary"), "second": ("secondary", "primary")}.get(primary, ("", ""))
    return {
        "roles": [*(human.role for _ in record.schools), role],
        "role_types": [*(first for _ in record.schools), second],
        "role_org_ids": [*record.schools, org],
        "org_ids": list(dict.fromkeys([*record.schools, org])),
    }


_CAST = (
    # given, family, role, school, identifier, e-mail, here at first
    ("Ada", "Reyes", "student", "S1", "n0", "ada@example.org", True),
    ("Ben", "Cole", "student", "S1", "n1", "ben@example.org", True),
    ("Cyd", "Marsh", "student", "S1", "n2", "marsh@example.org", True),  # twins with one e-mail
    ("Dia", "Marsh", "student", "S1", "n3", "marsh@example.org", True),
    ("Edo", "Stone", "student", "S2", "n4", "stone@example.org", True),  # siblings with one e-mail
    ("Fay", "Stone", "student", "S2", "n5", "stone@example.org", True),
    ("Gus", "Hart", "student", "S2", "0", "gus@example.org", True),  # a placeholder of two
    ("Hal", "Ivy", "student", "S1", "0", None, False),
    ("Ira", "Lund", "teacher", "S1", "n0", "ira@example.org", True),  # an employee's number is of another series
    ("Jon", "Nash", "teacher", "S2", "e9", "jon@example.org", True),
    ("Kit", "Owen", "teacher", "S1", "e10", "kit@example.org", True),
    ("Lea", "Park", "aide", "S2", None, "lea@example.org", True),
    ("Max", "Quinn", "administrator", "D1", "e12", "max@example.org", True),
    ("Ned", "Ruiz", "student", "S1", "n13", None, False),
    ("Oli", "Sand", "teacher", "S2", "e14", "oli@example.org", False),
)  # fmt: skip
_CLASSES = (
    ("A", "S1", "T1", "Algebra", "Math"),
    ("B", "S1", "T2", "History", "History"),
    ("C", "S2", "T1", "History", "History"),
)
_ROLLS = {"A": (0, 1, 2, 8, 10), "B": (1, 3, 8), "C": (4, 5, 6, 9)}


def first_world() -> World:
    """The district on its first night."""
    world = World()
    world.orgs = {"D1": {"sourced_id": "D1", "status": "active", "name": "Oak Unified", "type": "district"}}
    world.orgs |= {one: school(one) | {"parent_id": "D1"} for one in SCHOOLS}
    world.terms = {
        "T1": term("T1", start_date="2026-08-17", end_date="2026-12-18"),
        "T2": term("T2", start_date="2027-01-04", end_date="2027-06-11"),
    }
    for number, (given, family, role, at, identifier, email, here) in enumerate(_CAST):
        human = Human(number, given, family, role, at, identifier, email, f"{given.lower()}.{number}")
        if role == "student":
            human.grades = ("09",) if number % 2 else ("10",)
        if here:
            human.records.append(Record(world.new_id(number), (at,)))
        human.remember()
        world.humans.append(human)
    world.classes = {
        one: klass(one, at, [of], title=title, subjects=[subject], periods=["1"]) for one, at, of, title, subject in _CLASSES
    }
    for one, members in _ROLLS.items():
        for number in members:
            role = "teacher" if world.humans[number].role == "teacher" else "student"
            world.rolls[one, number] = (role, None, None)
    return world


def _someone(world: World, number: int, here: bool) -> Human | None:
    """Of the humans who are here, or are not, the one at a place."""
    those = [one for one in world.humans if one.is_here == here]
    return those[number % len(those)] if those else None


def happen(world: World, what: str, a: int, b: int, c: int) -> str | None:
    """What happened in the district, in words; None where it cannot happen."""
    event = EVENTS[what]
    return event(world, a, b, c)


def _leave(world: World, a: int, b: int, c: int) -> str | None:
    if (one := _someone(world, a, here=True)) is None:
        return None
    how = ("absent", "tobedeleted", "inactive", "disabled")[b % 4]
    if how == "absent":
        one.records = []
    for record in one.records:
        record.status = how if how != "disabled" else record.status
        record.enabled = record.enabled and how != "disabled"
    return f"{one.given} leaves ({how})"


def _join(world: World, a: int, b: int, c: int) -> str | None:
    if (one := _someone(world, a, here=False)) is None or one.records:
        return None
    one.records = [Record(world.new_id(one.number), (one.school,))]
    return f"{one.given} comes, as {one.records[0].sourced_id}"


def _come_back(world: World, a: int, b: int, c: int) -> str | None:
    gone = [one for one in world.humans if not one.is_here and one.records]
    if not gone:
        return _join(world, a, b, c)
    one = gone[a % len(gone)]
    for record in one.records:
        record.status, record.enabled = "active", True
    return f"{one.given} is back under the same sourcedId"


def _move(world: World, a: int, b: int, c: int) -> str | None:
    one = _someone(world, a, here=True)
    if one is None or one.school not in SCHOOLS or len(one.records) != 1:
        return None
    one.school = SCHOOLS[1 - SCHOOLS.index(one.school)]
    one.records[0].schools = {0: (one.school,), 1: SCHOOLS, 2: (), 3: ("nowhere",)}[b % 4 if b % 7 == 0 else 0]
    return f"{one.given} moves to {'+'.join(one.records[0].schools) or 'a school that is not said'}"


def _marry(world: World, a: int, b: int, c: int) -> str | None:
    if (one := _someone(world, a, here=True)) is None:
        return None
    one.family = f"{one.family.split('-')[0]}-{('Ames', 'Bell', 'Carr')[b % 3]}"
    one.remember()
    return f"{one.given} marries: now {one.family}"


def _prefer(world: World, a: int, b: int, c: int) -> str | None:
    if (one := _someone(world, a, here=True)) is None:
        return None
    one.preferred = None if one.preferred else f"{one.given}die"
    return f"{one.given} prefers {one.preferred or 'no other name'}"


def _mail(world: World, a: int, b: int, c: int) -> str | None:
    if (one := _someone(world, a, here=True)) is None:
        return None
    one.email = f"{one.given.lower()}{b % 3}@example.org"
    one.remember()
    return f"{one.given} has the e-mail {one.email}"


def _blank(world: World, a: int, b: int, c: int) -> str | None:
    if (one := _someone(world, a, here=True)) is None:
        return None
    name = ("email", "username", "identifier")[b % 3]
    setattr(one, name, None)
    return f"{one.given}'s {name} is blank"


def _role(world: World, a: int, b: int, c: int) -> str | None:
    one = _someone(world, a, here=True)
    if one is None or one.role == "student":
        return None
    roles = ["teacher", "aide", "principal"]
    one.role = roles[(roles.index(one.role) + 1 + b % 2) % 3] if one.role in roles else "teacher"
    return f"{one.given} is now {one.role}"


def _second_role(world: World, a: int, b: int, c: int) -> str | None:
    """Somebody gets a role beside the one they have, at a school, the district or a school that nobody knows; or loses it."""
    one = _someone(world, a, here=True)
    if one is None:
        return None
    if one.extra is not None:
        one.extra = None
        return f"{one.given} has one role only"
    roles = ("parent", "student") if one.role == "student" else ("administrator", "teacher", "aide", "guardian")
    org = (*SCHOOLS, "D1", "nowhere")[b % 4]
    one.extra = (roles[b % len(roles)], org, ("first", "second", "neither")[c % 3])
    return f"{one.given} is {one.extra[0]} at {org} as well; primary is {one.extra[2]}"


def _renumber(world: World, a: int, b: int, c: int) -> str | None:
    one = _someone(world, a, here=True)
    if one is None or len(one.records) != 1:
        return None
    old, one.records[0].sourced_id = one.records[0].sourced_id, world.new_id(one.number)
    return f"{one.given} is renumbered: {old} is now {one.records[0].sourced_id}"


def _reissue(world: World, a: int, b: int, c: int) -> str | None:
    """The number of somebody who is here goes to somebody new, who shares nothing with them."""
    old, new = _someone(world, a, here=True), _someone(world, b, here=False)
    if old is None or new is None or new.records or len(old.records) != 1 or old.ever & new.ever:
        return None
    new.records = [replace(old.records[0], schools=(new.school,))]
    old.records = []
    return f"{old.given} leaves, and the sourcedId {new.records[0].sourced_id} is now {new.given}'s"


def _inherit(world: World, a: int, b: int, c: int) -> str | None:
    """Somebody new gets the e-mail or username of somebody who leaves, as schools do it that make them from a counter."""
    old, new = _someone(world, a, here=True), _someone(world, b, here=False)
    name = ("email", "username")[c % 2]
    if old is None or new is None or new.records or (old.role == "student") != (new.role == "student") or not getattr(old, name):
        return None
    if any(one is not old and getattr(old, name).lower() in one.ever for one in world.humans):
        return None
    old.records = []
    setattr(new, name, getattr(old, name))
    new.remember()
    new.records = [Record(world.new_id(new.number), (new.school,))]
    return f"{old.given} leaves, and {new.given} comes and has their {name}"


def _swap_ids(world: World, a: int, b: int, c: int) -> str | None:
    one, other = _someone(world, a, here=True), _someone(world, b, here=True)
    if one is None or other is None or one is other or len(one.records) != 1 or len(other.records) != 1 or one.ever & other.ever:
        return None
    mine, theirs = one.records[0], other.records[0]
    mine.sourced_id, theirs.sourced_id = theirs.sourced_id, mine.sourced_id
    return f"{one.given} and {other.given} swap their sourcedIds"


def _second_record(world: World, a: int, b: int, c: int) -> str | None:
    one = _someone(world, a, here=True)
    if one is None or len(one.records) != 1 or one.school not in SCHOOLS:
        return None
    at = SCHOOLS[1 - SCHOOLS.index(one.school)]
    one.records[0].schools = (one.school,)
    one.records.append(Record(world.new_id(one.number), (at,)))
    return f"{one.given} has a second record, {one.records[1].sourced_id}, at {at}"


def _drop_record(world: World, a: int, b: int, c: int) -> str | None:
    twice = [one for one in world.humans if len(one.records) > 1]
    if not twice:
        return None
    one = twice[a % len(twice)]
    gone = one.records.pop(b % 2)
    one.school = one.records[0].schools[0]
    return f"{one.given}'s record {gone.sourced_id} is gone, the other stays"


def _enroll(world: World, a: int, b: int, c: int) -> str | None:
    one = _someone(world, a, here=True)
    if one is None or not world.classes:
        return None
    names = list(world.classes)
    class_id = names[b % len(names)]
    begin = (world.night + dt.timedelta(days=3)).isoformat() if c % 9 == 0 else None
    world.rolls[class_id, one.number] = ("student", begin, None)
    return f"{one.given} is enrolled in {class_id}{' from ' + begin if begin else ''}"


def _drop(world: World, a: int, b: int, c: int) -> str | None:
    if not world.rolls:
        return None
    class_id, number = list(world.rolls)[a % len(world.rolls)]
    del world.rolls[class_id, number]
    return f"{world.humans[number].given} is in {class_id} no more"


def _end_enrollment(world: World, a: int, b: int, c: int) -> str | None:
    if not world.rolls:
        return None
    class_id, number = list(world.rolls)[a % len(world.rolls)]
    role, begin, _ = world.rolls[class_id, number]
    end = (world.night - dt.timedelta(days=b % 3)).isoformat()
    world.rolls[class_id, number] = (role, begin, end)
    return f"{world.humans[number].given}'s enrollment in {class_id} ends on {end}"


def _teach(world: World, a: int, b: int, c: int) -> str | None:
    staff = [one for one in world.humans if one.is_here and one.role != "student"]
    if not staff or not world.classes:
        return None
    one, names = staff[a % len(staff)], list(world.classes)
    class_id = names[b % len(names)]
    world.rolls[class_id, one.number] = ("teacher", None, None)
    return f"{one.given} teaches {class_id}"


def _class(world: World, a: int, b: int, c: int) -> str | None:
    names = list(world.classes)
    if a % 3 == 0 and len(names) < 4:
        world.numbers += 1
        name, at = f"N{world.numbers}", SCHOOLS[b % 2]
        world.classes[name] = klass(name, at, [list(world.terms)[c % len(world.terms)]] if world.terms else [], title="History")
        return f"class {name} is new at {at}"
    if not names:
        return None
    name = names[b % len(names)]
    if a % 3 == 1:
        del world.classes[name]
        return f"class {name} is gone"
    world.classes[name]["status"] = "tobedeleted" if world.classes[name]["status"] == "active" else "active"
    return f"class {name} is {world.classes[name]['status']}"


def _merge(world: World, a: int, b: int, c: int) -> str | None:
    names = list(world.classes)
    if len(names) < 2:
        return None
    into, gone = names[a % len(names)], names[(a + 1) % len(names)]
    for class_id, number in [key for key in world.rolls if key[0] == gone]:
        world.rolls.setdefault((into, number), world.rolls.pop((class_id, number)))
    del world.classes[gone]
    return f"class {gone} is merged into {into}"


def _split(world: World, a: int, b: int, c: int) -> str | None:
    names = list(world.classes)
    if not names or len(names) > 3:
        return None
    world.numbers += 1
    old, new = names[a % len(names)], f"N{world.numbers}"
    world.classes[new] = world.classes[old] | {"sourced_id": new}
    for place, (class_id, number) in enumerate([key for key in world.rolls if key[0] == old]):
        roll = world.rolls[class_id, number]
        if roll[0] == "teacher":
            world.rolls[new, number] = roll
        elif place % 2:
            world.rolls[new, number] = world.rolls.pop((class_id, number))
    return f"class {old} is split: half are in {new}, of the same title"


def _retitle(world: World, a: int, b: int, c: int) -> str | None:
    if not world.classes:
        return None
    name = list(world.classes)[a % len(world.classes)]
    world.classes[name] = world.classes[name] | {"title": (None, "Algebra", "Art")[b % 3], "periods": [str(1 + c % 2)]}
    return f"class {name} is called {world.classes[name]['title'] or 'nothing'}"


def _term(world: World, a: int, b: int, c: int) -> str | None:
    if not world.classes or not world.terms:
        return None
    name, of = list(world.classes)[a % len(world.classes)], list(world.terms)[b % len(world.terms)]
    world.classes[name] = world.classes[name] | {"term_ids": [of]}
    return f"class {name} is now in {of}"


def _session(world: World, a: int, b: int, c: int) -> str | None:
    name = ("T1", "T2")[a % 2]
    if name in world.terms:
        del world.terms[name]
        return f"term {name} is not shared any more"
    dates = {"T1": ("2026-08-17", "2026-12-18"), "T2": ("2027-01-04", "2027-06-11")}[name]
    world.terms[name] = term(name, start_date=dates[0], end_date=dates[1])
    return f"term {name} is shared again"


def _org(world: World, a: int, b: int, c: int) -> str | None:
    name = SCHOOLS[a % 2]
    if name in world.orgs:
        del world.orgs[name]
        return f"school {name} is not shared any more"
    world.orgs[name] = school(name) | {"parent_id": "D1"}
    return f"school {name} is shared again"


def _grade(world: World, a: int, b: int, c: int) -> str | None:
    one = _someone(world, a, here=True)
    if one is None or one.role != "student":
        return None
    one.grades = (("9", "10", "Grade 11", "kindergarten")[b % 4],)
    return f"{one.given} is in grade {one.grades[0]}"


def _rollover(world: World, a: int, b: int, c: int) -> str | None:
    """A new year: other terms and classes, everybody a grade on."""
    world.numbers += 1
    year = f"Y{world.numbers}"
    first = world.night + dt.timedelta(days=1)
    last = first + dt.timedelta(days=120)
    world.terms[year] = term(year, start_date=first.isoformat(), end_date=last.isoformat())
    renamed = {one: f"{one}{world.numbers}" for one in world.classes}
    world.classes = {renamed[one]: row | {"sourced_id": renamed[one], "term_ids": [year]} for one, row in world.classes.items()}
    world.rolls = {(renamed[one], number): roll for (one, number), roll in world.rolls.items() if one in renamed}
    for human in world.humans:
        human.grades = tuple("11" for _ in human.grades)
    return f"a new year: term {year}, every class under a new number"


EVENTS: dict[str, Any] = {
    "leave": _leave, "join": _join, "come_back": _come_back, "move": _move, "marry": _marry, "prefer": _prefer, "mail": _mail,
    "blank": _blank, "role": _role, "renumber": _renumber, "reissue": _reissue, "inherit": _inherit, "swap_ids": _swap_ids,
    "second_record": _second_record, "drop_record": _drop_record, "enroll": _enroll, "drop": _drop,
    "end_enrollment": _end_enrollment, "teach": _teach, "class": _class, "merge": _merge, "split": _split, "retitle": _retitle,
    "term": _term, "session": _session, "second_role": _second_role, "org": _org, "grade": _grade, "rollover": _rollover,
}  # fmt: skip
