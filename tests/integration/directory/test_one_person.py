"""One person is exported and erased: afterwards no byte of them is in any table or file, and nothing but the SIS brings them back."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import itertools
import json
import threading
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from psycopg.types.json import Jsonb

from include.mingasync import private_files
from include.mingasync import snapshot as snapshots
from include.mingasync.airflow_glue import context, nightly
from include.mingasync.airflow_glue import one_person as command
from include.mingasync.directory import runs
from include.mingasync.directory.archive import approve, ask
from include.mingasync.directory.one_person import ErasingRefused
from include.mingasync.directory.undo import undo
from include.mingasync.errors import MingaSyncError
from include.mingasync.oneroster.records import COLUMNS
from include.mingasync.quality.checks import record_checks
from include.mingasync.quality.suites import broken_rules
from include.mingasync.rosters.derive import DERIVED
from include.mingasync.rosters.frames import typed
from include.mingasync.run import Run
from include.mingasync.snapshot import Snapshot, newest_loaded
from tests.integration.directory.tasks import Tasks, every_list
from tests.integration.directory.world import DISTRICT, NIGHT, Directory, Row, Sis, enrollment, klass, school, term, user

Connect = Callable[[], AbstractContextManager[psycopg.Connection[Any]]]
STUDENT = {
    "sourced_id": "zq-4711", "given_name": "Zoltan", "family_name": "Quirrelmann", "preferred_given_name": "Zolly",
    "email": "zoltan@pupils.example", "username": "zquirrel", "identifier": "ZID-90210",
}  # fmt: skip
TEACHER = {
    "sourced_id": "xv-0815", "given_name": "Xanthe", "family_name": "O'Vandersplunk", "preferred_given_name": "Xanny",
    "email": "xanthe@staff.example", "username": "xvander", "identifier": "XID-33333",
}  # fmt: skip
#: What they were called, or would have been called, at some time.
FORMERLY = {
    "student": ["Quirrelold", "zoltan.old@pupils.example", "Zpinned", "ZID-OLD", "zq-new-4712", "ZID-NEW", "zoltan.late@pupils.example", "Zparent", "555-4711"],
    "teacher": ["Vanderold", "xanthe.old@staff.example", "xv-formerly"],
}  # fmt: skip


def named(role: str, **more: Any) -> Row:
    """The record of the student or of the teacher."""
    values = STUDENT if role == "student" else TEACHER
    return user(str(values["sourced_id"]), role) | values | more


def values_of(role: str) -> list[str]:
    """Every value that may be nowhere any more."""
    return [*(STUDENT if role == "student" else TEACHER).values(), *FORMERLY[role]]


def sis(*people: Row, gone: tuple[str, ...] = ()) -> Sis:
    """A school of six students and two teachers beside the people given; those given are in the classes A and B."""
    # Both are a contact of one of them.
    others = [user(f"s{one}", agent_ids=["xv-0815", "zq-4711"] if one == 3 else []) for one in range(1, 7)] + [
        user("t1", "teacher", family_name="Teachwell"),
        user("boss", "administrator"),
    ]
    every = [one for one in [*others, *people] if one["sourced_id"] not in gone]
    ids = {
        one["sourced_id"]: "teacher" if one["roles"] == ["teacher"] else "student"
        for one in every
        if one["roles"] != ["administrator"]
    }
    ids = {one: role for one, role in ids.items() if one != "parent-zq"}
    # Two classes of one title are told apart by their teacher.
    classes = [klass("A", title="Algebra"), klass("B", title="Algebra"), klass("C", title="Choir")]
    roll = [enrollment("A", one, role) for one, role in ids.items() if one != "t1"]
    roll += [enrollment("B", "t1", "teacher"), enrollment("B", "s1"), enrollment("C", "t1", "teacher")]
    roll += [enrollment("C", one, role) for one, role in ids.items() if one == STUDENT["sourced_id"]]
    return Sis(users=every, orgs=[school("S1")], terms=[term("T1")], classes=classes, enrollments=roll)


@pytest.fixture
def connect(made_database: str) -> Connect:
    """How an erasure reaches the directory."""
    return lambda: psycopg.connect(made_database, autocommit=True)


def texts(directory: Directory, folder: Path) -> dict[str, str]:
    """Every value of every table of the database, and every file of the store, decoded; by place."""
    tables = directory.rows(
        "select c.oid::regclass::text from pg_class as c join pg_namespace as n on n.oid = c.relnamespace"
        " where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')"
    )
    found = {table: "\n".join(row[0] for row in directory.rows(f"select t::text from {table} as t")) for (table,) in tables}
    # The planner's statistics hold samples of columns.
    found["pg_stats"] = "\n".join(
        row[0] for row in directory.rows("select s::text from pg_stats as s where schemaname = 'directory'")
    )
    for path in folder.rglob("*"):
        if path.is_file():
            found[str(path.relative_to(folder))] = str(path) + decoded(path)
    return found


def decoded(path: Path) -> str:
    """A file's content in words."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        return f"{table.schema}\n{table.schema.metadata}\n{table.to_pylist()}"
    if path.suffix == ".zip":
        if not path.read_bytes():
            return ""
        with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
            return "\n".join(archive.read(name).decode(errors="replace") for name in archive.namelist())
    return path.read_bytes().decode(errors="replace")


def traces(directory: Directory, folder: Path, values: list[str]) -> list[tuple[str, str]]:
    """Where which value is found, whatever its case."""
    return [
        (place, value)
        for place, text in texts(directory, folder).items()
        for value in values
        if value.lower() in text.lower() or json.dumps(value)[1:-1].lower() in text.lower()
    ]


def keep_real_data_docs(snapshot: Snapshot) -> None:
    """The Data Docs of a night, as great-expectations makes them, beside what it read."""
    frames = {name: typed(snapshot.frame(name), name) for name in COLUMNS}
    broken, data_docs = broken_rules(record_checks(frames, NIGHT))
    assert "users.role_unknown" in broken and len(data_docs) > 1_000
    snapshot.keep_data_docs(data_docs)


