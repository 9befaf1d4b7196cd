"""A teacher's list belongs to the person, whichever of their SIS ids leads."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg

from include.mingasync.directory import runs, schema
from include.mingasync.directory.undo import undo
from include.mingasync.run import Run
from tests.integration.directory.world import (
    DISTRICT,
    NIGHT,
    Directory,
    Row,
    Sis,
    enrollment,
    everything_on,
    klass,
    school,
    user,
)

LISTS: dict[str, Any] = {"class_lists": {"enabled": True, "terms": ["T1"]}, "auto_lists": {"teacher": True}}
SEEN = (
    "select list_id, school_id, source_id, name, visibility, status from directory.user_lists where kind = 'teacher' order by 1"
)


def taught() -> Sis:
    """A teacher with a class at each of two schools."""
    return Sis(
        users=[user("a"), user("b"), user("m", "teacher", ("S1", "S2"))],
        orgs=[school("S1"), school("S2")],
        classes=[klass("C"), klass("D", "S2")],
        enrollments=[
            enrollment("C", "a"),
            enrollment("C", "m", "teacher"),
            enrollment("D", "b"),
            enrollment("D", "m", "teacher"),
        ],
    )


def named_by_hand(directory: Directory) -> list[tuple[Any, ...]]:
    """The teacher's two lists, the first of them with a name, a visibility and a member by hand."""
    ids = [row[0] for row in directory.rows(SEEN)]
    directory.do("update directory.user_lists set name = 'My own', visibility = 'public' where list_id = %s", ids[0])
    directory.do("select directory.add_list_member(%s, person_id) from directory.people where sourced_id = 'b'", ids[0])
    return [
        (ids[0], "S1", "m", "My own", "public", "active"),
        (ids[1], "S2", "m", "Givenm Familym's students · School S2", "private", "active"),
    ]


def on_lists(directory: Directory) -> list[tuple[Any, ...]]:
    return directory.rows(
        "select l.school_id, p.given_name, m.member_role from directory.list_members m join directory.people p using (person_id)"
        " join directory.user_lists l using (list_id) where l.kind = 'teacher' order by 1, 2, 3"
    )


def led_by(rows: list[tuple[Any, ...]], sourced_id: str) -> list[tuple[Any, ...]]:
    return [(*row[:2], sourced_id, *row[3:]) for row in rows]


def second_record(of: Row, sourced_id: str) -> Row:
    return of | {"sourced_id": sourced_id}


def test_a_second_record_with_a_lower_id_takes_no_list_over(directory: Directory) -> None:
    directory.settings = everything_on(**LISTS)
    sis = taught()
    directory.night(sis)
    hand, members = named_by_hand(directory), on_lists(directory)
    at_s2 = sis.users[2] | {"sourced_id": "k", "org_ids": ["S2"]}
    sis.users[2]["org_ids"] = ["S1"]
    sis.users.append(at_s2)
    sis.enrollments[3]["user_id"] = "k"
    counts = directory.night(sis)
    assert directory.rows(SEEN) == led_by(hand, "k") and on_lists(directory) == members[:2] + members[2:]
    assert counts["lists"]["teacher"] == {"created": 0, "updated": 2, "deactivated": 0, "unchanged": 0}
    assert directory.night(sis)["lists"]["teacher"]["unchanged"] == 2
    # And back, when the second record goes again.
    del sis.users[3]
    sis.enrollments[3]["user_id"] = "m"
    directory.night(sis)
    assert directory.rows(SEEN) == hand and on_lists(directory) == members


def test_the_lists_stay_theirs_after_a_relink(directory: Directory) -> None:
    directory.settings = everything_on(**LISTS)
    sis = taught()
    directory.night(sis)
    hand, members = named_by_hand(directory), on_lists(directory)
    sis.users[2]["sourced_id"] = "new"
    for seat in (sis.enrollments[1], sis.enrollments[3]):
        seat["user_id"] = "new"
    directory.night(sis)
    directory.do("select directory.relink(person_id, 'new') from directory.people where sourced_id = 'm'")
    directory.night(sis)
    assert directory.rows(SEEN) == led_by(hand, "new") and on_lists(directory) == members


def test_undo_gives_the_lists_their_old_id_back(directory: Directory) -> None:
    directory.settings = everything_on(**LISTS)
    sis = taught()
    directory.night(sis)
    before = directory.rows(SEEN)
    sis.users.append(second_record(sis.users[2], "k"))
    directory.night(sis, run_id="tonight")
    assert directory.rows(SEEN) == led_by(before, "k")
    back = Run(DISTRICT, "undo", "undo", dt.datetime.now(dt.UTC), NIGHT)
    directory.do("update directory.sync_runs set state = 'success', finished_at = now()")
    undo(directory.connection, back, runs.open_run(directory.connection, back), "tonight")
    assert directory.rows(SEEN) == before


