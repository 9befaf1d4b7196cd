"""Why somebody is on a class list, or is not: the directory is asked first, and what the SIS sent explains the difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import psycopg

from include.mingasync.directory.why_link import broken, holding, mended_by
from include.mingasync.results.numbers import told_number
from include.mingasync.settings import Roles, Settings

if TYPE_CHECKING:
    from include.mingasync.snapshot import Snapshot

#: Of whose absence from the directory the plan said nothing.
_NOT_HERE = "not in the directory"


@dataclass(frozen=True)
class _Person:
    person_id: int
    status: str
    included: bool
    sourced_ids: frozenset[str]


@dataclass(frozen=True)
class _Roll:
    """One class list as the directory holds it, and what the last loaded night left undone about it."""

    on: frozenset[tuple[int, bool]]
    people: Mapping[str, _Person]
    by_hand: Mapping[tuple[int, bool], tuple[bool, str]]
    held_back: Mapping[tuple[int, bool, str], str]
    proven: bool
    #: why that night left the whole list as it was
    rests: str | None


def roll(
    connection: psycopg.Connection[Any], district: str, list_id: int, snapshot: Snapshot, reasons: Mapping[str, str]
) -> Iterator[str]:
    """What the SIS enrolls in the class of an active list, and who is on the list or not, and why; ``reasons`` are in words."""
    (class_id,) = connection.execute("select source_id from directory.user_lists where list_id = %s", (list_id,)).fetchone() or (
        "",
    )
    enrolled = _enrolled(snapshot, class_id)
    students, teachers = enrolled["student"], enrolled["teacher"]
    here = _read(connection, district, list_id, students | teachers)
    enrolls = f"The SIS enrolls {told_number(len(students), 'student')} and {told_number(len(teachers), 'teacher')} in it."
    yield holding(enrolls) if students else enrolls
    whole = "enrollments" not in snapshot.incomplete_reasons()
    if not whole:
        yield "That night's enrollments did not come whole: nobody left a list for want of one."
    elif not students and not any(not manager for _, manager in here.on):
        yield broken("It is empty because the SIS sends no student enrollments for it: check that section rosters are shared.")
    counts = _Missing(connection, district, here, _wanted(snapshot, class_id), reasons)
    for teacher in sorted(teachers):
        person = here.people.get(teacher)
        if person is None:
            why = counts.not_here(teacher)
            yield broken(
                f"Its teacher {teacher} is not in the directory: {why or 'is the role of teachers rostered?'}", "settings"
            )
        elif (person.person_id, True) not in here.on:
            said = f"Its teacher {teacher} is not its manager: {counts.cause(person, manager=True)}."
            yield broken(said, counts.control(person, list_id, manager=True))
    causes = {student: counts.of_student(student) for student in sorted(students)}
    # Of several with the same cause the first leads the way.
    first = {cause: student for student, cause in reversed(causes.items())}
    missing = Counter(causes.values())
    for cause, number in sorted((cause, number) for cause, number in missing.items() if cause):
        said = f"{told_number(number, 'enrolled student')} {'is' if number == 1 else 'are'} not on it: {cause}."
        student = first[cause]
        person = here.people.get(student)
        yield broken(
            said,
            counts.control(person, list_id, manager=False) if person else mended_by(planned(connection, district, student)),
        )
    kept = _kept(snapshot, class_id)
    for manager, name, ids in ((False, "member", students), (True, "manager", teachers)):
        extra = Counter(
            _extra(here, person_id, kept, manager=manager, reasons=reasons) for person_id in _unenrolled(here, ids, manager)
        )
        for cause, number in sorted(extra.items()):
            yield f"{told_number(number, name)} {'is' if number == 1 else 'are'} on it without an enrollment: {cause}."


def _enrolled(snapshot: Snapshot, class_id: str) -> dict[str, set[str]]:
    """The users whom the SIS enrolls, by role; an enrollment that it has ended is none."""
    rows = snapshot.frame("enrollments", ["class_id", "user_id", "role", "status"])
    rows = rows[rows["class_id"].eq(class_id) & rows["status"].astype("string").str.lower().eq("active")]
    role = rows["role"].astype("string").str.lower()
    return {name: set(rows.loc[role.eq(name).fillna(False), "user_id"].dropna().astype(str)) for name in ("student", "teacher")}


def _wanted(snapshot: Snapshot, class_id: str) -> set[tuple[str, bool]]:
    """Whom the night wanted on the list: sourcedId, and whether as a manager."""
    lists, members = snapshot.read_frame("derived_lists"), snapshot.read_frame("derived_members")
    people = snapshot.read_frame("derived_people").set_index("n")["sourced_ids"]
    own = members[members["k"].isin(lists.loc[lists["kind"].eq("class") & lists["source_id"].eq(class_id), "k"])]
    return {
        (str(sourced_id), bool(manager))
        for n, manager in zip(own["n"], own["manager"], strict=True)
        for sourced_id in people.get(n, ())
    }


def _kept(snapshot: Snapshot, class_id: str) -> set[str | None]:
    """Whose enrollment in the class was set aside; None for the whole class."""
    kept = snapshot.read_frame("derived_kept")
    users = kept.loc[kept["class_id"].eq(class_id), "user_id"].astype("string")
    return {None if single is pd.NA else str(single) for single in users}


def _read(connection: psycopg.Connection[Any], district: str, list_id: int, sourced_ids: set[str]) -> _Roll:
    on = frozenset(
        (person_id, role == "manager")
        for person_id, role in connection.execute(
            "select person_id, member_role from directory.list_members where list_id = %s", (list_id,)
        )
    )
    people = [
        _Person(person_id, status, included, frozenset(ids))
        for person_id, status, included, ids in connection.execute(
            """select person_id, status, include_in_sync, sourced_ids from directory.people
               where district = %s and (sourced_ids && %s::text[] or person_id = any (%s))""",
            (district, sorted(sourced_ids), [person_id for person_id, _ in on]),
        )
    ]
    by_hand = connection.execute(
        "select person_id, manager, keep, set_by from directory.membership_overrides where list_id = %s", (list_id,)
    )
    run_no, proven = last_loaded(connection, district)
    held_back = connection.execute(
        """select person_id, manager, action, reason
           from directory.membership_changes cross join lateral unnest(people) as person_id
           where run_no = %s and list_id = %s and status = 'suppressed'""",
        (run_no, list_id),
    )
    return _Roll(
        on=on,
        # Whoever is active speaks for an id that an archived person had before.
        people={one: p for p in sorted(people, key=lambda p: p.status == "active") for one in p.sourced_ids},
        by_hand={(person_id, manager): (keep, set_by) for person_id, manager, keep, set_by in by_hand},
        held_back={(person_id, manager, action): reason for person_id, manager, action, reason in held_back},
        proven=proven,
        rests=_rests(connection, run_no, list_id),
    )


def _rests(connection: psycopg.Connection[Any], run_no: int | None, list_id: int) -> str | None:
    row = connection.execute(
        """select reason from directory.changes
           where run_no = %s and entity = 'list' and entity_no = %s and action = 'rest' and status = 'suppressed' limit 1""",
        (run_no, list_id),
    ).fetchone()
    return str(row[0]) if row else None


def last_loaded(connection: psycopg.Connection[Any], district: str) -> tuple[int | None, bool]:
    """The number of the run whose snapshot is in the directory, and whether its pull proved who is absent."""
    row = connection.execute(
        """select run_no, coalesce(proven, false) from directory.sync_runs
           where district = %s and loaded_at is not null order by snapshot_at desc limit 1""",
        (district,),
    ).fetchone()
    return row or (None, False)


@dataclass(frozen=True)
class _Missing:
    """Why somebody whom the SIS enrolls is not on the list."""

    connection: psycopg.Connection[Any]
    district: str
    here: _Roll
    wanted: set[tuple[str, bool]]
    reasons: Mapping[str, str]

    def of_student(self, sourced_id: str) -> str | None:
        """The cause; None for a student who is on it."""
        person = self.here.people.get(sourced_id)
        if person is None:
            why = self.not_here(sourced_id)
            return f"{_NOT_HERE}: {why}" if why else _NOT_HERE
        return None if (person.person_id, False) in self.here.on else self.cause(person, manager=False)

    def not_here(self, sourced_id: str) -> str | None:
        """Why the last loaded night made no entry of a record, None where it says nothing of it."""
        reason = planned(self.connection, self.district, sourced_id)
        return reason and self.reasons.get(reason, reason)

    def cause(self, person: _Person, *, manager: bool) -> str:
        """What keeps somebody who has an entry from the list."""
        keep, by = self.here.by_hand.get((person.person_id, manager), (True, ""))
        held_back = self.here.held_back.get((person.person_id, manager, "add"))
        if not keep:
            return f"taken off by hand, by {by}" if manager else "taken off by hand"
        if person.status != "active":
            return "they are archived"
        if not person.included:
            return '"Include user in SIS sync" is off for them'
        if held_back := held_back or self.here.rests:
            return self.reasons.get(held_back, held_back)
        if not any((one, manager) in self.wanted for one in person.sourced_ids):
            what = "has not begun, has ended" if not manager else "has not begun, has ended, or is a student's"
            return f"the enrollment did not count on that night: it {what}, or the class or its term is not selected"
        return "the last loaded night did not come to it; the next one does"

    def control(self, person: _Person, list_id: int, *, manager: bool) -> str | None:
        """What mends the cause."""
        keep, _ = self.here.by_hand.get((person.person_id, manager), (True, ""))
        if not keep:
            return f"list/{list_id}"
        if person.status != "active":
            return None
        if not person.included:
            return f"person/{person.person_id}"
        if held_back := self.here.held_back.get((person.person_id, manager, "add")) or self.here.rests:
            return mended_by(held_back, person.person_id)
        return None if any((one, manager) in self.wanted for one in person.sourced_ids) else "terms"


def rostered(connection: psycopg.Connection[Any], district: str, role: str, schools: Iterable[str]) -> Iterator[str]:
    """Whether the role was rostered, at any of somebody's schools, in the run that was loaded last."""
    row = connection.execute(
        "select settings from directory.sync_runs where run_no = %s", (last_loaded(connection, district)[0],)
    ).fetchone()
    if row and row[0] is not None and role in Roles.model_fields:
        settings = Settings.model_validate(row[0])
        places: list[str | None] = [*schools] or [None]
        is_on = any(getattr(settings.for_school(school).roles, role).roster for school in places)
        said = f"{role.capitalize()} rostering was {'on' if is_on else 'off'} in the run that was loaded last."
        yield holding(said) if is_on else broken(said, "settings")


