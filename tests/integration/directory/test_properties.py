"""What must hold for any district, any settings, any hand edits and any nights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.mingasync.directory import load as loading
from include.mingasync.directory import schema
from include.mingasync.directory.archive import archive
from include.mingasync.settings import ROLES, Settings
from stack.postgres import EmbeddedPostgres
from tests.integration.directory.test_undo import a_night, everything, finish, take_back
from tests.integration.directory.world import Directory, Sis, enrollment, klass, school, term, user

_names = st.integers(0, 7)
_schools = st.sampled_from(["S1", "S2"])
_OVER = "2026-11-01"
_sis_roles = st.sampled_from(["student", "student", "student", "teacher", "aide"])


@st.composite
def a_sis(draw: st.DrawFn) -> Sis:
    """A small SIS: up to eight people, three classes, any state."""
    users = []
    for name in draw(st.lists(_names, unique=True, max_size=8)):
        changes: dict[str, Any] = {}
        if draw(st.integers(0, 3)) == 0:
            changes["family_name"] = draw(st.sampled_from(["Else", None, "Other"]))
        if draw(st.integers(0, 5)) == 0:
            changes["status"] = draw(st.sampled_from(["tobedeleted", "inactive"]))
        if draw(st.integers(0, 7)) == 0:
            changes |= {"identifier": "shared", "email": "shared@example.org"}
        if draw(st.integers(0, 7)) == 0:
            changes["sourced_id"] = f"renumbered{name}"
        if draw(st.integers(0, 5)) == 0:
            changes["org_ids"] = draw(st.sampled_from([[], ["nowhere"], ["S1", "S2"], ["S2", "nowhere"]]))
        if draw(st.integers(0, 7)) == 0:
            changes |= draw(st.sampled_from([{"role_end_dates": [_OVER]}, {"role_begin_dates": ["2026-12-01"]}]))
        users.append(user(f"u{name}", draw(_sis_roles), [draw(_schools)]) | changes)
    classes = [
        klass(f"C{n}", draw(_schools), [draw(st.sampled_from(["T1", "T2"]))], subjects=["Math"])
        for n in range(draw(st.integers(0, 3)))
    ]
    rolls = [
        enrollment(c["sourced_id"], u["sourced_id"], "teacher" if u["roles"] == ["teacher"] else "student",
                   begin_date=draw(st.sampled_from([None, None, None, "2026-12-01"])))
        for c in classes for u in users if draw(st.booleans())
    ]  # fmt: skip
    return Sis(users, [school("S1"), school("S2")], [term("T1"), term("T2")], [], classes, rolls)


_toggles = st.fixed_dictionaries({name: st.booleans() for name in ("roster", "auto_update", "archive")})
_roles = st.fixed_dictionaries({role: _toggles for role in ROLES})
_settings = st.fixed_dictionaries(
    {
        "automatic_rostering": st.just(True),
        "roles": _roles,
        "class_lists": st.fixed_dictionaries(
            {"enabled": st.booleans(), "terms": st.lists(st.sampled_from(["T1", "T2"]), unique=True)}
        ),
        "auto_lists": st.fixed_dictionaries({kind: st.booleans() for kind in ("role", "grade", "subject", "teacher")}),
        "safety": st.fixed_dictionaries({"archive_percent": st.sampled_from([0, 50, 100]), "archive_minimum": st.integers(0, 3)}),
        "schools": st.dictionaries(_schools, st.fixed_dictionaries({"roles": _roles}), max_size=1),
    }
)
_edits = st.lists(
    st.tuples(st.sampled_from(["exclude", "include", "rename", "retype", "pin", "add", "list", "public"]), st.integers(0, 9)),
    max_size=4,
)
_night = st.tuples(a_sis(), _settings, _edits)
_nights = st.lists(_night, min_size=1, max_size=3)
_quick = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@pytest.fixture(scope="module")
def directories(postgres: EmbeddedPostgres) -> Iterator[Any]:
    """A maker of directories: each call empties the one database, which is quicker than a new one per example."""
    with psycopg.connect(postgres.dsn(), autocommit=True) as admin:
        admin.execute("create database properties template template0")
        with psycopg.connect(postgres.dsn("properties"), autocommit=True) as connection:
            schema.bring_to_head(connection)

            def empty() -> Directory:
                connection.execute(
                    "truncate directory.people, directory.user_lists, directory.memberships, directory.changes,"
                    " directory.membership_changes, directory.sync_runs, directory.schools, directory.terms restart identity cascade"
                )
                return Directory(connection)

            yield empty
        admin.execute("drop database properties with (force)")


def edit(directory: Directory, edits: list[tuple[str, int]]) -> None:
    """Somebody's work by hand, on whoever there is."""
    for what, which in edits:
        people = [row[0] for row in directory.rows("select person_id from directory.people order by 1")]
        lists = [row[0] for row in directory.rows("select list_id from directory.user_lists order by 1")]
        one, group = (people[which % len(people)] if people else None), (lists[which % len(lists)] if lists else None)
        if what == "add":
            directory.do("select directory.add_person('oak', 'student', 'By', 'Hand', %s)", f"u{which % 8}@example.org")
        elif what in ("exclude", "include") and one:
            directory.do("select directory.set_include_in_sync(%s, %s)", one, what == "include")
        elif what == "rename" and group:
            directory.do("update directory.user_lists set name = 'By hand' where list_id = %s", group)
        elif what == "retype" and one:
            directory.do("update directory.people set email = 'typed@example.org' where person_id = %s", one)
        elif what == "pin" and one:
            directory.do("select directory.pin_field(%s, 'family_name', 'Pinned', 'test')", one)
        elif what == "list" and one and group:
            directory.do("select directory.add_list_member(%s, %s)", group, one)
        elif what == "public" and group:
            directory.do("select directory.set_list_visibility(array[%s]::bigint[], 'public')", group)


