"""A pull is held to the people who count: neither parents, nor records that only say that somebody is over, hide who is missing."""

from __future__ import annotations

from tests.integration.directory.tasks import Tasks
from tests.integration.directory.world import Sis, enrollment, everything_on, klass, user

WITH_CONTACTS = everything_on(include_primary_parent_contact=True)


def archived(tasks: Tasks) -> int:
    return int(tasks.directory.value("select count(*) from directory.people where status = 'archived'"))


def unproven(told: object) -> list[str]:
    return [issue[4] for issue in told.issues if issue[3] == "snapshot.unproven"]  # type: ignore[attr-defined]


def students(number: int) -> list[dict[str, object]]:
    return [user(f"s{one}", agent_ids=[f"p{one}"]) for one in range(number)]


def parents(number: int) -> list[dict[str, object]]:
    return [user(f"p{one}", "guardian", identifier=None, username=None) for one in range(number)]


def test_parents_do_not_hide_that_most_students_are_missing(tasks: Tasks) -> None:
    tasks.directory.settings = WITH_CONTACTS
    tasks.night(Sis(users=[*students(20), *parents(30)]))
    told = tasks.night(Sis(users=[*students(6), *parents(30)]))
    assert archived(tasks) == 0
    (message,) = unproven(told)
    assert "6 users, under half of the 20" in message and "users.halved" in told.rules("warning")
    # The printed cure.
    tasks.night(Sis(users=[*students(6), *parents(30)]), conf={"accept_smaller": True})
    assert archived(tasks) == 14


def test_contacts_that_are_not_wanted_any_more_are_nobody_missing(tasks: Tasks) -> None:
    tasks.directory.settings = WITH_CONTACTS
    tasks.night(Sis(users=[*students(10), *parents(30)]))
    tasks.directory.settings = everything_on()
    told = tasks.night(Sis(users=students(9)))
    assert not unproven(told) and "users.halved" not in told.rules("warning") and archived(tasks) == 1


def test_records_that_were_over_long_ago_do_not_hide_that_most_people_are_missing(tasks: Tasks) -> None:
    over = [user(f"old{one}", status="tobedeleted") for one in range(30)]
    tasks.night(Sis(users=[*students(20), *over]))
    told = tasks.night(Sis(users=[*students(6), *over]))
    assert archived(tasks) == 0 and "6 users, under half of the 20" in unproven(told)[0]


def test_records_of_people_who_left_long_ago_may_go(tasks: Tasks) -> None:
    tasks.night(Sis(users=[*students(10), *(user(f"old{one}", status="tobedeleted") for one in range(30))]))
    assert not unproven(tasks.night(Sis(users=students(9)))) and archived(tasks) == 1


def test_whom_the_sis_itself_says_to_be_gone_is_not_missing(tasks: Tasks) -> None:
    tasks.night(Sis(users=students(10)))
    left = [one | {"status": "tobedeleted"} for one in students(10)[3:]]
    assert not unproven(tasks.night(Sis(users=[*students(3), *left]))) and archived(tasks) == 7


def test_a_role_that_shrank_is_missed_among_the_many_of_another(tasks: Tasks) -> None:
    staff = [user(f"t{one}", "teacher") for one in range(24)]
    tasks.night(Sis(users=[*students(60), *staff]))
    told = tasks.night(Sis(users=[*students(60), *staff[:4]]))
    assert archived(tasks) == 0 and "4 teachers, under half of the 24" in unproven(told)[0]
    assert "4 teachers now, 24 then." in next(issue[4] for issue in told.issues if issue[3] == "users.halved")


def test_people_who_only_change_their_role_are_not_missed(tasks: Tasks) -> None:
    aides = [user(f"a{one}", "aide") for one in range(24)]
    tasks.night(Sis(users=[*students(60), *aides]))
    assert not unproven(tasks.night(Sis(users=[*students(60), *(one | {"roles": ["teacher"]} for one in aides)])))
    assert archived(tasks) == 0


def test_a_few_people_of_a_role_may_leave(tasks: Tasks) -> None:
    admins = [user(f"a{one}", "principal") for one in range(3)]
    tasks.night(Sis(users=[*students(10), *admins]))
    assert not unproven(tasks.night(Sis(users=[*students(10), *admins[:1]]))) and archived(tasks) == 2


def test_enrollments_that_ended_long_ago_do_not_hide_that_most_are_missing(tasks: Tasks) -> None:
    tasks.directory.settings = everything_on(class_lists={"enabled": True, "terms": ["T1"]})
    over = [enrollment("A", f"s{one}", status="inactive", sourced_id=f"old{one}") for one in range(30)]
    now = [enrollment("A", f"s{one}") for one in range(10)]
    tasks.night(Sis(users=students(10), classes=[klass("A")], enrollments=[*now, *over]))
    told = tasks.night(Sis(users=students(10), classes=[klass("A")], enrollments=[*now[:3], *over]))
    assert "3 enrollments, under half of the 10" in unproven(told)[0]
    assert tasks.directory.value("select count(*) from directory.list_members") == 10


def test_a_night_of_an_older_version_is_still_what_the_next_one_is_held_to(tasks: Tasks) -> None:
    tasks.night(Sis(users=students(20)))
    tasks.directory.do(
        "update directory.sync_runs set collections = (select jsonb_object_agg(key, value - 'sizes') from jsonb_each(collections))"
    )
    told = tasks.night(Sis(users=students(6)))
    assert archived(tasks) == 0 and "6 users, under half of the 20" in unproven(told)[0]


def test_a_school_gone_from_the_orgs_is_missed_on_every_night_until_somebody_says_that_it_is_closed(tasks: Tasks) -> None:
    both = [{"sourced_id": one, "status": "active", "name": f"School {one}", "type": "school"} for one in ("S1", "S2")]
    sis = Sis(users=[*students(10), user("x", schools=["S2"])], orgs=both)
    tasks.night(sis)
    for gone in (both[:1], [both[0], both[1] | {"status": "tobedeleted"}], [both[0], both[1] | {"type": "department"}]):
        told = tasks.night(Sis(users=students(10), orgs=gone))
        assert archived(tasks) == 0 and "1 school is gone from the SIS's orgs: S2." in unproven(told)[0]
    tasks.night(Sis(users=students(10), orgs=both[:1]), conf={"accept_smaller": True})
    assert archived(tasks) == 1
    assert not unproven(tasks.night(Sis(users=students(10), orgs=both[:1])))
