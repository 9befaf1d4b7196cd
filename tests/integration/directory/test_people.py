"""What becomes of people, beyond the decision table: guards, matching, pins, contacts, returns."""

from __future__ import annotations

from dataclasses import replace

import pytest

from include.mingasync.directory.archive import approve, archive, held
from include.mingasync.directory.load import load
from include.mingasync.settings import Settings
from tests.integration.directory.world import Directory, Sis, everything_on, school, user


def students(number: int, start: int = 0, at: str = "S1") -> list[dict[str, object]]:
    return [user(f"s{n:03d}", schools=[at]) for n in range(start, start + number)]


def statuses(directory: Directory) -> dict[str, str]:
    return dict(directory.rows("select sourced_id, status from directory.people order by 1"))


def test_an_unchanged_night_writes_no_row(directory: Directory) -> None:
    sis = Sis(users=students(30))
    directory.settings = everything_on(auto_lists={"role": True, "grade": True})
    directory.night(sis)
    versions = "select 'p', xmin::text, ctid::text from directory.people union all select 'l', xmin::text, ctid::text from directory.user_lists union all select 'm', xmin::text, ctid::text from directory.memberships order by 1, 2, 3"
    before = directory.rows(versions)
    counts = directory.night(sis)
    assert directory.rows(versions) == before
    assert counts["people"]["student"]["unchanged"] == 30 and counts["lists"]["role"]["unchanged"] == 1
    assert directory.value("select count(*) from directory.sync_changes where run_id = 'run-1'") == 0


def test_a_mass_archive_of_one_school_is_held_and_the_rest_goes_on(directory: Directory) -> None:
    directory.settings = everything_on(safety={"archive_percent": 10, "archive_minimum": 20})
    orgs = [school("S1"), school("S2")]
    both = [*students(100), *students(100, 200, "S2")]
    directory.night(Sis(users=both, orgs=orgs))
    sis = Sis(users=[*students(60), *students(95, 200, "S2"), user("new")], orgs=orgs)
    run, run_no = directory.open()
    load(directory.connection, run, run_no, Settings.model_validate(directory.settings), directory.desired(sis))
    counts = archive(directory.connection, run, run_no)["people"]["student"]
    assert (counts["created"], counts["archived"], counts["archive_held"]) == (1, 5, 40)
    assert held(directory.connection, run_no) == [
        {"school_id": "S1", "school": "School S1", "role": "student", "people": 40, "of": 100}
    ]
    assert approve(directory.connection, run_no, "pat") == 40
    counts = archive(directory.connection, run, run_no)["people"]["student"]
    assert (counts["archived"], counts["archive_held"]) == (45, 0)
    assert directory.value("select count(*) from directory.people where status = 'archived'") == 45


@pytest.mark.parametrize(
    ("leaving", "percent", "minimum", "is_held"),
    [(10, 10, 5, False), (11, 10, 5, True), (19, 10, 20, False), (20, 10, 20, True), (20, 20, 20, False), (1, 0, 0, True)],
)
def test_the_guard_holds_above_the_percentage_and_from_the_minimum_on(
    directory: Directory, leaving: int, percent: float, minimum: int, is_held: bool
) -> None:
    directory.settings = everything_on(safety={"archive_percent": percent, "archive_minimum": minimum})
    directory.night(Sis(users=students(100)))
    counts = directory.night(Sis(users=students(100 - leaving)))["people"]["student"]
    assert (counts["archive_held"], counts["archived"]) == ((leaving, 0) if is_held else (0, leaving))


def test_a_retry_decides_the_guard_as_the_first_attempt_did(directory: Directory) -> None:
    directory.settings = everything_on(safety={"archive_percent": 10, "archive_minimum": 1})
    directory.night(Sis(users=students(100)))
    sis = Sis(users=[*students(89), *students(50, 500)])
    run, run_no = directory.open()
    desired = directory.desired(sis)
    settings = Settings.model_validate(directory.settings)
    first = load(directory.connection, run, run_no, settings, desired)
    assert first["people"]["student"]["archive_held"] == 11
    assert load(directory.connection, run, run_no, settings, desired) == first


def test_an_unproven_pull_archives_nobody_and_takes_nobody_off_a_list(directory: Directory) -> None:
    directory.settings = everything_on(auto_lists={"role": True})
    directory.night(Sis(users=students(10)))
    before = directory.state()
    counts = directory.night(Sis(users=students(3)), unproven="The SIS sent 3 users.")
    assert directory.state() == before and counts["issues"]["warning"] == 1


