"""What many tests share: one embedded PostgreSQL per process, and a database of its own for each test that asks.

Tests run in as many processes as there are cores. Those of one file stay together, because they may share what was slow to make;
so do those that use a live stack.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from include.mingasync.directory import schema
from stack.postgres import EmbeddedPostgres, embedded_postgres

_numbers = itertools.count(1)
_LIVE = ("tests/e2e/", "tests/integration/stack/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the tests of the live stack first: they wait more than they work, so another process works beside them."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LIVE))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Who runs which tests, where there are several processes; in one process the tests need no package for it."""
    from xdist.scheduler.loadscope import LoadScopeScheduling

    class ByFileOrStack(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "live" if nodeid.startswith(_LIVE) else nodeid.partition("::")[0]

    return ByFileOrStack(config, log)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A real PostgreSQL server, started once for the whole test session; its data lie in memory where there is enough of it."""
    folder = Path(tempfile.mkdtemp(prefix="mingasync-tests-", dir=_roomy_memory()))
    folder.chmod(0o711)  # for root the server runs as another user, who must reach its data
    try:
        with embedded_postgres(folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _roomy_memory() -> Path | None:
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 8 << 30 else None


@pytest.fixture
def database(request: pytest.FixtureRequest, postgres: EmbeddedPostgres) -> Iterator[str]:
    """The DSN of a fresh database, empty unless the test asks for ``made_database`` as well; the user may do everything."""
    name = f"test_{next(_numbers)}"
    template = request.getfixturevalue("newest_schema") if "made_database" in request.fixturenames else "template0"
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute(f'create database "{name}" template "{template}" strategy file_copy')
        yield postgres.dsn(name)
        connection.execute(f'drop database "{name}" with (force)')


@pytest.fixture(scope="session")
def newest_schema(postgres: EmbeddedPostgres) -> str:
    """The name of a database with the newest schema and no rows, to be copied: that is quicker than making the schema again."""
    name = "newest_schema"
    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute(f'create database "{name}" template template0')
    with psycopg.connect(postgres.dsn(name), autocommit=True) as connection:
        schema.bring_to_head(connection)
    return name


@pytest.fixture
def made_database(database: str) -> str:
    """The DSN of the test's database, which has the newest schema and no rows."""
    return database