def number_of(directory: Directory, sourced_id: str) -> int:
    """The person_id of whoever has a sourcedId."""
    return int(directory.value("select person_id from directory.people where sourced_id = %s", sourced_id))


SETTINGS = every_list("T1") | {
    "include_primary_parent_contact": True,
    "results_email": {"enabled": True, "recipients": ["owner@oak.example", "Xanthe@staff.example"]},
    "schools": {"S1": {"results_email": {"recipients": ["xanthe@staff.example"]}}},
}


def lived(tasks: Tasks) -> dict[str, int]:
    """Nights in which the student and the teacher came into every place that there is; their numbers."""
    directory = tasks.directory
    directory.settings = json.loads(json.dumps(SETTINGS))
    parent = user(
        "parent-zq", "parent", given_name="Zparent", family_name="Quirrelmann", email="zparent@home.example", phone="555-4711"
    )
    child = {"agent_ids": ["parent-zq"]}
    # Before anybody of their role was wanted, their records came to nothing.
    for role in ("student", "teacher"):
        directory.settings["roles"][role] = directory.settings["roles"][role] | {"roster": False}
    tasks.night(
        sis(named("student", **child), named("teacher", family_name="Vanderold"), parent), night=NIGHT - dt.timedelta(days=1)
    )
    for role in ("student", "teacher"):
        directory.settings["roles"][role] = directory.settings["roles"][role] | {"roster": True}
    tasks.night(
        sis(
            named("student", family_name="Quirrelold", email="zoltan.old@pupils.example", identifier="ZID-OLD", **child),
            named("teacher", family_name="Vanderold", email="xanthe.old@staff.example"),
            parent,
        )
    )
    numbers = {"student": number_of(directory, "zq-4711"), "teacher": number_of(directory, "xv-0815")}
    tasks.night(sis(named("student", **child), named("teacher"), parent), night=NIGHT + dt.timedelta(days=1))
    by_hand(directory, numbers)
    # Their updates are held back, and a record of theirs is set aside; one row of theirs cannot be read.
    directory.settings["roles"]["student"] = directory.settings["roles"]["student"] | {"auto_update": False}
    tasks.night(
        sis(named("student", email="zoltan.late@pupils.example", **child), named("teacher"), parent),
        night=NIGHT + dt.timedelta(days=2),
        unreadable=[("users", "xv-formerly"), ("enrollments", "A/zq-4711")],
    )
    directory.settings["roles"]["student"] = directory.settings["roles"]["student"] | {"auto_update": True}
    tasks.night(
        sis(named("student", roles=["wizard"], **child), named("teacher", roles=["wizard"]), parent),
        night=NIGHT + dt.timedelta(days=3),
    )
    tasks.night(sis(named("student", **child), named("teacher"), parent), kind="preview", night=NIGHT + dt.timedelta(days=3))
    unclear(tasks, named("student", **child), named("teacher"), parent)
    # The student comes under a new sourcedId with another number, so that a person has to say who it is.
    odd = named(
        "student", sourced_id="zq-new-4712", identifier="ZID-NEW", username=None, email="zoltan.late@pupils.example", **child
    )
    tasks.night(sis(odd, named("teacher"), parent), night=NIGHT + dt.timedelta(days=4))
    # They are gone, with so many others that it is held.
    directory.settings["safety"] = {"archive_percent": 1, "archive_minimum": 1, "absent_nights": 1}
    tasks.night(sis(gone=("s6",)), night=NIGHT + dt.timedelta(days=5))
    by_others(directory)
    return numbers


def unclear(tasks: Tasks, student: Row, teacher: Row, parent: Row) -> None:
    """Previews of nights on which the two leave, are still to begin, or cannot be told what they were."""
    night = NIGHT + dt.timedelta(days=3)
    going, coming = {"status": "tobedeleted"}, {"role_begin_dates": ["2030-01-01"], "role_end_dates": [None]}
    twice = {"users": {"state": "incomplete", "reason": "2 rows came twice (zq-4711, xv-0815 …)"}}
    tasks.night(sis(student | going, teacher | coming, parent), kind="preview", night=night)
    tasks.night(sis(student | coming, teacher | going, parent), kind="preview", night=night, proofs=twice)
    aside = tasks.folder.with_name("aside")
    (tasks.folder / DISTRICT).rename(aside)
    tasks.night(sis(student | {"roles": ["wizard"]}, teacher | {"roles": ["wizard"]}, parent), kind="preview", night=night)
    for path in aside.iterdir():
        path.rename(tasks.folder / DISTRICT / path.name)


