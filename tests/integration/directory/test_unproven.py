"""What rests, and what an answer of a person changes, while a collection is refused, incomplete, empty, or shrunken."""

from __future__ import annotations

import copy

import pytest

from tests.integration.directory.tasks import Tasks, every_list, oak
from tests.integration.directory.world import Sis, enrollment, everything_on, klass, user

REFUSED = {"state": "absent", "reason": "not shared (status 403)"}
MOVED = {"state": "incomplete", "reason": "3 rows came twice, so the pages shifted while they were read"}
CLASS_KINDS = ("class", "subject", "teacher")
LISTS = "select list_id, kind, school_id, source_id, name, status, term_ids, grades from directory.user_lists order by 1"
ROLLS = (
    "select m.* from directory.list_members m join directory.user_lists l using (list_id) where kind = any (%s) order by 2, 3, 4"
)


def everything_else(sis: Sis) -> Sis:
    """The same SIS a night later, with every name, grade and teacher changed, somebody gone, somebody new, and a new class."""
    later = copy.deepcopy(sis)
    for one in later.classes:
        one.update(title=f"New {one['sourced_id']}", grades=["12"], subjects=["New"])
    for one in later.orgs:
        one["name"] = f"{one['name']} Renamed"
    later.enrollments = [one for one in later.enrollments if one["user_id"] not in ("s1", "t1", "t3")]
    later.users = [one for one in later.users if one["sourced_id"] != "s9"]
    later.users.append(user("new"))
    later.classes.append(klass("N", subjects=["Novelty"]))
    later.enrollments += [enrollment("N", "new"), enrollment("A", "new"), enrollment("N", "t2", "teacher")]
    return later


def without(sis: Sis, *people: str) -> Sis:
    """The same SIS without some people and their enrollments."""
    left = copy.deepcopy(sis)
    left.users = [one for one in left.users if one["sourced_id"] not in people]
    left.enrollments = [one for one in left.enrollments if one["user_id"] not in people]
    return left


def archived(tasks: Tasks) -> int:
    return int(tasks.directory.value("select count(*) from directory.people where status = 'archived'"))


def test_refused_enrollments_change_no_list_whatever_a_person_answers(tasks: Tasks) -> None:
    tasks.directory.settings = every_list()
    tasks.night(oak())
    before = tasks.directory.state()
    for conf in ({}, {"accept_smaller": True}):
        told = tasks.night(oak(), proofs={"enrollments": REFUSED}, conf=conf)
        assert tasks.directory.state() == before
        assert told.state == "completed_with_errors"
        assert "enrollments" in told.reason and "403" in told.reason
        assert told.counts["memberships"]["removed"] == 0


def test_a_first_night_with_enrollments_refused_makes_no_empty_lists_and_says_so(tasks: Tasks) -> None:
    tasks.directory.settings = every_list()
    told = tasks.night(oak(), proofs={"enrollments": REFUSED})
    kinds = {row[0] for row in tasks.directory.rows("select kind from directory.user_lists")}
    assert kinds == {"role", "grade"}
    assert told.rules() == ["enrollments.not_shared"]
    (issue,) = [one for one in told.issues if one[0] == "error"]
    assert issue[1] == "enrollments" and "status 403" in issue[4] and "Skyward" in issue[5]
    assert told.state == "completed_with_errors" and "enrollments" in told.reason and "403" in told.reason


@pytest.mark.parametrize("how", ["absent", "incomplete"])
@pytest.mark.parametrize("collection", ["orgs", "academicSessions", "courses", "classes", "users", "enrollments"])
def test_whatever_is_made_from_an_unproven_collection_rests(collection: str, how: str, tasks: Tasks) -> None:
    if how == "absent" and collection in ("orgs", "users"):
        pytest.skip("such a night stops before it starts")
    tasks.directory.settings = every_list()
    tasks.night(oak())
    lists, class_rolls = tasks.directory.rows(LISTS), tasks.directory.rows(ROLLS, list(CLASS_KINDS))
    other_rolls = tasks.directory.rows(ROLLS, ["role", "grade"])
    later = everything_else(oak())
    if collection == "courses":  # which are missed only by a class that needs one
        later.classes[0]["title"] = None
    told = tasks.night(later, proofs={collection: REFUSED if how == "absent" else MOVED})
    rests = ("class", "subject") if collection == "courses" else CLASS_KINDS
    rests = (*rests, "role", "grade") if collection in ("users", "orgs") else rests
    resting = [row for row in lists if row[1] in rests]
    assert [row for row in tasks.directory.rows(LISTS) if row[1] in rests] == resting
    assert archived(tasks) == 0
    assert told.state == "completed_with_errors" and collection in told.reason
    if "role" in rests:
        assert tasks.directory.rows(ROLLS, ["role", "grade"]) == other_rolls
    else:  # people follow the SIS all the same
        assert set(tasks.directory.rows(ROLLS, ["role", "grade"])) > set(other_rolls)
    if "teacher" in rests:
        assert tasks.directory.rows(ROLLS, list(CLASS_KINDS)) == class_rolls