def play(directory: Directory, nights: list[Any]) -> None:
    for sis, wanted, edits in nights:
        directory.settings = wanted
        directory.night(sis)
        edit(directory, edits)


@_quick
@given(_nights, _night)
def test_a_plan_applied_twice_equals_once_and_undo_brings_back_what_was(
    directories: Any, nights: list[Any], tonight: Any
) -> None:
    directory = directories()
    play(directory, nights)
    before = everything(directory)
    directory.settings = tonight[1]
    run, run_no = directory.open(run_id="tonight")
    desired = directory.desired(tonight[0])
    wanted = Settings.model_validate(tonight[1])
    loading.load(directory.connection, run, run_no, wanted, desired)
    counts = archive(directory.connection, run, run_no)
    once = directory.state()
    loading.load(directory.connection, run, run_no, wanted, desired)
    assert archive(directory.connection, run, run_no) == counts
    assert directory.state() == once
    finish(directory, "tonight")
    assert take_back(directory, "tonight")["conflicts"] == 0
    assert everything(directory) == before


@_quick
@given(_nights, st.lists(_night, min_size=2, max_size=3))
def test_undone_the_newest_first_every_night_leaves_what_was_before_it(
    directories: Any, nights: list[Any], more: list[Any]
) -> None:
    directory = directories()
    play(directory, nights)
    states = []
    for number, (sis, wanted, _) in enumerate(more):
        states.append(everything(directory))
        directory.settings = wanted
        a_night(directory, sis, f"night {number}")
    for number, state in reversed(list(enumerate(states))):
        assert take_back(directory, f"night {number}")["conflicts"] == 0
        assert everything(directory) == state


@_quick
@given(_nights, _night, st.lists(_night, max_size=1))
def test_no_edit_by_hand_is_lost_by_an_undo(directories: Any, nights: list[Any], tonight: Any, later: list[Any]) -> None:
    directory = directories()
    play(directory, nights)
    directory.settings = tonight[1]
    before = everything(directory)
    a_night(directory, tonight[0], "tonight")
    made = everything(directory)
    edit(directory, tonight[2])
    play(directory, later)
    edited = everything(directory)
    counts = take_back(directory, "tonight")
    after = everything(directory)
    assert (after["pins"], after["overrides"]) == (edited["pins"], edited["overrides"])
    # Whoever and whatever was edited since the night, by a hand or a later night, is there still.
    for what, key in (("people", "person_id"), ("lists", "list_id")):
        ours, theirs, left = (_by_id(rows[what], key) for rows in (made, edited, after))
        assert {one for one in theirs if theirs[one] != ours.get(one)} <= set(left)
        for one in set(ours) & set(theirs) & set(left):
            changed = {field for field in theirs[one] if theirs[one][field] != ours[one][field]}
            assert {field: left[one][field] for field in changed} == {field: theirs[one][field] for field in changed}
    if not later and made == edited:
        assert counts["conflicts"] == 0 and after == before


