"""A worker killed before any statement whatever of load and archive, and its task tried again: the end is that of a clean run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from include.mingasync.directory import schema
from stack.postgres import EmbeddedPostgres
from tests.integration.directory.test_properties import _without_numbers
from tests.integration.directory.world import Directory, Sis, enrollment, everything_on, klass, school, term, user

_REAL = psycopg.ClientCursor
SETTINGS = everything_on(
    class_lists={"enabled": True, "terms": ["T1"]},
    auto_lists=dict.fromkeys(("role", "grade", "subject", "teacher"), True),
    include_primary_parent_contact=True,
)


class Mortal(psycopg.ClientCursor[Any]):
    """A cursor whose server process is ended before a certain statement, counted over the whole run; 0 lives on."""

    dies_at = 0
    count = 0
    executioner: psycopg.Connection[Any]

    def _step(self) -> None:
        Mortal.count += 1
        if Mortal.count == Mortal.dies_at:
            Mortal.executioner.execute("select pg_terminate_backend(%s, 5000)", (self.connection.info.backend_pid,))

    def execute(self, query: Any, params: Any = None, **more: Any) -> Any:
        """As always, one statement at a time."""
        text = query.decode() if isinstance(query, bytes) else query
        statements = [one for one in text.split(";\n") if one.strip()] if isinstance(text, str) else [text]
        for statement in statements:
            self._step()
            super().execute(statement, params, **more)
        return self

    def copy(self, *arguments: Any, **more: Any) -> Any:
        """As always."""
        self._step()
        return super().copy(*arguments, **more)


def first_night() -> Sis:
    users = [*(user(f"s{n}", phone="1") for n in range(8)), user("t", "teacher"), user("co", "teacher"), user("old", "teacher")]
    roll = [
        *(enrollment("C", f"s{n}") for n in range(5)),
        enrollment("C", "t", "teacher"),
        enrollment("D", "s6"),
        enrollment("D", "old", "teacher"),
    ]
    return Sis(
        users=users,
        orgs=[school("S1"), school("S2")],
        terms=[term("T1"), term("T2")],
        classes=[klass("C", subjects=["Math"]), klass("D")],
        enrollments=roll,
    )  # fmt: skip


def second_night() -> Sis:
    """Somebody of every kind: new, changed, moved, gone, back, re-issued; lists new, changed and over."""
    sis = first_night()
    changed = {"s1": {"family_name": "Newname"}, "s2": {"org_ids": ["S2"]}, "s3": {"sourced_id": "s3-new"}, "t": {"email": None}}
    sis.users = [row | changed.get(row["sourced_id"], {}) for row in sis.users if row["sourced_id"] not in ("s4", "old")]
    sis.users += [user("new"), user("fresh", "teacher"), user("back")]
    sis.classes = [klass("C", title="Renamed", subjects=["Math"]), klass("E", subjects=["Art"])]
    sis.enrollments = [row for row in sis.enrollments if row["class_id"] == "C" and row["user_id"] not in ("s0", "s4")]
    sis.enrollments += [enrollment("C", "new"), enrollment("E", "s1"), enrollment("E", "fresh", "teacher")]
    return sis


def prepare(directory: Directory) -> None:
    directory.settings = dict(SETTINGS)
    sis = first_night()
    directory.night(Sis(users=[*sis.users, user("back")], orgs=sis.orgs))
    directory.night(sis)
    ids = dict(directory.rows("select sourced_id, person_id from directory.people"))
    (group,) = (row[0] for row in directory.rows("select list_id from directory.user_lists where source_id = 'C'"))
    directory.do("select directory.add_list_member(%s, %s)", group, ids["s7"])
    directory.do("select directory.remove_list_member(%s, %s)", group, ids["s1"])
    directory.do("select directory.pin_field(%s, 'given_name', 'Pinned', 'asked')", ids["s5"])
    directory.do("select directory.set_include_in_sync(%s, false)", ids["co"])
    directory.do("select directory.add_person('oak', 'student', 'By', 'Hand', 'new@example.org')")


@pytest.fixture
def template(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A database with the first nights in it, to be copied."""
    with psycopg.connect(postgres.dsn(), autocommit=True) as admin:
        admin.execute("create database before_kills template template0")
        with psycopg.connect(postgres.dsn("before_kills"), autocommit=True) as connection:
            schema.bring_to_head(connection)
            prepare(Directory(connection))
        Mortal.executioner = admin
        yield "before_kills"
        admin.execute("drop database before_kills with (force)")


def test_killed_before_any_statement_and_tried_again(
    template: str, postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    tonight = second_night()

    def night(dies_at: int) -> tuple[bool, dict[str, Any], tuple[Any, ...]]:
        """Whether the worker was killed, and the counts and the state that the run ended with."""
        admin, killed = Mortal.executioner, False
        admin.execute(f"create database mortal template {template}")
        try:
            if dies_at:
                Mortal.dies_at, Mortal.count = dies_at, 0
                monkeypatch.setattr(psycopg, "ClientCursor", Mortal)
                with psycopg.connect(postgres.dsn("mortal"), autocommit=True) as connection:
                    try:
                        Directory(connection, dict(SETTINGS)).night(tonight, run_id="tonight")
                    except psycopg.OperationalError:
                        killed = True
                monkeypatch.setattr(psycopg, "ClientCursor", _REAL)
            with psycopg.connect(postgres.dsn("mortal"), autocommit=True) as connection:
                directory = Directory(connection, dict(SETTINGS))
                counts = directory.night(tonight, run_id="tonight")
                moves = "select entity, role, action, status, reason from directory.sync_changes where run_id = 'tonight' order by 1, 2, 3, 4, 5"
                return killed, counts, (*_without_numbers(directory.state()), directory.rows(moves))
        finally:
            admin.execute("drop database mortal with (force)")

    _, counts, state = night(0)
    assert (
        counts["people"]["student"]["archived"] and counts["people"]["student"]["restored"] and counts["memberships"]["removed"]
    )
    kills = 0
    for statement in range(1, 10_000):
        killed, *end = night(statement)
        if not killed:
            break
        kills += 1
        assert end == [counts, state], f"killed before statement {statement}"
    assert kills > 100
