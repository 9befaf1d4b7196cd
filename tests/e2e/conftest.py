"""A live Airflow with the rehearsal district, in a folder and on ports of its own, ended after the tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from stack import lifecycle
from stack.environment import WANTED_PORTS_DEMO
from stack.home import REPOSITORY, Home
from stack.ports import Port, free_port, remember_ports
from stack.processes import alive, with_descendants
from tests.e2e.live import Live


@pytest.fixture(scope="package")
def live_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The home of a running demo stack, before any night: Airflow, PostgreSQL, rehearsal SIS, mail sink."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINGASYNC_HOME", str(tmp_path_factory.mktemp("live")))
        home = Home.of("demo")
        home.create()
        # Other ports than the usual ones: a demo that is up on this machine goes on undisturbed.
        remember_ports(home.ports_file, {part: Port(port, free_port()) for part, port in WANTED_PORTS_DEMO.items()})
        try:
            lifecycle.start(home, lambda line: None)
            yield home
        finally:
            family = with_descendants(alive(home.supervisor_file)).values()
            lifecycle.stop(home, lambda line: None)
            left = [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
            lifecycle.remove(home)
            assert not left, f"processes of the stack outlived it: {left}"


@pytest.fixture(scope="package")
def demo_output(live_stack: Home) -> str:
    """What the demo printed after both its nights went well; the directory then holds the second night."""
    # The demo itself gives up when something is wrong; a busy machine is no reason.
    demo = subprocess.run([sys.executable, "-m", "stack", "demo"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert demo.returncode == 0, f"{demo.stdout}\n{demo.stderr}"
    Live(live_stack).keep()
    return demo.stdout


@pytest.fixture
def live(live_stack: Home, demo_output: str) -> Iterator[Live]:
    """The stack as the demo left it, whatever other tests did; nothing of this test goes on after it."""
    stack = Live(live_stack)
    stack.restore()
    yield stack
    stack.restore()
