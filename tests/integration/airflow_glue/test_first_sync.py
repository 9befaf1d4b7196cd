"""The first sync of a district that was requested: its steps, and the one mail to the contact."""

from __future__ import annotations

import json
from typing import Any

import pytest

from include.mingasync.airflow_glue import connection_mails, context
from include.mingasync.connecting import steps
from include.mingasync.oneroster import read
from tests.integration.airflow_glue.chain import Chain
from tests.integration.airflow_glue.conftest import Glue
from tests.integration.airflow_glue.test_clearing import SETTINGS, sis

REQUEST = {
    "district_name": "Oak",
    "schools": ["North"],
    "sis_name": "Skyward",
    "contact_name": "Sam",
    "contact_email": "sam@oak.example.org",
}


@pytest.fixture
def chain(glue: Glue, monkeypatch: pytest.MonkeyPatch) -> Chain:
    """A district that no sync has read yet, and who starts its runs."""
    made = Chain(glue, sis(20))
    monkeypatch.setattr(read, "read_collection", made.read)
    monkeypatch.setattr(context, "sis_access", lambda district: None)
    monkeypatch.setattr(context, "links", lambda district, run: {})
    monkeypatch.setattr(context, "started_by", lambda running=None: "pat")
    glue.settings = json.dumps(SETTINGS)
    return made


def requested(chain: Chain, until: str) -> None:
    connection = chain.glue.directory.connection
    assert steps.ask(connection, "oak", REQUEST, "kim", "")
    for step in steps.STEPS[1 : steps.STEPS.index(until) + 1]:
        steps.stamp(connection, "oak", step, "kim")


def done(chain: Chain) -> list[tuple[Any, ...]]:
    return chain.glue.directory.rows("select step, done_by from directory.connection_steps order by done_at")[-2:]


def test_the_first_sync_is_told_to_the_contact_once(chain: Chain) -> None:
    requested(chain, "verified")
    assert chain.start("first") == "success"
    assert done(chain) == [("synced", "pat"), ("complete", "pat")]
    (mail,) = chain.glue.sent()
    assert (mail["To"], mail["Subject"]) == ("sam@oak.example.org", "MingaSync: Oak: MingaSync is set up")
    chain.clear("first", "notify", downstream=False)
    chain.clear("first", "open_run")
    chain.start("second")
    assert connection_mails.post(chain.glue.directory.connection, "oak", "confirmation", "kim") is None
    assert len(chain.glue.sent()) == 1


def test_a_mail_server_that_is_down_fails_no_sync_and_the_next_one_tells_it(chain: Chain) -> None:
    requested(chain, "verified")
    chain.glue.mails.refuse = True
    assert chain.start("first") == "success" and chain.states["first"]["notify"] == "success"
    assert done(chain) == [("verified", "kim"), ("synced", "pat")] and chain.glue.sent() == []
    chain.glue.mails.refuse = False
    assert chain.start("second") == "success"
    assert done(chain) == [("synced", "pat"), ("complete", "pat")] and len(chain.glue.sent()) == 1


@pytest.mark.parametrize("kind", ["preview", "failed"])
def test_what_loaded_nothing_is_no_first_sync(chain: Chain, kind: str) -> None:
    requested(chain, "verified")
    if kind == "failed":
        chain.sis = None
    chain.start("first", "preview" if kind == "preview" else "manual")
    assert done(chain)[-1] == ("verified", "kim") and chain.glue.sent() == []


@pytest.mark.parametrize("until", ["requested", "sent", "returned"])
def test_no_step_is_skipped_by_a_sync(chain: Chain, until: str) -> None:
    requested(chain, until)
    assert chain.start("first") == "success"
    assert done(chain)[-1] == (until, "kim") and chain.glue.sent() == []


def test_a_district_that_nobody_requested_is_told_nothing(chain: Chain) -> None:
    assert chain.start("first") == "success"
    assert done(chain) == [] and chain.glue.sent() == []
