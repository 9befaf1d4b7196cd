"""Which port each part listens on: the wanted one, or the next free one when another program has it."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
TRIES = 200


@dataclass(frozen=True)
class Port:
    """The port that a part has, and the one that it would have had."""

    wanted: int
    given: int

    @property
    def moved(self) -> bool:
        """Whether another program had the wanted port."""
        return self.wanted != self.given


def is_free(port: int) -> bool:
    """Whether nobody listens on a port of this machine, be it on loopback or on all addresses."""
    with socket.socket() as probe:
        # As servers do: a port whose last connections are only waiting to be forgotten counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """Any port that is free now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def choose_ports(wanted: Mapping[str, int], remembered: Mapping[str, int]) -> dict[str, Port]:
    """A free port for every part: the one it had last time, else the wanted one, else the next free."""
    chosen: dict[str, Port] = {}
    taken: set[int] = set()
    for part, first_choice in wanted.items():
        start = remembered.get(part, first_choice)
        candidates = range(start, min(start + TRIES, 65536))
        given = next((port for port in candidates if port not in taken and is_free(port)), None) or free_port()
        taken.add(given)
        chosen[part] = Port(first_choice, given)
    return chosen


def remember_ports(file: Path, ports: Mapping[str, Port]) -> None:
    """Keep the ports for the next start."""
    file.write_text(json.dumps({part: [port.wanted, port.given] for part, port in ports.items()}), encoding="utf-8")


def remembered_ports(file: Path) -> dict[str, Port]:
    """The ports of the last start; empty when there was none or the file is broken."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return {part: Port(int(wanted), int(given)) for part, (wanted, given) in content.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
