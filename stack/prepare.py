"""Make Airflow's metadata ready in one process: tables, login, roles, Connections.

Each ``airflow`` command costs several seconds of import; here they are paid once.
Run by the supervisor, with the stack's environment, as ``python -m stack.prepare demo|up``.
"""

from __future__ import annotations

import sys

from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
from airflow.utils import db
from airflow.utils.session import create_session
from sqlalchemy import select
from sqlalchemy.orm import Session

from stack.environment import database
from stack.home import Home
from stack.settings_file import (
    DATABASE_CONNECTION,
    DEFAULT_FILE,
    ConnectionEntry,
    load,
    read_settings_file,
    save_connection,
    with_database_password,
    with_ports,
)

ADMIN = "admin"


def prepare(home: Home) -> None:
    """Bring tables, roles, login and Connections of a stack to what it needs; harmless when all is there."""
    # Read before anything is written, so that a mistake in the file leaves no half-made stack.
    settings = read_settings_file(DEFAULT_FILE) if home.kind == "demo" else None
    db.upgradedb()
    _login(home)
    password = database(home).password_of("roster")
    with create_session() as session:
        if settings is not None:
            load(with_database_password(with_ports(settings, home.ports), password), session)
        else:
            _own_database_connection(home, password, session)


def _login(home: Home) -> None:
    with get_application_builder() as builder:
        security = builder.sm
        security.sync_roles()
        # Without this only Op and Admin see the console in the navigation.
        permission = security.create_permission("can_read", "Plugins")
        for name in ("Viewer", "User"):
            security.add_permission_to_role(security.find_role(name), permission)
        if not security.find_user(ADMIN):
            password = home.secrets().admin_password
            role = security.find_role("Admin")
            security.add_user(ADMIN, "Local", "Admin", "admin@localhost.example", role, password)


def _own_database_connection(home: Home, password: str, session: Session) -> None:
    # A person may have pointed roster_db at a server of their own: only a missing one, or ours, is written.
    from airflow.models.connection import Connection

    present = session.scalar(select(Connection).where(Connection.conn_id == DATABASE_CONNECTION))
    if present is not None and (present.host, present.login) != ("127.0.0.1", "roster"):
        return
    entry = ConnectionEntry(
        conn_id=DATABASE_CONNECTION,
        conn_type="postgres",
        conn_host="127.0.0.1",
        conn_port=home.ports["postgres"].given,
        conn_schema="roster",
        conn_login="roster",
        conn_password=password,
    )
    save_connection(entry, session)


if __name__ == "__main__":
    prepare(Home.of("up" if sys.argv[1:] == ["up"] else "demo"))
