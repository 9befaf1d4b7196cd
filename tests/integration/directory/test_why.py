"""Why, asked as people ask it: somebody who is there, somebody who is not, a list that is missing, empty or not found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from include.mingasync.directory.why import why_list, why_person
from include.mingasync.snapshot import Snapshot
from tests.integration.directory.keeping import keep
from tests.integration.directory.test_lists import classroom, person
from tests.integration.directory.world import DISTRICT, Directory, Sis, enrollment, everything_on, klass, user

Keep = Callable[..., Snapshot]


@pytest.fixture
def kept(tmp_path: Path, directory: Directory) -> Keep:
    """A maker of snapshots of what the SIS sent, with the records set aside."""

    return lambda sis, set_aside=(): keep(tmp_path, "last", directory, sis, set_aside)


def told(directory: Directory, what: str, asked: str, snapshot: Snapshot | None = None) -> str:
    """Every line of every story, in one text."""
    ask = why_person if what == "person" else why_list
    return "\n".join(
        line for story in ask(directory.connection, DISTRICT, asked, snapshot) for line in (story.subject, *story.lines)
    )


def test_the_story_of_somebody_run_by_run(directory: Directory) -> None:
    directory.night(Sis(users=[user("a"), user("b")]))
    directory.night(Sis(users=[user("a", family_name="Newname"), user("b")]))
    directory.do("select directory.pin_field(%s, 'preferred_given_name', 'Ace', 'asked for it')", person(directory, "a"))
    directory.night(Sis(users=[user("b")]))
    for asked in ("a", "A@example.org", "newname", str(person(directory, "a"))):
        story = told(directory, "person", asked)
        assert "Now: archived, student, at S1" in story
        assert "family_name: 'Familya' → 'Newname'" in story
        assert "preferred_given_name is pinned to 'Ace'" in story and "asked for it" in story
        assert story.index("create applied") < story.index("update applied") < story.index("archive applied")
        assert "no longer sends them" in story


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (user("x", "parent"), "only a student's contact"),
        (user("x", "wizard"), "is none that is rostered"),
        (user("x", status="tobedeleted"), "tobedeleted in the SIS"),
        (user("x", enabled=False), "not enabled in the SIS"),
        (user("x", role_end_dates=["2026-11-23"]), "every role that the SIS gives them has ended"),
        (user("x", role_begin_dates=["2026-11-25"]), "their role begins later"),
        (user("x", "aide"), "turn its roster switch on"),
        (user("x", given_name=None), "the SIS sends no name"),
    ],
)
def test_somebody_who_is_not_there(directory: Directory, kept: Keep, row: dict[str, object], reason: str) -> None:
    directory.settings["roles"] = {"student": {"roster": True}}
    sis = Sis(users=[user("a"), row])
    directory.night(sis)
    assert reason in told(directory, "person", "x", kept(sis))


def test_somebody_set_aside_and_somebody_the_sis_never_sent(directory: Directory, kept: Keep) -> None:
    sis = Sis(users=[user("a"), user("x")])
    directory.night(sis, set_aside=["x"])
    snapshot = kept(sis, ("x",))
    assert "set aside (users.role_unknown)" in told(directory, "person", "x", snapshot)
    assert "the SIS did not send anybody like this" in told(directory, "person", "nobody at all", snapshot)


def test_class_lists_are_not_appearing_because_no_term_is_selected(directory: Directory, kept: Keep) -> None:
    directory.settings = everything_on(class_lists={"enabled": True, "terms": []})
    sis = classroom()
    directory.night(sis)
    assert "none of the class's terms is selected" in told(directory, "list", "C", kept(sis))
    directory.settings = everything_on()
    assert "class lists are off (setting class_lists.enabled)" in told(directory, "list", "C", kept(sis))


def test_the_new_semester_is_not_selected(directory: Directory, kept: Keep) -> None:
    directory.settings = everything_on(class_lists={"enabled": True, "terms": ["T1"]})
    sis = classroom()
    directory.night(sis)
    story = told(directory, "list", "D", kept(sis))
    assert "none of the class's terms is selected" in story and "The class lies in the terms T2." in story


def test_selected_grades_keep_lists_away(directory: Directory, kept: Keep) -> None:
    directory.settings = everything_on(class_lists={"enabled": True, "terms": ["T1"], "grades": ["12"]})
    sis = classroom()
    directory.night(sis)
    assert "empty means all" in told(directory, "list", "Class C", kept(sis))


def test_a_teacher_cannot_find_a_list(directory: Directory, kept: Keep) -> None:
    directory.settings = everything_on()
    sis = classroom()
    directory.night(sis)
    directory.do("select directory.set_include_in_sync(%s, false)", person(directory, "t"))
    directory.settings |= {"class_lists": {"enabled": True, "terms": ["T1"]}}
    directory.night(sis)
    story = told(directory, "list", "C", kept(sis))
    assert "Its teacher t is not its manager" in story and "Include user in SIS sync" in story
    assert "Private: only its managers and admins see it. Set it public" in story


def test_an_empty_list_and_one_of_a_vanished_class(directory: Directory, kept: Keep) -> None:
    directory.settings = everything_on(class_lists={"enabled": True, "terms": ["T1"]})
    sis = classroom()
    sis.classes.append(klass("E"))
    sis.enrollments.append(enrollment("E", "t", "teacher"))
    directory.night(sis)
    assert "sends no student enrollments for it" in told(directory, "list", "E", kept(sis))
    sis.classes = sis.classes[:2]
    directory.night(sis)
    assert "the SIS no longer sends it" in told(directory, "list", "E", kept(sis))
    assert "sends no class like this" in told(directory, "list", "Quidditch", kept(sis))
