"""Forty kinds of dirt on their whole way into PostgreSQL with every archive on: nobody is archived for it, and who is clean is synced."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest

from include.mingasync.directory.archive import archive
from include.mingasync.directory.desired import desired_from
from include.mingasync.directory.load import load
from include.mingasync.district import District
from include.mingasync.oneroster.records import COLUMNS
from include.mingasync.quality.prove import prove
from include.mingasync.rosters.derive import derive
from include.mingasync.settings import Settings
from include.mingasync.snapshot import Proof, Snapshot
from tests.integration.directory.world import NIGHT, Directory, enrollment, everything_on, user
from tests.unit.quality.dirt import FORTY, Dirt, Rows, clean

OAK = District.model_validate(
    {
        "slug": "oak",
        "name": "Oak",
        "timezone": "UTC",
        "sis": {"name": "Skyward"},
        "contact": {"name": "Sam", "email": "sam@example.org"},
    }
)
LISTS = {"class_lists": {"enabled": True, "terms": ["T1"]}, "auto_lists": {"role": True, "grade": True}}


def snapshot(folder: Path, rows: Rows) -> Snapshot:
    """What a pull of these records leaves: who has no sourcedId is nobody's row, and leaves the proof open."""
    taken = Snapshot(folder.as_uri())
    now = dt.datetime.now(dt.UTC)
    for name, schema in COLUMNS.items():
        named = [row for row in rows[name] if (row["sourced_id"] or "").strip()]
        nameless = [(name, "", "it has no sourcedId")] * (len(rows[name]) - len(named))
        number, digest = taken.write(name, [pa.Table.from_pylist(named, schema=schema)])
        taken.keep_unreadable(name, nameless)
        proof = Proof(
            collection=name, state="complete", rows=number, nameless=len(nameless), sha256=digest, started_at=now, finished_at=now
        )
        taken.prove(proof)
    return taken


def a_night(directory: Directory, taken: Snapshot) -> list[str]:
    """The tasks of a night from validate to archive, and the critical faults that stopped it."""
    settings = Settings.model_validate(everything_on(**LISTS))
    before = {name: len(own) for name, own in clean().items()}
    findings = prove(
        {name: taken.frame(name) for name in COLUMNS},
        night=NIGHT,
        sis_name="Skyward",
        unreadable=taken.unreadable(),
        previous_rows=before,
        known_until=dt.date(2026, 10, 30),
    )
    if not findings.critical:
        run, run_no = directory.open()
        taken.write_frame("set_aside", findings.set_aside)
        derive(taken, OAK, settings, NIGHT)
        load(directory.connection, run, run_no, settings, desired_from(directory.connection, taken, "oak", run_no))
        archive(directory.connection, run, run_no)
    return list(findings.critical)


@pytest.mark.parametrize("dirt", FORTY, ids=lambda dirt: dirt.name)
def test_nobody_is_archived_for_dirt_and_who_is_clean_is_synced(dirt: Dirt, directory: Directory, tmp_path: Path) -> None:
    assert a_night(directory, snapshot(tmp_path / "clean", clean())) == []
    people = directory.rows("select sourced_id, status from directory.people order by 1")
    rolls = "select l.source_id, p.sourced_id, m.member_role from directory.list_members m join directory.user_lists l using (list_id)"
    rolls += " join directory.people p using (person_id) where l.kind = 'class' and l.status = 'active' and l.source_id <> 'C0'"
    members = set(directory.rows(rolls))
    assert len(people) == 8 and len(members) == 30

    rows = clean()
    rows["users"].append(user("new"))
    rows["enrollments"].append(enrollment("C5", "new"))
    dirt.throw(rows)
    stopped = a_night(directory, snapshot(tmp_path / "dirty", rows))

    assert bool(stopped) == (dirt.severity == "critical")
    now = dict(directory.rows("select sourced_id, status from directory.people"))
    assert {one: now[one] for one, _ in people} == dict(people) | dict.fromkeys(dirt.gone, "archived")
    # Class C0 is what the dirt is thrown at; every other list keeps everybody.
    assert {one for one in members if one[1] not in dirt.gone} <= set(directory.rows(rolls))
    is_sent = any(row["sourced_id"] == "new" for row in rows["users"])
    assert now.get("new") == (None if stopped or not is_sent else "active")
