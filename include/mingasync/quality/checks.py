"""The rules as columns: per collection a frame of booleans, true where a record keeps the rule."""

from __future__ import annotations

import datetime as dt
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import pandas as pd

from include.mingasync.oneroster.records import PARENT_ROLES
from include.mingasync.quality.catalogue import BY_ID, Rule
from include.mingasync.quality.own_rules import OwnRules
from include.mingasync.rosters.dates import in_order
from include.mingasync.rosters.identity import shared_keys
from include.mingasync.rosters.lists import not_begun
from include.mingasync.rosters.people import ROLE_OF, human_of, known_orgs, no_role_counts, roles_here, trimmed

Frames = Mapping[str, pd.DataFrame]
_STATUSES = ("active", "inactive", "tobedeleted")
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_EMAIL = r"[^@\s]+@[^@\s]+\.[^@\s]+"
_KNOWN_ROLES = frozenset(ROLE_OF) | PARENT_ROLES


@dataclass(frozen=True)
class Shared:
    """What links may point at: the sourcedIds of each collection, those of rows that could not be read among them; and the
    collections of which a part did not come, so that an id that is missing there says nothing."""

    ids: Mapping[str, set[str]]
    unreadable: Mapping[str, set[str]]
    open: Container[str]

    @classmethod
    def of(cls, frames: Frames, unreadable: Mapping[str, set[str]], partly: Container[str]) -> Shared:
        """What a snapshot's collections share."""
        ids = {name: set(frame["sourced_id"].dropna()) | unreadable.get(name, set()) for name, frame in frames.items()}
        return cls(ids, unreadable, partly)

    def has(self, collection: str, links: pd.Series) -> pd.Series:
        """Which links lead somewhere, or may do so."""
        there = links.isin(self.ids[collection])
        return there | _filled(links) if collection in self.open else there

    def has_all(self, collection: str, links: pd.Series) -> pd.Series:
        """Which lists of links lead somewhere, every one of them, or may do so."""
        ids, is_open = self.ids[collection], collection in self.open
        return pd.Series([is_open or ids.issuperset(own) for own in lists(links)], index=links.index, dtype=bool)


def record_checks(
    frames: Frames,
    night: dt.date,
    unreadable: Mapping[str, set[str]] | None = None,
    partly: Container[str] = (),
    own: OwnRules | None = None,
) -> dict[str, pd.DataFrame]:
    """Per collection, a boolean column per rule of single records: true where the record keeps it on a night.

    ``unreadable``: the sourcedIds of rows that could not be read. ``partly``: the collections of which a part did not come: that
    a record points at something missing there is no fault of the record. ``own``: what the district's own rules found.
    """
    own = own or OwnRules()
    rules = own.rules
    shared = Shared.of(frames, unreadable or {}, partly)
    checks = {name: _common(frame).join(own.checks.get(name, pd.DataFrame(index=frame.index))) for name, frame in frames.items()}
    _check_sessions(frames, checks["academicSessions"])
    for name, link, target, rule in (
        ("orgs", "parent_id", "orgs", "parent_unknown"),
        ("academicSessions", "parent_id", "academicSessions", "parent_unknown"),
        ("courses", "org_id", "orgs", "org_unknown"),
        ("classes", "course_id", "courses", "course_unknown"),
    ):
        links = frames[name][link]
        # One that is not filled leads nowhere and misses nothing.
        checks[name][rule] = shared.has(target, links) | ~_filled(links) | ~live(frames[name])
    _check_classes(frames, shared, checks["classes"])
    orgs = frames["orgs"]
    bad = set(orgs.loc[~kept(checks["orgs"], "orgs", rules), "sourced_id"].dropna()) | shared.unreadable.get("orgs", set())
    known = set().union(*known_orgs(orgs[kept(checks["orgs"], "orgs", rules)]), bad)
    _check_users(frames["users"], known, shared, night, checks["users"])
    _check_enrollments(frames, shared, checks, night, rules)
    return checks


def live(frame: pd.DataFrame) -> pd.Series:
    """Which records are active: who only leaves needs no content."""
    return _sure(frame["status"].eq("active"))


def lists(column: pd.Series) -> list[Sequence[str]]:
    """The lists in a column, an empty one where there is none."""
    return [() if value is None or value is pd.NA or isinstance(value, float) else value for value in column]


def _sure(answers: pd.Series) -> pd.Series:
    return answers.fillna(False).astype(bool)


def _filled(column: pd.Series) -> pd.Series:
    return _sure(column.str.strip().ne(""))


def _common(frame: pd.DataFrame) -> pd.DataFrame:
    ids = frame["sourced_id"]
    last = ~ids.duplicated(keep="last") | ids.isna()
    same = _same_as_the_last(frame) & ~last
    return pd.DataFrame(
        {
            "id_missing": _filled(ids),
            "id_twice": last | same,
            "id_twice_same": ~same,
            "status_unknown": _sure(frame["status"].isin(_STATUSES)),
        },
        index=frame.index,
    )


