"""Which processes are ours: a number with its start time, so that a recycled number is never ended."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

#: The clock that start times are computed from may be corrected a little while a machine runs.
CLOCK_SECONDS = 2.0


@dataclass(frozen=True)
class Identity:
    """A process of this boot of this machine."""

    pid: int
    started: float

    @classmethod
    def of(cls, process: psutil.Process) -> Identity:
        """The identity of a live process."""
        return cls(process.pid, process.create_time())

    def process(self) -> psutil.Process | None:
        """The process while it lives; None once it ended, also when its number went to another process."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < CLOCK_SECONDS
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None


def write_identities(file: Path, identities: Iterable[Identity]) -> None:
    """Record processes in a file, whole or not at all."""
    beside = file.with_suffix(".new")
    beside.write_text(json.dumps([asdict(identity) for identity in identities]), encoding="utf-8")
    beside.replace(file)


def read_identities(file: Path) -> list[Identity]:
    """The processes recorded in a file; none when there is no such file or it is broken."""
    try:
        return [Identity(int(entry["pid"]), float(entry["started"])) for entry in json.loads(file.read_text())]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def alive(file: Path) -> list[psutil.Process]:
    """The recorded processes that still live."""
    return [process for identity in read_identities(file) if (process := identity.process())]


def with_descendants(processes: Iterable[psutil.Process]) -> dict[int, psutil.Process]:
    """The processes and everything below them, by number; never the one that asks."""
    found: dict[int, psutil.Process] = {}
    for process in processes:
        try:
            family = [process, *process.children(recursive=True)]
        except psutil.Error:
            continue
        found |= {member.pid: member for member in family if member.pid != os.getpid()}
    return found


def end(processes: Iterable[psutil.Process], grace_seconds: float) -> None:
    """Ask processes to end, and kill those that have not after the grace period."""
    asked = list(processes)
    for process in asked:
        _signal(process, "terminate")
    _, stubborn = psutil.wait_procs(asked, grace_seconds)
    for process in stubborn:
        _signal(process, "kill")
    psutil.wait_procs(stubborn, 5)


def _signal(process: psutil.Process, how: str) -> None:
    try:
        getattr(process, how)()  # psutil compares start times before it signals
    except psutil.Error:
        return
