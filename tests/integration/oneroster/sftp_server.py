"""A real SFTP server on this machine that shares one folder, read only."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko

LOGIN, PASSWORD = "roster", "secret"


@dataclass
class Server:
    """Where the server listens, its host key, and what it was sent."""

    port: int
    key: paramiko.PKey
    passwords: list[str] = field(default_factory=list)

    @property
    def line(self) -> str:
        """The host key as ssh-keyscan prints it."""
        return f"[127.0.0.1]:{self.port} {self.key.get_name()} {self.key.get_base64()}"


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """A server for as long as the block lasts."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(listener.getsockname()[1], paramiko.ECDSAKey.generate())
    threading.Thread(target=_accept, args=(listener, server, folder), daemon=True).start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _accept(listener: socket.socket, server: Server, folder: Path) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        transport = paramiko.Transport(connection)
        transport.add_server_key(server.key)
        transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Folder, folder)
        with suppress(paramiko.SSHException, EOFError):
            transport.start_server(server=_Doorman(server))


class _Doorman(paramiko.ServerInterface):
    def __init__(self, server: Server) -> None:
        self._server = server

    def check_auth_password(self, username: str, password: str) -> int:
        self._server.passwords.append(password)
        return paramiko.AUTH_SUCCESSFUL if (username, password) == (LOGIN, PASSWORD) else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED


class _File(paramiko.SFTPHandle):
    def stat(self) -> Any:
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))


class _Folder(paramiko.SFTPServerInterface):
    def __init__(self, server: Any, folder: Path) -> None:
        super().__init__(server)
        self._root = folder

    def _at(self, path: str) -> Path:
        return Path(f"{self._root}{self.canonicalize(path)}")

    def list_folder(self, path: str) -> Any:
        return [paramiko.SFTPAttributes.from_stat(one.stat(), one.name) for one in sorted(self._at(path).iterdir())]

    def stat(self, path: str) -> Any:
        try:
            return paramiko.SFTPAttributes.from_stat(self._at(path).stat())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    lstat = stat

    def open(self, path: str, flags: int, attr: Any) -> Any:
        handle = _File(flags)
        handle.readfile = self._at(path).open("rb")
        return handle
