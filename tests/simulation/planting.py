"""Plants each fault in a copy of the repository and plays seeds there until one fails: ``python -m tests.simulation.planting``."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.simulation.planted import FAULTS, Fault

ROOT = Path(__file__).parents[2]
FOUND = Path(__file__).parent / "planted.json"
PAGE = ROOT / "docs" / "planted-faults.md"
_PARTS = ("include", "dags", "plugins", "stack", "tests", "docs", "pyproject.toml")
_HEAD = """# Faults that the simulation finds

The invariants ([invariants.md](invariants.md)) and the second opinion are only worth something if they find faults. Each of these
was put into the product alone, and seeds were played against it until one failed. A fault in bold was not found: a gap to close.

| fault | what goes wrong | found by | seed | sequences |
| --- | --- | --- | --- | --- |
"""
_FOOT = """
`make planted` does it again, fault by fault, and writes this page; `.venv/bin/python -m tests.simulation.planting --only NAME` does it for one.
"""


@dataclass(frozen=True)
class Found:
    """Which invariant found a fault, with which seed, after how many sequences; None where none did."""

    by: str | None
    seed: int | None
    sequences: int


def plant(fault: Fault, folder: Path) -> None:
    """Make a copy of the repository that has the fault."""
    for part in _PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / part)
    for place, old, new in fault.places:
        path = folder / "include" / "mingasync" / place
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def look_for(fault: Fault, seeds: str, python: str = sys.executable) -> Found:
    """What finds a fault."""
    with tempfile.TemporaryDirectory() as place:
        plant(fault, Path(place))
        told = subprocess.run(
            [python, "-m", "tests.simulation", "--seeds", seeds, "--processes", "1", "--shorten", "0", "--until-found"],
            cwd=place, capture_output=True, text=True, check=False,
        )  # fmt: skip
    first, last = map(int, seeds.split(":"))
    if told.returncode == 0:
        return Found(None, None, last - first)
    found = re.search(r"seed (\d+): Violation\(invariant='(\w+)'", told.stdout)
    if found is None:
        raise RuntimeError(f"{fault.name}: {(told.stdout + told.stderr)[-2000:]}")
    return Found(found[2], int(found[1]), int(found[1]) - first + 1)


def page(found: Iterable[tuple[Fault, Found]]) -> str:
    """The page of planted faults."""
    rows = (
        f"| `{fault.name}` | {fault.words} | `{one.by}` | {one.seed} | {one.sequences} |\n"
        if one.by
        else f"| **`{fault.name}`** | {fault.words} | nothing | | {one.sequences} |\n"
        for fault, one in found
    )
    return _HEAD + "".join(rows) + _FOOT


def main() -> int:
    """0 when every fault was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", default="0:40", help="from:to")
    parser.add_argument("--only", nargs="*", help="the faults to plant; all without it")
    asked = parser.parse_args()
    known = json.loads(FOUND.read_text(encoding="utf-8")) if FOUND.exists() else {}
    for fault in FAULTS:
        if asked.only and fault.name not in asked.only:
            continue
        found = look_for(fault, asked.seeds)
        print(f"{fault.name}: {found}", flush=True)  # noqa: T201 (told to who runs it)
        known[fault.name] = asdict(found)
        FOUND.write_text(json.dumps({one.name: known[one.name] for one in FAULTS if one.name in known}, indent=1) + "\n", "utf-8")
    rows = [(one, Found(**known[one.name])) for one in FAULTS if one.name in known]
    PAGE.write_text(page(rows), encoding="utf-8")
    return 0 if all(one.by for _, one in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
