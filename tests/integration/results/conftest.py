"""A directory in a real database, fresh for each test."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from include.mingasync.district import District
from tests.integration.directory.world import Directory


@pytest.fixture
def directory(made_database: str) -> Iterator[Directory]:
    """A directory with the newest schema, every switch on and nobody in it."""
    with psycopg.connect(made_database, autocommit=True) as connection:
        yield Directory(connection)


@pytest.fixture
def oak() -> District:
    """The district whose directory it is."""
    return District.model_validate(
        {
            "slug": "oak",
            "name": "Oak Valley",
            "timezone": "America/Chicago",
            "sis": {"name": "PowerSchool"},
            "contact": {"name": "Sam", "email": "sam@example.org"},
        }
    )