def test_a_returner_is_the_same_person_with_history(directory: Directory) -> None:
    directory.night(Sis(users=students(3)))
    one = directory.value("select person_id from directory.people where sourced_id = 's001'")
    directory.night(Sis(users=[user("s000"), user("s002")]))
    assert statuses(directory)["s001"] == "archived"
    counts = directory.night(Sis(users=students(3)))
    assert directory.rows("select person_id, status, archived_at from directory.people where sourced_id = 's001'") == [
        (one, "active", None)
    ]
    assert counts["people"]["student"]["restored"] == 1


_OFF = {"roster": True, "auto_update": False, "archive": True}


@pytest.mark.parametrize("held_back", ["auto_update_off", "quiet"])
def test_a_returner_has_the_role_and_the_schools_of_today_whatever_is_held_back(directory: Directory, held_back: str) -> None:
    directory.settings = everything_on(auto_lists={"role": True})
    orgs = [school("S1"), school("S2")]
    stays, wide = user("stays"), user("a", "administrator", family_name="Old")
    directory.night(Sis(users=[stays, wide], orgs=orgs))
    directory.night(Sis(users=[stays], orgs=orgs))
    directory.settings |= (
        {"roles": dict.fromkeys(("student", "teacher", "staff", "admin"), _OFF)}
        if held_back == "auto_update_off"
        else {"quiet": [{"from": "2026-11-01", "to": "2026-11-30", "mode": "additions_only"}]}
    )
    back = user("a", "student", ["S2"], family_name="New")
    for _ in range(2):
        counts = directory.night(Sis(users=[stays, back], orgs=orgs))["people"]
        assert directory.rows("select status, role, school_ids, family_name from directory.people where sourced_id = 'a'") == [
            ("active", "student", ["S2"], "Old")
        ]
    restored = directory.rows("select role, before, after from directory.sync_changes where action = 'restore'")
    assert [(role, before["role"], before["school_ids"], after) for role, before, after in restored] == [
        ("student", "admin", ["S1"], {"status": "active", "role": "student", "school_ids": ["S2"]})
    ]
    # What is held back is told, and is only what was not done.
    held = directory.rows("select after from directory.sync_changes where action = 'update' and status = 'suppressed'")
    assert held == [({"family_name": "New", "grades": ["09"]},)] * 2 and counts["student"]["update_suppressed"] == 1
    on = "select l.school_id, l.source_id from directory.list_members as m join directory.user_lists as l using (list_id) join directory.people as p using (person_id) where p.sourced_id = 'a'"
    assert directory.rows(on) == [("S2", "student")]


def test_a_returner_of_whom_only_the_role_is_new_leaves_nothing_held_back(directory: Directory) -> None:
    directory.night(Sis(users=[user("stays"), user("a", "administrator")]))
    directory.night(Sis(users=[user("stays")]))
    directory.settings |= {"roles": dict.fromkeys(("student", "teacher", "staff", "admin"), _OFF)}
    counts = directory.night(Sis(users=[user("stays"), user("a", "teacher")]))["people"]["teacher"]
    assert {key: number for key, number in counts.items() if number} == {"restored": 1}
    assert directory.value("select role from directory.people where sourced_id = 'a'") == "teacher"


def test_one_human_with_a_record_per_school_is_one_person(directory: Directory) -> None:
    orgs = [school("S1"), school("S2")]
    twin = user("b", schools=["S2"], identifier="ID-A", email="A@Example.org", given_name="Givena", family_name="Familya")
    sis = Sis(users=[user("a", identifier="id-a"), twin], orgs=orgs)
    directory.night(sis)
    assert directory.rows("select sourced_id, sourced_ids, school_ids from directory.people") == [("a", ["a", "b"], ["S1", "S2"])]
    before = directory.state()
    # The two records drift apart: still one person, not a second one.
    twin["email"] = "other@example.org"
    directory.night(sis)
    assert directory.value("select count(*) from directory.people") == 1
    assert before[0][0][0] == directory.value("select person_id from directory.people")