def test_refused_classes_are_told_once_with_the_number_of_enrollments_that_wait(tasks: Tasks) -> None:
    tasks.directory.settings = every_list()
    tasks.night(oak())
    told = tasks.night(oak(), proofs={"classes": REFUSED})
    assert told.rules() == ["classes.not_shared"]
    (issue,) = [one for one in told.issues if one[0] == "error"]
    assert "status 403" in issue[4] and "18 enrollments" in issue[4]


def test_each_unproven_collection_is_an_issue_of_its_own(tasks: Tasks) -> None:
    tasks.directory.settings = every_list()
    tasks.night(oak())
    told = tasks.night(oak(), proofs={"classes": MOVED, "enrollments": {"state": "complete", "nameless": 2}})
    unproven = {issue[1]: issue for issue in told.issues if issue[3] == "snapshot.unproven"}
    assert set(unproven) == {"classes", "enrollments"}
    assert "3 rows came twice" in unproven["classes"][4] and "2 rows" in unproven["enrollments"][4]
    # What does not help is not advised.
    assert not any("accept_smaller" in issue[5] for issue in unproven.values())


def test_rows_without_a_name_archive_nobody_and_take_nobody_off_a_list_and_let_the_rest_go_on(tasks: Tasks) -> None:
    tasks.directory.settings = every_list()
    tasks.night(oak())
    rolls = tasks.directory.rows(ROLLS, [*CLASS_KINDS, "role", "grade"])
    told = tasks.night(everything_else(oak()), proofs={"users": {"nameless": 1}})
    assert set(tasks.directory.rows(ROLLS, [*CLASS_KINDS, "role", "grade"])) > set(rolls)
    assert archived(tasks) == 0
    assert tasks.directory.value("select count(*) from directory.user_lists where status = 'inactive'") == 0
    assert tasks.directory.value("select name from directory.user_lists where source_id = 'A'") == "New A"
    assert "snapshot.unproven" in told.rules("warning")


def test_the_printed_cure_of_a_collection_that_shrank_lets_people_leave(tasks: Tasks) -> None:
    tasks.directory.settings = every_list()
    tasks.night(oak())
    small = oak()
    small.users = [one for one in small.users if one["sourced_id"] in ("s1", "s2", "t1", "boss")]
    small.enrollments = [one for one in small.enrollments if one["user_id"] in ("s1", "s2", "t1")]
    told = tasks.night(small)
    assert archived(tasks) == 0
    advised = {issue[1] for issue in told.issues if issue[3] == "snapshot.unproven" and '{"accept_smaller": true}' in issue[5]}
    assert advised == {"users", "enrollments"}
    told = tasks.night(small, conf={"accept_smaller": True})
    assert archived(tasks) == 12 and told.state == "success"
    # From here on the smaller size is what the next night is held to.
    assert tasks.night(small).state == "success"


def test_the_printed_cure_of_a_school_that_is_gone_lets_its_people_leave(tasks: Tasks) -> None:
    tasks.directory.settings = every_list()
    tasks.night(oak())
    closed = oak()
    closed.orgs = [one for one in closed.orgs if one["sourced_id"] != "S2"]
    closed.users = [one for one in closed.users if one["org_ids"] != ["S2"]]
    closed.classes = [one for one in closed.classes if one["school_id"] != "S2"]
    closed.enrollments = [one for one in closed.enrollments if one["class_id"] not in ("C", "P")]
    before = tasks.directory.state()[1:]
    told = tasks.night(closed)
    assert tasks.directory.state()[1:] == before and archived(tasks) == 0
    (issue,) = [one for one in told.issues if one[3] == "snapshot.unproven"]
    assert issue[1] == "orgs" and "1 school" in issue[4] and "S2" in issue[4] and '{"accept_smaller": true}' in issue[5]
    told = tasks.night(closed, conf={"accept_smaller": True})
    assert archived(tasks) == 5 and told.state == "success"
    assert tasks.directory.rows("select school_id from directory.schools order by 1") == [("S1",)]


