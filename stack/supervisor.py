"""One process that owns a stack: PostgreSQL first, then Airflow's metadata, then every part under honcho.

Started detached by ``make demo`` and ``make up`` as ``python -m stack.supervisor demo|up``. When it is asked
to end, or when any part ends, it ends all parts, PostgreSQL last.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

import psutil
from honcho.manager import Manager

from stack.environment import database, environment
from stack.home import REPOSITORY, Home
from stack.processes import Identity, with_descendants, write_identities

NOTE_SECONDS = 2.0


def commands(home: Home) -> dict[str, list[str]]:
    """What runs in a stack, by name; every part listens on loopback only."""
    airflow = [sys.executable, "-m", "airflow"]
    parts = {
        "api-server": [*airflow, "api-server"],
        # Their log servers would listen on all addresses, and the api-server reads the same files.
        "scheduler": [*airflow, "scheduler", "--skip-serve-logs"],
        "triggerer": [*airflow, "triggerer", "--skip-serve-logs"],
        "dag-processor": [*airflow, "dag-processor"],
    }
    if home.kind == "demo":
        port = {part: str(port.given) for part, port in home.ports.items()}
        rehearsal = [sys.executable, "-m", "include.rehearsal"]
        parts["sis"] = [*rehearsal, "serve", "--port", port["sis"]]
        parts["mail"] = [
            *rehearsal,
            "mail",
            "--smtp-port",
            port["smtp"],
            "--http-port",
            port["mails"],
            "--folder",
            str(home.mails),
        ]
    return parts


def supervise(home: Home) -> int:
    """Run a stack until it is asked to end; the exit code of the first part that ended by itself."""
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    server = database(home)
    with _tree_noted(home):
        server.start()
        try:
            for name in ("airflow", "roster"):
                server.ensure_database(name)
            say(home, f"PostgreSQL is up on port {server.port}")
            settings = environment(home)
            subprocess.run([sys.executable, "-m", "stack.prepare", home.kind], cwd=REPOSITORY, env=settings, check=True)
            say(home, "Airflow's tables, login and Connections are ready")
            return _run_parts(home, settings)
        finally:
            server.stop()


def _run_parts(home: Home, settings: dict[str, str]) -> int:
    manager = Manager()
    for name, command in commands(home).items():
        log = shlex.quote(str(home.logs / f"{name}.log"))
        # exec: the shell makes way for the part, so that a signal reaches the part itself.
        manager.add_process(name, f"exec {shlex.join(command)} >>{log} 2>&1", env=settings, cwd=str(REPOSITORY))
    manager.loop()
    return int(manager.returncode or 0)


def say(home: Home, step: str) -> None:
    """Tell whoever waits what was done."""
    with home.steps_file.open("a", encoding="utf-8") as steps:
        steps.write(f"{step}\n")


@contextmanager
def _tree_noted(home: Home) -> Iterator[None]:
    # Kept on disk, so that `make down` finds the parts even after this process was killed.
    ended = threading.Event()

    def note() -> None:
        this = psutil.Process()
        while not ended.wait(NOTE_SECONDS):
            family = with_descendants([this]).values()
            write_identities(home.tree_file, _identities(family))

    threading.Thread(target=note, daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _identities(family: Iterable[psutil.Process]) -> list[Identity]:
    found = []
    for process in family:
        try:
            found.append(Identity.of(process))
        except psutil.Error:
            continue
    return found


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    own_home = Home.of("up" if sys.argv[1:] == ["up"] else "demo")
    write_identities(own_home.supervisor_file, [Identity.of(psutil.Process(os.getpid()))])
    raise SystemExit(supervise(own_home))
