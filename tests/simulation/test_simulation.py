"""A few lives of a district, by seed; `make simulate` plays thousands."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from stack.postgres import EmbeddedPostgres
from tests.simulation import planting, writing, year
from tests.simulation.__main__ import a_place
from tests.simulation.judging import INVARIANTS
from tests.simulation.planted import FAULTS, Fault
from tests.simulation.steps import Step, sequence
from tests.simulation.story import play, shorten, tell

CODE = planting.ROOT / "include" / "mingasync"
#: As many as fit into a minute of one core: a night costs half a second, most of it pandas on a dozen rows.
SEEDS = range(6)


@pytest.fixture(scope="module")
def place(postgres: EmbeddedPostgres) -> Iterator[psycopg.Connection[object]]:
    """A database in which one life after the other is lived."""
    with a_place(postgres.dsn(), "simulation") as connection:
        yield connection
    with psycopg.connect(postgres.dsn(), autocommit=True) as admin:
        admin.execute("drop database simulation with (force)")


@pytest.mark.parametrize("seed", SEEDS)
def test_everything_holds_in_a_districts_life(seed: int, place: psycopg.Connection[object], tmp_path: Path) -> None:
    played = play(place, tmp_path / "snapshots", sequence(seed))
    assert not played.violations, f"seed {seed}\n{tell(played)}"


def test_the_same_steps_have_the_same_end(place: psycopg.Connection[object], tmp_path: Path) -> None:
    steps = sequence(8, 6)
    assert steps == sequence(8, 6)
    once, twice = (play(place, tmp_path / "snapshots", steps) for _ in range(2))
    assert once == twice
    assert once.digest


def test_a_sequence_is_written_and_read_again() -> None:
    assert [Step.read(str(one)) for one in sequence(9)] == sequence(9)


def test_a_failing_sequence_is_shortened_to_what_fails() -> None:
    needed = {Step("leave", 3), Step("night", 1)}
    assert set(shorten([*sequence(1), Step("leave", 3), *sequence(2)], lambda steps: needed <= set(steps))) == needed


def test_the_page_of_invariants_is_theirs() -> None:
    assert len({one.name for one in INVARIANTS}) == len(INVARIANTS) >= 20
    assert all(one.line for one in INVARIANTS)
    assert writing.PAGE.read_text(encoding="utf-8") == writing.page(), "run: python -m tests.simulation.writing"


def test_the_first_days_of_the_school_year(place: psycopg.Connection[object], tmp_path: Path) -> None:
    played_so_far = year.played(place, tmp_path / "year", year.FIRST + dt.timedelta(days=4))
    assert not played_so_far.violations and not played_so_far.wrong() and not played_so_far.actions
    assert sum(month.people["created"] for month in played_so_far.months.values()) >= 320
    head = year.page(played_so_far).split("##")[0].split("| of ")[0].replace("through 5 nights", "through 365 nights")
    assert year.PAGE.read_text(encoding="utf-8").startswith(head), "run: make year"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_still_has_its_place(fault: Fault) -> None:
    for path, old, new in fault.places:
        assert (CODE / path).read_text(encoding="utf-8").count(old) == 1
        assert new != old