def by_hand(directory: Directory, numbers: dict[str, int]) -> None:
    """What people decided about the two."""
    klass_a = directory.value("select list_id from directory.user_lists where kind = 'class' and source_id = 'A'")
    klass_b = directory.value("select list_id from directory.user_lists where kind = 'class' and source_id = 'B'")
    student, teacher = numbers["student"], numbers["teacher"]
    directory.do("select directory.add_list_member(%s, %s)", klass_b, student)
    directory.do("select directory.remove_list_member(%s, %s)", klass_a, student)
    directory.do("select directory.add_list_member(%s, %s, 'manager')", klass_b, teacher)
    directory.do("select directory.pin_field(%s, 'preferred_given_name', 'Zpinned', 'Zoltan asked')", student)
    directory.do("update directory.user_lists set name = 'Friends of Xanthe O''Vandersplunk' where list_id = %s", klass_b)
    for action, person, before, after in (
        (
            "pin",
            student,
            {"field": "preferred_given_name", "value": "Zolly"},
            {"field": "preferred_given_name", "value": "Zpinned"},
        ),
        ("rename", None, {"name": "Algebra"}, {"name": "Friends of Xanthe O'Vandersplunk"}),
        ("rename", None, {"name": "Algebra"}, {"name": "Xanny's choir"}),
    ):
        directory.do(
            "insert into directory.hand_changes (district, changed_by, action, person_id, list_ids, before, after)"
            " values ('oak', 'xvander', %s, %s, %s, %s, %s)",
            action, person, [] if person else [klass_b], Jsonb(before), Jsonb(after),
        )  # fmt: skip
    # A list on which they were once, one on which a hand decided about them, and one of an older version that is nobody's.
    for number, (name, statement) in enumerate(
        (
            ("Once with Zoltan and Xanny", "insert into directory.membership_changes (list_id, manager, action, status, people)"
             " values (%(list)s, false, 'add', 'applied', array[%(student)s, %(teacher)s]::integer[])"),
            ("Not for Zolly and Xanthe", "insert into directory.membership_overrides (list_id, person_id, manager, keep)"
             " values (%(list)s, %(student)s, false, false), (%(list)s, %(teacher)s, false, false)"),
            ("Latin · Vanderold", "insert into directory.membership_changes (list_id, manager, action, status, people)"
             " values (%(list)s, false, 'add', 'applied', '{1}')"),
            ("Xanthe's pupils", "insert into directory.membership_changes (list_id, manager, action, status, people)"
             " values (%(list)s, false, 'add', 'applied', '{1}')"),
        )
    ):  # fmt: skip
        of_teacher = number == 3
        list_id = directory.value(
            "insert into directory.user_lists (district, kind, name, source_id, school_id) values ('oak', %s, %s, %s, %s) returning list_id",
            ("manual", "manual", "class", "teacher")[number], name, "xv-0815" if of_teacher else None, "gone" if of_teacher else None,
        )  # fmt: skip
        directory.connection.execute(statement, {"list": list_id, **numbers})
        if of_teacher:
            directory.do("insert into directory.memberships (list_id, manager, people) values (%s, false, '{1}')", list_id)
            directory.do(
                "insert into directory.changes (run_no, entity, entity_no, role, action, status, after)"
                " values (1, 'list', %s, 'teacher', 'create', 'applied', %s)",
                list_id, Jsonb({"name": name, "source_id": "xv-0815"}),
            )  # fmt: skip
    directory.do("update directory.membership_overrides set set_by = 'xvander'")
    directory.do("update directory.field_pins set set_by = 'Xanthe O''Vandersplunk'")
    directory.do("update directory.sync_runs set answered_by = 'xanthe@staff.example'")
    directory.do(
        "insert into directory.settings_history (district, changed_by, before, after) values ('oak', 'xvander', %s, %s)",
        Jsonb({"results_email": {"recipients": ["xanthe.old@staff.example"]}}), Jsonb(SETTINGS),
    )  # fmt: skip
    directory.do(
        "insert into directory.mails (district, night, run_no, kind, recipients)"
        " select 'oak', night, run_no, 'results', '{owner@oak.example,Xanthe@Staff.example}' from directory.sync_runs limit 1"
    )
    directory.do(
        "insert into directory.connection_requests (district, requested_by, district_name, schools, sis_name, contact_name, contact_email)"
        " values ('oak', 'xvander', 'Oak', '{S1}', 'Skyward', 'Xanthe O''Vandersplunk', 'xanthe@staff.example')"
    )
    directory.do("insert into directory.connection_steps (district, done_by, step) values ('oak', 'XVander', 'requested')")
    directory.do("insert into directory.connection_checks (district, checked_by, run_id) values ('oak', 'xvander', 'one')")


def by_others(directory: Directory) -> None:
    """What a run keeps of the two where it tells of others; it is asked about archives, and waits."""
    run_no = directory.value("select max(run_no) from directory.sync_runs")
    assert directory.value("select count(*) from directory.changes where run_no = %s and status = 'held'", run_no) >= 2
    ask(directory.connection, run_no)
    runs.note(
        directory.connection, run_no, state="held", finished_at=None, answer_until=dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    )
    other, teacher = number_of(directory, "s1"), number_of(directory, "xv-0815")
    directory.do(
        "insert into directory.sync_issues (district, run_id, run_no, severity, resource, rule, message, fix)"
        " select district, run_id, run_no, 'warning', 'users', 'users.email_shared', '3 records: shared (s1, zq-4711, xv-0815)', 'x'"
        " from directory.sync_runs where run_no = %s",
        run_no,
    )
    directory.do(
        "update directory.sync_runs set unproven_because = 'rows came twice (zq-4711, s1, xv-0815 …)',"
        " reason = 'Rows came twice (xv-0815, zq-4711).' where run_no = %s - 1",
        run_no,
    )
    directory.do(
        "insert into directory.sync_issues (district, run_id, run_no, severity, resource, sourced_id, rule, message, fix)"
        " select district, run_id, run_no, 'error', 'users', 's2', 'users.match_not_unique', '3 people may be this (person 1, ' || %s || ', '"
        " || %s || ').', 'Say who it is.' from directory.sync_runs where run_no = %s",
        number_of(directory, "zq-4711"), number_of(directory, "xv-0815"), run_no,
    )  # fmt: skip
    directory.do(
        "insert into directory.relink_proposals (district, person_id, sourced_id, sourced_ids, matched_by, run_no, known_ids, decided_by, state)"
        " values ('oak', %s, 's1-new', '{s1-new}', 'email', %s, '{s1,zq-4711,xv-formerly}', 'xvander', 'rejected'),"
        " ('oak', %s, 'xv-formerly', '{xv-formerly}', 'email', %s, '{xv-0815}', 'xvander', 'applied'),"
        " ('oak', %s, 'zq-4711', '{s2-x}', 'email', %s, '{s2}', 'boss', 'rejected'),"
        " ('oak', %s, 's3-new', '{s3-new,xv-0815,zq-4711}', 'email', %s, '{s3}', 'boss', 'rejected'),"
        " ('oak', %s, 'xv-0815', '{s2-x}', 'email', %s, '{s2}', 'boss', 'rejected')",
        other, run_no, teacher, run_no, number_of(directory, "s2"), run_no, number_of(directory, "s3"), run_no,
        number_of(directory, "s2"), run_no,
    )  # fmt: skip
    directory.do(
        "update directory.sync_runs as r set relinks_before = (select jsonb_agg(p) from directory.relink_proposals as p)"
        " where run_no = %s - 1", run_no,
    )  # fmt: skip
    # Ids of theirs were the other's once, and the teacher is the contact of a student.
    directory.do(
        "insert into directory.changes (run_no, entity, entity_no, role, action, status, before, after)"
        " values (1, 'person', %s, 'student', 'update', 'applied', %s, %s), (1, 'person', %s, 'student', 'update', 'applied', %s, %s)",
        other, Jsonb({"sourced_id": "zq-4711", "grades": ["08"]}), Jsonb({"sourced_ids": ["xv-0815"], "grades": ["09"]}),
        other, Jsonb({"parent_email": None}), Jsonb({"parent_email": "xanthe@staff.example", "parent_name": "Xanthe O'Vandersplunk"}),
    )  # fmt: skip
    directory.do(
        "update directory.people set parent_name = 'Xanthe O''Vandersplunk', parent_email = 'xanthe@staff.example' where person_id = %s",
        other,
    )
    directory.do("update directory.absences set sourced_ids = sourced_ids || '{zq-4711,xv-0815}' where person_id <> %s", teacher)


