"""What *why* says is what the directory holds: each sentence with the rows beside it that make it true or false."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from include.mingasync.directory import runs
from include.mingasync.directory.archive import approve, reject
from include.mingasync.oneroster.records import COLUMNS
from include.mingasync.snapshot import Proof, Snapshot
from tests.integration.directory.test_lists import classroom, members, person
from tests.integration.directory.test_undo import finish, take_back
from tests.integration.directory.test_why import told
from tests.integration.directory.world import DISTRICT, Directory, Sis, enrollment, everything_on, klass, school, user

NOW = dt.datetime(2026, 11, 24, 8, tzinfo=dt.UTC)
Keep = Callable[..., Snapshot]
ON: dict[str, Any] = {"class_lists": {"enabled": True, "terms": ["T1"]}}


@pytest.fixture
def kept(tmp_path: Path, directory: Directory) -> Keep:
    """A maker of whole snapshots, with everything that is derived from them."""

    def keep(sis: Sis, set_aside: tuple[str, ...] = (), resource: str = "users", incomplete: str | None = None) -> Snapshot:
        snapshot = Snapshot.of(str(tmp_path), DISTRICT, "last")
        for name in COLUMNS:
            snapshot.write(name, [pa.Table.from_pandas(sis.frame(name), schema=COLUMNS[name], preserve_index=False)])
            state = "incomplete" if name == incomplete else "complete"
            snapshot.prove(Proof(collection=name, state=state, started_at=NOW, finished_at=NOW))
        aside = {
            "resource": [resource] * len(set_aside),
            "sourced_id": list(set_aside),
            "rule": [f"{resource}.bad"] * len(set_aside),
        }
        snapshot.write_frame("set_aside", pd.DataFrame(aside, dtype="string"))
        desired = directory.desired(sis, set_aside if resource == "users" else ())
        for name, table in desired.tables.items():
            snapshot.write_frame(f"derived_{name}", table.to_pandas())
        return snapshot

    return keep


@pytest.fixture
def oak(directory: Directory) -> Directory:
    """A district after a first night with a class of two students, a teacher and a co-teacher."""
    directory.settings = everything_on(**ON)
    directory.night(classroom(), run_id="first")
    return directory


def elsewhere(directory: Directory) -> None:
    """Another district whose SIS gives the same sourcedIds to other people."""
    directory.do(
        "insert into directory.people (district, source, sourced_id, sourced_ids, role, given_name, family_name, include_in_sync)"
        " values ('elm', 'sis', 't', '{t}', 'teacher', 'Else', 'Where', false), ('elm', 'sis', 'a', '{a}', 'student', 'O', 'P', true)"
    )
    directory.do(
        "insert into directory.sync_runs (district, run_id, kind, logical_date, night) values ('elm', 'theirs', 'nightly', now(), '2026-11-24')"
    )
    directory.do(
        "insert into directory.sync_issues (district, run_id, run_no, severity, resource, sourced_id, rule, message, fix)"
        " select 'elm', 'theirs', run_no, 'error', 'users', 'a', 'users.x', 'Somebody of another district.', 'Theirs.'"
        " from directory.sync_runs where district = 'elm'"
    )


def test_nothing_of_another_district_is_told(oak: Directory, kept: Keep) -> None:
    elsewhere(oak)
    assert "another district" not in told(oak, "person", "a", kept(classroom()))
    oak.do("update directory.people set sourced_ids = '{}' where district = 'oak' and sourced_id = 't'")
    story = told(oak, "list", "C", kept(classroom()))
    assert "Its teacher t is not in the directory" in story and "Include user" not in story


def test_a_teacher_who_manages_is_not_said_to_be_missing(oak: Directory, kept: Keep) -> None:
    oak.do("select directory.set_include_in_sync(%s, false)", person(oak, "t"))
    oak.night(classroom())
    assert ("t", "manager") in members(oak)
    story = told(oak, "list", "C", kept(classroom()))
    assert "Its teacher" not in story and "2 members, 2 managers" in story
    assert "Manages: Class C." in told(oak, "person", "t", kept(classroom()))


@pytest.mark.parametrize(
    ("what", "because"),
    [
        ("select directory.set_include_in_sync(%(t)s, false)", '"Include user in SIS sync" is off for them'),
        ("select directory.remove_list_member(%(list)s, %(t)s, 'manager')", "taken off by hand, by postgres"),
        ("update directory.people set status = 'archived' where person_id = %(t)s", "they are archived"),
        ("delete from directory.people where person_id = %(t)s", "is not in the directory"),
    ],
)
def test_why_a_teacher_does_not_manage_is_what_keeps_them_from_it(oak: Directory, kept: Keep, what: str, because: str) -> None:
    (group,) = oak.rows("select list_id from directory.user_lists where source_id = 'C'")[0]
    teacher = person(oak, "t")
    oak.do("update directory.memberships set people = array_remove(people, %s) where manager", teacher)
    oak.connection.execute(what, {"t": teacher, "list": group})
    assert ("t", "manager") not in members(oak)
    (line,) = [one for one in told(oak, "list", "C", kept(classroom())).splitlines() if "Its teacher t" in one]
    assert because in line


def test_only_enrollments_that_count_are_counted(oak: Directory, kept: Keep) -> None:
    sis = classroom()
    sis.enrollments = [one | {"status": "tobedeleted"} for one in sis.enrollments]
    oak.night(sis)
    assert members(oak) == set()
    story = told(oak, "list", "C", kept(sis))
    assert "The SIS enrolls 0 students and 0 teachers in it." in story and "Its teacher" not in story
    assert "It is empty" in story


def test_an_empty_list_of_a_night_without_enrollments_does_not_blame_the_class(oak: Directory, kept: Keep) -> None:
    sis = classroom()
    sis.classes.append(klass("E"))
    oak.night(sis)
    story = told(oak, "list", "E", kept(sis, incomplete="enrollments"))
    assert "enrollments did not come whole" in story


def test_members_without_an_enrollment_and_students_without_a_place_are_counted_with_their_cause(
    oak: Directory, kept: Keep
) -> None:
    (group,) = oak.rows("select list_id from directory.user_lists where source_id = 'C'")[0]
    sis = classroom()
    sis.users += [user("d"), user("e"), user("f", "aide")]
    sis.enrollments += [enrollment("C", "e"), enrollment("C", "ghost")]
    sis.enrollments = [one for one in sis.enrollments if (one["class_id"], one["user_id"]) != ("C", "b")]
    oak.night(sis)
    oak.do("select directory.add_list_member(%s, %s)", group, person(oak, "d"))
    oak.do("select directory.remove_list_member(%s, %s)", group, person(oak, "e"))
    story = told(oak, "list", "C", kept(sis))
    assert "2 members, 2 managers" in story and "The SIS enrolls 3 students and 2 teachers in it." in story
    assert "1 enrolled student is not on it: not in the directory." in story
    assert "1 enrolled student is not on it: taken off by hand." in story
    assert "1 member is on it without an enrollment: put there by hand." in story


def test_a_change_held_back_is_the_cause_that_is_told(oak: Directory, kept: Keep) -> None:
    off = {"student": {"roster": True, "auto_update": False, "archive": False}}
    oak.settings = everything_on(**ON, roles=everything_on()["roles"] | off)
    sis = classroom()
    sis.users.append(user("d"))
    oak.night(sis)
    sis.enrollments = [*[one for one in sis.enrollments if one["user_id"] != "b"], enrollment("C", "d")]
    oak.night(sis)
    assert {("b", "member"), ("a", "member")} <= members(oak) and ("d", "member") not in members(oak)
    story = told(oak, "list", "C", kept(sis))
    assert "1 enrolled student is not on it: auto update is off for the role; turn it on to let changes through." in story
    assert "1 member is on it without an enrollment: auto update is off for the role; turn it on to let changes through." in story


def test_a_record_of_somebody_who_is_there_under_another_name_is_their_story(oak: Directory, kept: Keep) -> None:
    oak.settings = everything_on(**ON, roles={role: {"roster": True} for role in ("student", "teacher")})
    sis = classroom()
    sis.users[0] |= {"email": "brand.new@example.org"}
    oak.night(sis)
    story = told(oak, "person", "brand.new@example.org", kept(sis))
    assert "Givena Familya (person" in story and "no entry in the directory" not in story
    assert "The SIS sends email 'brand.new@example.org', the directory holds 'a@example.org'." in story


def test_a_class_whose_list_has_another_name_has_a_list(oak: Directory, kept: Keep) -> None:
    oak.do("update directory.user_lists set name = 'Morning group' where source_id = 'C'")
    story = told(oak, "list", "Class C", kept(classroom()))
    assert "Morning group (list" in story and "There is no list" not in story


def test_a_class_without_a_list_is_told_its_true_cause(oak: Directory, kept: Keep) -> None:
    sis = classroom()
    sis.classes += [klass("X"), klass("Y")]
    assert "set aside by the data proof (classes.bad)" in told(oak, "list", "X", kept(sis, ("X",), "classes"))
    assert "No run has loaded it yet" in told(oak, "list", "Y", kept(sis))


@pytest.mark.parametrize(
    ("rostered", "row", "because"),
    [
        (("S1",), user("x", schools=["S2"]), "at no rostered school"),
        ((), user("x", status="tobedeleted"), "tobedeleted in the SIS"),
        ((), user("x"), "No run has loaded this record yet."),
    ],
)
def test_somebody_who_is_not_there_is_told_one_cause(
    oak: Directory, kept: Keep, rostered: tuple[str, ...], row: dict[str, Any], because: str
) -> None:
    oak.rostered = rostered
    sis = classroom()
    if because.startswith("No run"):
        snapshot = kept(Sis(users=[*sis.users, row], classes=sis.classes, enrollments=sis.enrollments))
    else:
        sis.users.append(row)
        sis.orgs.append(school("S2"))
        oak.night(sis)
        snapshot = kept(sis)
    story = told(oak, "person", "x", snapshot)
    assert because in story and ", or its school" not in story


def test_what_an_older_plan_said_is_not_said_of_now(oak: Directory, kept: Keep) -> None:
    oak.settings = everything_on(**ON, roles={"teacher": {"roster": True}})
    sis = classroom()
    sis.users.append(user("x"))
    oak.night(sis)
    assert "turn its roster switch on" in told(oak, "person", "x", kept(sis))
    oak.settings = everything_on(**ON)
    sis.users[-1] |= {"given_name": None}
    oak.night(sis)
    story = told(oak, "person", "x", kept(sis))
    assert "The SIS sends no name" in story.replace("the SIS", "The SIS") and "roster switch" not in story


def test_a_pin_that_is_over_or_was_typed_over_pins_nothing(oak: Directory) -> None:
    who = person(oak, "a")
    oak.do("select directory.pin_field(%s, 'email', 'mine@example.org', 'wish')", who)
    assert "email is pinned to 'mine@example.org' by postgres (wish); the SIS said 'a@example.org'." in told(oak, "person", "a")
    oak.do("update directory.people set email = 'typed@example.org' where person_id = %s", who)
    assert "email was pinned to 'mine@example.org' by postgres (wish), but is 'typed@example.org' now" in told(oak, "person", "a")
    oak.do("update directory.field_pins set until = current_date - 1")
    story = told(oak, "person", "a")
    assert "email was pinned to 'mine@example.org' until" in story and "is pinned" not in story
    oak.do("select directory.pin_field(%s, 'preferred_given_name', null, 'none, please')", who)
    assert "preferred_given_name is pinned to nothing by postgres (none, please); the SIS said nothing." in told(
        oak, "person", "a"
    )


def test_a_preview_and_what_was_undone_are_told_as_that(oak: Directory) -> None:
    sis = classroom()
    sis.users[0] |= {"family_name": "Newname"}
    oak.night(sis, kind="preview", run_id="look")
    assert "Newname" not in oak.value("select family_name from directory.people where sourced_id = 'a'")
    story = told(oak, "person", "a")
    assert "run look, a preview that changed nothing: update planned" in story
    oak.night(sis, run_id="second")
    finish(oak, "second")
    take_back(oak, "second")
    assert oak.value("select family_name from directory.people where sourced_id = 'a'") == "Familya"
    story = told(oak, "person", "a")
    assert "run second: update undone" in story and "it was taken back by the run undo of second" in story


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "it waits for an answer"),
        ("approved", "archive applied"),
        ("rejected", "the answer was: rejected"),
        ("none", "nobody answered in time"),
    ],
)
def test_a_held_archive_says_how_it_stands(oak: Directory, answer: str | None, said: str) -> None:
    oak.settings |= {"safety": {"archive_percent": 0, "archive_minimum": 1}}
    sis = classroom()
    sis.users.pop(0)
    run, number = oak.open(run_id="second")
    oak.night(sis, run_id="second")
    runs.note(oak.connection, number, state="held", answer_until=dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))
    if answer == "approved":
        approve(oak.connection, number, "kim")
        from include.mingasync.directory.archive import archive

        archive(oak.connection, run, number)
    elif answer:
        reject(oak.connection, number, "kim" if answer == "rejected" else None)
    if answer:
        finish(oak, "second", "held")
    story = told(oak, "person", "a")
    assert said in story and f"Now: {'archived' if answer == 'approved' else 'active'}" in story


def test_an_archived_leaver_and_an_inactive_list_say_what_they_are(oak: Directory, kept: Keep) -> None:
    sis = classroom()
    sis.users.pop(0)
    sis.classes = sis.classes[1:]
    oak.night(sis)
    story = told(oak, "person", "a", kept(sis))
    assert "Now: archived" in story and "On no list." in story
    story = told(oak, "list", "C", kept(sis))
    assert "Now: inactive" in story and "An inactive list keeps who was on it" in story
