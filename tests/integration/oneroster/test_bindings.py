"""One district, however it is shared, is one directory: row for row."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import psycopg
import pytest

from include.mingasync.directory import runs, schema
from include.mingasync.directory.desired import desired_from
from include.mingasync.directory.load import load
from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.read import read_collection
from include.mingasync.oneroster.records import COLUMNS, READING_ORDER
from include.mingasync.quality.prove import prove
from include.mingasync.rosters.derive import derive
from include.mingasync.run import Run
from include.mingasync.settings import ROLES, Settings
from include.mingasync.snapshot import Snapshot
from include.rehearsal.bundles import write_bundle
from include.rehearsal.district import build
from include.rehearsal.running import running
from include.rehearsal.server import CLIENT_ID, CLIENT_SECRET, application
from tests.unit.oneroster.bundles import SAMPLES, district

TODAY = dt.date(2026, 11, 24)
Rows = list[tuple[Any, ...]]


def directory_of(
    connection: psycopg.Connection[Any], name: str, access: Access, folder: Path, **sis: Any
) -> tuple[Rows, Rows, Rows]:
    """People, lists and memberships that a night makes of a source, told apart by what the SIS calls them."""
    own = district(**sis).model_copy(update={"slug": name})
    snapshot = Snapshot.of(str(folder), name, "night")
    for collection in READING_ORDER:
        assert read_collection(collection, own, access, snapshot, parents=True).state == "complete"
    found = prove(
        {one: snapshot.frame(one) for one in COLUMNS}, night=TODAY, sis_name=own.sis.name, unreadable=snapshot.unreadable()
    )
    snapshot.write_frame("set_aside", found.set_aside)
    toggles = {"roster": True, "auto_update": True, "archive": True}
    settings = Settings.model_validate(
        {
            "automatic_rostering": True,
            "roles": dict.fromkeys(ROLES, toggles),
            "include_primary_parent_contact": True,
            "class_lists": {"enabled": True, "terms": snapshot.frame("academicSessions")["sourced_id"].tolist()},
            "auto_lists": dict.fromkeys(("role", "grade", "subject", "teacher"), True),
        }
    )
    derive(snapshot, own, settings, TODAY)
    run = Run(name, "night", "nightly", dt.datetime.now(dt.UTC), TODAY)
    run_no = runs.open_run(connection, run)
    load(connection, run, run_no, settings, desired_from(connection, snapshot, name, run_no))

    def rows(query: str) -> Rows:
        return connection.execute(query, {"district": name}).fetchall()

    return (
        rows(
            "select sourced_id, sourced_ids, role, given_name, family_name, preferred_given_name, email, username, identifier, grades,"
            " school_ids, parent_name, parent_email, parent_phone, status from directory.people"
            " where district = %(district)s order by 1"
        ),
        rows(
            "select kind, source_id, school_id, name, visibility, status, term_ids, grades from directory.user_lists"
            " where district = %(district)s order by 1, 2, 3"
        ),
        rows(
            "select l.kind, l.source_id, l.school_id, p.sourced_id, m.member_role from directory.list_members as m"
            " join directory.user_lists as l using (list_id) join directory.people as p using (person_id)"
            " where m.district = %(district)s order by 1, 2, 3, 4, 5"
        ),
    )


@pytest.fixture
def connection(database: str) -> Any:
    with psycopg.connect(database, autocommit=True) as opened:
        schema.bring_to_head(opened)
        yield opened


def test_rest_and_csv_of_both_versions_make_the_same_directory(connection: psycopg.Connection[Any], tmp_path: Path) -> None:
    same = build(300, 3, today=TODAY)
    made = {}
    with running(application(district=same)) as server:
        for version in ("1.1", "1.2"):
            access = Access.from_connection(
                host=server.root(version), login=CLIENT_ID, password=CLIENT_SECRET, extra={"token_url": server.token_url}
            )
            sis = {"source": "rest", "url": None, "version": version, "max_parallel_requests": 4, "page_size": 200}
            made[f"rest-{version}"] = directory_of(connection, f"rest-{version[-1]}", access, tmp_path, **sis)
    for version, where in (("1.1", tmp_path / "bundle.zip"), ("1.2", tmp_path / "bundle")):
        bundle = str(write_bundle(same, where, version))
        made[f"csv-{version}"] = directory_of(connection, f"csv-{version[-1]}", Access.to_bundle(bundle), tmp_path, url=bundle)
    people, lists, members = made["rest-1.2"]
    assert len(people) > 300 and {row[0] for row in lists} == {"class", "role", "grade", "subject", "teacher"} and members
    for name, rows in made.items():
        assert rows == (people, lists, members), name


def test_dates_of_roles_come_by_rest_as_by_csv(connection: psycopg.Connection[Any], tmp_path: Path) -> None:
    same = build(300, 1, today=TODAY)
    periods: list[dict[str, str]] = [
        {"endDate": "2026-11-23"}, {"endDate": "2026-11-24"}, {"beginDate": "2026-11-25"}, {"beginDate": "2026-11-24", "endDate": ""},
    ]  # fmt: skip
    over_or_later, pupils = set(), [one for one in same.users if one["roles"][0]["role"] == "student"]
    for number, pupil in enumerate(pupils[:40]):
        pupil["roles"] = [role | periods[number % 4] for role in pupil["roles"]]
        over_or_later |= {pupil["sourcedId"]} if number % 4 in (0, 2) else set()
    with running(application(district=same)) as server:
        access = Access.from_connection(
            host=server.root("1.2"), login=CLIENT_ID, password=CLIENT_SECRET, extra={"token_url": server.token_url}
        )
        by_rest = directory_of(connection, "rest", access, tmp_path, source="rest", url=None, version="1.2", page_size=200)
    bundle = str(write_bundle(same, tmp_path / "bundle", "1.2"))
    by_csv = directory_of(connection, "csv", Access.to_bundle(bundle), tmp_path, url=bundle)
    assert by_rest == by_csv
    here = {sourced_id for person in by_rest[0] for sourced_id in person[1]}
    assert {one["sourcedId"] for one in pupils} - here == over_or_later and len(over_or_later) == 20


@pytest.mark.parametrize(("size", "users"), [("small", 268), ("medium", 837)])
def test_a_public_bundle_of_both_versions_makes_the_same_directory(
    size: str, users: int, connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    older, newer = (
        directory_of(connection, name, Access.to_bundle(str(SAMPLES / folder)), tmp_path, url=str(SAMPLES / folder))
        for name, folder in (("older", f"generated-1p1-{size}"), ("newer", f"generated-1p2-{size}"))
    )
    assert older == newer
    people, lists, members = older
    assert 0 < len(people) <= users and lists and members