def planned(connection: psycopg.Connection[Any], district: str, sourced_id: str) -> str | None:
    """The reason that the last loaded night gave for making no entry of a record."""
    row = connection.execute(
        """select reason from directory.changes
           where run_no = %s and entity = 'person' and action in ('create', 'skip') and status = 'suppressed'
             and after ->> 'sourced_id' = %s limit 1""",
        (last_loaded(connection, district)[0], sourced_id),
    ).fetchone()
    return str(row[0]) if row else None


def _unenrolled(here: _Roll, enrolled: set[str], manager: bool) -> list[int]:
    """Who is on the list, and not enrolled under any of their ids."""
    with_place = {person.person_id for one in enrolled if (person := here.people.get(one))}
    return [person_id for person_id, is_manager in here.on if is_manager == manager and person_id not in with_place]


def _extra(here: _Roll, person_id: int, kept: set[str | None], *, manager: bool, reasons: Mapping[str, str]) -> str:
    """What keeps somebody on the list whom the SIS does not enroll."""
    person = next((one for one in here.people.values() if one.person_id == person_id), None)
    keep, _ = here.by_hand.get((person_id, manager), (False, ""))
    held_back = here.held_back.get((person_id, manager, "remove")) or here.rests
    if keep:
        return "put there by hand"
    if person and not person.included:
        return 'they keep their place, as "Include user in SIS sync" is off'
    if held_back:
        return reasons.get(held_back, held_back)
    if None in kept or (person and person.sourced_ids & {one for one in kept if one}):
        return "a record about it was set aside, which proves nothing"
    if not here.proven:
        return "the pull of that night proved nobody's absence"
    return "nothing is recorded that keeps them"