def left(directory: Directory) -> tuple[Any, ...]:
    """All that the directory says of the others, and the numbers of every run."""
    return (
        directory.rows(
            "select person_id, sourced_ids, role, given_name, family_name, email, status from directory.people"
            " where not sourced_ids && '{zq-4711,xv-0815}' order by 1"
        ),
        directory.rows(
            "select l.source_id, m.person_id, m.member_role from directory.list_members m join directory.user_lists l using (list_id)"
            " join directory.people p using (person_id) where not p.sourced_ids && '{zq-4711,xv-0815}' and l.kind <> 'teacher' order by 1, 2, 3"
        ),
        directory.rows("select run_id, counts from directory.sync_runs order by run_no"),
    )


@pytest.mark.parametrize("role", ["student", "teacher"])
def test_no_byte_of_them_is_left(tasks: Tasks, connect: Connect, role: str) -> None:
    directory = tasks.directory
    number = lived(tasks)[role]
    strays = list(tasks.folder.glob("*/*"))
    (strays[0] / "users.parquet.0000.part").write_bytes(str(values_of(role)).encode())
    if role == "student":
        keep_real_data_docs(tasks.snapshots[4])
    before, values = left(directory), values_of(role)
    of_lists = (
        "(select entity_no from directory.changes where entity = 'list' union select list_id from directory.memberships"
        " union select list_id from directory.membership_changes) except select list_id from directory.user_lists"
    )
    orphans = set(directory.rows(of_lists))
    directory.do("analyze")
    held = {value for _, value in traces(directory, tasks.folder, values)}
    assert held == set(values), f"the nights did not bring {set(values) - held} anywhere"
    kept = command.erase(connect, DISTRICT, number, "Ada")
    assert traces(directory, tasks.folder, values) == []
    arrays = directory.rows("select people from directory.memberships union all select people from directory.membership_changes")
    assert all(number not in people for (people,) in arrays)
    assert not directory.rows("select 1 from directory.changes where entity = 'person' and entity_no = %s", number)
    assert not directory.rows(rf"select 1 from directory.sync_issues where message || fix ~ '(person|, ) ?{number}\M'")
    assert set(directory.rows(of_lists)) <= orphans
    # The others, and the numbers of the runs, are as they were.
    assert left(directory) == before
    erased = directory.rows("select district, erased_by, removed from directory.erasures")
    assert erased == [("oak", "Ada", kept.numbers)] and kept.numbers["snapshots"] >= 5


def ordinary(tasks: Tasks) -> dict[str, int]:
    """Three nights with the student and the teacher; their numbers."""
    tasks.directory.settings = every_list("T1")
    for day in range(3):
        tasks.night(sis(named("student", grades=[f"0{7 + day}"]), named("teacher")), night=NIGHT + dt.timedelta(days=day))
    return {"student": number_of(tasks.directory, "zq-4711"), "teacher": number_of(tasks.directory, "xv-0815")}


def clear(tasks: Tasks, run_id: str, *steps: Callable[[], Any]) -> None:
    """Run tasks of a run that has ended again, as far as they come."""
    kind, at, night = tasks.directory.rows("select kind, logical_date, night from directory.sync_runs where run_id = %s", run_id)[
        0
    ]
    tasks._stand_in(Run(DISTRICT, run_id, kind, at, night), {})
    tasks.patch.setattr(context, "states_of_tasks", lambda running=None: {"notify": "success"})
    for step in steps:
        with contextlib.suppress(AirflowSkipException, AirflowFailException):
            step()


