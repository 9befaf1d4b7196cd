"""From a proven snapshot to what the directory ought to hold, kept beside the snapshot as Parquet."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from include.mingasync.contacts import Contacts, only_wanted, without_unwanted
from include.mingasync.district import District
from include.mingasync.oneroster.records import COLUMNS
from include.mingasync.rosters.basis import needed
from include.mingasync.rosters.carried import Carried, carry
from include.mingasync.rosters.dates import days
from include.mingasync.rosters.frames import one_each, typed
from include.mingasync.rosters.lists import LIST_COLUMNS, Rosters, lists_from
from include.mingasync.rosters.people import COLUMNS as PEOPLE
from include.mingasync.rosters.people import any_parent, known_orgs, people_from
from include.mingasync.settings import Settings
from include.mingasync.snapshot import arrow

if TYPE_CHECKING:
    from include.mingasync.snapshot import Snapshot

_TEXTS = pa.list_(pa.string())


def _schema(*texts: str, **others: pa.DataType) -> pa.Schema:
    """Text columns, and those of other types; the order is that of the texts with the others behind."""
    return pa.schema([*((name, pa.string()) for name in texts if name not in others), *others.items()])


#: The derived tables and their columns, each staged under the same name by directory/sql/10_stage.sql. Said once, so that a
#: column in which every value is missing is still of its type.
DERIVED: dict[str, pa.Schema] = {
    "people": _schema(
        *PEOPLE,
        n=pa.int32(),
        sourced_ids=_TEXTS,
        grades=_TEXTS,
        school_ids=_TEXTS,
        unsure_org_ids=_TEXTS,
        maybe_outside=pa.bool_(),
        unsure_role=pa.bool_(),
        digest=pa.int64(),
        digest_with_parent=pa.int64(),
    ),
    "gone": _schema("sourced_id", "reason"),
    "waiting": _schema("sourced_id", "reason", "role", "school_id"),
    "set_aside": _schema("resource", "sourced_id"),
    "lists": _schema(
        *LIST_COLUMNS,
        k=pa.int32(),
        term_ids=_TEXTS,
        grades=_TEXTS,
        public=pa.bool_(),
        owner_n=pa.int32(),
        parts=_TEXTS,
        teacher_n=pa.int32(),
        keeps_grades=pa.bool_(),
    ),
    "members": _schema(k=pa.int32(), n=pa.int32(), manager=pa.bool_()),
    "unlisted": _schema("source_id", "reason"),
    "kept": _schema("class_id", "user_id"),
    "unread": pa.schema([("k", pa.int32()), ("n", pa.int32()), ("manager", pa.bool_())]),
    "schools": _schema("school_id", "name", "identifier"),
    "terms": _schema("term_id", "title", "type", "start_date", "end_date", "parent_id", "school_year", classes=pa.int64()),
}


@dataclass(frozen=True)
class Sizes:
    """How much a transformation made."""

    people: int
    gone: int
    lists: int
    members: int
    lost_terms: tuple[str, ...]


def derive(
    snapshot: Snapshot, district: District, settings: Settings, night: dt.date, earlier: Iterable[Snapshot | None] = ()
) -> Sizes:
    """The sizes of what was derived; the tables named in DERIVED are written beside the snapshot.

    ``earlier``: the snapshots that were loaded before this one, newest first, None for one that is not there any more. What
    was set aside tonight holds on as it was in them.
    """
    set_aside = snapshot.read_frame("set_aside")
    out = {name: set(set_aside.loc[set_aside["resource"] == name, "sourced_id"].dropna()) for name in COLUMNS}
    contacts = Contacts.of(settings)
    carried = _with_wanted_contacts(carry(out, earlier), snapshot, contacts)
    frames = {name: _in_force(snapshot, name, out[name], carried) for name in COLUMNS}
    rosters = Rosters(frames["orgs"], frames["academicSessions"], frames["courses"], frames["classes"], frames["enrollments"])
    people = people_from(frames["users"], rosters.orgs, district.schools, night=night)
    if district.schools:
        at = rosters.classes["school_id"].isin(set(district.schools))
        rosters = Rosters(rosters.orgs, rosters.sessions, rosters.courses, rosters.classes[at], rosters.enrollments)
    lists = lists_from(rosters, people, settings, night, _kept(snapshot, rosters, carried))
    for name, frame in {
        "people": people.present,
        "gone": people.gone,
        "waiting": people.waiting,
        "set_aside": set_aside[["resource", "sourced_id"]],
        "lists": lists.lists,
        "members": lists.members,
        "unlisted": lists.unlisted,
        "kept": lists.kept,
        "unread": lists.unread,
        "schools": _schools(rosters.orgs, district),
        "terms": _terms(rosters),
    }.items():
        table = arrow(frame, DERIVED[name])
        snapshot.write_table(f"derived_{name}", only_wanted(table, contacts) if name == "people" else table)
    for name, table in carried.rows.items():
        snapshot.write_frame(f"derived_carried_{name}", table.to_pandas(), COLUMNS[name])
    # A term that was set aside is neither lost nor gone.
    lost_terms = tuple(term for term in lists.lost_terms if term not in out["academicSessions"])
    snapshot.write_json(
        "derived",
        {
            "lost_terms": list(lost_terms),
            "unknown_terms": sorted(carried.unknown.get("academicSessions", ())),
            "unknown_schools": sorted(carried.unknown.get("orgs", ())),
            "shared_schools": sorted(_active_schools(rosters.orgs)["sourced_id"]) + sorted(carried.unknown.get("orgs", ())),
            "misnamed": _misnamed(snapshot, district, frames, carried),
            "needed": needed(settings, rosters.classes, rosters.courses),
            # Without a single parent nobody's contact is known, and none is gone; nor is one that was not wanted at the reading.
            "contacts_rest": contacts.any and (not any_parent(frames["users"]) or contacts.are_left_out_of(snapshot)),
            "carried": sorted(carried.rows),
            "unknown": {name: sorted(ids) for name, ids in carried.unknown.items()},
        },
    )
    return Sizes(len(people.present), len(people.gone), len(lists.lists), len(lists.members), lost_terms)


def _with_wanted_contacts(carried: Carried, snapshot: Snapshot, wanted: Contacts) -> Carried:
    """What is carried on, without what is kept of parents whose contact nobody wants any more."""
    before = carried.rows.get("users")
    if before is None or wanted.every:
        return carried
    kept = without_unwanted(before, snapshot.table("orgs"), wanted, snapshot.table("users", ["agent_ids"]))
    return replace(carried, rows={**carried.rows, "users": kept})


def _in_force(snapshot: Snapshot, collection: str, out: set[str], carried: Carried) -> pd.DataFrame:
    """The rows of a collection that count: those that are good, and those that were set aside as they were before."""
    frame = snapshot.frame(collection)
    nameless = frame["sourced_id"].fillna("").str.strip().eq("")
    if not out and not nameless.any():
        return frame
    good = frame[~frame["sourced_id"].isin(out) & ~nameless]
    before = carried.rows.get(collection)
    if before is None:
        return good
    return pd.concat([typed(good, collection), typed(before.to_pandas(), collection)], ignore_index=True)


def _kept(snapshot: Snapshot, rosters: Rosters, carried: Carried) -> pd.DataFrame:
    """What rests because nobody can say what a record set aside was before: class_id and user_id, either null for any.

    A class with no user: its list. A user with no class: every list they are on. Neither: whatever is made from enrollments.
    """
    unknown = {name: carried.unknown.get(name, set()) for name in COLUMNS}
    pairs: list[tuple[str | None, str | None]] = [(None, one) for one in sorted(unknown["users"])]
    classes = set(unknown["classes"])
    if unknown["courses"]:
        classes |= set(rosters.classes.loc[rosters.classes["course_id"].isin(unknown["courses"]), "sourced_id"])
    pairs += [(one, None) for one in sorted(classes)]
    if classes or unknown["enrollments"]:
        enrollments = snapshot.frame("enrollments", ["sourced_id", "class_id", "user_id", "role"])
        bad = enrollments[enrollments["sourced_id"].isin(unknown["enrollments"])]
        # Who else is in a class rests on whoever teaches it.
        teaching = ~bad["role"].str.lower().eq("student").fillna(False).astype(bool)
        of_class = enrollments[enrollments["class_id"].isin(classes | set(bad.loc[teaching, "class_id"].dropna()))]
        pairs += list(of_class[["class_id", "user_id"]].itertuples(index=False, name=None))
        listed = set(snapshot.frame("classes", ["sourced_id"])["sourced_id"]) | classes
        pairs += [
            (None if pd.isna(who) or one not in listed else one, None if pd.isna(who) else who)
            for one, who in zip(bad["class_id"], bad["user_id"], strict=True)
        ]
        pairs += [(None, None)] * bool(unknown["enrollments"] - set(bad["sourced_id"]))
    return pd.DataFrame(pairs, columns=["class_id", "user_id"], dtype="string")


def _misnamed(snapshot: Snapshot, district: District, frames: Mapping[str, pd.DataFrame], carried: Carried) -> list[str]:
    """The schools of the district's file that are none: no org that came and no user names them, or they are another kind of org.

    Whoever seems to be at no rostered school may be at the one that is meant.
    """
    if not district.schools:
        return []
    orgs, users = snapshot.frame("orgs", ["sourced_id"]), frames["users"]
    _, above = known_orgs(frames["orgs"])
    there = {*orgs["sourced_id"].dropna(), *snapshot.unreadable("orgs")["sourced_id"], *carried.unknown.get("orgs", ())}
    there |= {*users["org_ids"].explode().dropna(), *users["role_org_ids"].explode().dropna()}
    return sorted(one for one in set(district.schools) if one in above or one not in there)


def _schools(orgs: pd.DataFrame, district: District) -> pd.DataFrame:
    schools = _active_schools(orgs)
    if district.schools:
        schools = schools[schools["sourced_id"].isin(set(district.schools))]
    return pd.DataFrame(
        {"school_id": schools["sourced_id"], "name": schools["name"], "identifier": schools["identifier"]}
    ).drop_duplicates("school_id")


def _active_schools(orgs: pd.DataFrame) -> pd.DataFrame:
    return orgs[orgs["sourced_id"].isin(known_orgs(orgs)[0])]


def _terms(rosters: Rosters) -> pd.DataFrame:
    sessions = one_each(rosters.sessions)
    active = rosters.classes["status"].eq("active").fillna(False).astype(bool)
    classes = rosters.classes.loc[active, "term_ids"].explode().value_counts()
    dates = {name: days(sessions[name]).dt.strftime("%Y-%m-%d") for name in ("start_date", "end_date")}
    return pd.DataFrame(
        {
            "term_id": sessions["sourced_id"],
            "title": sessions["title"],
            "type": sessions["type"],
            **dates,
            "parent_id": sessions["parent_id"],
            "school_year": sessions["school_year"],
            "classes": sessions["sourced_id"].map(classes).fillna(0).astype("int64"),
        }
    )
