"""Writes docs/invariants.md from the invariants themselves; a test holds the two equal."""

from __future__ import annotations

from pathlib import Path

from tests.simulation import invariants, runs_held, second_opinion  # noqa: F401  (they register themselves)
from tests.simulation.judging import INVARIANTS

PAGE = Path(__file__).parents[2] / "docs" / "invariants.md"
_HEAD = """# What always holds

Whatever a district lives through, these hold. `make simulate` plays whole lives by seed on a real PostgreSQL, through the code of
the tasks (the SIS, Airflow's processes and the clock are simulated), and asks each of these after every step: nights, bad pulls,
kills, retries, cleared tasks of old runs, backfills, two runs at once, previews, undo, restored dumps, and what people do by hand.

| name | what holds |
| --- | --- |
"""
_FOOT = """
A seed that fails is shortened to the fewest steps and told: `.venv/bin/python -m tests.simulation --seed 7`. The last line of what
it prints replays exactly those steps. The same seed has the same steps and the same end, always.
"""


def page() -> str:
    """The page."""
    return _HEAD + "".join(f"| `{one.name}` | {one.line} |\n" for one in INVARIANTS) + _FOOT


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