def test_nothing_but_the_sis_brings_them_back(tasks: Tasks, connect: Connect) -> None:
    directory = tasks.directory
    numbers = ordinary(tasks)
    # What the directory lacks is counted as of now.
    told = "select run_id, counts - 'lacking' from directory.sync_runs order by run_no"
    counts = directory.rows(told)
    for number in numbers.values():
        command.erase(connect, DISTRICT, number, "Ada")
    values = [*STUDENT.values(), *TEACHER.values()]
    # The newest night can still be looked into, built on, and loaded once more; an older one is not loaded again.
    base = newest_loaded(tasks.folder.as_uri(), DISTRICT, runs.loaded_runs(directory.connection, DISTRICT))
    assert base is not None and base.url == tasks.snapshots[-1].url
    state = directory.state()
    for run_id in ("run-2", "run-0"):
        clear(tasks, run_id, nightly.archive)
    assert directory.rows(told) == counts
    loaded = directory.value("select loaded_at from directory.sync_runs where run_id = 'run-2'")
    for run_id in ("run-2", "run-0"):
        clear(tasks, run_id, nightly.load, nightly.archive)
        assert directory.value("select loaded_at from directory.sync_runs where run_id = 'run-2'") > loaded
        clear(tasks, run_id, nightly.validate, nightly.transform, nightly.load, nightly.archive)
    assert directory.state() == state
    run, run_no = directory.open("undo", run_id="undo")
    undo(directory.connection, run, run_no, "run-1")
    runs.finish_run(directory.connection, run_no, "success", None)
    with contextlib.suppress(AirflowSkipException):
        tasks.night(sis(), kind="backfill", run_id="run-0")
    assert traces(directory, tasks.folder, values) == []
    # Nor does a night of an SIS that has them no more; one that sends them makes somebody new.
    tasks.night(sis(), night=NIGHT + dt.timedelta(days=4))
    assert traces(directory, tasks.folder, values) == []
    tasks.night(sis(named("student"), named("teacher")), night=NIGHT + dt.timedelta(days=5))
    again = {"student": number_of(directory, "zq-4711"), "teacher": number_of(directory, "xv-0815")}
    assert not set(again.values()) & set(numbers.values())
    assert directory.rows(
        "select reason, before from directory.changes where entity = 'person' and entity_no = %s", again["student"]
    ) == [("new_in_sis", None)]
    assert directory.rows(
        "select l.source_id, m.member_role from directory.list_members m join directory.user_lists l using (list_id)"
        " where m.person_id = %s and l.kind = 'class' order by 1", again["teacher"],
    ) == [("A", "manager")]  # fmt: skip


def test_a_night_that_asks_only_for_changes_reads_everything_after_it(tasks: Tasks, connect: Connect) -> None:
    numbers = ordinary(tasks)
    before = tasks.snapshots[-1].proofs()
    command.erase(connect, DISTRICT, numbers["student"], "Ada")
    after = tasks.snapshots[-1].proofs()
    for name in ("users", "enrollments"):
        assert after[name].whole_at is not None and after[name].whole_at.year == 1970
        assert (after[name].started_at, after[name].rows) == (
            before[name].started_at,
            before[name].rows - (1 if name == "users" else 2),
        )
    assert {name for name in after if after[name] != before[name]} == {"users", "enrollments"}


def test_while_a_run_goes_on_nobody_is_erased_and_no_run_is_opened_beside(tasks: Tasks, connect: Connect) -> None:
    directory, numbers = tasks.directory, ordinary(tasks)
    directory.open(run_id="going-on", night=NIGHT + dt.timedelta(days=4))
    everything = texts(directory, tasks.folder)
    with pytest.raises(
        ErasingRefused, match="The run 'going-on' of oak is going on, and would bring back whom it has read already"
    ):
        command.erase(connect, DISTRICT, numbers["student"], "Ada")
    assert texts(directory, tasks.folder) == everything
    directory.do("update directory.sync_runs set finished_at = now()")
    opened: list[int] = []
    with connect() as holding:
        with holding.transaction():
            holding.execute("select directory.lock_district('oak')")
            beside = threading.Thread(target=lambda: opened.append(directory.open(run_id="later")[1]))
            beside.start()
            beside.join(0.5)
            assert opened == []
        beside.join(10)
    assert len(opened) == 1


