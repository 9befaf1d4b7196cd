"""``mingasync_connect`` and the first task of a night, as far as the Connection goes: what they read, what they tell."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from airflow.sdk.exceptions import AirflowFailException

from include.mingasync.airflow_glue import connecting, context
from include.mingasync.district import find_district
from include.mingasync.errors import MissingConnection, SourceRefused
from include.rehearsal.running import Running, running
from include.rehearsal.server import CLIENT_ID, CLIENT_SECRET, application
from tests.integration.oneroster.faulty import TODAY


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(application(students=30, schools=1, today=TODAY)) as one:
        yield one


@pytest.fixture
def maple(server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes the district file and the Connection, with what is changed in them."""
    server.misbehave()
    monkeypatch.setenv("MINGASYNC_DISTRICTS_DIR", str(tmp_path))
    task = {"params": {"district": "maple"}, "dag_run": SimpleNamespace(conf=None)}
    monkeypatch.setattr(connecting, "get_current_context", lambda: task)

    def write(extra: dict[str, Any] | None = None, *, sis: dict[str, Any] | None = None, **parts: Any) -> None:
        content = {
            "name": "Maple",
            "timezone": "America/Chicago",
            "sis": {"name": "own", "version": "1.2"} | (sis or {}),
            "contact": {"name": "Ada", "email": "ada@maple.example"},
        }
        (tmp_path / "maple.yaml").write_text(yaml.safe_dump(content))
        own = {"conn_type": "http", "host": server.root("1.2"), "login": CLIENT_ID, "password": CLIENT_SECRET} | parts
        own["extra"] = {"token_url": server.token_url} | (extra or {})
        monkeypatch.setenv("AIRFLOW_CONN_ONEROSTER_MAPLE", json.dumps(own))

    return write


def test_one_cause_is_told_once_and_its_cure_cures(maple: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "include")
    maple(password="wrong-secret")
    with pytest.raises(AirflowFailException) as refusal:
        connecting.verify()
    told = str(refusal.value)
    assert told.startswith(
        "2 resource(s) are missing that no sync can do without. orgs, users: The SIS refused the client id and secret"
    )
    assert told.count("Correct login and password of the Connection") == 1
    assert told.count("Nothing was changed.") == 1
    assert "wrong-secret" not in told + caplog.text
    maple()
    assert set(connecting.verify().values()) == {None}


def test_what_alone_is_not_shared_is_told_with_the_sis_s_own_cure(maple: Any, server: Running) -> None:
    maple(sis={"name": "Synergy"})
    server.misbehave(not_shared=["classes", "orgs"])
    with pytest.raises(AirflowFailException, match=r"orgs: reading it is forbidden.*In Synergy's OneRoster settings"):
        connecting.verify()
    server.misbehave(not_shared=["classes"])
    told = connecting.verify()
    assert [name for name, words in told.items() if words] == ["classes"]


def test_a_misspelt_key_is_named_before_anything_is_read(maple: Any, server: Running) -> None:
    server.sis.forget()
    maple({"auht": "bearer"})
    with pytest.raises(AirflowFailException, match="did you mean 'auth'"):
        connecting.verify()
    with pytest.raises(SourceRefused, match="did you mean 'auth'"):
        context.sis_access(find_district("maple"))
    assert not server.sis.asked
    maple()
    assert context.sis_access(find_district("maple")).auth == "oauth2"


def test_a_bundle_whose_connection_is_missing_is_not_told_of_oauth(
    maple: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maple(sis={"source": "csv", "url": str(tmp_path), "connection": "maple_store"})
    with pytest.raises(MissingConnection) as missing:
        context.sis_access(find_district("maple"))
    told = str(missing.value)
    assert (
        "'maple_store' (the login to the store of Maple's bundle, named by sis.connection in the district file) is missing"
        in told
    )
    assert "oauth" not in told.lower() and "token" not in told.lower()
    # Either of the two cures.
    monkeypatch.setenv("AIRFLOW_CONN_MAPLE_STORE", json.dumps({"conn_type": "generic", "login": "key", "password": "secret"}))
    assert context.sis_access(find_district("maple")).client_id == "key"
    monkeypatch.delenv("AIRFLOW_CONN_MAPLE_STORE")
    monkeypatch.delenv("AIRFLOW_CONN_ONEROSTER_MAPLE")
    path = tmp_path / "maple.yaml"
    path.write_text(path.read_text().replace("  connection: maple_store\n", ""))
    assert context.sis_access(find_district("maple")).root_url == str(tmp_path)
