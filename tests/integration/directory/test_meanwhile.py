"""What people do by hand while a night is going on holds, and nobody but a run can keep a night from going on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from include.mingasync.directory import load as loading
from include.mingasync.directory import schema
from include.mingasync.directory.archive import archive
from include.mingasync.settings import Settings
from stack.postgres import EmbeddedPostgres
from tests.integration.directory.apps import PASSWORD, make_app
from tests.integration.directory.test_lists import LISTS
from tests.integration.directory.world import Directory, Sis, enrollment, everything_on, klass, user

_numbers = itertools.count(1)
STEPS = [*loading._STEPS, "90_record"]


def tonight(change: str = "") -> Sis:
    """Three students and a class; after the change one has another name and e-mail, one is gone, one has joined the class."""
    students = [user("a", given_name=f"Anna{change}", email=f"a{change}@example.org"), user("b"), user("c"), user("d")]
    on = ["a", "b", *(["c"] if change else [])]
    return Sis(
        users=[*(students[:3] if change else students), user("t", "teacher")],
        classes=[klass("C")],
        enrollments=[*(enrollment("C", one) for one in on), enrollment("C", "t", "teacher")],
    )


@pytest.fixture(scope="module")
def template(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A database with the first night in it, to be copied."""
    with psycopg.connect(postgres.dsn(), autocommit=True) as admin:
        admin.execute("create database before_tonight template template0")
        with psycopg.connect(postgres.dsn("before_tonight"), autocommit=True) as connection:
            schema.bring_to_head(connection)
            Directory(connection, everything_on(**LISTS)).night(tonight())
        yield "before_tonight"
        admin.execute("drop database before_tonight with (force)")


@pytest.fixture
def directory(template: str, postgres: EmbeddedPostgres) -> Iterator[Directory]:
    """The directory after the first night, anew for each test."""
    name = f"tonight_{next(_numbers)}"
    with psycopg.connect(postgres.dsn(), autocommit=True) as admin:
        admin.execute(f"create database {name} template {template}")
        with psycopg.connect(postgres.dsn(name), autocommit=True) as connection:
            yield Directory(connection, everything_on(**LISTS))
        admin.execute(f"drop database {name} with (force)")


#: By hand -> what must be true afterwards.
HANDS = {
    "select directory.pin_field({a}, 'given_name', 'Pinned', 'asked')":
        "select given_name = 'Pinned' from directory.people where person_id = {a}",
    "select directory.set_include_in_sync({d}, false)":
        "select status = 'active' from directory.people where person_id = {d}",
    "select directory.add_list_member({list}, {d}, 'manager')":
        "select not exists (select from directory.people where person_id = {d} and status = 'active') or exists"
        " (select from directory.list_members where person_id = {d} and member_role = 'manager')",
    "select directory.add_list_member({list}, {t}, 'member')":
        "select exists (select from directory.list_members where person_id = {t} and member_role = 'member')",
    "select directory.remove_list_member({list}, {b})":
        "select not exists (select from directory.list_members where person_id = {b})",
    "select directory.set_list_visibility(array[{list}], 'public')":
        "select visibility = 'public' from directory.user_lists where list_id = {list}",
}  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("hand", HANDS)
def test_what_is_done_by_hand_in_the_middle_of_a_night_holds(
    hand: str, step: str, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = dict(directory.rows("select sourced_id, person_id from directory.people"))
    numbers["list"] = directory.value("select list_id from directory.user_lists where source_id = 'C'")
    ordinary: Callable[..., None] = loading._run_sql
    done: list[Future[Any]] = []
    with ThreadPoolExecutor(1) as meanwhile, psycopg.connect(**_address(directory), autocommit=True) as other:

        def before(cursor: psycopg.Cursor[Any], which: str, parameters: Mapping[str, Any]) -> None:
            if which == step:
                done.append(meanwhile.submit(other.execute, hand.format(**numbers)))
                done[0].exception(timeout=None) if _waits_for_nobody(directory, other) else None
            ordinary(cursor, which, parameters)

        monkeypatch.setattr(loading, "_run_sql", before)
        run, run_no = directory.open()
        settings = Settings.model_validate(directory.settings)
        loading.load(directory.connection, run, run_no, settings, directory.desired(tonight("bel")))
        # Who waited for the load is let in before the next task of the night has begun.
        done[0].result(timeout=60)
        archive(directory.connection, run, run_no)
    assert directory.value(HANDS[hand].format(**numbers)), directory.rows(
        "select person_id, member_role from directory.list_members"
    )


def _waits_for_nobody(directory: Directory, other: psycopg.Connection[Any]) -> bool:
    """Whether what is done by hand comes to its end at once; False when it waits for the night."""
    with psycopg.connect(**_address(directory), autocommit=True) as onlooker:
        while True:
            waits = onlooker.execute(
                "select cardinality(pg_blocking_pids(pid)) > 0, state from pg_stat_activity where pid = %s",
                (other.info.backend_pid,),
            ).fetchone()
            assert waits
            if waits[0]:
                return False
            if waits[1] == "idle" and other.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
                return True


def _address(directory: Directory) -> dict[str, Any]:
    info = directory.connection.info
    return info.get_parameters() | {"password": info.password}


def test_no_application_keeps_a_night_from_going_on(directory: Directory) -> None:
    # Locks that any session may take, by the numbers that the code and its history know.
    held = [
        "select pg_advisory_lock(hashtextextended('mingasync oak', 0))",
        f"select pg_advisory_lock({schema._LOCK})",
        "lock table directory.people in access share mode",
    ]
    role = make_app(directory.connection, "elm", may_write=True)
    with psycopg.connect(**(_address(directory) | {"user": role, "password": PASSWORD})) as app:
        for statement in held:
            app.execute(statement)
        for statement in (
            "select directory.lock_district('oak')",
            "lock table directory.district_locks",
            "select * from directory.district_locks for update",
            "lock table directory.people",
        ):
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable)), app.transaction():
                app.execute(statement)
        directory.do("set lock_timeout = '2s'")
        assert directory.night(tonight("bel"))["people"]["student"]["archived"] == 1
