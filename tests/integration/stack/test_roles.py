"""Airflow and the directory have a database each, and a role that is no superuser and knows only its own password."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from stack.postgres import EmbeddedPostgres, embedded_postgres


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A server of its own, as the roles are of the whole server."""
    with embedded_postgres(tmp_path) as started:
        yield started


def test_each_role_has_a_password_of_its_own_and_no_more_rights_than_it_needs(server: EmbeddedPostgres) -> None:
    for name in ("airflow", "roster"):
        server.ensure_database(name)
    passwords = {server.password_of(name) for name in ("postgres", "airflow", "roster")}
    assert len(passwords) == 3
    for role in ("airflow", "roster"):
        with psycopg.connect(server.dsn(role, role)) as connection:
            assert connection.execute("select current_user").fetchone() == (role,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("set role postgres")
        for other in {"postgres", "airflow", "roster"} - {role}:
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                psycopg.connect(f"postgresql://{other}:{server.password_of(role)}@127.0.0.1:{server.port}/postgres")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(server.dsn("airflow", "roster"))
    with psycopg.connect(server.dsn()) as admin:
        rights = "select rolname, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication from pg_roles where rolname in ('airflow', 'roster')"
        assert sorted(admin.execute(rights).fetchall()) == [
            ("airflow", False, False, False, False, False),
            # Makes the roles of applications.
            ("roster", False, True, False, False, False),
        ]


def test_a_data_folder_of_an_older_release_gets_them_at_the_next_start(server: EmbeddedPostgres) -> None:
    of_old = (server.folder / "pgpassword").read_text()
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        for name in ("airflow", "roster"):
            admin.execute(f"create role {name} login createrole password '{of_old}'")
            admin.execute(f"create database {name} owner {name} template template0")
    with psycopg.connect(f"postgresql://roster:{of_old}@127.0.0.1:{server.port}/roster") as roster:
        roster.execute("create table kept as select 1 as one")
    for name in ("airflow", "roster"):
        server.ensure_database(name)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgresql://roster:{of_old}@127.0.0.1:{server.port}/roster")
    with psycopg.connect(server.dsn("roster", "roster")) as roster:
        assert roster.execute("select one from kept").fetchone() == (1,)
