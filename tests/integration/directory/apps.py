"""Database roles of applications, as docs/deployment.md has them made."""

from __future__ import annotations

import itertools

import psycopg
from psycopg import sql

PASSWORD = "only for the tests"
_numbers = itertools.count(1)


def make_app(owner: psycopg.Connection, districts: str = "", *, may_write: bool = False) -> str:
    """The name of a new login role that may read, and write if so, the districts named with commas between."""
    role = f"app_{owner.info.dbname}_{next(_numbers)}"
    owner.execute(sql.SQL("create role {} login password {}").format(sql.Identifier(role), sql.Literal(PASSWORD)))
    for district in filter(None, districts.split(",")):
        owner.execute("select directory.grant_access(%s, %s, %s)", (role, district, may_write))
    return role


def act_as(connection: psycopg.Connection, role: str) -> None:
    """Go on in the same connection with a role's rights."""
    connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