def test_hand_made_people_are_matched_once_switched_on_by_identifier_then_email_then_username(directory: Directory) -> None:
    for key in ("identifier", "email", "username"):
        directory.do(
            f"select directory.add_person('oak', 'student', %s, %s, {key} => %s)",
            f"Givens-{key}", f"FAMILYS {key}", user(f"s-{key}")[key].upper(),
        )  # fmt: skip
    sis = Sis(users=[user(f"s-{key}") for key in ("identifier", "email", "username")])
    counts = directory.night(sis)["people"]["student"]
    assert (counts["skipped"], counts["created"]) == (3, 0)
    assert directory.value("select count(*) from directory.people where sourced_id is null and source = 'manual'") == 3
    directory.do("select directory.set_include_in_sync(person_id, true) from directory.people")
    assert directory.night(sis)["people"]["student"]["updated"] == 3
    assert directory.rows("select sourced_id, source from directory.people order by 1") == [
        (f"s-{key}", "manual") for key in ("email", "identifier", "username")
    ]


def test_a_match_that_is_not_unique_is_an_issue_and_never_a_guess(directory: Directory) -> None:
    for name in ("One", "Two"):
        directory.do("select directory.add_person('oak', 'student', %s, 'X', email => 's000@example.org')", name)
    directory.do("update directory.people set include_in_sync = true")
    before = directory.state()
    counts = directory.night(Sis(users=students(1)))
    assert directory.state() == before
    assert directory.rows("select severity, rule from directory.sync_issues") == [("error", "users.match_not_unique")]
    assert counts["people"]["student"]["skipped"] == 1


def test_new_sis_ids_are_a_proposal_not_leavers_and_newcomers(directory: Directory) -> None:
    directory.night(Sis(users=students(3)))
    renumbered = [user(f"new{n}") | {k: v for k, v in user(f"s{n:03d}").items() if k != "sourced_id"} for n in range(3)]
    before = directory.state()
    counts = directory.night(Sis(users=renumbered))["people"]["student"]
    assert directory.state() == before and (counts["created"], counts["archived"], counts["skipped"]) == (0, 0, 3)
    person = directory.value("select person_id from directory.people where sourced_id = 's001'")
    directory.do("select directory.relink(%s, 'new1')", person)
    directory.do(
        "select directory.refuse_relink(person_id, sourced_id) from directory.relink_proposals where sourced_id = 'new2'"
    )
    counts = directory.night(Sis(users=renumbered))["people"]["student"]
    assert directory.value("select sourced_id from directory.people where person_id = %s", person) == "new1"
    assert (counts["created"], counts["archived"], counts["unchanged"], counts["skipped"]) == (1, 1, 1, 1)


def test_a_sourced_id_given_to_another_human_swaps_nobody(directory: Directory) -> None:
    directory.night(Sis(users=students(2)))
    before = directory.state()
    stranger = user("s001", identifier="id-stranger", email="stranger@example.org", username="stranger",
                    given_name="Quite", family_name="Different")  # fmt: skip
    directory.night(Sis(users=[user("s000"), stranger]))
    assert directory.state() == before
    assert directory.rows("select severity, rule, sourced_id from directory.sync_issues") == [
        ("error", "users.sourced_id_reissued", "s001")
    ]


def test_a_blank_clears_an_optional_field_and_never_a_required_one(directory: Directory) -> None:
    directory.night(Sis(users=students(1)))
    counts = directory.night(Sis(users=[user("s000", email=None, family_name="  ")]))
    assert directory.rows("select email, family_name from directory.people") == [(None, "Familys000")]
    assert counts["issues"] == {"critical": 0, "error": 0, "warning": 1}
    assert directory.value("select count(*) from directory.people where sourced_id = 'x'") == 0
    directory.night(Sis(users=[user("s000"), user("x", given_name=None)]))
    assert directory.value("select rule from directory.sync_issues where sourced_id = 'x'") == "users.name_missing"


def test_a_pinned_field_keeps_its_value_until_its_end_and_shows_the_sis(directory: Directory) -> None:
    import datetime as dt

    sis = Sis(users=students(1))
    directory.night(sis)
    directory.do(
        "select directory.pin_field(person_id, 'preferred_given_name', 'Sunny', 'asked for it', '2026-11-30') from directory.people"
    )
    sis.users[0]["preferred_given_name"] = "Sam"
    directory.night(sis)
    assert directory.rows(
        "select p.preferred_given_name, f.sis_value from directory.people p join directory.field_pins f using (person_id)"
    ) == [("Sunny", "Sam")]
    directory.night(sis, night=dt.date(2026, 12, 1))
    assert directory.value("select preferred_given_name from directory.people") == "Sam"


