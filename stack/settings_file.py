"""Load ``airflow_settings.yaml`` (Astro CLI format) into Airflow: Connections, Variables and Pools.

Do not use ``airflow variables import airflow_settings.yaml``: it reports success and has stored the whole
file, passwords included, as one Variable.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stack.home import KINDS, REPOSITORY, Home
from stack.ports import HOST, Port

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

DEFAULT_FILE = REPOSITORY / "airflow_settings.yaml"
DATABASE_CONNECTION = "roster_db"


class SettingsFileError(ValueError):
    """The settings file cannot be used; the message names file, key and cure."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ConnectionEntry(_Entry):
    """One Connection, with the names that Astro's file uses."""

    conn_id: str = Field(min_length=1)
    conn_type: str = Field(min_length=1)
    conn_host: str | None = None
    conn_schema: str | None = None
    conn_login: str | None = None
    conn_password: str | None = None
    conn_port: int | None = None
    conn_extra: dict[str, Any] | str | None = None

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of Airflow's Connection, other than its id."""
        extra = self.conn_extra
        return {
            "conn_type": self.conn_type,
            "host": self.conn_host,
            "schema": self.conn_schema,
            "login": self.conn_login,
            "password": self.conn_password,
            "port": self.conn_port,
            "extra": json.dumps(extra) if isinstance(extra, dict) else extra,
        }


class VariableEntry(_Entry):
    """One Variable; a mapping or list is stored as JSON."""

    variable_name: str = Field(min_length=1)
    variable_value: Any

    @property
    def text(self) -> str:
        """The value as Airflow stores it."""
        value = self.variable_value
        return value if isinstance(value, str) else json.dumps(value, indent=2)


class PoolEntry(_Entry):
    """One Pool."""

    pool_name: str = Field(min_length=1)
    pool_slot: int = Field(ge=0)
    pool_description: str = ""


class AirflowSettings(_Entry):
    """All that the file holds."""

    connections: list[ConnectionEntry] = []
    variables: list[VariableEntry] = []
    pools: list[PoolEntry] = []


class _File(_Entry):
    airflow: AirflowSettings


def read_settings_file(file: Path) -> AirflowSettings:
    """What a settings file asks for.

    Raises SettingsFileError naming file and key when a key is unknown or of a wrong type.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsFileError(f"{file.name} cannot be read: {error}") from error
    try:
        return _File.model_validate(content).airflow
    except ValidationError as error:
        complaints = [
            f"{'.'.join(map(str, found['loc'])) or 'the file'}: {_complaint(found['type'], found['msg'])}"
            for found in error.errors()
        ]
        raise SettingsFileError(f"{file.name}: " + "; ".join(complaints)) from None


def _complaint(kind: str, message: str) -> str:
    return "unknown key, remove or correct it" if kind == "extra_forbidden" else message


def with_ports(settings: AirflowSettings, ports: Mapping[str, Port]) -> AirflowSettings:
    """The same settings with the ports that the parts really have, where they had to move."""
    numbers = {port.wanted: port.given for port in ports.values()}
    moves = {str(port.wanted): str(port.given) for port in ports.values()}

    def moved(value: Any) -> Any:
        if isinstance(value, str):
            # All ports in one pass: a moved port may be another part's wanted one.
            return re.sub(rf"(?<={re.escape(HOST)}:)\d+", lambda port: moves.get(port[0], port[0]), value)
        if isinstance(value, dict):
            return {key: moved(inner) for key, inner in value.items()}
        return value

    connections = [
        entry.model_copy(
            update={
                "conn_host": moved(entry.conn_host),
                "conn_extra": moved(entry.conn_extra),
                "conn_port": numbers.get(entry.conn_port or 0, entry.conn_port),
            }
        )
        for entry in settings.connections
    ]
    return settings.model_copy(update={"connections": connections})


def with_database_password(settings: AirflowSettings, password: str) -> AirflowSettings:
    """The same settings with the generated password of the directory's owner in the embedded PostgreSQL."""
    connections = [
        entry.model_copy(update={"conn_password": password}) if entry.conn_id == DATABASE_CONNECTION else entry
        for entry in settings.connections
    ]
    return settings.model_copy(update={"connections": connections})


def load(settings: AirflowSettings, session: Session, overwrite: bool = False) -> list[str]:
    """What was done, a line per kind; Variables that exist are left alone unless ``overwrite``.

    A person may have changed a district's settings in the console; a second demo must not take that back.
    """
    from airflow.models.pool import Pool
    from airflow.models.variable import Variable
    from sqlalchemy import select

    for connection in settings.connections:
        save_connection(connection, session)
    for pool in settings.pools:
        Pool.create_or_update_pool(pool.pool_name, pool.pool_slot, pool.pool_description, include_deferred=False, session=session)
    existing = set(session.scalars(select(Variable.key)))
    new = [entry for entry in settings.variables if overwrite or entry.variable_name not in existing]
    for variable in new:
        Variable.set(variable.variable_name, variable.text, session=session)
    kept = len(settings.variables) - len(new)
    return [
        f"{len(settings.connections)} Connections and {len(settings.pools)} Pools saved",
        f"{len(new)} Variables saved" + (f", {kept} left as they are" if kept else ""),
    ]


def save_connection(entry: ConnectionEntry, session: Session) -> None:
    """Create a Connection, or bring the one of that id to what the entry says."""
    from airflow.models.connection import Connection
    from sqlalchemy import select

    wanted = Connection(conn_id=entry.conn_id, **entry.arguments())
    present = session.scalar(select(Connection).where(Connection.conn_id == entry.conn_id))
    if present is None:
        session.add(wanted)
        return
    for name in ("conn_type", "host", "schema", "login", "port"):
        setattr(present, name, getattr(wanted, name))
    present.set_password(entry.conn_password)
    present.set_extra(entry.arguments()["extra"])


def main(arguments: list[str] | None = None) -> int:
    """Load a file into the Airflow that the environment describes; 0 when it worked."""
    parser = argparse.ArgumentParser(prog="python -m stack.settings_file", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=DEFAULT_FILE)
    parser.add_argument("--overwrite", action="store_true", help="also replace Variables that exist")
    parser.add_argument("--check", action="store_true", help="only read the file and say whether it is right")
    parser.add_argument("--ports-of", choices=KINDS, help="use the ports that this stack really has")
    chosen = parser.parse_args(arguments)
    try:
        settings = read_settings_file(chosen.file)
    except SettingsFileError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if chosen.ports_of:
        settings = with_ports(settings, Home.of(chosen.ports_of).ports)
    if not chosen.check:
        from airflow.utils.session import create_session

        with create_session() as session:
            sys.stdout.write("\n".join(load(settings, session, chosen.overwrite)) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