def _same_as_the_last(frame: pd.DataFrame) -> pd.Series:
    """Which records say, word for word, what the last one with their sourcedId says."""
    same = pd.Series(False, index=frame.index)
    twins = frame[frame["sourced_id"].duplicated(keep=False) & frame["sourced_id"].notna()]
    if not twins.empty:
        words = pd.Series([repr([_plain(cell) for cell in row]) for row in twins.itertuples(index=False)], index=twins.index)
        same[twins.index] = words == words.groupby(twins["sourced_id"]).transform("last")
    return same


def _plain(cell: object) -> object:
    return [str(one) for one in cell] if hasattr(cell, "__iter__") and not isinstance(cell, str) else str(cell)


def day(column: pd.Series) -> pd.Series:
    """The dates of a column, written yyyy-mm-dd; NaT where there is none or it is none. No other spelling is guessed at."""
    written = column.astype("string").where(column.astype("string").str.fullmatch(_DATE).fillna(False).astype(bool))
    return pd.to_datetime(written.astype(object), errors="coerce", format="%Y-%m-%d", utc=True)


def _in_order(frame: pd.DataFrame, first: str, last: str, required: bool) -> pd.Series:
    start, end = day(frame[first]), day(frame[last])
    readable = (start.notna() | (~_filled(frame[first]) & (not required))) & (
        end.notna() | (~_filled(frame[last]) & (not required))
    )
    return readable & ~(end < start)


def _check_sessions(frames: Frames, checks: pd.DataFrame) -> None:
    sessions, classes = frames["academicSessions"], frames["classes"]
    checks["dates"] = _in_order(sessions, "start_date", "end_date", required=True)
    used = {term for own in lists(classes.loc[live(classes), "term_ids"]) for term in own}
    checks["not_active"] = ~sessions["sourced_id"].isin(used) | ~_sure(sessions["status"].isin(["inactive", "tobedeleted"]))


def _check_classes(frames: Frames, shared: Shared, checks: pd.DataFrame) -> None:
    classes = frames["classes"]
    leaving, own = ~live(classes), lists(classes["term_ids"])
    checks["school_missing"] = _sure(shared.has("orgs", classes["school_id"])) | leaving
    _, above = known_orgs(frames["orgs"])
    checks["org_no_school"] = ~_sure(classes["school_id"].isin(above)) | leaving
    checks["terms_unknown"] = shared.has_all("academicSessions", classes["term_ids"]) | leaving
    checks["terms_none"] = pd.Series([len(ids) > 0 for ids in own], index=classes.index, dtype=bool) | leaving


def _check_users(users: pd.DataFrame, orgs: set[str], shared: Shared, night: dt.date, checks: pd.DataFrame) -> None:
    leaving = ~live(users) | _sure(users["enabled"].eq(False))
    roles = [[str(role).strip().lower() for role in own if role] for own in lists(users["roles"])]
    known = pd.Series([_is_told_who(own) for own in lists(users["roles"])], index=users.index, dtype=bool)
    every = pd.Series([all(role in _KNOWN_ROLES for role in own) for own in roles], index=users.index, dtype=bool)
    checks["role_unknown"] = known | leaving
    checks["role_partly_unknown"] = every | ~known | leaving
    dates = zip(lists(users["role_begin_dates"]), lists(users["role_end_dates"]), strict=True)
    ordered = [all(in_order(*one) for one in zip_longest(begins, ends)) for begins, ends in dates]
    checks["role_dates"] = pd.Series(ordered, index=users.index, dtype=bool) | leaving
    why = pd.Series(no_role_counts(users, night), index=users.index, dtype="string")
    for reason in ("role_ended", "role_not_begun"):
        checks[reason] = ~_sure(why.eq(reason)) | leaving
    named = [
        {org for org in (*own, *by_role) if org}
        for own, by_role in zip(lists(users["org_ids"]), lists(users["role_org_ids"]), strict=True)
    ]
    checks["org_missing"] = pd.Series([len(own) > 0 for own in named], index=users.index, dtype=bool) | leaving
    unlisted = pd.Series(["orgs" not in shared.open and not orgs.issuperset(own) for own in named], index=users.index, dtype=bool)
    checks["org_unknown"] = ~unlisted | leaving
    checks["name_blank"] = (_filled(users["given_name"]) & _filled(users["family_name"])) | leaving
    checks["email_malformed"] = (
        users["email"].str.fullmatch(_EMAIL).fillna(True).astype(bool) | ~_filled(users["email"]) | leaving
    )
    checks["agents_unknown"] = shared.has_all("users", users["agent_ids"]) | leaving
    # Families share an address, so contacts are not looked at.
    parents = pd.Series([len(own) > 0 and PARENT_ROLES.issuperset(own) for own in roles], index=users.index, dtype=bool)
    role = pd.Series(roles_here(users, night), index=users.index, dtype="string").fillna("")
    here = trimmed(users.assign(role=role))[~(leaving | parents)]
    common = shared_keys(here)
    # As people are made: the records of one human, one per school, do not share a key with anybody.
    human = human_of(here, common)
    for key in ("email", "username"):
        checks[f"{key}_shared"] = _of_one(here[key].str.casefold(), human).reindex(users.index, fill_value=True)
    number = np.where(role.eq("student"), "student_identifier", "employee_identifier")
    checks["identifier_shared"] = True
    for name in ("student_identifier", "employee_identifier", "email", "username"):
        key = "identifier" if name.endswith("identifier") else name
        values = set(common.loc[common["field"].eq(name), "value"])
        fits = _sure(users[key].str.strip().str.lower().isin(values)) & ((number == name) | (key == name)) & ~leaving & ~parents
        checks[f"{key}_shared"] = checks[f"{key}_shared"].astype(bool) & ~fits


