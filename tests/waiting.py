"""Waiting in tests: as long as the awaited can still come, however slow the machine is."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

import requests

#: Seconds for one call to a server that runs, on a machine that others keep busy.
PATIENCE = 120
#: Seconds after which a wait ends that nothing else has ended: a fault of the test, not of the machine.
_NEVER = 3600
_Answer = TypeVar("_Answer")


def until(answer: Callable[[], _Answer], lost: Callable[[], str | None] | None = None) -> _Answer:
    """The first true answer, asked for until it comes; ``lost`` says why it can no longer come, else None."""
    began = time.monotonic()
    while not (found := answer()):
        why = lost() if lost else None
        # What was lost may have come just before.
        if why and not (found := answer()):
            raise AssertionError(why)
        if found:
            break
        assert time.monotonic() - began < _NEVER, "it never came"
        time.sleep(0.2)
    return found


def answer_of(url: str, process: subprocess.Popen[bytes]) -> requests.Response:
    """The first answer of a server that a process is about to start; AssertionError when the process ended."""

    def ask() -> requests.Response | None:
        try:
            return requests.get(url, timeout=PATIENCE, proxies={"http": ""})
        except requests.ConnectionError:
            return None

    found = until(ask, lambda: None if process.poll() is None else f"the process ended with {process.returncode}")
    assert found is not None
    return found
