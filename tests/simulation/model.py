"""What a night ought to leave behind, worked out a second time: slowly, in plain Python, from what really happened in the district.

It shares no code with the product, not even the settings. It knows who is who, as the product cannot, and so has no opinion of
people about whom even a careful clerk would have to ask: two entries of one human, keys and sourcedIds that went from one to
another, an identity of which too much changed at once, a school that the SIS does not name. Of everybody else it says exactly
what must become of them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tests.integration.directory.world import Sis
from tests.simulation.seeing import Row, State
from tests.simulation.world import Human, Record

ROLE = {
    "student": "student", "teacher": "teacher", "aide": "staff", "administrator": "admin", "principal": "admin",
}  # fmt: skip
GRADE = {
    "06": "06",
    "07": "07",
    "08": "08",
    "12": "12",
    "09": "09",
    "9": "09",
    "10": "10",
    "11": "11",
    "Grade 11": "11",
    "kindergarten": "KG",
}
_DEFAULTS: dict[str, Any] = {
    "automatic_rostering": False,
    "roles": {role: {"roster": False, "auto_update": False, "archive": False} for role in ("student", "teacher", "staff", "admin")},
    "class_lists": {"enabled": False, "terms": [], "grades": []},
    "auto_lists": {"role": False, "grade": False, "subject": False, "teacher": False},
    "new_lists_public": False,
    "safety": {"archive_percent": 10, "archive_minimum": 20, "absent_nights": 1},
    "quiet": [],
    "schools": {},
}  # fmt: skip


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Key by key, the second over the first."""
    made = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(made.get(key), Mapping)
        made[key] = merged(made[key], value) if both else value
    return made


@dataclass
class Standing:
    """How a human stands before the night, as far as there is one answer."""

    human: Human
    #: their only entry; None for somebody who has none yet
    person: Row | None
    #: present with a school that is known, or gone
    is_here: bool
    #: of a leaver, what the SIS says: absent, or outright that they are gone
    is_absent: bool
    #: their role here
    role: str
    schools: tuple[str, ...] = ()

    @property
    def school(self) -> str | None:
        """Whose settings they follow."""
        if self.schools:
            return self.schools[0]
        return (self.person["school_ids"] or [None])[0] if self.person else None