def test_the_printed_cure_of_a_refused_collection_is_to_share_it_or_to_turn_off_what_needs_it(tasks: Tasks) -> None:
    tasks.directory.settings = every_list()
    tasks.night(oak())
    left = without(oak(), "s9")
    told = tasks.night(left, proofs={"enrollments": REFUSED})
    (issue,) = [one for one in told.issues if one[0] == "error"]
    switches = ("class_lists.enabled", "auto_lists.subject", "auto_lists.teacher")
    assert all(switch in issue[5] for switch in switches) and archived(tasks) == 0
    tasks.directory.settings["class_lists"]["enabled"] = False
    tasks.directory.settings["auto_lists"] |= {"subject": False, "teacher": False}
    told = tasks.night(left, proofs={"enrollments": REFUSED})
    assert archived(tasks) == 1 and told.state == "success"
    # And shared again, everything goes on.
    tasks.directory.settings = every_list()
    assert tasks.night(left).state == "success"


def test_a_collection_that_moved_is_cured_by_the_next_whole_night(tasks: Tasks) -> None:
    tasks.directory.settings = every_list()
    tasks.night(oak())
    left = without(oak(), "s9")
    for conf in ({}, {"accept_smaller": True}):
        told = tasks.night(left, proofs={"users": MOVED}, conf=conf)
        assert archived(tasks) == 0
    (issue,) = [one for one in told.issues if one[3] == "snapshot.unproven"]
    assert "Run it once more" in issue[5] and "accept_smaller" not in issue[5]
    assert tasks.night(left).state == "success" and archived(tasks) == 1


@pytest.mark.parametrize("collection", ["academicSessions", "classes", "enrollments"])
def test_a_needed_collection_that_comes_empty_makes_no_lists_until_somebody_says_that_it_is_right(
    collection: str, tasks: Tasks
) -> None:
    tasks.directory.settings = every_list()
    empty = oak()
    setattr(empty, {"academicSessions": "terms"}.get(collection, collection), [])
    if collection == "classes":
        empty.enrollments = []
    told = tasks.night(empty)
    assert {row[0] for row in tasks.directory.rows("select kind from directory.user_lists")} == {"role", "grade"}
    assert f"{collection}.not_shared" in told.rules() and told.state == "completed_with_errors"
    (issue,) = [one for one in told.issues if one[3] == f"{collection}.not_shared"]
    assert "empty" in issue[4] and '{"accept_smaller": true}' in issue[5]
    if collection != "academicSessions":  # without terms the selected one is lost all the same
        assert tasks.night(empty, conf={"accept_smaller": True}).state == "success"
        assert tasks.night(empty).state == "success"


def test_what_is_not_needed_is_not_missed(tasks: Tasks) -> None:
    tasks.directory.settings = everything_on(auto_lists={"role": True, "grade": True})
    refused = {name: REFUSED for name in ("academicSessions", "courses", "classes", "enrollments")}
    assert tasks.night(oak(), proofs=refused).state == "success"
    left = without(oak(), "s9")
    told = tasks.night(left, proofs=refused)
    assert (told.state, archived(tasks), told.rules()) == ("success", 1, [])


def test_grades_that_a_course_lent_rest_while_it_does_not_come(tasks: Tasks) -> None:
    """Where every class has its own title nothing else needs a course, and the night is proven without them."""
    sis = oak()
    for one in sis.classes:
        one |= {"title": f"Title {one['sourced_id']}", "subjects": ["Math"]}
    tasks.directory.settings = every_list("T1", "T2")
    assert tasks.night(sis).state == "success"
    lists = "select name, grades from directory.user_lists where kind = 'class' and source_id = 'A'"
    assert tasks.directory.rows(lists) == [("Title A", ["09"])]
    before = tasks.directory.state()
    assert tasks.night(sis, proofs={"courses": {"state": "absent", "reason": "not shared (status 403)"}}).state == "success"
    assert tasks.directory.state() == before
    sis.courses[0]["grades"] = ["10"]
    tasks.night(sis)
    assert tasks.directory.rows(lists) == [("Title A", ["10"])]


