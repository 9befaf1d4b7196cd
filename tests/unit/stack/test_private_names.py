"""What the product uses of other packages without their promise, each with what to do once it is gone."""

from __future__ import annotations

import ast
from pathlib import Path

from airflow.models.variable import Variable
from airflow.providers.smtp.hooks.smtp import SmtpHook
from fsspec.implementations.sftp import SFTPFileSystem
from sqlalchemy import inspect
from urllib3.connection import HTTPConnection, HTTPSConnection

ROOT = Path(__file__).parents[3]
#: With an underscore only to stay apart from the names of fields.
PROMISED = frozenset({"_replace", "_asdict", "_fields"})
#: File -> private names of other packages in it.
USED = {
    "include/mingasync/airflow_glue/mail.py": {"_smtp_client"},
    "include/mingasync/console/variables.py": {"_val", "airflow._shared.secrets_backend.base"},
    "include/mingasync/oneroster/network.py": {"_new_conn"},
    "include/mingasync/oneroster/sftp.py": {"_get_kwargs_from_urls", "_strip_protocol"},
}


def test_no_private_name_is_used_but_those_that_are_looked_after_here() -> None:
    found: dict[str, set[str]] = {}
    for path in (one for folder in ("include", "plugins", "dags", "stack") for one in (ROOT / folder).rglob("*.py")):
        tree = ast.parse(path.read_text())
        own = {one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
        own |= {one.attr for one in ast.walk(tree) if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Store)}
        names = {
            one.attr
            for one in ast.walk(tree)
            if isinstance(one, ast.Attribute)
            and one.attr.startswith("_")
            and not one.attr.startswith("__")
            and one.attr not in PROMISED
            and (_is_super(one.value) or (not _is_own(one.value) and one.attr not in own))
        }
        names |= {
            one.module
            for one in ast.walk(tree)
            if isinstance(one, ast.ImportFrom) and one.module and "._" in one.module and not one.module.startswith("include.")
        }
        if names:
            found[path.relative_to(ROOT).as_posix()] = names
    assert found == USED


def _is_super(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "super"


def _is_own(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id in ("self", "cls")


def test_the_hook_of_smtp_has_its_client() -> None:
    """Gone: open the connection with smtplib from the Connection's parts (host, port, login, password; extra disable_ssl,
    disable_tls, timeout), as ``SmtpHook.get_conn`` does, and send the message with that in ``airflow_glue/mail.py``."""
    assert SmtpHook("smtp_default")._smtp_client is None


def test_a_variable_of_airflow_holds_its_text_in_val() -> None:
    """Gone: compare the row by another column that changes with each write, or hold it with ``for update`` on a database that
    can, in ``console/variables.py``. Without the comparison two people who save at the same moment lose one edit."""
    assert "_val" in inspect(Variable).attrs and "is_encrypted" in inspect(Variable).attrs


def test_airflow_asks_its_secrets_backends_by_this_function() -> None:
    """Gone: look where ``airflow.models.variable`` asks them, and ask the same way in ``console/variables.py``: the page has to
    say that a Variable of the environment or of a secrets backend stands before the one that it saves."""
    from airflow._shared.secrets_backend.base import call_secrets_backend_method

    assert callable(call_secrets_backend_method)


def test_the_connections_of_urllib3_open_their_socket_in_new_conn() -> None:
    """Gone: check where a connection leads in whatever opens the socket now, in ``oneroster/network.py``; without that an address
    of the SIS may lead into the private network. tests/integration/oneroster/test_access.py tries it."""
    assert callable(HTTPConnection._new_conn) and callable(HTTPSConnection._new_conn)


def test_the_sftp_file_system_takes_an_address_apart_and_connects_in_connect() -> None:
    """Gone: take the URL apart with urllib.parse (host, port, username, password, path) in ``oneroster/sftp.py``, and see that the
    host keys are still asked before a login is sent. tests/integration/oneroster/test_stores.py tries it."""
    parts = SFTPFileSystem._get_kwargs_from_urls("sftp://ann@files.example:2222/a.zip")
    assert (parts["host"], parts["port"], parts["username"]) == ("files.example", 2222, "ann")
    assert SFTPFileSystem._strip_protocol("sftp://ann@files.example:2222/a.zip") == "/a.zip"
    assert callable(SFTPFileSystem._connect)
