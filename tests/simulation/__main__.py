"""Plays sequences by seed: ``python -m tests.simulation --seeds 0:2000``; replays one: ``--seed 7`` or ``--steps "night:0:0:0 ..."``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg

from include.mingasync.directory import schema
from stack.postgres import embedded_postgres
from tests.simulation.steps import Step, sequence
from tests.simulation.story import Played, play, quietly, shorten, tell


@contextmanager
def a_place(address: str, name: str) -> Iterator[psycopg.Connection[object]]:
    """A connection to a database of its own with the newest schema."""
    with psycopg.connect(address, autocommit=True) as admin:
        admin.execute(f"create database {name} template template0")
    with psycopg.connect(address, dbname=name, autocommit=True) as connection, quietly():
        schema.bring_to_head(connection)
        yield connection


def _seeds(address: str, name: str, seeds: Sequence[int], folder: Path, until_found: bool = False) -> list[tuple[int, Played]]:
    """The seeds that fail; only the first of them if that is enough."""
    failed = []
    with a_place(address, name) as connection:
        for seed in seeds:
            played = play(connection, folder / name, sequence(seed))
            if played.violations:
                failed.append((seed, played))
                print(f"seed {seed}: {played.violations[0]}", flush=True)  # noqa: T201 (told to who runs it)
                if until_found:
                    break
    return failed


def _shortest(connection: psycopg.Connection[object], folder: Path, steps: Sequence[Step], name: str) -> list[Step]:
    def fails(fewer: Sequence[Step]) -> bool:
        return any(one.invariant == name for one in play(connection, folder, fewer).violations)

    return shorten(steps, fails)


def main() -> int:
    """0 when everything holds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", default="0:100", help="from:to")
    parser.add_argument("--seed", type=int, help="one seed, told and shortened")
    parser.add_argument("--steps", help="a sequence of its own, told")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--shorten", type=int, default=3, help="how many failing seeds are shortened")
    parser.add_argument("--until-found", action="store_true", help="end with the first seed that fails")
    asked = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as place:
        folder = Path(place)
        with embedded_postgres(folder / "postgres") as server:
            address = server.dsn()
            if asked.steps or asked.seed is not None:
                steps = [Step.read(one) for one in asked.steps.split()] if asked.steps else sequence(asked.seed)
                with a_place(address, "alone") as connection:
                    return _told(connection, folder, steps, shortest=asked.steps is None)
            first, last = map(int, asked.seeds.split(":"))
            # The schema's roles are of the whole server: two places that make them at once would get into each other's way.
            with a_place(address, "first"):
                pass
            parts = [range(first + part, last, asked.processes) for part in range(asked.processes)]
            with ProcessPoolExecutor(asked.processes) as pool:
                names = [f"place_{one}" for one in range(len(parts))]
                found = pool.map(
                    partial(_seeds, until_found=asked.until_found), [address] * len(parts), names, parts, [folder] * len(parts)
                )
                failed = sorted((one for part in found for one in part), key=lambda one: one[0])
            minutes = (time.monotonic() - began) / 60
            print(f"{last - first} sequences in {minutes:.1f} minutes, {len(failed)} failed: {[one for one, _ in failed]}")  # noqa: T201 (told to who runs it)
            with a_place(address, "alone") as connection:
                for seed, _ in failed[: asked.shorten]:
                    _told(connection, folder, sequence(seed), shortest=True)
    return 1 if failed else 0


def _told(connection: psycopg.Connection[object], folder: Path, steps: list[Step], *, shortest: bool) -> int:
    played = play(connection, folder / "alone", steps)
    if played.violations and shortest:
        steps = _shortest(connection, folder / "alone", steps[: len(played.told)], played.violations[0].invariant)
        played = play(connection, folder / "alone", steps)
    print(tell(played))  # noqa: T201 (told to who runs it)
    print(f'     digest {played.digest}\n     --steps "{" ".join(map(str, steps))}"')  # noqa: T201 (told to who runs it)
    return 1 if played.violations else 0


if __name__ == "__main__":
    sys.exit(main())
