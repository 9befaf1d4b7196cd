"""A bundle's SFTP server, spoken to only when it is the one that is known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import paramiko
from fsspec.implementations.sftp import SFTPFileSystem
from paramiko.hostkeys import HostKeyEntry

from include.mingasync.errors import SourceRefused

_PORT = 22
_SECONDS = 30


def sftp_at(url: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    """The file system of an SFTP server, and the path that the URL names on it.

    ``options``: what paramiko connects with, and the server's host key, as ``host_key`` (one or a list, as ``ssh-keyscan`` prints
    them) or as ``known_hosts`` (the path of a file). Raises SourceRefused when the server's key is not known, or is another.
    """
    own = {key: value for key, value in options.items() if key not in ("host_key", "known_hosts", "host_key_policy")}
    place = SFTPFileSystem._get_kwargs_from_urls(url)
    host, port = place["host"], int(place.get("port") or _PORT)
    keys = _known(host, port, options)
    try:
        fs = _Known(**(own | place), known=keys, timeout=_SECONDS, banner_timeout=_SECONDS, auth_timeout=_SECONDS)
    except paramiko.BadHostKeyException:
        raise SourceRefused(
            f"The SFTP server {host} is not the one that is known: it shows another host key. Nothing was sent to it. "
            f"If the server was really replaced: {_cure(host, port)}"
        ) from None
    except paramiko.AuthenticationException:
        raise SourceRefused(
            f"The SFTP server {host} refused the login. Correct login and password, or the key, in the Connection. "
            "Nothing was changed."
        ) from None
    return fs, SFTPFileSystem._strip_protocol(url)


class _Known(SFTPFileSystem):  # type: ignore[misc]
    """An SFTP server whose host key is among those known; every other one is refused before anything is sent."""

    cachable = False

    def __init__(self, host: str, known: paramiko.HostKeys, **options: Any) -> None:
        self._keys = known
        super().__init__(host, **options)

    def _connect(self) -> None:
        self.client = paramiko.SSHClient()
        self.client.set_missing_host_key_policy(paramiko.RejectPolicy())
        for name, entry in self._keys.items():
            for kind, key in entry.items():
                self.client.get_host_keys().add(name, kind, key)
        self.client.connect(self.host, **self.ssh_kwargs)
        self.ftp = self.client.open_sftp()


def _known(host: str, port: int, options: Mapping[str, Any]) -> paramiko.HostKeys:
    """The host keys that the Connection's extra knows of a server; SourceRefused where it knows none."""
    name = host if port == _PORT else f"[{host}]:{port}"
    keys = paramiko.HostKeys()
    written = options.get("host_key") or []
    for line in [written] if isinstance(written, str) else written:
        key = _key(str(line))
        if key is None:
            raise SourceRefused(f"The host_key in the Connection's extra is no host key. {_cure(host, port)}")
        keys.add(name, key.get_name(), key)
    if path := options.get("known_hosts"):
        there = paramiko.HostKeys()
        try:
            there.load(str(Path(path).expanduser()))
        except OSError as error:
            raise SourceRefused(
                f"The file known_hosts that the Connection's extra names cannot be read ({type(error).__name__}). "
                f"{_cure(host, port)}"
            ) from None
        # Asked by name, since the file may hold it hashed.
        for kind, key in (there.lookup(name) or {}).items():
            keys.add(name, kind, key)
    if not keys.lookup(name):
        raise SourceRefused(
            f"The host key of the SFTP server {host} is not known, so that anybody could answer in its place. {_cure(host, port)}"
        )
    return keys


def _key(line: str) -> paramiko.PKey | None:
    """The host key in a line, with or without the host before it; None where it holds none."""
    words = line.split()
    at = next((place for place, word in enumerate(words) if word.startswith(("ssh-", "ecdsa-"))), None)
    if at is None or at + 1 == len(words):
        return None
    try:
        entry = HostKeyEntry.from_line(f"host {words[at]} {words[at + 1]}")
    except Exception:
        return None
    return entry.key if entry else None


def _cure(host: str, port: int) -> str:
    return (
        f"Print what the server shows with: ssh-keyscan -p {port} {host}   Compare it with what the SIS's vendor tells you, and "
        'put the line into the extra of the district\'s Connection: {"host_key": "ssh-ed25519 AAAA…"}. Nothing was changed.'
    )
