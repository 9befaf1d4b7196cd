"""A sequence played, and one that fails shortened to the fewest steps and told."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from tests.simulation import invariants, runs_held, second_opinion  # noqa: F401  (they register themselves)
from tests.simulation.judging import Judge, Violation
from tests.simulation.life import Life
from tests.simulation.steps import Step


@dataclass
class Played:
    """What became of a sequence: what was told of each step, what did not hold, and a digest of the end."""

    told: list[str] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    digest: str = ""


def play(connection: psycopg.Connection[object], folder: Path, steps: Sequence[Step], *, stop: bool = True) -> Played:
    """What becomes of a sequence; it ends with the first step after which something does not hold."""
    played = Played()
    with pytest.MonkeyPatch.context() as patch, quietly():
        life = Life(connection, folder, patch)
        judge = Judge(life)
        try:
            for number, step in enumerate(steps):
                fact = life.take(step)
                played.told.append(fact.words)
                played.violations += judge.look(number, fact)
                if played.violations and stop:
                    break
            played.digest = hashlib.sha256(repr(life.state.without_numbers()).encode()).hexdigest()[:16]
        finally:
            life.close()
            connection.cursor_factory = psycopg.Cursor
    return played


@contextmanager
def quietly() -> Iterator[None]:
    """Without the logs of tasks, of which there would be thousands."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def shorten(steps: Sequence[Step], fails: Callable[[Sequence[Step]], bool]) -> list[Step]:
    """The fewest steps that still fail, found by leaving out halves, quarters and single steps."""
    left, size = list(steps), max(1, len(steps) // 2)
    while True:
        at, shorter = 0, False
        while at < len(left):
            fewer = left[:at] + left[at + size :]
            if fewer and fails(fewer):
                left, shorter = fewer, True
            else:
                at += size
        if size == 1 and not shorter:
            return left
        size = max(1, size // 2)


def tell(played: Played) -> str:
    """The story of a sequence, a line per step, and how it ends."""
    lines = [f"{number + 1:>3}. {words}" for number, words in enumerate(played.told)]
    ends = [f"     {one.invariant}: {one.words}" for one in played.violations]
    return "\n".join([*lines, *(ends or ["     everything holds"])])
