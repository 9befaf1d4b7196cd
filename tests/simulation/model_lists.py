"""Which lists a night ought to leave behind, and who is on them, by the second opinion of model.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.simulation.model import GRADE, Model, Standing
from tests.simulation.seeing import Place, Row, State


@dataclass
class Roster:
    """One list as it ought to be: who is on it and who manages it, by the human's number."""

    kind: str
    school: str
    source: str
    members: set[int] = field(default_factory=set)
    managers: set[int] = field(default_factory=set)
    #: of whom it is not said whether they are on it
    unsaid: set[int] = field(default_factory=set)
    grades: tuple[str, ...] | None = None
    term_ids: tuple[str, ...] | None = None


def rosters(model: Model) -> Iterator[Roster]:
    """The class, role and grade lists that the SIS and the settings ask for."""
    for row in model.sis.classes:
        if model.is_listed(row):
            yield _of_class(model, row)
    for school in sorted(model.orgs & set(model.rostered) if model.rostered else model.orgs):
        own = model.of(school)["auto_lists"]
        if own["role"]:
            yield from _grouped(model, school, "role")
        if own["grade"]:
            yield from _grouped(model, school, "grade")


def _of_class(model: Model, row: Row) -> Roster:
    made = Roster(
        "class", row["school_id"], row["sourced_id"],
        grades=tuple(sorted({GRADE[one] for one in row["grades"]})), term_ids=tuple(row["term_ids"]),
    )  # fmt: skip
    for number, manages in model.rolls(row["sourced_id"]):
        standing = model.standings.get(number)
        if manages and (standing.role if standing else model.humans[number].role) == "student":
            continue
        (made.managers if manages else made.members).add(number)
    made.unsaid = model.dated(row["sourced_id"])
    return made


def _grouped(model: Model, school: str, kind: str) -> Iterator[Roster]:
    groups: dict[str, Roster] = {}
    for number, standing in model.standings.items():
        if not standing.is_here or school not in standing.schools:
            continue
        grades = {GRADE[one] for one in standing.human.grades}
        for source in [standing.role] if kind == "role" else sorted(grades):
            groups.setdefault(source, Roster(kind, school, source)).members.add(number)
    yield from groups.values()


def complaints(model: Model, after: State) -> Iterator[str]:
    """Where the lists of a directory are not as they ought to be."""
    wanted = list(rosters(model))
    frozen = bool(model.lost_terms())
    by_key = {(row["kind"], row["school_id"], row["source_id"]): row for row in after.lists.values()}
    for one in wanted:
        if one.kind == "class" and frozen:
            continue
        listed = by_key.get((one.kind, one.school, one.source))
        if listed is None:
            if _has_somebody(model, one):
                yield f"there is no {one.kind} list {one.source} at {one.school}"
            continue
        if not model.is_proven:
            continue
        if listed["status"] != "active":
            yield f"the {one.kind} list {one.source} at {one.school} is {listed['status']}"
            continue
        yield from _fields(model, one, listed)
        yield from _places(model, one, listed, after)
    if model.is_proven and not frozen:
        yield from _ended(model, after)


def _has_somebody(model: Model, one: Roster) -> bool:
    """Whether a list has to be there: of a role or grade only with somebody on it whom the sync has or makes."""
    if one.kind == "class":
        return model.is_proven
    return model.is_proven and any(_belongs(model, number) == "all" for number in one.members)


def _fields(model: Model, one: Roster, listed: Row) -> Iterator[str]:
    for name in ("grades", "term_ids"):
        wanted = getattr(one, name)
        if wanted is not None and tuple(listed[name]) != wanted:
            yield f"the {one.kind} list {one.source} has the {name} {listed[name]} and not {list(wanted)}"
    if listed["list_id"] not in model.before.lists:
        public = "public" if model.of(one.school)["new_lists_public"] else "private"
        if listed["visibility"] != public:
            yield f"the new {one.kind} list {one.source} is {listed['visibility']} and not {public}"


def _places(model: Model, one: Roster, listed: Row, after: State) -> Iterator[str]:
    for person_id, row in after.people.items():
        standing = model.standings.get(model.who.get(person_id, -1))
        if standing is None or row["status"] != "active" or standing.human.number in one.unsaid:
            continue
        if standing.person is not None and standing.person["person_id"] != person_id:
            continue
        for manager, words in ((False, "is on"), (True, "manages")):
            place = (listed["list_id"], person_id, manager)
            if place in after.overrides:
                continue  # what a hand decided has an invariant of its own
            wanted = _wanted(model, one, standing, place)
            if wanted is not None and (place in after.places) != wanted:
                yield (
                    f"{standing.human.given} (person {person_id}) {words} the {one.kind} list {one.source} of {one.school}: "
                    f"{not wanted}, and it ought to be {wanted}"
                )


def _wanted(model: Model, one: Roster, standing: Standing, place: Place) -> bool | None:
    """Whether somebody ought to be at a place; None where that is not said."""
    number, is_there = standing.human.number, place in model.before.places
    how = _belongs(model, number)
    listed = model.before.lists.get(place[0])
    says = standing.is_here and number in (one.managers if place[2] else one.members)
    if how == "excluded":
        return is_there
    if how == "all":
        return says
    if how == "none" or (listed is not None and listed["status"] != "active"):
        return None
    if listed is None or standing.person is None:
        return says
    return is_there if standing.person["status"] == "active" else None


def _belongs(model: Model, number: int) -> str:
    """How somebody's places follow the SIS: all, left (as they are), excluded, or none where it cannot be said."""
    standing = model.standings.get(number)
    if standing is None:
        return "none"
    person, role = standing.person, standing.role
    if person is not None and not person["include_in_sync"]:
        return "excluded"
    is_changing = person is not None and person["role"] != role
    if not standing.is_here or is_changing or not model.may("roster", role, standing.school):
        return "none"
    return "all" if person is None or model.may("auto_update", role, standing.school) else "left"


def _ended(model: Model, after: State) -> Iterator[str]:
    """Class lists that are active though their class is deselected, ended or gone; of others that are off none may change."""
    rows = {row["sourced_id"]: row for row in model.sis.classes}
    for list_id, listed in after.lists.items():
        if listed["kind"] != "class":
            continue
        row = rows.get(listed["source_id"])
        was = model.before.lists.get(list_id)
        if row is not None and model.is_listed(row):
            continue
        enabled = model.of(listed["school_id"])["class_lists"]["enabled"]
        if not enabled:
            if was is None or was["status"] != listed["status"]:
                yield f"the class list {listed['source_id']} changes though class lists are off at its school"
        elif listed["status"] == "active" and not model.is_quiet(listed["school_id"]):
            yield f"the class list {listed['source_id']} is active, and its class is {'not selected' if row else 'gone'}"
