"""Only processes that are ours are ended: a recycled number, or a broken record, ends nobody."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from stack.processes import Identity, alive, end, read_identities, with_descendants, write_identities

SLEEP = "import time; time.sleep(60)"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEP!r}])"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); {SLEEP}"


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", SLEEP])
    yield process
    process.kill()
    process.wait()


def test_a_recorded_process_is_found_again(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    file = tmp_path / "processes.json"
    write_identities(file, [Identity.of(psutil.Process(sleeper.pid))])
    assert [process.pid for process in alive(file)] == [sleeper.pid]


def test_a_recycled_number_is_not_ours(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    real = Identity.of(psutil.Process(sleeper.pid))
    file = tmp_path / "processes.json"
    write_identities(file, [Identity(real.pid, real.started - 3600)])
    assert alive(file) == []
    end(alive(file), 1)
    assert sleeper.poll() is None


def test_an_ended_process_is_not_alive_even_before_it_is_collected(sleeper: subprocess.Popen[bytes]) -> None:
    identity = Identity.of(psutil.Process(sleeper.pid))
    sleeper.kill()
    psutil.wait_procs([psutil.Process(sleeper.pid)], 5)
    assert identity.process() is None


@pytest.mark.parametrize("content", ["", "{}", "[1]", '[{"pid": "x", "started": 1}]'])
def test_a_broken_record_names_nobody(tmp_path: Path, content: str) -> None:
    file = tmp_path / "processes.json"
    file.write_text(content)
    assert read_identities(file) == []


def test_descendants_are_found_and_ended() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT])
    try:
        family: dict[int, psutil.Process] = {}
        while len(family) < 2:
            family = with_descendants([psutil.Process(parent.pid)])
        end(family.values(), 5)
        assert not [process for process in family.values() if process.is_running() and process.pid != parent.pid]
        assert parent.wait(5) is not None
    finally:
        parent.kill()


def test_who_does_not_listen_is_killed_after_the_grace_period() -> None:
    process = subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    end([psutil.Process(process.pid)], 0.3)
    assert not psutil.pid_exists(process.pid)
    process.wait()
    process.stdout.close()


def test_the_one_who_asks_is_never_in_the_family() -> None:
    assert psutil.Process().pid not in with_descendants([psutil.Process()])