def test_killed_at_any_write_and_tried_again(tasks: Tasks, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    directory, numbers = tasks.directory, ordinary(tasks)
    real, writes = private_files.writing, itertools.count(1)
    values = list(STUDENT.values())

    def mortal(fs: Any, path: str, dies_at: int) -> Any:
        if next(writes) == dies_at:
            raise KeyboardInterrupt
        return real(fs, path)

    died = 0
    for dies_at in (1, 4, 2, 9, 17):
        writes = itertools.count(1)
        with monkeypatch.context() as patch:
            patch.setattr(snapshots, "writing", lambda fs, path, dies_at=dies_at: mortal(fs, path, dies_at))
            with contextlib.suppress(KeyboardInterrupt):
                command.erase(connect, DISTRICT, numbers["student"], "Ada")
                break
            died += 1
        # Until it is done they are there, by their number.
        assert number_of(directory, "zq-4711") == numbers["student"]
    assert died >= 3
    if directory.rows("select 1 from directory.people where person_id = %s", numbers["student"]):
        command.erase(connect, DISTRICT, numbers["student"], "Ada")
    assert traces(directory, tasks.folder, values) == []
    tasks.night(sis(named("teacher")), night=NIGHT + dt.timedelta(days=4))
    assert traces(directory, tasks.folder, values) == []


@pytest.mark.parametrize(("step", "writes"), [(nightly.transform, "write_table"), (nightly.validate, "write_frame")])
def test_a_cleared_task_that_is_at_work_meanwhile_leaves_nothing_of_them(
    tasks: Tasks, connect: Connect, monkeypatch: pytest.MonkeyPatch, step: Callable[[], Any], writes: str
) -> None:
    directory, numbers, real = tasks.directory, ordinary(tasks), getattr(Snapshot, writes)
    erased: list[int | None] = []

    def meanwhile(snapshot: Snapshot, name: str, *given: Any) -> None:
        if not erased:
            erased.append(command.erase(connect, DISTRICT, numbers["student"], "Ada").erasure)
        real(snapshot, name, *given)

    with monkeypatch.context() as patch:
        patch.setattr(Snapshot, writes, meanwhile)
        clear(tasks, directory.value("select run_id from directory.sync_runs order by run_no desc limit 1"), step)
    assert erased == [1] and traces(directory, tasks.folder, list(STUDENT.values())) == []


@pytest.mark.parametrize("collection", ["users", "enrollments"])
def test_killed_between_a_file_and_its_proof_the_snapshot_stays(
    tasks: Tasks, connect: Connect, monkeypatch: pytest.MonkeyPatch, collection: str
) -> None:
    directory, numbers, real = tasks.directory, ordinary(tasks), private_files.writing

    def mortal(fs: Any, path: str) -> Any:
        if path.endswith(f"{collection}.proof.json"):
            raise KeyboardInterrupt
        return real(fs, path)

    for _ in tasks.snapshots:  # each time another one is in between
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(snapshots, "writing", mortal)
            command.erase(connect, DISTRICT, numbers["student"], "Ada")
    kept = command.erase(connect, DISTRICT, numbers["student"], "Ada")
    assert "unreadable_snapshots" not in kept.numbers
    assert all(one.is_whole() and len(one.frame("users")) and len(one.frame("enrollments")) for one in tasks.snapshots)
    loaded = runs.loaded_runs(directory.connection, DISTRICT)
    newest = newest_loaded(tasks.folder.as_uri(), DISTRICT, loaded)
    assert newest is not None and newest.url == tasks.snapshots[-1].url
    assert traces(directory, tasks.folder, list(STUDENT.values())) == []


def test_what_cannot_be_read_goes_whole_and_a_store_out_of_reach_is_said(tasks: Tasks, connect: Connect) -> None:
    directory, numbers = tasks.directory, ordinary(tasks)
    folders = [Path(one.url.removeprefix("file://")) for one in tasks.snapshots]
    (folders[0] / "users.parquet").write_bytes(b"zoltan@pupils.example")
    proof = json.loads((folders[1] / "users.proof.json").read_bytes())
    (folders[1] / "users.proof.json").write_text(json.dumps(proof | {"version": 99}), encoding="utf-8")
    aside = tasks.folder.with_name("elsewhere")
    tasks.folder.rename(aside)
    with pytest.raises(ErasingRefused, match="Of 3 loaded runs of oak no snapshot can be reached from here"):
        command.erase(connect, DISTRICT, numbers["student"], "Ada")
    with connect() as connection:
        kept = command.kept_of(connection, DISTRICT, numbers["student"])
        assert json.loads(kept.as_json())["not_included"] == ["what the runs read: no snapshot can be reached from here"]
    aside.rename(tasks.folder)
    with connect() as connection:
        kept = command.kept_of(connection, DISTRICT, numbers["student"])
        assert json.loads(kept.as_json())["not_included"] == ["2 snapshots that cannot be read"]
    kept = command.erase(connect, DISTRICT, numbers["student"], "Ada")
    assert kept.numbers["unreadable_snapshots"] == 2 and [one.exists() for one in folders] == [False, False, True]
    assert traces(directory, tasks.folder, list(STUDENT.values())) == []
    with pytest.raises(MingaSyncError, match=f"The district oak has no person {numbers['student']}"):
        command.erase(connect, DISTRICT, numbers["student"], "Ada")


def test_others_with_an_id_or_a_name_of_theirs_stay(tasks: Tasks, connect: Connect) -> None:
    directory = tasks.directory
    directory.settings = json.loads(json.dumps(SETTINGS))
    # A twin of the same family and address; and an id that the SIS gave to somebody else since.
    family = {"email": "family@home.example"}
    twin = named(
        "student", sourced_id="twin", given_name="Zoe", preferred_given_name=None, identifier="ZID-2", username="ztwin", **family
    )
    tasks.night(sis(named("student", **family), twin))
    number = number_of(directory, "zq-4711")
    tasks.night(sis(named("student", sourced_id="zq-other", **family), twin), night=NIGHT + dt.timedelta(days=1))
    directory.do("select directory.relink(%s, 'zq-other')", number)
    directory.do("update directory.people set parent_email = 'family@home.example' where sourced_id in ('twin', 'zq-4711')")
    assert number_of(directory, "zq-other") == number
    heir = user("zq-4711", given_name="Heidi", family_name="Heir")
    tasks.night(sis(named("student", sourced_id="zq-other", **family), twin, heir), night=NIGHT + dt.timedelta(days=2))
    # Whoever is called as the teacher of a class takes nothing from its name.
    of_b = "select list_id, name from directory.user_lists where source_id = 'B'"
    assert directory.rows(of_b)[0][1] == "Algebra · Teachwell"
    namesake = directory.value("select directory.add_person('oak', 'student', 'Tymoteusz', 'Teachwell')")
    directory.do("select directory.add_list_member(%s, %s)", directory.rows(of_b)[0][0], namesake)
    command.erase(connect, DISTRICT, namesake, "Ada")
    assert directory.rows(of_b)[0][1] == "Algebra · Teachwell"
    assert traces(directory, tasks.folder, ["Tymoteusz"]) == []
    directory.do(
        "insert into directory.sync_issues (district, run_id, run_no, severity, resource, sourced_id, rule, message, fix)"
        " select district, run_id, run_no, 'error', 'classes', 'zq-other', 'classes.terms_none', 'x', 'y' from directory.sync_runs limit 1"
    )
    others = directory.rows("select * from directory.people where person_id <> %s order by 1", number)
    assert {"twin", "zq-4711"} <= {one for row in directory.rows("select sourced_ids from directory.people") for one in row[0]}
    command.erase(connect, DISTRICT, number, "Ada")
    assert directory.rows("select * from directory.people where person_id <> %s order by 1", number) == others
    assert directory.rows("delete from directory.sync_issues where rule = 'classes.terms_none' returning sourced_id") == [
        ("zq-other",)
    ]
    for snapshot, ids in zip(tasks.snapshots, ({"twin"}, {"twin"}, {"twin", "zq-4711"}), strict=True):
        assert {one for one in snapshot.frame("users")["sourced_id"] if one in ("twin", "zq-4711", "zq-other")} == ids
        assert set(snapshot.frame("enrollments")["user_id"]) >= ids
    found = traces(directory, tasks.folder, ["Zoltan", "zquirrel", "ZID-90210", "zq-other"])
    # The issue of the class is sampled as well.
    assert [one for one in found if one != ("pg_stats", "zq-other")] == []


def test_an_offices_address_takes_no_contact_of_others_along(tasks: Tasks, connect: Connect) -> None:
    directory = tasks.directory
    directory.settings = json.loads(json.dumps(SETTINGS))
    office = {"email": "office@oak.example"}
    parents = [
        user("p1", "parent", given_name="Paula", family_name="Jones", phone="555-1", **office),
        user("p2", "parent", given_name="Xanthe", family_name="O'Vandersplunk", phone="555-2", **office),
    ]
    here = sis(named("teacher", **office), *parents)
    agents = {"s1": ["p1"], "s2": ["p2"]}
    here.users = [one | {"agent_ids": agents.get(one["sourced_id"], [])} for one in here.users]
    here.enrollments = [one for one in here.enrollments if one["user_id"] not in ("p1", "p2")]
    tasks.night(sis(named("teacher", **office)))
    tasks.night(here, night=NIGHT + dt.timedelta(days=1))
    number = number_of(directory, "xv-0815")
    of_s1 = "select parent_name, parent_email, parent_phone from directory.people where sourced_id = 's1'"
    assert directory.rows(of_s1) == [("Paula Jones", "office@oak.example", "555-1")]
    with connect() as connection:
        exported = command.kept_of(connection, DISTRICT, number)
    assert [one["parent_phone"] for one in exported.sections["contact_of_students"]] == ["555-2"]
    assert "Paula" not in exported.as_json() and "555-1" not in exported.as_json()
    command.erase(connect, DISTRICT, number, "Ada")
    assert directory.rows(of_s1) == [("Paula Jones", None, "555-1")]
    assert directory.rows(
        "select after from directory.changes where after ->> 'parent_phone' = '555-1' and not after ? 'parent_email'"
    )
    assert [one for one in traces(directory, tasks.folder, ["office@oak.example"]) if one[0].startswith("directory.")] == []
    assert traces(directory, tasks.folder, ["O'Vandersplunk", "555-2"]) == []


def test_a_namesake_with_a_shared_address_stays_in_the_snapshots(tasks: Tasks, connect: Connect) -> None:
    directory = tasks.directory
    directory.settings = every_list("T1")
    shared = {"family_name": "Smith", "email": "noemail@oak.example"}
    one, other = user("j1", given_name="John", **shared), user("j2", given_name="Jon", **shared)
    tasks.night(sis(one, other))
    # The SIS calls the other as the one by now, and the directory does not follow.
    directory.settings["roles"]["student"]["auto_update"] = False
    tasks.night(sis(one, other | {"given_name": "John"}), night=NIGHT + dt.timedelta(days=1))
    assert directory.value("select given_name from directory.people where sourced_id = 'j2'") == "Jon"
    command.erase(connect, DISTRICT, number_of(directory, "j1"), "Ada")
    for snapshot in tasks.snapshots:
        for collection, column in (("users", "sourced_id"), ("enrollments", "user_id")):
            assert {"j1", "j2"} & set(snapshot.frame(collection)[column]) == {"j2"}


def test_what_others_signed_stays_signed(tasks: Tasks, connect: Connect) -> None:
    directory = tasks.directory
    directory.settings = every_list("T1")
    tasks.night(sis(named("teacher")))
    # Somebody else has the username by now, and a third one the name.
    heir = named(
        "teacher",
        sourced_id="heir",
        given_name="Hank",
        preferred_given_name=None,
        family_name="Heir",
        email="h@oak.example",
        identifier="H1",
    )
    third = named(
        "teacher", sourced_id="third", preferred_given_name=None, email="third@oak.example", identifier="T3", username="third"
    )
    now = named("teacher", username="xv.new")
    tasks.night(sis(now, heir, third), night=NIGHT + dt.timedelta(days=1))
    number = number_of(directory, "xv-0815")
    assert len({number, number_of(directory, "heir"), number_of(directory, "third")}) == 3
    for by in ("xvander", "Xanthe O'Vandersplunk", "xv.new"):
        directory.do(
            "insert into directory.settings_history (district, changed_by, before, after) values ('oak', %s, '{}', '{}')", by
        )
    command.erase(connect, DISTRICT, number, "Ada")
    signed = directory.rows("select changed_by from directory.settings_history order by changed_at")
    assert signed == [("xvander",), ("Xanthe O'Vandersplunk",), ("erased",)]


@pytest.mark.parametrize(
    ("spoilt", "is_whole"),
    [
        ("derived_people.parquet", True),
        ("set_aside.parquet", True),
        ("derived.json", True),
        ("unreadable_users.parquet", False),
        ("users.proof.json", False),
    ],
)
def test_a_spoilt_file_keeps_nobody_from_being_erased(tasks: Tasks, connect: Connect, spoilt: str, is_whole: bool) -> None:
    numbers = ordinary(tasks)
    folder = Path(tasks.snapshots[0].url.removeprefix("file://"))
    (folder / spoilt).write_bytes(b"zoltan@pupils.example")
    kept = command.erase(connect, DISTRICT, numbers["student"], "Ada")
    # What was made from a snapshot can be made again; without what was read it is none.
    assert folder.exists() == is_whole and not (folder / spoilt).exists()
    assert kept.numbers.get("unreadable_snapshots", 0) <= (not is_whole)
    assert traces(tasks.directory, tasks.folder, list(STUDENT.values())) == []


def test_all_that_is_kept_is_exported(
    tasks: Tasks, connect: Connect, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, numbers = tasks.directory, lived(tasks)
    before = texts(directory, tasks.folder)
    for role, number in numbers.items():
        capsys.readouterr()
        monkeypatch.setattr("sys.argv", ["one_person", "export", DISTRICT, str(number)])
        command.main()
        printed = capsys.readouterr().out
        found = json.loads(printed)
        assert (found["district"], found["person_id"]) == (DISTRICT, number)
        assert [
            value for value in values_of(role) if value not in ("Zparent", "555-4711", "xv-formerly") and value not in printed
        ] == []
        assert {
            "person",
            "lists",
            "memberships_over_time",
            "changes",
            "by_hand",
            "exceptions_of_lists",
            "issues",
            "snapshots",
        } <= {name for name, rows in found.items() if rows} | ({"by_hand"} if role == "teacher" else set())
    assert texts(directory, tasks.folder) == before
    assert found["connection_request"][0]["contact_email"] == "xanthe@staff.example" and found["contact_of_students"]
    # Erasing says first how much would go, and does it when the number is said once more.
    monkeypatch.setattr(context, "directory", connect)
    monkeypatch.setattr("sys.argv", ["one_person", "erase", DISTRICT, str(number)])
    command.main()
    said = capsys.readouterr().out
    assert f"Nothing was changed. To do it: the same with --confirm {number}" in said and texts(directory, tasks.folder) == before
    monkeypatch.setattr("sys.argv", ["one_person", "erase", DISTRICT, str(number), "--confirm", str(number)])
    command.main()
    done = capsys.readouterr().out
    assert done.splitlines()[1:] == said.splitlines()[1:-1] and "was erased for good" in done
    assert traces(directory, tasks.folder, values_of("teacher")) == []
    monkeypatch.setattr("sys.argv", ["one_person", "export", DISTRICT, str(number)])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 1 and f"The district oak has no person {number}" in capsys.readouterr().err


def test_a_held_run_goes_on_without_them(tasks: Tasks, connect: Connect) -> None:
    directory, numbers = tasks.directory, lived(tasks)
    run_no = directory.value("select max(run_no) from directory.sync_runs")
    waiting = directory.value("select count(*) from directory.approvals where run_no = %s", run_no)
    command.erase(connect, DISTRICT, numbers["student"], "Ada")
    assert directory.value("select count(*) from directory.approvals where run_no = %s", run_no) == waiting - 1
    assert approve(directory.connection, run_no, "Ada") == waiting - 1
    clear(tasks, directory.value("select run_id from directory.sync_runs where run_no = %s", run_no), nightly.archive)
    assert runs.verdict(directory.connection, run_no)[0] in ("success", "completed_with_errors")
    assert number_of(directory, "s6") in {
        row[0] for row in directory.rows("select person_id from directory.people where status = 'archived'")
    }
    assert traces(directory, tasks.folder, values_of("student")) == []


def test_somebody_of_whom_only_records_were_read_is_erased_by_their_sourced_id(tasks: Tasks, connect: Connect) -> None:
    directory = tasks.directory
    directory.settings = every_list("T1")
    directory.settings["roles"] = directory.settings["roles"] | {
        "student": {"roster": False, "auto_update": False, "archive": False}
    }
    tasks.night(sis(named("student"), named("teacher")))
    assert not directory.rows("select 1 from directory.people where sourced_id = 'zq-4711'")
    with connect() as connection:
        kept = command.kept_of(connection, DISTRICT, "zq-4711")
        # Of somebody who is here it is the same as by their number.
        assert command.kept_of(connection, DISTRICT, "xv-0815").someone.person_id == number_of(directory, "xv-0815")
        with pytest.raises(MingaSyncError, match="no person and no record with this sourcedId"):
            command.kept_of(connection, DISTRICT, "nobody")
    assert kept.numbers == {"changes": 1, "snapshots": 1} and "ZID-90210" in kept.as_json()
    before = directory.state()
    command.erase(connect, DISTRICT, "zq-4711", "Ada")
    assert directory.state() == before
    assert traces(directory, tasks.folder, list(STUDENT.values())) == []


def test_a_teacher_and_a_parent_without_an_entry_leave_the_lists_names_and_the_contacts(tasks: Tasks, connect: Connect) -> None:
    directory = tasks.directory
    directory.settings = every_list("T1") | {"include_primary_parent_contact": True}
    directory.settings["roles"] = directory.settings["roles"] | {
        "teacher": {"roster": False, "auto_update": False, "archive": False}
    }
    # The mother of two has the address of one of them.
    mother = user("m1", "parent", given_name="Perpetua", family_name="Gardengate", email="s1@example.org", phone="555-7")
    here = sis(named("teacher"), mother)
    here.users = [one | {"agent_ids": ["m1"] if one["sourced_id"] in ("s1", "s2") else []} for one in here.users]
    here.enrollments = [one for one in here.enrollments if one["user_id"] != "m1"]
    tasks.night(here)
    of_a = "select name from directory.user_lists where source_id = 'A'"
    assert directory.value(of_a) == "Algebra · O'Vandersplunk"
    assert directory.value("select count(*) from directory.people where parent_name = 'Perpetua Gardengate'") == 2
    command.erase(connect, DISTRICT, "xv-0815", "Ada")
    assert directory.value(of_a) == "Algebra"
    assert traces(directory, tasks.folder, list(TEACHER.values())) == []
    command.erase(connect, DISTRICT, "m1", "Ada")
    assert traces(directory, tasks.folder, ["Perpetua", "Gardengate", "555-7"]) == []
    assert directory.value("select email from directory.people where sourced_id = 's1'") == "s1@example.org"


def test_every_place_is_known(directory: Directory) -> None:
    # Whoever makes another table brings somebody into it above, in lived, and sees to it that they leave it.
    tables = directory.rows(
        "select relname from pg_class where relnamespace = 'directory'::regnamespace and relkind = 'r' order by 1"
    )
    assert [table for (table,) in tables] == [
        "absences", "access", "approvals", "changes", "connection_checks", "connection_mails", "connection_requests", "connection_steps",
        "district_locks", "erasures", "field_pins", "hand_changes", "mails", "membership_changes", "membership_overrides", "memberships",
        "people", "relink_proposals", "schema_version", "schools", "settings_history", "sync_issues", "sync_runs", "terms", "user_lists",
    ]  # fmt: skip
    assert sorted(DERIVED) == [
        "gone", "kept", "lists", "members", "people", "schools", "set_aside", "terms", "unlisted", "unread", "waiting",
    ]  # fmt: skip
