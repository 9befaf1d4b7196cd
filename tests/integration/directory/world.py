"""A small SIS and a directory to try nights on: records in the columns of a snapshot, settings, a real database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import psycopg
import pyarrow as pa

from include.mingasync.directory import runs
from include.mingasync.directory.archive import archive
from include.mingasync.directory.load import Desired, load
from include.mingasync.oneroster.records import COLUMNS
from include.mingasync.quality.unproven import Unproven
from include.mingasync.rosters.derive import DERIVED
from include.mingasync.rosters.lists import Rosters, lists_from
from include.mingasync.rosters.people import people_from
from include.mingasync.run import Kind, Run
from include.mingasync.settings import ROLES, Settings
from include.mingasync.snapshot import arrow

DISTRICT = "oak"
NIGHT = dt.date(2026, 11, 24)
Row = dict[str, Any]


def everything_on(**more: Any) -> dict[str, Any]:
    """Settings with every role rostered, updated and archived, and no safety limit in the way."""
    toggles = {"roster": True, "auto_update": True, "archive": True}
    return {
        "automatic_rostering": True,
        "roles": {role: toggles for role in ROLES},
        "safety": {"archive_percent": 100, "archive_minimum": 0},
        **more,
    }


def user(sourced_id: str, role: str = "student", schools: Iterable[str] = ("S1",), **more: Any) -> Row:
    """A user's row with an identifier, e-mail and username of their own."""
    schools = list(schools)
    row: Row = {
        "sourced_id": sourced_id,
        "status": "active",
        "enabled": True,
        "username": f"user.{sourced_id}",
        "identifier": f"id-{sourced_id}",
        "given_name": f"Given{sourced_id}",
        "family_name": f"Family{sourced_id}",
        "email": f"{sourced_id}@example.org",
        "roles": [role],
        "role_types": ["primary"],
        "role_org_ids": [None],
        "org_ids": schools,
        "grades": ["09"] if role == "student" else [],
        "agent_ids": [],
    }
    return row | more


def school(sourced_id: str, name: str | None = None) -> Row:
    """A school's row."""
    return {"sourced_id": sourced_id, "status": "active", "name": name or f"School {sourced_id}", "type": "school"}


def klass(sourced_id: str, school_id: str = "S1", terms: Iterable[str] = ("T1",), **more: Any) -> Row:
    """A class's row."""
    return {
        "sourced_id": sourced_id,
        "status": "active",
        "title": f"Class {sourced_id}",
        "school_id": school_id,
        "term_ids": list(terms),
        "grades": [],
        "subjects": [],
        "subject_codes": [],
        "periods": [],
    } | more


def enrollment(class_id: str, user_id: str, role: str = "student", **more: Any) -> Row:
    """An enrollment's row."""
    row: Row = {"sourced_id": f"{class_id}/{user_id}", "status": "active", "class_id": class_id, "user_id": user_id}
    return row | {"role": role, "primary": role == "teacher"} | more


def term(sourced_id: str, **more: Any) -> Row:
    """A semester's row."""
    row = {"sourced_id": sourced_id, "status": "active", "title": f"Term {sourced_id}", "type": "semester"}
    return row | {"start_date": "2026-08-17", "end_date": "2026-12-18", "school_year": "2027"} | more


@dataclass
class Sis:
    """What the SIS would send tonight."""

    users: list[Row] = field(default_factory=list)
    orgs: list[Row] = field(default_factory=lambda: [school("S1")])
    terms: list[Row] = field(default_factory=lambda: [term("T1")])
    courses: list[Row] = field(default_factory=list)
    classes: list[Row] = field(default_factory=list)
    enrollments: list[Row] = field(default_factory=list)

    def frame(self, collection: str) -> pd.DataFrame:
        """A collection as a snapshot would give it."""
        rows = {"academicSessions": self.terms}.get(collection) if collection == "academicSessions" else getattr(self, collection)
        return pa.Table.from_pylist(rows or [], schema=COLUMNS[collection]).to_pandas()


