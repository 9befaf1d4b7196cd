"""How many people and class lists lack something after a night, beside a simple count over what downstream reads."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.integration.directory.world import Directory, Sis, enrollment, everything_on, klass, school, user

LISTS = {"class_lists": {"enabled": True, "terms": ["T1"]}}


def district(luck: random.Random) -> Sis:
    """Forty pupils and six teachers of two schools, of whom some have no e-mail, school or class, and classes without anybody."""
    users = [
        user(f"u{n}", "teacher" if n >= 40 else "student", luck.choice((["S1"], ["S1"], ["S2"], ["S1", "S2"])))
        | ({"email": None} if luck.random() < 0.3 else {})
        for n in range(46)
    ]
    classes = [klass(f"c{n}", luck.choice(("S1", "S2"))) for n in range(12)]
    rolls = {
        (one["sourced_id"], f"u{luck.randrange(40)}"): "student" for one in classes[:9] for _ in range(luck.randrange(4))
    } | {(one["sourced_id"], f"u{luck.randrange(40, 46)}"): "teacher" for one in luck.sample(classes, 7)}
    return Sis(
        users, [school("S1"), school("S2")], classes=classes, enrollments=[enrollment(*key, role) for key, role in rolls.items()]
    )


def counted(directory: Directory) -> dict[str, Any]:
    """The numbers, by loops over people, lists and members."""
    people = directory.rows("select person_id, role, email, school_ids from directory.people where status = 'active'")
    lists = directory.rows("select list_id, school_id from directory.user_lists where kind = 'class' and status = 'active'")
    members = set(directory.rows("select list_id, person_id, member_role from directory.list_members"))
    listed = {school_id for _, school_id in lists}
    has = {role: {group for group, _, as_what in members if as_what == role} for role in ("member", "manager")}
    in_class = {person for group, person, as_what in members if as_what == "member" and group in {one for one, _ in lists}}
    return {
        "students_without_class": len(
            [1 for one, role, _, at in people if role == "student" and one not in in_class and listed & set(at)]
        ),
        "classes_without_teacher": len([1 for one, _ in lists if one not in has["manager"]]),
        "classes_without_student": len([1 for one, _ in lists if one not in has["member"]]),
        "people_without_email": len([1 for one in people if not one[2]]),
        "people_without_school": len([1 for one in people if not one[3]]),
    }


@pytest.mark.parametrize("seed", range(3))
def test_what_lacks_is_counted_after_load_and_after_archive(directory: Directory, seed: int) -> None:
    luck = random.Random(seed)
    sis = district(luck)
    directory.settings = everything_on(**LISTS)
    first = directory.night(sis)["lacking"]
    assert first == counted(directory)
    assert first["students_without_class"] and first["classes_without_teacher"] and first["classes_without_student"]
    # Leavers without a class and without an e-mail count no more once they are archived.
    gone = luck.sample([one["sourced_id"] for one in sis.users if one["email"] is None], 3)
    sis.users = [one for one in sis.users if one["sourced_id"] not in gone]
    directory.night(sis)
    assert counted(directory)["people_without_email"] == first["people_without_email"] - 3
    assert directory.value("select counts -> 'lacking' from directory.sync_runs order by run_no desc limit 1") == counted(
        directory
    )


def test_somebody_made_by_hand_without_a_school_counts(directory: Directory) -> None:
    directory.do("select directory.add_person('oak', 'staff', 'Ann', 'Ames', null, null, null)")
    directory.do("select directory.add_person('elm', 'staff', 'Bo', 'Ames', null, null, null)")
    counts = directory.night(Sis([user("u1")]))
    assert (counts["lacking"]["people_without_school"], counts["lacking"]["people_without_email"]) == (1, 1)


def test_without_class_lists_nobody_lacks_a_class(directory: Directory) -> None:
    lacking = directory.night(Sis([user("u1")], classes=[klass("c1")]))["lacking"]
    assert [lacking[one] for one in ("students_without_class", "classes_without_teacher", "classes_without_student")] == [
        None
    ] * 3


def test_a_preview_counts_what_the_run_would_leave(directory: Directory) -> None:
    directory.settings = everything_on(**LISTS)
    sis = Sis([user("u1"), user("u2") | {"email": None}], classes=[klass("c1")], enrollments=[enrollment("c1", "u1")])
    planned = directory.night(sis, kind="preview", archive_too=False)["lacking"]
    assert directory.value("select count(*) from directory.people") == 0
    assert planned == directory.night(sis)["lacking"] == counted(directory)
