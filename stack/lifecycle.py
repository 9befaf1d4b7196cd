"""Start, stop and describe a stack, from outside of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator

import psutil

from stack.airflow_api import AirflowApi
from stack.district import write_demo_district
from stack.environment import database, wanted_ports
from stack.home import REPOSITORY, Home
from stack.ports import choose_ports, remember_ports
from stack.processes import alive, end, with_descendants

#: A stack that ends by itself is told of at once; this only bounds one that hangs, also on a busy machine.
START_SECONDS = 900
STOP_SECONDS = 30
COMPONENTS = {
    "scheduler": "scheduler",
    "dag_processor": "DAG processor",
    "triggerer": "triggerer",
}

Say = Callable[[str], None]


class StackError(RuntimeError):
    """The stack did not come up; the message says what to look at."""


def supervisor(home: Home) -> psutil.Process | None:
    """The live supervisor of a stack; None when it is down."""
    return next(iter(alive(home.supervisor_file)), None)


def start(home: Home, say: Say) -> bool:
    """Bring a stack up and wait until Airflow is healthy; False when it was up already."""
    if supervisor(home):
        say("already up")
        _wait_until_healthy(home, say)
        return False
    _end_tree(home)  # what a killed supervisor may have left
    home.create()
    if home.kind == "demo":
        write_demo_district(home)
    ports = choose_ports(wanted_ports(home), {part: port.given for part, port in home.ports.items()})
    remember_ports(home.ports_file, ports)
    for part, port in ports.items():
        if port.moved:
            say(f"port {port.wanted} is in use by another program: {part} moved to {port.given}")
    home.secrets()
    _launch(home)
    _follow_steps(home, say)
    _wait_until_healthy(home, say)
    return True


def _launch(home: Home) -> None:
    home.steps_file.write_text("", encoding="utf-8")
    home.supervisor_file.unlink(missing_ok=True)
    settings = _supervisor_environment(home)
    with (home.logs / "supervisor.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "stack.supervisor", home.kind],
            cwd=REPOSITORY,
            env=settings,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while not supervisor(home):
        if process.poll() is not None or time.monotonic() > deadline:
            raise _failure(home, "The supervisor did not start")
        time.sleep(0.05)


def _supervisor_environment(home: Home) -> dict[str, str]:
    """The variables for the supervisor itself, which makes the database that the rest need."""

    settings = dict(os.environ)
    settings.pop("PYTHONDONTWRITEBYTECODE", None)
    settings["MINGASYNC_HOME"] = str(home.folder.parent)
    return settings


def _follow_steps(home: Home, say: Say) -> None:
    told = 0
    while told < 2:
        steps = home.steps_file.read_text(encoding="utf-8").splitlines()
        for step in steps[told:]:
            say(step)
        told = len(steps)
        if supervisor(home) is None:
            raise _failure(home, "The stack ended while it was starting")
        time.sleep(0.1)


def _wait_until_healthy(home: Home, say: Say) -> None:
    api = AirflowApi.of(home)
    waiting = {"api": "api-server", **COMPONENTS}
    deadline = time.monotonic() + START_SECONDS
    while waiting:
        if supervisor(home) is None:
            raise _failure(home, "The stack ended while it was starting")
        if time.monotonic() > deadline:
            raise _failure(home, f"Not healthy after {START_SECONDS} s: {', '.join(waiting.values())}")
        for name in [name for name in waiting if name in api.healthy_parts()]:
            say(f"{waiting.pop(name)} is healthy")
        time.sleep(0.3)


def _failure(home: Home, what: str) -> StackError:
    tails = [f"{what}. Logs are in {home.logs}; the last lines:"]
    for log in sorted(home.logs.glob("*.log"), key=lambda file: file.stat().st_mtime)[-3:]:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-6:]
        tails += [f"{log.name}: {line}" for line in lines]
    return StackError("\n  ".join(tails))


def stop(home: Home, say: Say) -> bool:
    """End everything that a stack started and nothing else; False when nothing ran."""
    if not home.ports_file.exists():
        return False
    owner = supervisor(home)
    # Taken before anything ends: a task's process whose parent is gone could not be found afterwards.
    family = with_descendants([*([owner] if owner else []), *alive(home.tree_file)])
    if owner:
        say(f"asking {len(family)} processes to end")
        owner.terminate()
        psutil.wait_procs([owner], STOP_SECONDS)
    _end_tree(home, family.values())
    return bool(family)


def _end_tree(home: Home, known: Iterable[psutil.Process] = ()) -> None:
    family = [*known, *with_descendants(alive(home.tree_file)).values()]
    # PostgreSQL goes last, by its own rules: a kill would cost a recovery at the next start.
    server_pid = database(home).pid if home.ports_file.exists() else None
    server = with_descendants([psutil.Process(server_pid)]) if server_pid else {}
    end([process for process in family if process.pid not in server], STOP_SECONDS)
    if server_pid:
        database(home).end_leftover()


def status(home: Home) -> Iterator[str]:
    """A stack's state, in lines for a person."""
    owner = supervisor(home)
    if owner is None:
        left = alive(home.tree_file)
        yield f"{home.kind}: down" + (f", but {len(left)} processes are left; run make down" if left else "")
        return
    yield f"{home.kind}: up, {len(with_descendants([owner]))} processes, files in {home.folder}"
    healthy = AirflowApi.of(home).healthy_parts()
    for name, label in {"api": "api-server", **COMPONENTS}.items():
        yield f"  {label}: {'healthy' if name in healthy else 'not healthy'}"
    for part, port in home.ports.items():
        yield f"  {part}: 127.0.0.1:{port.given}" + (f" (moved from {port.wanted})" if port.moved else "")


def remove(home: Home) -> None:
    """Delete all that a stopped stack kept, its databases included."""

    if home.ports_file.exists():
        database(home).remove()
    shutil.rmtree(home.folder, ignore_errors=True)
