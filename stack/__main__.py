"""``python -m stack demo|up|down|status|clean``: what the Makefile calls; ``address`` prints the directory's, for psql."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from stack import demo, lifecycle
from stack.environment import database
from stack.home import KINDS, Home
from stack.postgres import PostgresError


def _narrator() -> Callable[[str], None]:
    """A printer of lines that start with the seconds since now."""
    began = time.monotonic()

    def say(line: str) -> None:
        sys.stdout.write(f"{time.monotonic() - began:6.1f} s  {line}\n")
        sys.stdout.flush()

    return say


def run_demo() -> int:
    """0 when both nights ended well."""
    home = Home.of("demo")
    nights = demo.run_demo(home, _narrator())
    lines = ["", "What each night did", *demo.table(nights), "", "Where to look", *demo.places(home), ""]
    lines.append("Airflow stays up; make down ends it. The next make demo starts from an empty directory again.")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if len(nights) == 2 and all(night.state in demo.GOOD for night in nights) else 1


def run_up() -> int:
    """0 when Airflow is up for the districts of include/districts."""
    home = Home.of("up")
    first = not (home.folder / "secrets.json").exists()
    lifecycle.start(home, _narrator())
    secret = home.folder / "secrets.json"
    login = f"admin / {home.secrets().admin_password}" if first else f"admin, password in {secret}"
    moved = [f"{part} moved from port {p.wanted} to {p.given}" for part, p in home.ports.items() if p.moved]
    lines = ["", f"Airflow and the console  {home.airflow_url}/plugin/rostering   login {login}", *moved]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def run_down() -> int:
    """0; says what was ended."""
    for kind in KINDS:
        stopped = lifecycle.stop(Home.of(kind), _narrator())
        sys.stdout.write(f"{kind}: {'ended' if stopped else 'was not running'}\n")
    return 0


def run_status() -> int:
    """0; says which stacks are up, and on which ports."""
    for kind in KINDS:
        sys.stdout.write("\n".join(lifecycle.status(Home.of(kind))) + "\n")
    return 0


def run_address() -> int:
    """0; prints the address of the directory of make up, with its owner's name and password."""
    sys.stdout.write(f"{database(Home.of('up')).dsn('roster', 'roster')}\n")
    return 0


def run_clean() -> int:
    """0; ends the demo and deletes all that it kept. What `make up` keeps is never deleted here."""
    home = Home.of("demo")
    lifecycle.stop(home, _narrator())
    lifecycle.remove(home)
    sys.stdout.write(f"{home.folder} is deleted\n")
    return 0


def main() -> int:
    """The exit code of the command that was asked for."""
    commands = {
        "demo": run_demo,
        "up": run_up,
        "down": run_down,
        "status": run_status,
        "clean": run_clean,
        "address": run_address,
    }
    parser = argparse.ArgumentParser(prog="python -m stack")
    parser.add_argument("command", choices=commands)
    try:
        return commands[parser.parse_args().command]()
    except (lifecycle.StackError, demo.DemoError, PostgresError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted; what was started goes on. make down ends it.\n")
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
