"""Everything personal has an end: old plans, issues and mails, and people archived long ago, with all that was kept of them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from include.mingasync.directory import retention as removing
from include.mingasync.directory import runs
from include.mingasync.directory.retention import Removed, remove_old_rows
from include.mingasync.directory.undo import undo
from include.mingasync.district import Retention
from include.mingasync.errors import MingaSyncError
from tests.integration.directory.world import DISTRICT, Directory, Sis, enrollment, everything_on, klass, user

DAYS = Retention(changes_days=100, issues_days=50, mails_days=30, archived_people_days=200)
SETTINGS = everything_on(
    class_lists={"enabled": True, "terms": ["T1"]},
    auto_lists={"role": True, "grade": True, "teacher": True},
    results_email={"enabled": True, "recipients": ["owner@oak.example"]},
    schools={"S1": {"results_email": {"recipients": ["school@oak.example"]}}},
)


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def sis(*students: str, teacher: bool = True) -> Sis:
    users = [user(one) for one in students] + ([user("t", "teacher", family_name="Quillfeather")] if teacher else [])
    roll = [enrollment("C", one) for one in students] + ([enrollment("C", "t", "teacher")] if teacher else [])
    return Sis(users=users, classes=[klass("C")], enrollments=roll)


def night(directory: Directory, of: Sis, days_ago: int, **more: Any) -> int:
    """The number of a run that ended so many days ago, with an issue and a mail of its own."""
    directory.settings = dict(SETTINGS)
    directory.night(of, **more)
    run_no = int(directory.value("select max(run_no) from directory.sync_runs"))
    at = now() - dt.timedelta(days=days_ago)
    runs.note(directory.connection, run_no, settings=SETTINGS, finished_at=at, state="success")
    directory.do("update directory.sync_runs set started_at = %s, answered_by = 'Ada Byron' where run_no = %s", at, run_no)
    directory.do("update directory.membership_changes set changed_at = %s where run_no = %s", at, run_no)
    directory.do(
        "insert into directory.sync_issues (district, run_id, run_no, severity, resource, sourced_id, rule, message, fix)"
        " select district, run_id, run_no, 'warning', 'users', 's1', 'users.name_blank', 'x', 'y' from directory.sync_runs where run_no = %s",
        run_no,
    )
    directory.do(
        "insert into directory.mails (district, night, run_no, kind, recipients, claimed_at) values (%s, %s, %s, %s, %s, %s)",
        DISTRICT, at.date(), run_no, f"results {run_no}", ["owner@oak.example"], at,
    )  # fmt: skip
    return run_no


def left(directory: Directory, table: str) -> set[int]:
    """The runs of which a table still holds a row."""
    return {row[0] for row in directory.rows(f"select distinct run_no from directory.{table} where run_no is not null")}


def everything(directory: Directory) -> str:
    """Every value of every table, in one text."""
    tables = directory.rows(
        "select c.oid::regclass::text from pg_class c where relnamespace = 'directory'::regnamespace and relkind = 'r'"
    )
    return "\n".join(str(directory.rows(f"select to_jsonb(t) from {table} as t")) for (table,) in tables)


def test_each_kind_of_row_goes_in_its_time(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removing, "_ROWS", 2)
    first = night(directory, sis("s1", "s2"), 110)
    second = night(directory, sis("s1", "s3"), 60)
    third = night(directory, sis("s1", "s4"), 40)
    fourth = night(directory, sis("s1", "s5"), 1)
    for at in (110, 1):
        directory.do(
            "insert into directory.hand_changes (district, changed_at, changed_by, action) values (%s, %s, %s, 'set_visibility')",
            DISTRICT, now() - dt.timedelta(days=at), f"Ada {at}",
        )  # fmt: skip
        directory.do(
            "insert into directory.erasures (district, erased_at, erased_by, removed) values (%s, %s, %s, '{}')",
            DISTRICT, now() - dt.timedelta(days=at), f"Ada {at}",
        )  # fmt: skip
    for slug, at in ((DISTRICT, 110), ("late", 1)):
        asked = (slug, f"Bo {at}", now() - dt.timedelta(days=at))
        directory.do(
            "insert into directory.connection_requests (district, requested_by, requested_at, district_name, schools, sis_name,"
            " contact_name, contact_email) values (%s, %s, %s, 'Oak', array['all'], 'Skyward', 'Bo', 'bo@example.org')",
            *asked,
        )
        directory.do(
            "insert into directory.connection_steps (district, done_by, done_at, step) values (%s, %s, %s, 'requested')", *asked
        )
        directory.do(
            "insert into directory.connection_checks (district, checked_by, checked_at, run_id) values (%s, %s, %s, 'one')",
            *asked,
        )
    state = directory.state()
    counts = directory.rows("select run_no, counts from directory.sync_runs order by 1")
    removed = remove_old_rows(directory.connection, DISTRICT, DAYS, now())
    assert (removed.issues >= 2, removed.mails, removed.people, removed.changes > 0) == (True, 3, 0, True)
    assert left(directory, "changes") == left(directory, "membership_changes") == {second, third, fourth}
    assert left(directory, "sync_issues") == {third, fourth}
    assert left(directory, "mails") == {fourth}
    assert directory.rows("select changed_by from directory.hand_changes") == [("Ada 1",)]
    assert directory.rows("select erased_by from directory.erasures") == [("Ada 1",)]
    remove_old_rows(directory.connection, "late", DAYS, now())
    assert directory.rows("select requested_by from directory.connection_requests") == [("Bo 1",)]
    assert directory.rows("select done_by from directory.connection_steps") == [("Bo 1",)]
    assert directory.rows("select checked_by from directory.connection_checks") == [("Bo 1",)]
    # The history and what the directory holds are as they were.
    assert directory.state() == state
    assert directory.rows("select run_no, counts from directory.sync_runs order by 1") == counts
    settings, answered = directory.rows("select settings, answered_by from directory.sync_runs where run_no = %s", first)[0]
    assert "oak.example" not in str(settings) and answered is None and settings["class_lists"]["terms"] == ["T1"]
    assert "owner@oak.example" in str(directory.value("select settings from directory.sync_runs where run_no = %s", second))
    assert runs.stored_settings(directory.connection, first).automatic_rostering
    # Again there is nothing to do, and a run without its plan cannot be undone.
    assert remove_old_rows(directory.connection, DISTRICT, DAYS, now()) == Removed(0, 0, 0, 0)
    run, run_no = directory.open("undo", run_id="undo")
    with pytest.raises(MingaSyncError, match="is kept no longer, so it cannot be taken back"):
        undo(directory.connection, run, run_no, "run-0")
    run, run_no = directory.open("undo", run_id="undo-last")
    undo(directory.connection, run, run_no, "run-3")
    assert directory.rows("select 1 from directory.people where sourced_id = 's5'") == []


def test_a_run_that_waits_keeps_everything(directory: Directory) -> None:
    waiting = night(directory, sis("s1"), 300)
    directory.do(
        "update directory.sync_runs set finished_at = null, state = 'held', answer_until = %s where run_no = %s",
        now() + dt.timedelta(hours=1), waiting,
    )  # fmt: skip
    removed = remove_old_rows(directory.connection, DISTRICT, DAYS, now())
    assert (removed.changes, removed.issues) == (0, 0) and left(directory, "changes") == {waiting}


def test_another_district_is_not_touched(directory: Directory) -> None:
    night(directory, sis("s1"), 300)
    directory.do("select directory.lock_district('maple')")
    before = everything(directory)
    assert remove_old_rows(directory.connection, "maple", DAYS, now()) == Removed(0, 0, 0, 0)
    assert everything(directory) == before


def test_people_archived_long_ago_are_gone_from_every_table(directory: Directory) -> None:
    night(directory, sis("s1", "s2"), 20)
    ids = dict(directory.rows("select sourced_id, person_id from directory.people"))
    (group,) = directory.rows("select list_id from directory.user_lists where source_id = 'C'")[0]
    directory.do("select directory.add_list_member(%s, %s)", group, ids["s2"])
    directory.do("select directory.pin_field(%s, 'given_name', 'Zebulon', 'asked')", ids["s2"])
    directory.do(
        "insert into directory.relink_proposals (district, person_id, sourced_id, sourced_ids, matched_by, run_no)"
        " values ('oak', %s, 's2-new', '{s2-new}', 'identifier', 1)", ids["s2"],
    )  # fmt: skip
    directory.do(
        "update directory.user_lists set name = name || ' · Quillfeather', synced_name = name || ' · Quillfeather' where list_id = %s",
        group,
    )
    directory.do(
        "insert into directory.changes (run_no, entity, entity_no, role, action, status, before, after)"
        " values (1, 'list', %s, 'class', 'update', 'applied', %s, %s)",
        group, Jsonb({"name": "Class C"}), Jsonb({"name": "Class C · Quillfeather"}),
    )  # fmt: skip
    night(directory, Sis(users=[user("s1")]), 10, set_aside=(), night=dt.date(2026, 11, 25))
    directory.do("update directory.user_lists set status = 'inactive' where list_id = %s", group)
    assert directory.rows("select sourced_id from directory.people where status = 'archived' order by 1") == [("s2",), ("t",)]
    directory.do("update directory.people set archived_at = %s where sourced_id = 't'", now() - dt.timedelta(days=199))
    directory.do("update directory.people set archived_at = %s where sourced_id = 's2'", now() - dt.timedelta(days=201))
    assert remove_old_rows(directory.connection, DISTRICT, DAYS, now()).people == 1
    said = everything(directory)
    for trace in ("Familys2", "s2@example.org", "id-s2", "user.s2", "Zebulon", "s2-new", "'s2'"):
        assert trace not in said, trace
    arrays = directory.rows("select people from directory.memberships union all select people from directory.membership_changes")
    assert all(ids["s2"] not in people for (people,) in arrays)
    assert "Quillfeather" in said
    directory.do("update directory.people set archived_at = %s where sourced_id = 't'", now() - dt.timedelta(days=201))
    assert remove_old_rows(directory.connection, DISTRICT, DAYS, now()).people == 1
    assert "Quillfeather" not in everything(directory)
    assert directory.rows("select name from directory.user_lists where list_id = %s", group) == [("Class C",)]
    # Whoever is there is as before, and the SIS may send the others anew.
    assert directory.rows("select sourced_id, status from directory.people") == [("s1", "active")]
    night(directory, sis("s1", "s2"), 0, night=dt.date(2026, 11, 26))
    assert directory.value("select count(*) from directory.people where status = 'active'") == 3