def test_records_that_drift_apart_leave_one_list(directory: Directory) -> None:
    directory.settings = everything_on(**LISTS)
    sis = taught()
    sis.users.append(second_record(sis.users[2], "k"))
    sis.enrollments.append(enrollment("C", "k", "teacher"))
    sis.classes.append(klass("E"))
    sis.enrollments += [enrollment("E", "k", "teacher"), enrollment("E", "b")]
    directory.night(sis)
    before = directory.rows(SEEN)
    assert len(before) == 2
    sis.users[3]["email"] = "other@example.org"
    directory.night(sis)
    assert [row[:2] for row in directory.rows(SEEN)] == [row[:2] for row in before]
    calm = directory.state()
    counts = directory.night(sis)
    assert directory.state() == calm and counts["lists"]["teacher"]["unchanged"] == 2


def test_an_id_given_to_another_human_takes_no_list_along(directory: Directory) -> None:
    directory.settings = everything_on(**LISTS)
    sis = taught()
    directory.night(sis)
    hand, members = named_by_hand(directory), on_lists(directory)
    sis.users[2] |= {
        "identifier": "id-else", "email": "else@example.org", "username": "else", "given_name": "Quite", "family_name": "Else",
    }  # fmt: skip
    directory.night(sis)
    assert directory.rows(SEEN) == hand and on_lists(directory) == members


def test_a_list_made_before_its_teacher_was_here_becomes_theirs(directory: Directory) -> None:
    directory.settings = everything_on(**LISTS)
    directory.settings["roles"] = directory.settings["roles"] | {"teacher": {"roster": False}}
    sis = taught()
    directory.night(sis)
    before = directory.rows(SEEN)
    directory.settings = everything_on(**LISTS)
    directory.night(sis)
    assert directory.rows(SEEN) == before and len(before) == 2
    assert directory.value("select count(distinct owner_id) from directory.user_lists where kind = 'teacher'") == 1


def test_of_two_lists_left_by_an_older_version_the_older_is_kept(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        schema.upgrade(connection, "0005")
        connection.execute(
            """
            insert into directory.people (district, source, sourced_id, sourced_ids, role, given_name, family_name, email,
                                          username, identifier, school_ids, include_in_sync)
            values ('oak', 'sis', 'k', '{k,m}', 'teacher', 'Givenm', 'Familym', 'm@example.org', 'user.m', 'id-m', '{S1,S2}', true);
            insert into directory.user_lists (district, school_id, kind, source_id, name, synced_name, visibility) values
                ('oak', 'S1', 'teacher', 'm', 'My own', 'Givenm Familym''s students', 'public'),
                ('oak', 'S1', 'teacher', 'k', 'Givenm Familym''s students', 'Givenm Familym''s students', 'private'),
                ('oak', 'S2', 'teacher', 'lost', 'Of nobody', 'Of nobody', 'private');
            insert into directory.memberships values (1, true, '{1}'), (2, true, '{1}');
            """
        )
        schema.bring_to_head(connection)
        directory = Directory(connection, everything_on(**LISTS))
        sis = taught()
        sis.users.append(second_record(sis.users[2], "k"))
        directory.night(sis)
        lists = directory.rows(SEEN)
        assert [(row[0], row[2], row[3], row[5]) for row in lists[:3]] == [
            (1, "k", "My own", "active"),
            (2, "k", "Givenm Familym's students", "inactive"),
            (3, "lost", "Of nobody", "inactive"),
        ]
        assert [row[1:3] for row in lists[3:]] == [("S2", "k")]
        calm = directory.state()
        directory.night(sis)
        assert directory.state() == calm


def test_a_teachers_list_is_called_as_its_owner_is_called_here(directory: Directory) -> None:
    """A name that is pinned, or held back since updates are off, is the one that people see; two of one name stay apart."""
    directory.settings = everything_on(auto_lists={"teacher": True}, class_lists={"terms": ["T1"]})
    jo = {"given_name": "Jo", "family_name": "Berg"}
    sis = Sis(
        users=[user("s"), user("t", "teacher", **jo), user("u", "teacher")],
        classes=[klass("A"), klass("B")],
        enrollments=[
            enrollment("A", "s"),
            enrollment("B", "s"),
            enrollment("A", "t", "teacher"),
            enrollment("B", "u", "teacher"),
        ],
    )
    names = "select name from directory.user_lists where kind = 'teacher' order by 1"
    directory.night(sis)
    assert directory.rows(names) == [("Givenu Familyu's students",), ("Jo Berg's students",)]
    (who,) = directory.rows("select person_id from directory.people where sourced_id = 't'")[0]
    directory.do("select directory.pin_field(%s, 'preferred_given_name', 'Joe', 'wish', null)", who)
    directory.night(sis)
    assert directory.rows(names) == [("Givenu Familyu's students",), ("Joe Berg's students",)]
    before = directory.state()
    directory.night(sis)
    assert directory.state() == before
    (other,) = directory.rows("select person_id from directory.people where sourced_id = 'u'")[0]
    directory.do("select directory.pin_field(%s, 'given_name', 'Joe', 'wish', null)", other)
    directory.do("select directory.pin_field(%s, 'family_name', 'Berg', 'wish', null)", other)
    directory.night(sis)
    assert len({row[0] for row in directory.rows(names)}) == 2
