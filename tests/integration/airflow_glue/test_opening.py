"""The task open_run: what it says of settings that can be read and yet do not do what was meant."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowFailException

from include.mingasync.airflow_glue import context, nightly
from include.mingasync.directory import schema
from include.mingasync.errors import DirectoryRefused
from tests.integration.airflow_glue.conftest import Glue


def wanting(**results_email: Any) -> str:
    """Settings whose only wish is a mail."""
    school = {"results_email": {"recipients": ["head@example.org", "Head <head@example.org>"]}}
    wish = {"automatic_rostering": True, "results_email": {"enabled": True, **results_email}, "schools": {"S1": school}}
    return json.dumps(wish)


def test_recipients_who_cannot_be_mailed_are_named_by_their_key_and_stop_nothing(
    glue: Glue, caplog: pytest.LogCaptureFixture
) -> None:
    glue.settings = wanting(recipients=["sam@example.org", "a:b@x.org", "x@y.org, z@y.org"])
    glue.start("first", "manual")
    assert nightly.open_run()["kind"] == "manual"
    issues = "select severity, resource, rule, message from directory.sync_issues"
    keys = "results_email.recipients[1], results_email.recipients[2], schools.S1.results_email.recipients[1]"
    told = f"3 recipients of the results mail cannot be mailed, as what was entered is no address: {keys}."
    assert glue.directory.rows(issues) == [("warning", "settings", "settings.recipient", told)]
    assert keys in caplog.text and "@" not in caplog.text
    # Corrected, and the task cleared.
    glue.settings = wanting(recipients=["sam@example.org"]).replace(', "Head <head@example.org>"', "")
    nightly.open_run()
    assert glue.directory.rows(issues) == []


@pytest.mark.parametrize("wish", [{"preview": True}, {"dry_run": True, "mode": "apply"}])
def test_a_run_that_is_asked_for_what_no_run_knows_ends_in_words_and_changes_nothing(glue: Glue, wish: dict[str, Any]) -> None:
    """Whoever asks for a look only must not get the real thing."""
    glue.conf.update(wish)
    glue.start("first", "manual")
    with pytest.raises(AirflowFailException, match=rf"A run of a district knows no {next(iter(wish))}: .*Nothing was changed\."):
        nightly.open_run()
    assert glue.directory.rows("select state from directory.sync_runs") == [("failed",)]
    assert glue.directory.rows("select * from directory.people") == []


def test_the_form_of_a_run_asks_for_exactly_the_keys_that_a_run_knows() -> None:
    from dags.district_sync import PARAMS

    assert tuple(PARAMS) == context.CONFIGURATION


@pytest.mark.parametrize("again", [True, False])
def test_a_table_that_somebody_holds_is_waited_for_by_the_next_try_as_the_log_says(
    glue: Glue, monkeypatch: pytest.MonkeyPatch, *, again: bool
) -> None:
    def held(connection: Any) -> None:
        raise schema._in_plain_words(psycopg.errors.LockNotAvailable())

    monkeypatch.setattr(context, "is_tried_again", lambda: again)
    monkeypatch.setattr(schema, "bring_to_head", held)
    with pytest.raises(DirectoryRefused, match="held one of its tables") as refusal:  # AirflowFailException is never tried again
        nightly.open_run()
    assert schema.WHO_HOLDS in str(refusal.value)
    assert ("it is tried again" in str(refusal.value)) == again
