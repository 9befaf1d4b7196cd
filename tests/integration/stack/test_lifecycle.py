"""What a stack started is ended, and only that, even when its supervisor was killed before."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from stack import lifecycle
from stack.environment import database
from stack.home import Home
from stack.ports import Port, choose_ports, free_port, is_free, remember_ports
from stack.processes import Identity, with_descendants, write_identities

#: Stands for a supervisor: PostgreSQL and a part that has a child, without the time Airflow takes.
SUPERVISOR = """
import os, psutil, subprocess, sys, time
from stack.environment import database
from stack.home import Home
from stack.processes import Identity, with_descendants, write_identities
home = Home.of("up")
server = database(home)
server.start()
part = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
subprocess.Popen([sys.executable, "-c", part], start_new_session=True)
time.sleep(0.5)
this = psutil.Process()
write_identities(home.tree_file, [Identity.of(member) for member in with_descendants([this]).values()])
write_identities(home.supervisor_file, [Identity.of(this)])
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setenv("MINGASYNC_HOME", str(tmp_path))
    made = Home.of("up")
    made.create()
    remember_ports(made.ports_file, choose_ports({"airflow": free_port(), "postgres": free_port()}, {}))
    yield made
    lifecycle.stop(made, lambda line: None)
    lifecycle.remove(made)


@pytest.fixture
def supervisor(home: Home) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", SUPERVISOR], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def family(home: Home, supervisor: subprocess.Popen[str]) -> list[psutil.Process]:
    # with_descendants leaves out the one who asks: here that is the test, so the supervisor's family is whole
    found = list(with_descendants([psutil.Process(supervisor.pid)]).values())
    assert len(found) > 5  # the supervisor, PostgreSQL and its workers, the part and its child
    return found


def living(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def test_down_ends_the_whole_tree_and_frees_the_ports(home: Home, supervisor: subprocess.Popen[str]) -> None:
    processes = family(home, supervisor)
    assert lifecycle.stop(home, lambda line: None)
    assert living(processes) == []
    assert is_free(home.ports["postgres"].given)


def test_down_finds_the_parts_of_a_killed_supervisor(home: Home, supervisor: subprocess.Popen[str]) -> None:
    processes = family(home, supervisor)
    supervisor.send_signal(signal.SIGKILL)
    supervisor.wait()
    assert "are left; run make down" in "".join(lifecycle.status(home))
    assert lifecycle.stop(home, lambda line: None)
    assert living(processes) == []
    assert database(home).pid is None


def test_down_ends_nobody_whose_number_was_recycled(home: Home) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        started = psutil.Process(stranger.pid).create_time()
        for file in (home.supervisor_file, home.tree_file):
            write_identities(file, [Identity(stranger.pid, started - 100)])
        assert not lifecycle.stop(home, lambda line: None)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_down_without_a_start_is_harmless(home: Home) -> None:
    home.ports_file.unlink()
    assert not lifecycle.stop(home, lambda line: None)
    assert "".join(lifecycle.status(home)) == "up: down"
    remember_ports(home.ports_file, {"airflow": Port(1, 1), "postgres": Port(2, 2)})