def _is_told_who(roles: Sequence[str | None]) -> bool:
    """Whether the roles of a user tell what they are here. To be a parent as well says nothing of the role that nobody knows."""
    folded = {str(role or "").strip().lower() for role in roles}
    return bool(folded & ROLE_OF.keys()) or (bool(folded) and folded <= PARENT_ROLES)


def _of_one(values: pd.Series, human: pd.Series) -> pd.Series:
    """Which values belong to one human only; blank ones belong to nobody."""
    pairs = pd.DataFrame({"value": values, "human": human})[_filled(values)].drop_duplicates()
    return ~values.isin(set(pairs.loc[pairs["value"].duplicated(keep=False), "value"]))


def _check_enrollments(
    frames: Frames, shared: Shared, checks: dict[str, pd.DataFrame], night: dt.date, rules: Mapping[str, Rule]
) -> None:
    enrollments, own = frames["enrollments"], checks["enrollments"]
    leaving = ~live(enrollments)
    for link, resource, name in (("user_id", "users", "user"), ("class_id", "classes", "class")):
        bad = frames[resource].loc[~kept(checks[resource], resource, rules), "sourced_id"]
        aside = set(bad.dropna()) | shared.unreadable.get(resource, set())
        own[f"{name}_unknown"] = _sure(shared.has(resource, enrollments[link])) | leaving
        own[f"waits_for_{name}"] = ~enrollments[link].isin(aside) | leaving
    own["role_unknown"] = _sure(enrollments["role"].str.strip().str.lower().isin(_KNOWN_ROLES)) | leaving
    own["dates"] = _in_order(enrollments, "begin_date", "end_date", required=False) | leaving
    first, last = _spans(frames)
    begin, end = day(enrollments["begin_date"]), day(enrollments["end_date"])
    outside = (begin > day(enrollments["class_id"].map(last))) | (end < day(enrollments["class_id"].map(first)))
    own["outside_terms"] = ~outside | leaving
    own["not_begun"] = pd.Series(~not_begun(enrollments, frames["classes"], frames["academicSessions"], night), enrollments.index)
    own["not_begun"] |= leaving
    users = frames["users"].drop_duplicates("sourced_id", keep="last")
    role_here = pd.Series(roles_here(users, night), index=users["sourced_id"], dtype="string")
    person, place = enrollments["user_id"].map(role_here), enrollments["role"].str.strip().str.lower()
    own["teacher_as_student"] = ~(_sure(place.eq("student")) & _sure(person.ne("student"))) | leaving
    own["student_as_teacher"] = ~(_sure(place.eq("teacher")) & _sure(person.eq("student"))) | leaving


def _spans(frames: Frames) -> tuple[pd.Series, pd.Series]:
    """The first and the last day of each class's terms, by class; nothing where a term has no dates."""
    classes = pd.DataFrame({"class_id": frames["classes"]["sourced_id"], "term": lists(frames["classes"]["term_ids"])}).explode(
        "term"
    )
    sessions = frames["academicSessions"].dropna(subset=["sourced_id"]).drop_duplicates("sourced_id", keep="last")
    sessions = sessions.set_index("sourced_id")
    dated = classes.assign(
        first=day(classes["term"].map(sessions["start_date"])),
        last=day(classes["term"].map(sessions["end_date"])),
    ).dropna()
    spans = dated.groupby("class_id").agg({"first": "min", "last": "max"})
    return spans["first"].dt.strftime("%Y-%m-%d"), spans["last"].dt.strftime("%Y-%m-%d")


def kept(checks: pd.DataFrame, resource: str, rules: Mapping[str, Rule] = BY_ID) -> pd.Series:
    """Which records are not set aside: those that keep every rule of severity error."""
    errors = [name for name in checks if rules[f"{resource}.{name}"].severity == "error" and name != "id_twice"]
    return checks[errors].all(axis="columns") if errors else pd.Series(True, index=checks.index)
