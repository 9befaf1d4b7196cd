"""From a proven snapshot to what the directory ought to hold, kept beside the snapshot as Parquet."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from include.mingasync.district import District
from include.mingasync.rosters.lists import Rosters, lists_from
from include.mingasync.rosters.people import people_from
from include.mingasync.settings import Settings

if TYPE_CHECKING:
    from include.mingasync.snapshot import Snapshot

#: Names of the derived tables, each staged under the same name by directory/sql/10_stage.sql.
DERIVED = ("people", "gone", "waiting", "set_aside", "lists", "members", "unlisted", "kept", "schools", "terms")


@dataclass(frozen=True)
class Sizes:
    """How much a transformation made."""

    people: int
    gone: int
    lists: int
    members: int
    lost_terms: tuple[str, ...]


def derive(snapshot: Snapshot, district: District, settings: Settings, night: dt.date) -> Sizes:
    """The sizes of what was derived; the tables named in DERIVED are written beside the snapshot."""
    set_aside = snapshot.read_frame("set_aside")
    out = {name: set(set_aside.loc[set_aside["resource"] == name, "sourced_id"]) for name in set_aside["resource"].unique()}
    enrollments = snapshot.frame("enrollments")
    rosters = Rosters(
        orgs=_without(snapshot.frame("orgs"), out.get("orgs")),
        sessions=_without(snapshot.frame("academicSessions"), out.get("academicSessions")),
        courses=_without(snapshot.frame("courses"), out.get("courses")),
        classes=_without(snapshot.frame("classes"), out.get("classes")),
        enrollments=_without(enrollments, out.get("enrollments")),
    )
    people = people_from(snapshot.frame("users"), rosters.orgs, district.schools, tuple(out.get("users", ())), night=night)
    if district.schools:
        at = rosters.classes["school_id"].isin(set(district.schools))
        rosters = Rosters(rosters.orgs, rosters.sessions, rosters.courses, rosters.classes[at], rosters.enrollments)
    lists = lists_from(rosters, people, settings, night, _kept(enrollments, out))
    for name, frame in {
        "people": people.present,
        "gone": people.gone,
        "waiting": people.waiting,
        "set_aside": set_aside[["resource", "sourced_id"]],
        "lists": lists.lists,
        "members": lists.members,
        "unlisted": lists.unlisted,
        "kept": lists.kept,
        "schools": _schools(rosters.orgs, district),
        "terms": _terms(rosters),
    }.items():
        snapshot.write_frame(f"derived_{name}", frame)
    snapshot.write_json("derived", {"lost_terms": list(lists.lost_terms)})
    return Sizes(len(people.present), len(people.gone), len(lists.lists), len(lists.members), lists.lost_terms)


def _without(frame: pd.DataFrame, out: set[str] | None) -> pd.DataFrame:
    return frame[~frame["sourced_id"].isin(out)] if out else frame


def _kept(enrollments: pd.DataFrame, out: dict[str, set[str]]) -> pd.DataFrame:
    """Memberships that rest on a record set aside: whole classes, and single enrollments."""
    single = enrollments.loc[enrollments["sourced_id"].isin(out.get("enrollments", set())), ["class_id", "user_id"]]
    whole = pd.DataFrame({"class_id": sorted(out.get("classes", ())), "user_id": pd.NA}, dtype="string")
    return pd.concat([whole, single.astype("string")], ignore_index=True)


def _schools(orgs: pd.DataFrame, district: District) -> pd.DataFrame:
    schools = orgs[orgs["type"].str.lower().eq("school").fillna(False).astype(bool)]
    schools = schools[schools["status"].eq("active").fillna(False).astype(bool)]
    if district.schools:
        schools = schools[schools["sourced_id"].isin(set(district.schools))]
    return pd.DataFrame(
        {"school_id": schools["sourced_id"], "name": schools["name"], "identifier": schools["identifier"]}
    ).drop_duplicates("school_id")


def _terms(rosters: Rosters) -> pd.DataFrame:
    sessions = rosters.sessions.drop_duplicates("sourced_id", keep="last")
    active = rosters.classes["status"].eq("active").fillna(False).astype(bool)
    classes = rosters.classes.loc[active, "term_ids"].explode().value_counts()
    dates = {
        name: pd.to_datetime(sessions[name], errors="coerce", format="%Y-%m-%d").dt.strftime("%Y-%m-%d")
        for name in ("start_date", "end_date")
    }
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
