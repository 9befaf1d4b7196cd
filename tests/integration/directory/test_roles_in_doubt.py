"""While the users are in doubt nobody's role changes: a role is what somebody may see."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.integration.directory.tasks import Tasks
from tests.integration.directory.world import NIGHT, Directory, Sis, enrollment, everything_on, klass, user

DAY = dt.timedelta(days=1)
STUDENTS = [f"s{number}" for number in range(24)]


def settings() -> dict[str, Any]:
    return everything_on(
        class_lists={"enabled": True, "terms": ["T1"]},
        auto_lists=dict.fromkeys(("role", "grade", "subject", "teacher"), True),
        new_lists_public=True,
    )


def school_of(role: str, **more: Any) -> Sis:
    """A teacher, and 24 people of a role with a class."""
    return Sis(
        users=[user("t", "teacher"), *(user(one, role, **more) for one in STUDENTS)],
        classes=[klass("C")],
        enrollments=[enrollment("C", "t", "teacher"), *(enrollment("C", one) for one in STUDENTS)],
    )


def roles(directory: Directory) -> dict[str, int]:
    return dict(directory.rows("select role, count(*)::integer from directory.people where status = 'active' group by 1"))


def seen(directory: Directory) -> int:
    """How many lists those who were students see, all together."""
    return int(
        directory.value(
            "select count(*) from directory.people as p cross join directory.lists_visible_to(p.person_id) where p.sourced_id <> 't'"
        )
    )


@pytest.mark.parametrize("role", ["teacher", "administrator"])
def test_students_who_all_come_as_employees_stay_students(tasks: Tasks, role: str) -> None:
    """The pull itself says that so few students cannot be right."""
    tasks.directory.settings = settings()
    tasks.night(school_of("student"))
    told = tasks.night(school_of(role, grades=["09"]), night=NIGHT + DAY)
    assert told.state == "completed_with_errors"
    assert roles(tasks.directory) == {"student": 24, "teacher": 1}
    assert seen(tasks.directory) == 0
    outcomes = tasks.directory.rows(
        "select action, status, reason, count(*)::integer from directory.sync_changes"
        " where run_id = 'run-1' and entity = 'person' group by 1, 2, 3"
    )
    assert outcomes == [("rest", "suppressed", "unproven", 24)]
    # It was a fault: the next night is as if nothing had been.
    again = tasks.night(school_of("student"), night=NIGHT + 2 * DAY)
    assert (again.state, again.counts["people"]["student"]["unchanged"]) == ("success", 24)
    assert roles(tasks.directory) == {"student": 24, "teacher": 1}


def test_it_was_right_and_somebody_says_so(tasks: Tasks) -> None:
    tasks.directory.settings = settings()
    tasks.night(school_of("student"))
    tasks.night(school_of("teacher"), night=NIGHT + DAY)
    tasks.night(school_of("teacher"), night=NIGHT + 2 * DAY, conf={"accept_smaller": True})
    assert roles(tasks.directory) == {"teacher": 25}


def test_what_else_changed_follows_and_the_role_on_the_next_proven_night(directory: Directory) -> None:
    directory.settings = settings()
    directory.night(school_of("student"))
    changed = school_of("student")
    changed.users[1] |= {"roles": ["teacher"], "email": "new@example.org"}
    directory.night(changed, unproven="It moved.", night=NIGHT + DAY)
    assert directory.rows("select role, email from directory.people where sourced_id = 's0'") == [("student", "new@example.org")]
    directory.night(changed, night=NIGHT + 2 * DAY)
    assert directory.value("select role from directory.people where sourced_id = 's0'") == "teacher"
