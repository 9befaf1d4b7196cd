"""What a held archive looks like to the person who decides: groups of people, likely causes, what was answered; pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from include.mingasync.console import words
from include.mingasync.console.asking import Question
from include.mingasync.directory.archive import key_of

Row = Mapping[str, Any]
#: Where it stands: nothing was held; it waits for an answer; an answer was given and is being carried out; it was answered;
#: nobody answered in time; nobody was or can be asked any more.
Stage = Literal["nothing", "waiting", "given", "answered", "unanswered", "over"]
#: More people than this are only archived by somebody who typed how many.
TYPED_ABOVE = 100
_NOUNS = {
    "student": ("student", "students"),
    "teacher": ("teacher", "teachers"),
    "staff": ("staff member", "staff members"),
    "admin": ("admin", "admins"),
}
_SAID_GONE = {
    "tobedeleted": "marks them tobedeleted",
    "inactive": "marks them inactive",
    "disabled": "marks them as not enabled",
    "role_ended": "says that their roles have ended",
}
#: From this share of a grade or a school on, it is said to be missing as a whole.
_WHOLE = 0.9


@dataclass(frozen=True)
class Somebody:
    """A person who is held, as the one who decides sees them."""

    name: str
    grades: str
    reason: str


@dataclass(frozen=True)
class Group:
    """The people of a role at a school: how many of how many, why likely, and what became of them."""

    key: str
    school: str
    role: str
    people: int
    there: int
    open: int
    approved: int
    rejected: int
    archived: int
    left_alone: int
    going: int
    causes: tuple[str, ...] = ()
    names: tuple[Somebody, ...] = ()

    @property
    def noun(self) -> str:
        """What its people are called, all of them together."""
        return _NOUNS[self.role][1]

    @property
    def some(self) -> str:
        """Its people with their number, such as 112 students."""
        return f"{words.number(self.people)} {_NOUNS[self.role][self.people != 1]}"

    @property
    def share(self) -> str:
        """Which part of those there it is, in percent."""
        part = 100 * self.people / self.there if self.there else 100.0
        return f"{part:.0f} %" if part >= 1 else "under 1 %"

    @property
    def outcome(self) -> str:
        """What was answered about it and what then happened, in words."""
        if not self.approved:
            return "Rejected: these people stay active." if self.rejected else "Not answered: these people stay active."
        told = [f"Approved: {words.number(self.archived)} archived"]
        if self.going:
            told.append(f"{words.number(self.going)} still to be archived")
        if self.left_alone:
            told.append(
                f"{words.number(self.left_alone)} left alone, because the SIS has them again or somebody decided otherwise"
            )
        return ", ".join(told) + "."


@dataclass(frozen=True)
class Decision:
    """The decision about a run: its groups, where it stands, and who answered when."""

    stage: Stage
    groups: tuple[Group, ...]
    version: str
    answered_by: str | None
    answered_at: dt.datetime | None

    @property
    def people(self) -> int:
        """How many are held altogether."""
        return sum(group.people for group in self.groups)


def decision_from(
    run: Row, rows: Sequence[Row], question: Question | None, causes: Mapping[str, Sequence[str]], names: Iterable[Row]
) -> Decision:
    """The decision about a run from its row, its groups, Airflow's question, and what may be shown of causes and names."""
    by_group: dict[str, list[Somebody]] = {}
    for person in names:
        key = key_of((person["school_id"], person["role"]))
        name = f"{person['family_name']}, {person['given_name']}"
        by_group.setdefault(key, []).append(Somebody(name, ", ".join(person["grades"] or ()), person["reason"] or ""))
    groups = tuple(
        Group(
            key=(key := key_of((row["school_id"], row["role"]))),
            school=row["school"],
            role=row["role"],
            there=row["there"] or row["people"],
            **{name: row[name] for name in ("people", "open", "approved", "rejected", "archived", "left_alone", "going")},
            causes=tuple(causes.get(key, ())),
            names=tuple(by_group.get(key, ())),
        )
        for row in rows
    )
    stage = _stage(run, groups, question)
    if stage == "waiting":
        # What an approval would release now: whoever was asked about and is still held.
        groups = tuple(replace(group, people=group.open) for group in groups if group.open)
    # Until the run's task has written the answer down, Airflow alone knows whose it is.
    from_airflow = question is not None and stage == "given"
    return Decision(
        stage=stage,
        groups=groups,
        version=question.version if question else "",
        answered_by=question.answered_by if question and from_airflow else run["answered_by"],
        answered_at=question.answered_at if question and from_airflow else run["answered_at"],
    )