def _by_id(rows: list[tuple[Any, ...]], key: str) -> dict[int, dict[str, Any]]:
    return {row[key]: row for row in (json.loads(text) for (text,) in rows)}


class Killed(Exception):
    """The worker died here."""


@_quick
@given(_nights, _night, st.integers(0, 14))
def test_a_run_killed_anywhere_and_retried_equals_one_clean_run(
    directories: Any, nights: list[Any], tonight: Any, survives: int
) -> None:
    directory = directories()
    play(directory, nights)
    before = directory.state()
    steps = 0
    run_sql = loading._run_sql

    def mortal(cursor: Any, step: str, parameters: Any) -> None:
        nonlocal steps
        steps += 1
        if steps > survives:
            raise Killed
        run_sql(cursor, step, parameters)

    directory.settings = tonight[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "_run_sql", mortal)
        try:
            directory.night(tonight[0], run_id="tonight")
        except Killed:
            assert directory.state() == before
    counts = directory.night(tonight[0], run_id="tonight")
    killed = directory.state()
    directory = directories()
    play(directory, nights)
    directory.settings = tonight[1]
    assert directory.night(tonight[0], run_id="tonight") == counts
    assert _without_numbers(directory.state()) == _without_numbers(killed)


def _without_numbers(state: tuple[Any, ...]) -> tuple[Any, ...]:
    """The state with ids of rows replaced by their place in order: a rolled back attempt burns ids."""
    people = {row[0]: place for place, row in enumerate(state[0])}
    lists = {row[0]: place for place, row in enumerate(state[1])}
    return (
        [row[1:] for row in state[0]],
        [row[1:] for row in state[1]],
        sorted((lists[group], people[one], role) for group, one, role in state[2]),
    )


@_quick
@given(_nights, _night)
def test_excluded_people_are_never_touched(directories: Any, nights: list[Any], tonight: Any) -> None:
    directory = directories()
    play(directory, nights)
    excluded = "select p.*, p.xmin::text from directory.people p where not include_in_sync order by person_id"
    on_lists = (
        "select m.* from directory.list_members m join directory.people p using (person_id)"
        " where not p.include_in_sync order by list_id, person_id, member_role"
    )
    before = directory.rows(excluded), directory.rows(on_lists)
    directory.settings = tonight[1]
    directory.night(tonight[0])
    assert (directory.rows(excluded), directory.rows(on_lists)) == before


@_quick
@given(_nights, _night, st.booleans(), st.integers(0, 7))
def test_nobody_is_archived_without_proof_of_absence(
    directories: Any, nights: list[Any], tonight: Any, proven: bool, aside: int
) -> None:
    directory = directories()
    play(directory, nights)
    active = {row[0] for row in directory.rows("select person_id from directory.people where status = 'active'")}
    sis, directory.settings, _ = tonight
    directory.night(sis, unproven=None if proven else "It moved.", set_aside=[f"u{aside}"])
    archived = directory.rows("select person_id, sourced_ids from directory.people where status = 'archived'")
    here = {u["sourced_id"] for u in sis.users if u["status"] == "active" and u.get("role_end_dates") != [_OVER]}
    for person_id, sourced_ids in archived:
        if person_id in active:
            assert proven and not here & set(sourced_ids) and f"u{aside}" not in sourced_ids


@_quick
@given(st.lists(_night, min_size=2, max_size=4))
def test_looking_only_at_who_changed_ends_like_looking_at_everybody(directories: Any, nights: list[Any]) -> None:
    directory = directories()
    play(directory, nights)
    quick = directory.state()
    directory = directories()
    for night in nights:
        directory.do("update directory.people set digest = null")
        play(directory, [night])
    assert directory.state() == quick
