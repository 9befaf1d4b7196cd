"""Somebody new whose enrollment could not be read joins the class list on the first night that reads it, with auto update off."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.integration.directory.world import NIGHT, Directory, Sis, enrollment, everything_on, klass, user

_OFF = {"roster": True, "auto_update": False, "archive": True}


def settings() -> dict[str, Any]:
    roles = everything_on()["roles"]
    return everything_on(roles=dict.fromkeys(roles, _OFF), class_lists={"enabled": True, "terms": ["T1"]})


def taught(*enrolled: str) -> Sis:
    """A class with a teacher and the students named, of three that there are."""
    return Sis(
        users=[user("a"), user("b"), user("new"), user("t", "teacher")],
        classes=[klass("C")],
        enrollments=[enrollment("C", "t", "teacher"), *(enrollment("C", one) for one in enrolled)],
    )


def without(sis: Sis, sourced_id: str) -> Sis:
    sis.users = [one for one in sis.users if one["sourced_id"] != sourced_id]
    return sis


def on_the_list(directory: Directory) -> list[str]:
    rows = directory.rows(
        "select p.sourced_id from directory.list_members m join directory.people p using (person_id)"
        " where m.member_role = 'member' order by 1"
    )
    return [row[0] for row in rows]


def told(directory: Directory, run_id: str) -> list[tuple[Any, ...]]:
    return directory.rows(
        "select action, status, reason from directory.sync_changes where entity = 'membership' and run_id = %s", run_id
    )


def next_night(directory: Directory, after: int, sis: Sis, **more: Any) -> dict[str, Any]:
    return directory.night(sis, night=NIGHT + dt.timedelta(days=after), **more)


@pytest.mark.parametrize("bad_nights", [1, 3])
@pytest.mark.parametrize("attempts", [1, 2])
def test_who_is_new_joins_once_their_enrollment_is_read(directory: Directory, bad_nights: int, attempts: int) -> None:
    directory.settings = settings()
    next_night(directory, 0, without(taught("a", "b"), "new"))
    for night in range(1, bad_nights + 1):
        for _ in range(attempts):
            counts = next_night(directory, night, taught("a", "b"), kept=[("C", "new")], run_id=f"bad-{night}")
        assert told(directory, f"bad-{night}") == [("add", "suppressed", "set_aside")]
        assert counts["people"]["student"]["unchanged"] == (2 if night == 1 else 3)
        assert counts["people"]["student"]["update_suppressed"] == counts["memberships"]["suppressed"] == 0
    assert on_the_list(directory) == ["a", "b"]
    counts = next_night(directory, 9, taught("a", "b", "new"))
    assert on_the_list(directory) == ["a", "b", "new"] and counts["memberships"]["added"] == 1


def test_who_was_there_joins_a_list_that_was_new_once_their_enrollment_is_read(directory: Directory) -> None:
    directory.settings = settings()
    nothing = taught()
    nothing.classes, nothing.enrollments = [], []
    next_night(directory, 0, nothing)
    next_night(directory, 1, taught("b"), kept=[("C", "a")])
    next_night(directory, 2, taught("b"), kept=[("C", "a")])
    assert on_the_list(directory) == ["b"]
    next_night(directory, 3, taught("a", "b"))
    assert on_the_list(directory) == ["a", "b"]


def test_who_was_not_enrolled_on_a_night_that_was_read_is_new_no_more(directory: Directory) -> None:
    directory.settings = settings()
    next_night(directory, 0, without(taught("a", "b"), "new"))
    next_night(directory, 1, taught("a", "b"), kept=[("C", "new")])
    next_night(directory, 2, taught("a", "b"))
    counts = next_night(directory, 3, taught("a", "b", "new"))
    assert on_the_list(directory) == ["a", "b"] and counts["memberships"]["suppressed"] == 1


def test_a_preview_tells_the_same(directory: Directory) -> None:
    directory.settings = settings()
    next_night(directory, 0, without(taught("a", "b"), "new"))
    next_night(directory, 1, taught("a", "b"), kept=[("C", "new")], kind="preview", run_id="preview")
    next_night(directory, 1, taught("a", "b"), kept=[("C", "new")], run_id="real")
    assert told(directory, "preview") == told(directory, "real") == [("add", "suppressed", "set_aside")]


_EVERY = {"class_lists": {"enabled": True, "terms": ["T1"]}, "auto_lists": {"subject": True, "teacher": True}}
_ROLLS = (
    "select l.kind, l.source_id, m.member_role, array_agg(p.sourced_id order by p.sourced_id) from directory.list_members m"
    " join directory.user_lists l using (list_id) join directory.people p using (person_id) group by 1, 2, 3 order by 1, 2, 3 desc"
)


def two_classes(*more: tuple[str, str, str], users: tuple[str, ...] = ()) -> Sis:
    """Two classes of one subject with a student each, the first with the teacher t; ``more`` enrolls others, ``users`` are there too."""
    return Sis(
        users=[user("a"), user("b"), user("t", "teacher"), *(user(one, "teacher" if one == "u" else "student") for one in users)],
        classes=[klass("C", subjects=["Math"]), klass("D", subjects=["Math"])],
        enrollments=[
            enrollment("C", "a"),
            enrollment("D", "b"),
            enrollment("C", "t", "teacher"),
            *(enrollment(*one) for one in more),
        ],
    )


@pytest.mark.parametrize("bad_nights", [1, 2])
@pytest.mark.parametrize("attempts", [1, 2])
def test_a_new_student_joins_the_subjects_and_the_teachers_list_as_well(
    directory: Directory, bad_nights: int, attempts: int
) -> None:
    directory.settings = settings() | _EVERY
    next_night(directory, 0, two_classes())
    for night in range(1, bad_nights + 1):
        for _ in range(attempts):
            next_night(directory, night, two_classes(users=("new",)), kept=[("C", "new")], run_id=f"bad-{night}")
        assert told(directory, f"bad-{night}") == [("add", "suppressed", "set_aside")] * 3
    assert [row for row in directory.rows(_ROLLS) if "new" in row[3]] == []
    next_night(directory, 9, two_classes(("C", "new", "student"), users=("new",)))
    assert directory.rows(_ROLLS) == [
        ("class", "C", "member", ["a", "new"]),
        ("class", "C", "manager", ["t"]),
        ("class", "D", "member", ["b"]),
        ("subject", "Math", "member", ["a", "b", "new"]),
        ("teacher", "t", "member", ["a", "new"]),
        ("teacher", "t", "manager", ["t"]),
    ]


@pytest.mark.parametrize("other_class", [True, False])
def test_a_new_teacher_manages_the_class_and_has_its_students_on_their_list(directory: Directory, other_class: bool) -> None:
    """Whether they have a list of their own already, by a class that could be read, or not."""
    directory.settings = settings() | _EVERY
    more = [("D", "u", "teacher")] if other_class else []
    next_night(directory, 0, two_classes())
    next_night(directory, 1, two_classes(*more, users=("u",)), kept=[("C", "u"), ("C", "a"), ("C", "t")])
    next_night(directory, 2, two_classes(*more, ("C", "u", "teacher"), users=("u",)))
    rolls = {row[:3]: row[3] for row in directory.rows(_ROLLS)}
    assert rolls["class", "C", "manager"] == ["t", "u"]
    assert rolls["teacher", "u", "member"] == (["a", "b"] if other_class else ["a"])
    assert rolls["teacher", "u", "manager"] == ["u"] and rolls["teacher", "t", "member"] == ["a"]
