"""The cures of issues that the load itself finds, carried out, where no other test does so."""

from __future__ import annotations

from typing import Any

from tests.integration.directory.tasks import Tasks, every_list, oak
from tests.integration.directory.world import Directory, Sis, enrollment, everything_on, klass, user


def told(directory: Directory, rule: str) -> list[tuple[Any, ...]]:
    """What the newest run says of a rule: the record, the message and the cure."""
    return directory.rows(
        "select sourced_id, message, fix from directory.sync_issues"
        " where rule = %s and run_no = (select max(run_no) from directory.sync_runs)",
        rule,
    )


def test_a_number_of_their_own_ends_the_warning_and_both_entries_stay(directory: Directory) -> None:
    ana, luis = user("a", identifier="7", email=None, username=None), user("b", identifier="7", email=None, username=None)
    directory.night(Sis(users=[ana, luis]))
    # The SIS gives Ana a new sourcedId, and Luis a number of his own: only the directory knows that "7" is two people's.
    luis["identifier"] = "71"
    directory.settings["roles"]["student"] = {"roster": True, "auto_update": False, "archive": True}
    directory.night(Sis(users=[ana | {"sourced_id": "new", "given_name": "Anna"}, luis]))
    ((record, message, fix),) = told(directory, "users.key_shared_here")
    assert record == "new" and "has a key of this record" in message
    assert "their own identifier" in fix and "stays an entry of its own" in fix
    now = [("a", "archived"), ("b", "active"), ("new", "active")]
    assert directory.rows("select sourced_id, status from directory.people order by 1") == now
    directory.settings = everything_on()
    directory.night(Sis(users=[ana | {"sourced_id": "new", "given_name": "Anna", "identifier": "72"}, luis]))
    assert told(directory, "users.key_shared_here") == []
    assert directory.rows("select sourced_id, status from directory.people order by 1") == now


def test_a_teacher_whose_switch_is_turned_on_manages_the_list(directory: Directory) -> None:
    directory.settings = everything_on(class_lists={"enabled": True, "terms": ["T1"]})
    directory.night(Sis(users=[user("t", "teacher")]))
    directory.do("select directory.set_include_in_sync(person_id, false) from directory.people")
    sis = Sis(users=[user("t", "teacher"), user("a")], classes=[klass("C")])
    sis.enrollments = [enrollment("C", "t", "teacher"), enrollment("C", "a")]
    directory.night(sis)
    ((record, _, fix),) = told(directory, "lists.manager_excluded")
    assert record == "t" and fix == 'Turn on "Include user in SIS sync" for the teacher.'
    roll = "select sourced_id, member_role from directory.list_members join directory.people using (person_id) order by 1"
    assert directory.rows(roll) == [("a", "member")]
    directory.do("select directory.set_include_in_sync(person_id, true) from directory.people")
    directory.night(sis)
    assert told(directory, "lists.manager_excluded") == []
    assert directory.rows(roll) == [("a", "member"), ("t", "manager")]


def test_a_lost_term_and_contacts_that_never_came_are_not_called_records(tasks: Tasks) -> None:
    tasks.directory.settings = every_list("T1") | {"include_primary_parent_contact": True}
    tasks.night(oak())
    sis = oak()
    del sis.terms[0]
    sis.users[-1]["status"] = "odd"
    told = tasks.night(sis)
    assert told.state == "completed_with_errors"
    assert told.reason == (
        "Parents' contacts are switched on, and not one parent came: those that are here stay as they are. "
        "The selected term is no longer shared by the SIS; its lists are frozen as they were. "
        "1 record was set aside or could not be used. See the issues."
    )
