"""The schema is made or brought up to date whole or not at all, whoever is killed and however many begin at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE
from threading import Barrier
from typing import Any

import psycopg
import pytest
import sqlalchemy.exc

from include.mingasync.directory import schema
from include.mingasync.errors import DirectoryRefused, SchemaRefused
from stack.postgres import EmbeddedPostgres

ROOT = Path(__file__).parents[3]
VERSIONS = Path(schema.__file__).parent / "migrations" / "versions"
DEATHS = (psycopg.OperationalError, sqlalchemy.exc.OperationalError)

_SHAPE = """
select 'version', null, version_num from directory.schema_version
union all
select 'column', c.relname, concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid))
from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef as d on d.adrelid = c.oid and d.adnum = a.attnum
where c.relnamespace = 'directory'::regnamespace and c.relkind in ('r', 'v')
union all
select 'relation', relname, concat_ws(' ', relkind, relrowsecurity, relacl, reloptions) from pg_class where relnamespace = 'directory'::regnamespace
union all
select 'view', viewname, definition from pg_views where schemaname = 'directory'
union all
select 'index', tablename, indexdef from pg_indexes where schemaname = 'directory'
union all
select 'constraint', conrelid::regclass::text, pg_get_constraintdef(oid) from pg_constraint where connamespace = 'directory'::regnamespace
union all
select 'function', proname, concat(pg_get_functiondef(oid), proacl) from pg_proc where pronamespace = 'directory'::regnamespace
union all
select 'trigger', tgrelid::regclass::text, pg_get_triggerdef(oid) from pg_trigger
where not tgisinternal and tgrelid in (select oid from pg_class where relnamespace = 'directory'::regnamespace)
union all
select 'policy', tablename, concat_ws(' ', policyname, cmd, qual, with_check) from pg_policies where schemaname = 'directory'
"""


def shape(connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    """All that makes the schema what it is, from the catalogue."""
    return sorted(connection.execute(_SHAPE).fetchall(), key=str)


@contextmanager
def databases(postgres: EmbeddedPostgres, name: str) -> Iterator[str]:
    """The address of an empty database of that name."""
    with psycopg.connect(postgres.dsn(), autocommit=True) as admin:
        admin.execute(f"drop database if exists {name} with (force)")
        admin.execute(f"create database {name} template template0")
        yield postgres.dsn(name)
        admin.execute(f"drop database {name} with (force)")


@pytest.fixture
def whole(database: str) -> list[tuple[Any, ...]]:
    """The shape of a directory that was made without trouble."""
    with psycopg.connect(database, autocommit=True) as connection:
        schema.bring_to_head(connection)
        return shape(connection)


#: Ends the process that makes the schema, in the middle of a file of statements.
_FATE = """
create sequence public.steps;
create function public.die() returns event_trigger language plpgsql as $$
begin
    if nextval('public.steps') = %s then
        perform pg_terminate_backend(pg_backend_pid());
    end if;
end
$$;
create event trigger dies on ddl_command_end execute function public.die();
"""


def test_killed_after_any_change_of_the_schema_and_tried_again(postgres: EmbeddedPostgres, whole: list[tuple[Any, ...]]) -> None:
    killed = 0
    for step in [1, 2, 3, *range(7, 1_000, 31)]:
        with databases(postgres, "mortal") as dsn:
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute(_FATE % step)
                try:
                    schema.bring_to_head(connection)
                    break
                except DEATHS:
                    killed += 1
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute("drop event trigger dies")
                left = connection.execute("select count(*) from pg_namespace where nspname = 'directory'").fetchone()
                assert left == (0,), f"killed after change {step}, something is left"
                schema.bring_to_head(connection)
                assert shape(connection) == whole
    assert killed > 8


class Mortal(psycopg.Connection[Any]):
    """A connection whose server process ends before a certain statement or, with no statement left, before the commit."""

    admin, dies_at, count = "", 0, 0

    def die_if_due(self) -> None:
        Mortal.count += 1
        if Mortal.count == Mortal.dies_at:
            with psycopg.connect(Mortal.admin, autocommit=True) as admin:
                admin.execute("select pg_terminate_backend(%s)", (self.info.backend_pid,))

    def commit(self) -> None:
        self.die_if_due()
        super().commit()


class MortalCursor(psycopg.Cursor[Any]):
    """Its connection may die before a statement."""

    def execute(self, *arguments: Any, **more: Any) -> Any:
        self.connection.die_if_due()  # type: ignore[attr-defined]
        return super().execute(*arguments, **more)


@pytest.mark.parametrize(("before", "autocommit"), [(None, True), (None, False), ("0002", True), ("0005", True)])
def test_killed_before_any_statement_and_tried_again(
    before: str | None, autocommit: bool, postgres: EmbeddedPostgres, whole: list[tuple[Any, ...]]
) -> None:
    def tried(dies_at: int) -> bool:
        """Whether the process that made the schema was killed; the next one finishes what it left."""
        killed = False
        with databases(postgres, "mortal") as dsn:
            with psycopg.connect(dsn, autocommit=True) as connection:
                if before:
                    schema.upgrade(connection, before)
            Mortal.admin, Mortal.dies_at, Mortal.count = postgres.dsn(), dies_at, 0
            mortal = Mortal.connect(dsn, autocommit=autocommit, cursor_factory=MortalCursor)
            try:
                schema.bring_to_head(mortal)
            except DEATHS:
                killed = True
            finally:
                mortal.close()
            with psycopg.connect(dsn, autocommit=True) as connection:
                if killed:
                    assert schema.current(connection) in (before, schema.newest())
                    schema.bring_to_head(connection)
                assert shape(connection) == whole, f"killed before statement {dies_at}"
        return killed

    assert not tried(0)
    statements = Mortal.count
    assert statements > 15
    # The first ones only get to know the server; the last ones stamp and commit.
    assert all(tried(statement) for statement in [*range(5, statements - 8, 4), *range(statements - 8, statements)])


_RUN = """
import sys, psycopg
from include.mingasync.directory import schema
with psycopg.connect(sys.argv[1], autocommit=sys.argv[2] == "True") as connection:
    print("ready", flush=True)
    sys.stdin.readline()
    schema.bring_to_head(connection)
    print(connection.autocommit, connection.info.transaction_status.name)
