"""What many tests share: one embedded PostgreSQL, and an empty database of it for each test that asks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import psycopg
import pytest

from stack.postgres import EmbeddedPostgres, embedded_postgres

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A real PostgreSQL server, started once for the whole test session."""
    with embedded_postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
def database(postgres: EmbeddedPostgres) -> Iterator[str]:
    """The DSN of a fresh, empty database; the user may do everything."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute(f'create database "{name}" template template0')
        yield postgres.dsn(name)
        connection.execute(f'drop database "{name}" with (force)')