@dataclass
class Directory:
    """A district's directory in a real database."""

    connection: psycopg.Connection[Any]
    settings: dict[str, Any] = field(default_factory=everything_on)
    rostered: tuple[str, ...] = ()

    def night(
        self,
        sis: Sis,
        *,
        kind: Kind = "nightly",
        night: dt.date = NIGHT,
        set_aside: Iterable[str] = (),
        kept: Iterable[tuple[str, str]] = (),
        unproven: str | None = None,
        archive_too: bool = True,
        run_id: str | None = None,
        taken_at: dt.datetime | None = None,
    ) -> dict[str, Any]:
        """The counts of a whole night: rosters made, loaded and archived."""
        run, run_no = self.open(kind, night, run_id)
        desired = self.desired(sis, set_aside, kept, unproven, night, taken_at)
        counts = load(self.connection, run, run_no, Settings.model_validate(self.settings), desired)
        return archive(self.connection, run, run_no) if archive_too else counts

    def open(self, kind: Kind = "nightly", night: dt.date = NIGHT, run_id: str | None = None) -> tuple[Run, int]:
        """A run that is open in the history, and its number."""
        at = dt.datetime.combine(night, dt.time(8), dt.UTC)
        run = Run(DISTRICT, run_id or f"run-{self.value('select count(*) from directory.sync_runs')}", kind, at, night)
        return run, runs.open_run(self.connection, run)

    def desired(
        self,
        sis: Sis,
        set_aside: Iterable[str] = (),
        kept: Iterable[tuple[str, str]] = (),
        unproven: str | None = None,
        night: dt.date = NIGHT,
        taken_at: dt.datetime | None = None,
    ) -> Desired:
        """What the SIS and the settings ask for; the users and enrollments named are set aside."""
        out = list(set_aside)
        rosters = Rosters(
            orgs=sis.frame("orgs"),
            sessions=sis.frame("academicSessions"),
            courses=sis.frame("courses"),
            classes=sis.frame("classes"),
            enrollments=sis.frame("enrollments"),
        )
        people = people_from(sis.frame("users"), rosters.orgs, self.rostered, out, night=night)
        kept_frame = pd.DataFrame(list(kept), columns=["class_id", "user_id"], dtype="string")
        lists = lists_from(rosters, people, Settings.model_validate(self.settings), night, kept_frame)
        frames: Mapping[str, pd.DataFrame] = {
            "people": people.present,
            "gone": people.gone,
            "waiting": people.waiting,
            "set_aside": pd.DataFrame({"resource": ["users"] * len(out), "sourced_id": out}, dtype="string"),
            "lists": lists.lists,
            "members": lists.members,
            "unlisted": lists.unlisted,
            "kept": kept_frame,
            "unread": lists.unread,
            "schools": rosters.orgs.rename(columns={"sourced_id": "school_id"})[["school_id", "name", "identifier"]],
            "terms": rosters.sessions.rename(columns={"sourced_id": "term_id"})[
                ["term_id", "title", "type", "start_date", "end_date", "parent_id", "school_year"]
            ].assign(
                classes=rosters.sessions["sourced_id"]
                .map(rosters.classes["term_ids"].explode().value_counts())
                .fillna(0)
                .astype("int64")
            ),
        }
        return Desired(
            tables={name: arrow(frame, DERIVED[name]) for name, frame in frames.items()},
            snapshot_at=taken_at or dt.datetime.now(dt.UTC),
            lost_terms=lists.lost_terms,
            unproven={"users": Unproven("incomplete", unproven)} if unproven else {},
        )

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self.connection.execute(query, parameters).fetchall()

    def value(self, query: str, *parameters: Any) -> Any:
        """The one value of a query."""
        return self.rows(query, *parameters)[0][0]

    def do(self, statement: str, *parameters: Any) -> None:
        """Somebody's work by hand."""
        self.connection.execute(statement, parameters)

    def state(self) -> tuple[Any, ...]:
        """Everything that downstream reads, but for timestamps."""
        return (
            self.rows(
                "select person_id, source, sourced_id, sourced_ids, role, given_name, family_name, email, username, identifier,"
                " grades, school_ids, parent_name, include_in_sync, status, archived_at is null from directory.people order by 1"
            ),
            self.rows(
                "select list_id, kind, school_id, source_id, name, visibility, status, term_ids, grades"
                " from directory.user_lists order by 1"
            ),
            self.rows("select list_id, person_id, member_role from directory.list_members order by 1, 2, 3"),
        )