"""


@pytest.mark.parametrize(("before", "autocommit"), [(None, True), ("0004", True), (None, False)])
def test_three_runs_at_once(
    before: str | None, autocommit: bool, postgres: EmbeddedPostgres, whole: list[tuple[Any, ...]]
) -> None:
    with databases(postgres, "crowded") as dsn:
        if before:
            with psycopg.connect(dsn, autocommit=True) as connection:
                schema.upgrade(connection, before)
        command = [sys.executable, "-c", _RUN, dsn, str(autocommit)]
        runs = [subprocess.Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True) for _ in range(3)]
        assert [run.stdout.readline() for run in runs if run.stdout] == ["ready\n"] * 3
        for run in runs:
            assert run.stdin
            run.stdin.write("go\n")
            run.stdin.flush()
        answers = [run.communicate() for run in runs]
        assert [out for out, _ in answers] == [f"{autocommit} IDLE\n"] * 3, [problem[-300:] for _, problem in answers]
        with psycopg.connect(dsn, autocommit=True) as connection:
            assert shape(connection) == whole


def test_three_threads_of_one_process_at_once(postgres: EmbeddedPostgres, whole: list[tuple[Any, ...]]) -> None:
    with databases(postgres, "crowded") as dsn:
        start = Barrier(3)

        def run() -> bool:
            with psycopg.connect(dsn, autocommit=True) as connection:
                start.wait()
                schema.bring_to_head(connection)
                return shape(connection) == whole

        with ThreadPoolExecutor(3) as threads:
            assert [done.result() for done in [threads.submit(run) for _ in range(3)]] == [True] * 3


_STAMPS = """create table directory.schema_version
    (version_num varchar(32) not null, constraint schema_version_pkc primary key (version_num))"""
#: What an older version could leave behind, where it was killed between the statements of a file and the next step.
LEFT_BEHIND = {
    "the schema alone": (None, ["create schema directory"]),
    "no stamp in its table": (None, ["create schema directory", _STAMPS]),
    "tables beside a table without stamp": (None, ["create schema directory", _STAMPS, "0001_directory.sql"]),
    "tables without functions": (None, ["0001_directory.sql"]),
    "the first version without its stamp": (None, ["0001_directory.sql", "0001_functions.sql"]),
    "the second without its stamp": ("0001", ["0002_readers.sql"]),
    "the third without its stamp": ("0002", ["0003_rolls.sql"]),
    "the fourth without its stamp": ("0003", ["0004_issue_trend.sql"]),
    "the fifth without its stamp": ("0004", ["0005"]),
}


@pytest.mark.parametrize("left", LEFT_BEHIND)
def test_what_an_older_version_left_half_made_is_finished(left: str, database: str, postgres: EmbeddedPostgres) -> None:
    with databases(postgres, "whole") as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        schema.bring_to_head(connection)
        whole = shape(connection)
    stamp, statements = LEFT_BEHIND[left]
    with psycopg.connect(database, autocommit=True) as connection:
        if stamp:
            schema.upgrade(connection, stamp)
        for statement in statements:
            if statement == "0005":
                schema.upgrade(connection, "0005")
                connection.execute("update directory.schema_version set version_num = '0004'")
            else:
                file = VERSIONS / statement
                connection.execute(file.read_text(encoding="utf-8") if statement.endswith(".sql") else statement)
        schema.bring_to_head(connection)
        assert shape(connection) == whole


def test_what_is_not_ours_is_told_and_can_be_put_aside(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "create schema directory; create table directory.terms (mine text); insert into directory.terms values ('kept')"
        )
        with pytest.raises(
            SchemaRefused, match=r'relation "terms" already exists .* alter schema directory rename to directory_before'
        ) as error:
            schema.bring_to_head(connection)
        assert "Nothing was changed" in str(error.value)
        assert connection.execute("select count(*) from pg_class where relnamespace = 'directory'::regnamespace").fetchone() == (
            1,
        )
        connection.execute("alter schema directory rename to directory_before")
        schema.bring_to_head(connection)
        assert schema.current(connection) == schema.newest()
        assert connection.execute("select * from directory_before.terms").fetchone() == ("kept",)


def test_a_user_who_may_not_make_the_schema_is_told_what_an_administrator_does(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute("create role nobody_yet login password 'n'")
        user = psycopg.conninfo.make_conninfo(database, user="nobody_yet", password="n")
        with psycopg.connect(user, autocommit=True) as connection:
            with pytest.raises(SchemaRefused, match=r"permission denied .*alter database … owner to"):
                schema.bring_to_head(connection)
            admin.execute(f"alter database {admin.info.dbname} owner to nobody_yet")
            schema.bring_to_head(connection)
            assert schema.current(connection) == schema.newest()
        admin.execute(
            f"alter database {admin.info.dbname} owner to postgres; drop owned by nobody_yet cascade; drop role nobody_yet"
        )


def test_whoever_migrates_all_has_one_owner(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute(
            f"create role first_owner; grant create on database {admin.info.dbname} to first_owner; set role first_owner"
        )
        schema.upgrade(admin, "0003")
        admin.execute("reset role")
        other = psycopg.conninfo.make_conninfo(database, user="second", password="s")
        admin.execute("create role second login password 's'")
        with psycopg.connect(other, autocommit=True) as connection:
            with pytest.raises(
                SchemaRefused, match=r'belongs to the database role first_owner; .* runs: grant "first_owner" to "second"'
            ):
                schema.bring_to_head(connection)
            admin.execute('grant "first_owner" to "second"')
            schema.upgrade(connection, "0004")
        schema.bring_to_head(admin)
        owners = """select distinct pg_get_userbyid(owner) from (
                        select relowner from pg_class where relnamespace = 'directory'::regnamespace
                        union all select proowner from pg_proc where pronamespace = 'directory'::regnamespace) as all_of_it (owner)"""
        assert admin.execute(owners).fetchall() == [("first_owner",)]
        assert admin.execute("select current_user").fetchone() == ("postgres",)
        admin.execute("drop owned by first_owner cascade; drop role first_owner; drop role second")


def test_a_directory_of_a_later_release_is_left_alone(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        schema.bring_to_head(connection)
        connection.execute("update directory.schema_version set version_num = '9999'")
        with pytest.raises(SchemaRefused, match="at version 9999, and this code knows no version after"):
            schema.bring_to_head(connection)


def test_an_open_transaction_does_not_make_everybody_wait(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "_SECONDS_FOR_A_TABLE", 1)
    with psycopg.connect(database) as forgotten, psycopg.connect(database, autocommit=True) as connection:
        schema.upgrade(connection, "0005")
        forgotten.execute("select from directory.people")
        with pytest.raises(DirectoryRefused, match="for 1 s another session of the database held one of its tables"):
            schema.bring_to_head(connection)
        assert schema.current(connection) == "0005"
        # What the error prints finds it; once it is ended, the next try does it.
        holders = connection.execute(schema.WHO_HOLDS).fetchall()
        assert [holder[0] for holder in holders] == [forgotten.info.backend_pid]
        connection.execute("select pg_terminate_backend(%s)", (holders[0][0],))
        schema.bring_to_head(connection)
        assert schema.current(connection) == schema.newest()
        forgotten.close()


def test_no_other_role_keeps_the_schema_from_being_brought_up_to_date(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "_SECONDS_FOR_OTHERS", 2)
    with psycopg.connect(database, autocommit=True) as owner, psycopg.connect(database) as other:
        schema.upgrade(owner, "0005")
        owner.execute("create role a_reader; grant mingasync_reader to a_reader")
        other.execute("set session authorization a_reader")
        other.execute("select pg_advisory_lock(%s)", (schema._LOCK,))
        with pytest.raises(psycopg.errors.InsufficientPrivilege), other.transaction():
            other.execute("lock table directory.schema_version")
        schema.bring_to_head(owner)
        assert schema.current(owner) == schema.newest()
        other.close()
        owner.execute("drop role a_reader")
