"""A port in use is found out, whoever holds it, and the next free one is taken and remembered."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from stack.ports import Port, choose_ports, free_port, is_free, remember_ports, remembered_ports


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_port_in_use_is_moved(address: str) -> None:
    with socket.create_server((address, 0)) as busy:
        port = busy.getsockname()[1]
        assert not is_free(port)
        chosen = choose_ports({"airflow": port}, {})["airflow"]
    assert chosen.wanted == port
    assert chosen.given > port
    assert chosen.moved


def test_a_free_port_is_kept() -> None:
    port = free_port()
    assert choose_ports({"airflow": port}, {}) == {"airflow": Port(port, port)}


def test_two_parts_never_get_the_same_port() -> None:
    port = free_port()
    chosen = choose_ports({"one": port, "two": port}, {})
    assert chosen["one"].given != chosen["two"].given


def test_the_port_of_last_time_is_taken_again_and_still_counts_as_moved(tmp_path: Path) -> None:
    wanted, last = free_port(), free_port()
    file = tmp_path / "ports.json"
    remember_ports(file, {"airflow": Port(wanted, last)})
    remembered = {part: port.given for part, port in remembered_ports(file).items()}
    assert choose_ports({"airflow": wanted}, remembered) == {"airflow": Port(wanted, last)}


@pytest.mark.parametrize("content", ["", "[]", "{", '{"airflow": 1}'])
def test_a_broken_memory_is_no_memory(tmp_path: Path, content: str) -> None:
    file = tmp_path / "ports.json"
    file.write_text(content)
    assert remembered_ports(file) == {}
