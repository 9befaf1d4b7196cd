"""What the owner's session runs is what was written: no object of another role puts itself in between."""

from __future__ import annotations

import psycopg
import pytest

from include.mingasync.airflow_glue import context
from include.mingasync.console import reading
from tests.integration.console.conftest import as_airflow_connection
from tests.integration.directory.apps import act_as, make_app
from tests.integration.directory.test_lists import LISTS, classroom
from tests.integration.directory.world import Directory, everything_on, user

#: What PostgreSQL calls in place of its own where the types fit better, with the rights of whoever calls.
_TRAP = """
create function public.concat(text, text, text) returns text language plpgsql as $$
begin
    insert into directory.access (role, district, may_write, granted_by) values ('{role}', 'oak', true, 'a trap')
    on conflict do nothing;
    return '';
end
$$;
"""


def test_a_function_in_public_is_not_run_by_a_night(directory: Directory, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ROSTER_DB", as_airflow_connection(database))
    role = make_app(directory.connection, "elm")
    directory.do(f"grant create on schema public to {role}")  # the rule before version 15, and in databases that come from there
    act_as(directory.connection, role)
    directory.do(_TRAP.format(role=role))
    directory.do("reset role")
    with context.directory() as connection:
        night = Directory(connection, everything_on(**LISTS))
        sis = classroom()
        night.night(sis)
        sis.users = [*sis.users[1:], user("new")]
        night.night(sis)
    with reading.directory() as here:
        here.rows("standings", districts=["oak"])
    assert directory.rows("select district from directory.access") == [("elm",)]
    # The trap works where nothing is done against it.
    with psycopg.connect(database) as unguarded:
        unguarded.execute("select concat('a'::text, 'b'::text, 'c'::text)")
        assert unguarded.execute("select count(*) from directory.access").fetchone() == (2,)
