"""Where a stack keeps what it makes: one folder per kind of stack, under ``.mingasync`` in the repository."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stack.ports import Port, remembered_ports

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDER_VARIABLE = "MINGASYNC_HOME"

Kind = Literal["demo", "up"]
KINDS: tuple[Kind, ...] = ("demo", "up")


@dataclass(frozen=True)
class Secrets:
    """What nobody but this stack may know; made at the first start."""

    fernet_key: str
    jwt_secret: str
    api_secret: str
    admin_password: str


@dataclass(frozen=True)
class Home:
    """The folder of one stack; the demo's is apart from that of ``make up``, so it cannot touch real data."""

    kind: Kind
    folder: Path

    @classmethod
    def of(cls, kind: Kind) -> Home:
        """The folder of a kind of stack: under ``MINGASYNC_HOME``, else ``.mingasync`` in the repository."""
        root = Path(os.environ.get(FOLDER_VARIABLE) or REPOSITORY / ".mingasync")
        return cls(kind, root.resolve() / kind)

    @property
    def airflow(self) -> Path:
        """Airflow's home."""
        return self.folder / "airflow"

    @property
    def logs(self) -> Path:
        """One log per process, and Airflow's task logs."""
        return self.folder / "logs"

    @property
    def mails(self) -> Path:
        """What the demo's mail sink received."""
        return self.folder / "mails"

    @property
    def snapshots(self) -> Path:
        """What each run read from the SIS."""
        return self.folder / "snapshots"

    @property
    def districts(self) -> Path:
        """The demo's district file; ``make up`` reads include/districts."""
        return self.folder / "districts"

    @property
    def ports_file(self) -> Path:
        """The ports of the last start."""
        return self.folder / "ports.json"

    @property
    def supervisor_file(self) -> Path:
        """Process number and start time of the supervisor."""
        return self.folder / "supervisor.json"

    @property
    def tree_file(self) -> Path:
        """Process number and start time of everything that the supervisor started."""
        return self.folder / "processes.json"

    @property
    def steps_file(self) -> Path:
        """What the supervisor has done so far, a line each, for whoever waits for it."""
        return self.folder / "steps.txt"

    @property
    def ports(self) -> dict[str, Port]:
        """The ports of the last start, by part."""
        return remembered_ports(self.ports_file)

    @property
    def airflow_url(self) -> str:
        """Airflow's address, without a slash at the end."""
        return f"http://127.0.0.1:{self.ports['airflow'].given}"

    def create(self) -> None:
        """Make the folders."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.airflow, self.logs, self.mails, self.snapshots, self.districts):
            folder.mkdir(exist_ok=True)

    def secrets(self) -> Secrets:
        """The stack's secrets, generated once and readable by their owner only."""
        file = self.folder / "secrets.json"
        if not file.exists():
            made = {
                "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
                "jwt_secret": secrets.token_urlsafe(64),
                "api_secret": secrets.token_urlsafe(64),
                # The demo's login is printed and only answers on loopback.
                "admin_password": "admin" if self.kind == "demo" else secrets.token_urlsafe(12),
            }
            file.touch(mode=0o600)
            file.write_text(json.dumps(made), encoding="ascii")
        return Secrets(**json.loads(file.read_text(encoding="ascii")))
