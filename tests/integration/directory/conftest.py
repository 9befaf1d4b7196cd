"""A district's directory, fresh for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.integration.directory.tasks import Tasks
from tests.integration.directory.world import Directory


@pytest.fixture
def directory(made_database: str) -> Iterator[Directory]:
    """A directory with the newest schema, every switch on and nobody in it."""
    with psycopg.connect(made_database, autocommit=True) as connection:
        yield Directory(connection)


@pytest.fixture
def tasks(directory: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tasks:
    """The tasks of a night over that directory, with a folder for their snapshots."""
    return Tasks(directory, tmp_path / "snapshots", monkeypatch)