def test_courses_that_never_came_are_missed_only_where_a_class_needs_one(tasks: Tasks) -> None:
    tasks.directory.settings = everything_on(class_lists={"enabled": True, "terms": ["T1"]})
    own = oak()
    for one in own.classes:
        one.update(title=one["title"] or "Algebra")
    left = without(own, "s9")
    assert tasks.night(own, proofs={"courses": REFUSED}).state == "success"
    assert tasks.night(left, proofs={"courses": REFUSED}).state == "success"
    assert archived(tasks) == 1
    told = tasks.night(oak(), proofs={"courses": REFUSED})
    (issue,) = [one for one in told.issues if one[0] == "error"]
    assert issue[3] == "courses.not_shared" and "1 class" in issue[4]
    assert tasks.directory.value("select name from directory.user_lists where source_id = 'A'") == "Algebra"


@pytest.mark.parametrize("collection", ["academicSessions", "classes", "enrollments", "users"])
def test_the_districts_own_choice_of_terms_needs_no_proof(collection: str, tasks: Tasks) -> None:
    tasks.directory.settings = every_list()
    tasks.night(oak())
    tasks.directory.settings["class_lists"]["terms"] = ["T2"]
    tasks.night(oak(), proofs={collection: MOVED if collection == "users" else REFUSED})
    status = tasks.directory.rows("select source_id, status from directory.user_lists where kind = 'class' order by 1")
    assert status == [(one, "inactive") for one in "ABCE"]


def test_a_class_that_the_sis_moves_on_an_unproven_night_is_no_choice_of_the_district(tasks: Tasks) -> None:
    tasks.directory.settings = every_list()
    tasks.night(oak())
    moved = oak()
    moved.classes[1]["term_ids"] = ["T2"]
    tasks.night(moved, proofs={"courses": MOVED})
    assert tasks.directory.value("select status from directory.user_lists where source_id = 'B'") == "active"


def test_each_collection_is_held_to_its_own_last_complete_size(tasks: Tasks) -> None:
    tasks.directory.settings = every_list()
    tasks.night(oak())
    many = oak()
    many.users += [user(f"n{one}") for one in range(40)]
    tasks.night(many, proofs={"classes": MOVED})
    told = tasks.night(oak())
    (issue,) = [one for one in told.issues if one[3] == "snapshot.unproven"]
    assert issue[1] == "users" and "17 users" in issue[4] and "57" in issue[4] and archived(tasks) == 0


def test_the_rule_about_half_tells_the_same_as_the_night_does(tasks: Tasks) -> None:
    tasks.directory.settings = every_list()
    tasks.night(oak())
    told = tasks.night(oak(), proofs={"enrollments": REFUSED})
    assert "enrollments.halved" not in told.rules("warning")
    few = oak()
    few.enrollments = few.enrollments[:5]
    told = tasks.night(few)
    texts = [issue[4] + issue[5] for issue in told.issues]
    assert "enrollments.halved" in told.rules("warning") and not any("beyond the safety limits" in text for text in texts)
    # The run that was told so is not advised to be told so.
    assert "enrollments.halved" not in tasks.night(few, conf={"accept_smaller": True}).rules("warning")


def test_a_school_that_the_district_takes_off_its_own_file_is_not_gone(tasks: Tasks) -> None:
    tasks.directory.settings = everything_on()
    tasks.night(oak())
    tasks.district = tasks.district.model_copy(update={"schools": ("S1",)})
    told = tasks.night(oak())
    assert "snapshot.unproven" not in told.rules("warning")
    assert tasks.directory.rows("select school_id from directory.schools") == [("S1",)]


def test_contacts_stay_while_not_one_parent_comes_and_go_with_the_parent(tasks: Tasks) -> None:
    tasks.directory.settings = everything_on(include_primary_parent_contact=True)
    sis = oak()
    for student, parent in (("s1", "p1"), ("s2", "p2")):
        next(one for one in sis.users if one["sourced_id"] == student)["agent_ids"] = [parent]
        sis.users.append(user(parent, "guardian", phone="555-0101"))
    tasks.night(sis)
    contacts = "select sourced_id, parent_email from directory.people where parent_email is not null order by 1"
    both = [("s1", "p1@example.org"), ("s2", "p2@example.org")]
    assert tasks.directory.rows(contacts) == both
    for _ in range(2):
        told = tasks.night(without(sis, "p1", "p2"))
        assert tasks.directory.rows(contacts) == both
        assert told.rules() == ["users.parents_not_shared"] and told.state == "completed_with_errors"
    # The printed cure, either way.
    assert tasks.night(without(sis, "p1")).state == "success"
    assert tasks.directory.rows(contacts) == both[1:]
    tasks.directory.settings["include_primary_parent_contact"] = False
    assert tasks.night(without(sis, "p1", "p2")).state == "success"
    assert tasks.directory.rows(contacts) == []