def test_parent_contacts_come_and_go_with_their_switch(directory: Directory) -> None:
    parent = user("p", "parent", given_name="Pat", family_name="Parent", phone="555")
    sis = Sis(users=[user("s000", agent_ids=["p"]), parent])
    contact = "select parent_name, parent_email, parent_phone from directory.people"
    directory.night(sis)
    assert directory.rows(contact) == [(None, None, None)]
    directory.settings["include_primary_parent_contact"] = True
    directory.night(sis)
    assert directory.rows(contact) == [("Pat Parent", "p@example.org", "555")]
    directory.settings["include_primary_parent_contact"] = False
    directory.settings["roles"] = {}
    counts = directory.night(sis)
    assert directory.rows(contact) == [(None, None, None)]
    assert counts["people"]["student"]["updated"] == 1


def test_changing_role_is_not_leaving(directory: Directory) -> None:
    directory.night(Sis(users=[user("a", "aide")]))
    counts = directory.night(Sis(users=[user("a", "teacher")]))["people"]
    assert directory.rows("select role, status from directory.people") == [("teacher", "active")]
    assert counts["teacher"]["updated"] == 1 and counts["staff"]["archived"] == 0


def test_an_older_snapshot_never_overwrites_newer_data(directory: Directory) -> None:
    import datetime as dt

    from include.mingasync.errors import LoadRefused

    now = dt.datetime.now(dt.UTC)
    directory.night(Sis(users=students(3)), taken_at=now)
    before = directory.state()
    with pytest.raises(LoadRefused, match="newer snapshot"):
        directory.night(Sis(users=students(1)), taken_at=now - dt.timedelta(days=1))
    assert directory.state() == before


def test_additions_only_creates_and_restores_and_nothing_else(directory: Directory) -> None:
    directory.night(Sis(users=students(3)))
    directory.night(Sis(users=students(2)))
    directory.settings["quiet"] = [{"from": "2026-11-01", "to": "2026-11-30", "mode": "additions_only"}]
    changed = user("s000", family_name="Else")
    counts = directory.night(Sis(users=[changed, user("s002"), user("s003")]))["people"]["student"]
    assert {key: number for key, number in counts.items() if number} == {
        "created": 1, "restored": 1, "update_suppressed": 1, "archive_suppressed": 1,
    }  # fmt: skip


def test_a_preview_stores_the_plan_and_applies_nothing(directory: Directory) -> None:
    directory.night(Sis(users=students(3)))
    before = directory.state()
    counts = directory.night(Sis(users=[user("s000", family_name="Else"), user("s001"), user("s009")]), kind="preview")
    assert directory.state() == before
    own = counts["people"]["student"]
    assert (own["created"], own["updated"], own["archived"]) == (1, 1, 1)
    assert {row[0] for row in directory.rows("select status from directory.sync_changes where run_id = 'run-1'")} == {"planned"}


def test_another_district_is_never_touched(directory: Directory) -> None:
    directory.do("select directory.add_person('elm', 'student', 'A', 'B', 's000@example.org', 'user.s000', 'id-s000')")
    directory.do("update directory.people set include_in_sync = true, sourced_id = 's000', sourced_ids = '{s000}'")
    elm = directory.rows("select * from directory.people where district = 'elm'")
    directory.night(Sis(users=students(2)))
    directory.night(Sis(users=students(1, 1)))
    assert directory.rows("select * from directory.people where district = 'elm'") == elm
    assert directory.value("select count(*) from directory.people where district = 'oak'") == 2


def test_a_feed_that_stands_still_for_a_week_is_told(directory: Directory) -> None:
    def night(digest: str) -> list[tuple[str]]:
        desired = directory.desired(Sis(users=[user("a")]))
        sizes = {"users": {"rows": 1, "sha256": digest}, "orgs": {"rows": 1, "sha256": "same"}}
        run, run_no = directory.open()
        load(directory.connection, run, run_no, Settings.model_validate(directory.settings), replace(desired, collections=sizes))
        return directory.rows("select rule from directory.sync_issues where run_no = %s", run_no)

    assert [night("same") for _ in range(6)] == [[]] * 6
    assert night("same") == [("users.identical",)]
    assert night("fresh") == []
    assert night("same") == []