@dataclass
class Model:
    """The district before a night, what the SIS says, and the settings; all of it plain data."""

    before: State
    sis: Sis
    humans: list[Human]
    who: Mapping[int, int]
    settings: Mapping[str, Any]
    night: dt.date
    answer: str
    #: the pulls that were loaded before, oldest first
    earlier: list[Sis] = field(default_factory=list)
    #: the schools that the district's file names; none is all
    rostered: tuple[str, ...] = ()

    #: the settings of each school that was asked for
    _of: dict[str | None, dict[str, Any]] = field(default_factory=dict)

    def of(self, school: str | None) -> dict[str, Any]:
        """The settings of a school."""
        if school not in self._of:
            full = merged(_DEFAULTS, self.settings)
            self._of[school] = merged(full, full["schools"].get(school or "", {}))
        return self._of[school]

    def is_quiet(self, school: str | None) -> bool:
        """Whether the night only adds, at a school."""
        day = self.night.isoformat()
        return any(one["from"] <= day <= one["to"] for one in self.of(school)["quiet"])

    def may(self, what: str, role: str, school: str | None) -> bool:
        """Whether a switch is on for a role at a school, on this night."""
        on: bool = self.of(school)["roles"][role][what]
        return on and not (what != "roster" and self.is_quiet(school))

    @cached_property
    def orgs(self) -> set[str]:
        """The schools that the SIS lists."""
        return {row["sourced_id"] for row in self.sis.orgs if row["type"] == "school"}

    @cached_property
    def is_proven(self) -> bool:
        """Whether the pull leaves no doubt: nothing is missing that was ever there, and nothing is much smaller than it was."""
        for name in ("users", "orgs", "classes", "enrollments", "terms"):
            now = len(getattr(self.sis, name))
            if not now or any(now * 2 < len(getattr(one, name)) for one in self.earlier):
                return False
        return all(
            {row["sourced_id"] for row in one.orgs} <= {row["sourced_id"] for row in self.sis.orgs} for one in self.earlier
        )

    def _entries(self, human: Human) -> list[Row]:
        return [row for one, row in self.before.people.items() if self.who.get(one) == human.number]

    @cached_property
    def _shared(self) -> set[str]:
        """Keys and family names that were those of several humans, at whatever time."""
        seen: dict[str, int] = {}
        for human in self.humans:
            for value in human.ever:
                seen[value] = seen.get(value, 0) + 1
        return {value for value, times in seen.items() if times > 1}

    @cached_property
    def _asked(self) -> set[int]:
        """People about whom a question is open."""
        return {key[0] for key, row in self.before.relinks.items() if row["state"] == "proposed"}

    @cached_property
    def _sent(self) -> dict[str, str]:
        """Whose sourcedIds the records are tonight, by given name."""
        return {row["sourced_id"]: row["given_name"] for row in self.sis.users}

    def _is_same(self, human: Human, person: Row) -> bool:
        """Whether a record of the same sourcedId leaves no doubt that it is the same human."""
        if {name for one, name in self.before.pins if one == person["person_id"]} & {"family_name", "given_name", "email"}:
            return False
        if person["given_name"] != human.given:
            return False
        agrees: set[str] = set()
        differs: set[str] = set()
        for key in ("identifier", "email", "username"):
            mine, theirs = getattr(human, key), person[key]
            if not mine or not theirs or mine.lower() in self._shared or theirs.lower() in self._shared:
                continue
            (agrees if mine.lower() == theirs.lower() else differs).add(key)
        if person["family_name"].lower() == human.family.lower():
            return bool(agrees) or not differs
        return "identifier" in agrees

    @cached_property
    def standings(self) -> dict[int, Standing]:
        """Everybody of whom there is an opinion, by the human's number."""
        made = {}
        for human in self.humans:
            if (standing := self._standing(human)) is not None:
                made[human.number] = standing
        return made

    def _standing(self, human: Human) -> Standing | None:
        entries = self._entries(human)
        person = entries[0] if entries else None
        present = [record for record in human.records if record.status == "active" and record.enabled]
        here = [record for record in present if not self._is_elsewhere(human, record)]
        is_told = not here or len(here) == len(human.records)
        if len(entries) > 1 or not is_told or not self._is_identified(human, person) or not self._is_placed(human, here, person):
            return None
        # Who is at no rostered school any more is not told to be gone, as somebody disabled is.
        is_absent = not human.records or len(present) > len(here)
        return Standing(human, person, bool(here), is_absent, self._role(human, here), self._schools(human, here))

    def _is_identified(self, human: Human, person: Row | None) -> bool:
        """Whether it is beyond doubt which entry is theirs, or that they have none yet."""
        ids = {record.sourced_id for record in human.records}
        held = {one for row in self.before.people.values() if row is not person for one in row["sourced_ids"]}
        if ids & held:
            return False
        if person is None:
            return human.is_here and self._is_new(human)
        is_asked = person["person_id"] in self._asked or person["source"] != "sis" or not person["sourced_ids"]
        is_anothers = any(self._sent.get(one, human.given) != human.given for one in person["sourced_ids"])
        return not is_asked and not is_anothers and ids <= set(person["sourced_ids"]) and self._is_same(human, person)

    def _is_placed(self, human: Human, here: list[Record], person: Row | None) -> bool:
        """Whether it is beyond doubt whose settings they follow: every school is listed, and one like the other."""
        known = self.orgs | {"D1"}
        if any(not record.schools or not known.issuperset(record.schools) for record in here):
            return False
        if human.extra and (human.extra[1] not in known or len(human.records) > 1):
            return False
        schools = self._schools(human, here)
        # Which of several records leads is the product's own choice.
        others = [*(schools[1:] if len(here) > 1 else ()), *(person["school_ids"][:1] if person and schools else ())]
        return not any(self._differs(schools[0], other) for other in others if schools)

    def _works(self, human: Human, record: Record) -> list[tuple[str, str, str]]:
        """Role here, org and mark of each role of a record, but for those of a parent."""
        marks = {"first": ("primary", ""), "second": ("", "primary")}.get(human.extra[2] if human.extra else "", ("", ""))
        every = [(human.role, org, marks[0]) for org in record.schools]
        if human.extra and record is human.records[0]:
            every.append((human.extra[0], human.extra[1], marks[1]))
        return [(ROLE[role], org, mark) for role, org, mark in every if role in ROLE]

    def _counts(self, org: str) -> bool:
        """Whether what somebody is at an org is something here: a rostered school, or the district."""
        return org == "D1" or not self.rostered or org in self.rostered

    def _is_elsewhere(self, human: Human, record: Record) -> bool:
        """Whether a record is certainly of somebody at schools that are not rostered, and who is nothing at others or above them."""
        works = self._works(human, record)
        at_schools = [org for _, org, _ in works if org != "D1"]
        leads = any(role == "admin" and org == "D1" for role, org, _ in works)
        return bool(at_schools) and not leads and not any(self._counts(org) for org in at_schools)

    def _role(self, human: Human, records: Iterable[Record]) -> str:
        """The role that counts: one that is marked as primary, else the weightiest."""
        works = [one for record in records for one in self._works(human, record) if self._counts(one[1])]
        marked = [role for role, _, mark in works if mark] or [role for role, _, _ in works] or [ROLE[human.role]]
        return min(marked, key=("admin", "teacher", "staff", "student").index)

    def _schools(self, human: Human, records: Iterable[Record]) -> tuple[str, ...]:
        every = dict.fromkeys(org for record in records for _, org, _ in self._works(human, record) if org != "D1")
        return tuple(one for one in every if self._counts(one))

    def _is_new(self, human: Human) -> bool:
        """Whether nobody who is or was here can be mistaken for somebody new: one address or username alone makes nobody the same."""
        here = [row for row in self.before.people.values() if self._common(human, row)]
        if here and any(
            len(self._common(human, row)) > 1
            or not row["identifier"]
            or not human.identifier
            or "identifier" in self._common(human, row)
            for row in here
        ):
            return False
        if any(not row["include_in_sync"] for row in here) or len(here) > 1:
            return False
        others = [one for one in self.humans if one is not human and one.records]
        mine = {one.lower() for one in (human.identifier, human.email, human.username) if one}
        return not any(mine & {key.lower() for key in (one.identifier, one.email, one.username) if key} for one in others)

    def _common(self, human: Human, row: Row) -> set[str]:
        """The keys that a human and an entry both have and share."""
        keys = ("identifier", "email", "username")
        return {one for one in keys if row[one] and (getattr(human, one) or "").lower() == row[one].lower()}

    def _differs(self, one: str, other: str) -> bool:
        """Whether two schools have other settings for people."""
        left, right = self.of(one), self.of(other)
        return any(left[key] != right[key] for key in ("roles", "quiet", "safety", "automatic_rostering"))

    # What becomes of people.

    def leavers(self) -> tuple[set[int], set[int]]:
        """The humans who are to be archived if no limit holds them back; and those who may be, for all that is known."""
        sure, maybe = set(), set()
        for number in {self.who[one] for one in self.before.people if one in self.who}:
            standing = self.standings.get(number)
            if standing is None:
                maybe.add(number)
            elif self._leaves(standing):
                sure.add(number)
        return sure, maybe

    def _leaves(self, standing: Standing) -> bool:
        person = standing.person
        if person is None or standing.is_here or person["status"] != "active" or not person["include_in_sync"]:
            return False
        role, school = person["role"], standing.school
        if not (self.may("roster", role, school) and self.may("archive", role, school)):
            return False
        return not standing.is_absent or self._nights(person) >= self.of(school)["safety"]["absent_nights"]

    def _nights(self, person: Row) -> int:
        """For how many proven nights running somebody is absent, this one included."""
        row = self.before.absences.get(person["person_id"])
        if row is None or row["reason"] not in ("absent", "left_school"):
            return 1
        return int(row["nights"]) + (1 if row["last_night"] < self.night else 0)

    def is_held(self, school: str | None, role: str) -> bool | None:
        """Whether a school's role waits for an answer; None where that cannot be said."""
        sure, maybe = self.leavers()
        at_school = self._exceeds(self.of(school)["safety"], sure, maybe, role, school)
        if at_school is not False:
            return at_school
        return self._exceeds(self.of(None)["safety"], sure, maybe, role, None)

    def _exceeds(self, safety: Mapping[str, Any], sure: set[int], maybe: set[int], role: str, school: str | None) -> bool | None:
        there = [
            (self.who.get(one), row) for one, row in self.before.people.items()
            if row["status"] == "active" and row["include_in_sync"] and row["role"] == role
            and (school is None or (row["school_ids"] or [None])[0] == school)
        ]  # fmt: skip
        fewest = sum(number in sure for number, _ in there)
        most = fewest + sum(number in maybe or number is None for number, _ in there)
        limit, minimum = safety["archive_percent"] * len(there), safety["archive_minimum"]
        if most * 100 <= limit or most < minimum:
            return False
        return True if fewest * 100 > limit and fewest >= minimum else None

    def person_after(self, standing: Standing) -> dict[str, Any] | None:
        """The fields that somebody must have after the night; None where nobody is to be made."""
        person = standing.person
        if person is None:
            made = standing.is_here and self.may("roster", standing.role, standing.school)
            return {"status": "active", **self._says(standing, {})} if made else None
        if not person["include_in_sync"]:
            return self._as_before(person)
        return self._here(standing, person) if standing.is_here else self._gone(standing, person)

    def _here(self, standing: Standing, person: Row) -> dict[str, Any]:
        role, is_changing = standing.role, person["role"] != standing.role
        if is_changing and not (self._has("roster", role) and self._has("roster", person["role"])):
            return {}
        if not self.may("roster", role, standing.school):
            return self._as_before(person)
        if all(self.may("auto_update", one, standing.school) for one in (role, person["role"])):
            return {"status": "active", **self._says(standing, person)}
        if person["status"] != "active":
            return {"status": "active", "role": role, "school_ids": sorted(standing.schools)}
        return {} if is_changing else self._as_before(person)

    def _has(self, what: str, role: str) -> bool:
        """Whether a switch is on for a role at every school."""
        return all(self.of(one)["roles"][role][what] for one in (None, "S1", "S2"))

    def _as_before(self, person: Row) -> dict[str, Any]:
        return {name: person[name] for name in (*_TEXTS, "role", "status", "school_ids", "grades")}

    def _gone(self, standing: Standing, person: Row) -> dict[str, Any]:
        if person["status"] != "active":
            return {"status": person["status"]}
        if not self.is_proven or not self._leaves(standing):
            return self._as_before(person) if self.is_proven else {"status": "active"} if standing.is_absent else {}
        held = self.is_held((person["school_ids"] or [None])[0], person["role"])
        if held is None or (held and self.answer not in ("approve", "none", "reject")):
            return {}
        return {"status": "active" if held and self.answer != "approve" else "archived"}

    def _says(self, standing: Standing, person: Mapping[str, Any]) -> dict[str, Any]:
        """What the SIS says of somebody, over what the directory has; pins stay."""
        human = standing.human
        said: dict[str, Any] = {
            "given_name": human.given, "family_name": human.family, "preferred_given_name": human.preferred,
            "email": human.email, "username": human.username, "identifier": human.identifier,
        }  # fmt: skip
        for (one, name), pin in self.before.pins.items():
            if person and one == person["person_id"] and (pin["until"] is None or pin["until"] >= self.night):
                said[name] = person[name]
        return {
            **said,
            "role": standing.role,
            "school_ids": sorted(standing.schools),
            # People keep the SIS's own words; only lists go by codes.
            "grades": sorted(set(human.grades)),
        }

    # What becomes of lists.

    def lost_terms(self) -> set[str]:
        """Selected terms that the SIS does not share."""
        shared = {row["sourced_id"] for row in self.sis.terms}
        return {one for school in (None, "S1", "S2") for one in self.of(school)["class_lists"]["terms"]} - shared

    def is_listed(self, row: Row) -> bool:
        """Whether a class becomes a list."""
        own = self.of(row["school_id"])["class_lists"]
        grades = {GRADE[one] for one in row["grades"]}
        return (
            row["status"] == "active"
            and (not self.rostered or row["school_id"] in self.rostered)
            and own["enabled"]
            and bool(set(own["terms"]) & set(row["term_ids"]))
            and (not own["grades"] or bool({GRADE[one] for one in own["grades"]} & grades))
        )

    def rolls(self, class_id: str) -> Iterable[tuple[int, bool]]:
        """Who is in a class and who teaches it, by the human's number; only those whose enrollment has no dates."""
        given = {human.given: human.number for human in self.humans}
        for row in self._enrolled.get(class_id, ()):
            if row["status"] == "active" and not row["begin_date"] and not row["end_date"]:
                yield given[self._sent[row["user_id"]]], row["role"] == "teacher"

    def dated(self, class_id: str) -> set[int]:
        """Whose enrollment in a class, or some of them, begins or ends on a day of its own, by the human's number."""
        owners = {record.sourced_id: human.number for human in self.humans for record in human.records}
        return {
            owners[row["user_id"]] for row in self._enrolled.get(class_id, ())
            if (row["begin_date"] or row["end_date"]) and row["user_id"] in owners
        }  # fmt: skip

    @cached_property
    def _enrolled(self) -> dict[str, list[Row]]:
        """The enrollments of each class."""
        found: dict[str, list[Row]] = {}
        for row in self.sis.enrollments:
            found.setdefault(row["class_id"], []).append(row)
        return found


_TEXTS = ("given_name", "family_name", "preferred_given_name", "email", "username", "identifier")