def _stage(run: Row, groups: Sequence[Group], question: Question | None) -> Stage:
    if not groups:
        return "nothing"
    if question is not None and question.waits and any(group.open for group in groups) and run["undone_at"] is None:
        return "waiting"
    if run["answer"] is not None:
        return "unanswered" if run["answer"] == "none" else "answered"
    if question is not None and question.answered_at is not None and run["finished_at"] is None:
        return "given"
    return "over"


def causes_of(rows: Sequence[Row], grades: Sequence[Row], signs: Row | None, night: dt.date) -> dict[str, list[str]]:
    """Why the people of each group are likely missing, as far as the data tell, by the group's key."""
    signs = signs or {}
    whole = _whole_schools(rows, signs.get("guard") or {})
    return {
        key_of((row["school_id"], row["role"])): [
            *_of_group(row, whole, [one for one in grades if (one["school_id"], one["role"]) == (row["school_id"], row["role"])]),
            *_of_some(row),
            *_of_year(row, signs, night),
            *_of_reading(row, signs),
        ]
        for row in rows
    }


def _whole_schools(rows: Sequence[Row], guard: Mapping[str, str]) -> set[str]:
    """The schools of which nearly everybody, in every role, is missing."""
    there: dict[str, int] = {}
    missing: dict[str, int] = {}
    for key, people in guard.items():
        school = key.rpartition("|")[0]
        there[school] = there.get(school, 0) + int(people)
    for row in rows:
        missing[row["school_id"] or ""] = missing.get(row["school_id"] or "", 0) + row["people"]
    return {school for school, people in missing.items() if people >= _WHOLE * there.get(school, people + 1)}


def _of_group(row: Row, whole: set[str], grades: Sequence[Row]) -> Iterable[str]:
    people, there = row["people"], row["there"] or row["people"]
    if row["said_gone"] >= _WHOLE * people:
        yield "The SIS still sends them and says itself that they are over: it marks them tobedeleted, inactive or not enabled."
    elif row["left_school"] >= _WHOLE * people:
        yield "The SIS still sends them, and at no school that is rostered: did they change school, or was a school left out?"
    elif (row["school_id"] or "") in whole:
        yield "Nearly everybody of this school is missing, in every role: is the school still shared?"
    elif people >= _WHOLE * there:
        yield f"Nearly all {_NOUNS[row['role']][1]} of this school are missing: is the role still shared for it?"
    else:
        gone = [one for one in grades if one["people"] >= max(_WHOLE * one["there"], 5)]
        number = sum(one["people"] for one in gone)
        if gone and number >= 0.8 * people:
            told = "grade " + gone[0]["grade"] if len(gone) == 1 else "the grades " + ", ".join(one["grade"] for one in gone)
            shared = "is it" if len(gone) == 1 else "are they"
            yield f"Nearly everybody of {told} is missing ({words.number(number)}), and few others: {shared} still shared?"


def _of_some(row: Row) -> Iterable[str]:
    """What is true of some people of a group only."""
    if 0 < row["said_gone"] < _WHOLE * row["people"]:
        yield f"Of {words.number(row['said_gone'])} the SIS says itself that they are over: tobedeleted, inactive or not enabled."
    if enrolled := row["still_enrolled"]:
        who = "is 1" if enrolled == 1 else f"are {words.number(enrolled)}"
        yield (
            f"There {who} whom it does not send and still enrolls: somebody who is enrolled has hardly left, so the sharing was "
            "probably changed."
        )


def _of_year(row: Row, signs: Row, night: dt.date) -> Iterable[str]:
    ends = signs.get("year_ends")
    if ends and row["role"] == "student":
        yield f"The school year {'ended' if ends <= night else 'ends'} on {ends.day} {ends:%b %Y}: they may be its leavers."


def _of_reading(row: Row, signs: Row) -> Iterable[str]:
    now, before = signs.get("users"), signs.get("users_before")
    if row["absent"] and now is not None and before and now < before:
        yield (f"The SIS sent {words.number(now)} users; on {words.night(signs['night_before'])} it sent {words.number(before)}.")


def reason_in_words(reason: str) -> str:
    """Why one person is held, in a few words."""
    if reason in _SAID_GONE:
        return f"the SIS {_SAID_GONE[reason]}"
    return {"absent": "not sent any more", "left_school": "at no rostered school any more"}.get(
        reason, words.plain(reason).lower()
    )
