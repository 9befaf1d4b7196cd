"""Runs started from the console: what Airflow has in its database in the end, who may, and what is refused."""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy
from airflow.models import backfill
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.sdk import CronTriggerTimetable
from sqlalchemy.orm import Session

from include.mingasync.console import starting
from tests.integration.console.conftest import Console, committing
from tests.integration.console.metastore import make_tables, serialise
from tests.integration.console.sheets import Hand
from tests.integration.console.test_pages import words

START = "/districts/oak/start"


class Starter(Hand):
    """Somebody who starts runs, and what Airflow has of them."""

    @property
    def metastore(self) -> sqlalchemy.Engine:
        assert self.console.metastore is not None
        return self.console.metastore

    def runs(self) -> list[tuple[str, str, str, Any]]:
        with Session(self.metastore) as session:
            return [
                (one.dag_id, str(one.run_type), str(one.state), one.conf)
                for one in session.scalars(sqlalchemy.select(DagRun).order_by(DagRun.id))
            ]

    def pause(self, dag_id: str) -> None:
        with Session(self.metastore) as session:
            session.execute(sqlalchemy.update(DagModel).where(DagModel.dag_id == dag_id).values(is_paused=True))
            session.commit()

    def is_paused(self, dag_id: str) -> bool:
        with Session(self.metastore) as session:
            return bool(session.scalar(sqlalchemy.select(DagModel.is_paused).where(DagModel.dag_id == dag_id)))


@pytest.fixture
def hand(console: Console, monkeypatch: pytest.MonkeyPatch) -> Iterator[Starter]:
    metastore = console.metastore
    assert metastore is not None
    make_tables(metastore)
    monkeypatch.setattr(backfill, "create_session", lambda: committing(metastore))
    serialise(metastore, "mingasync_oak", CronTriggerTimetable("0 2 * * *", timezone="America/Chicago"))
    serialise(metastore, "mingasync_undo")
    yield Starter(console)


@pytest.mark.parametrize(("button", "mail", "conf"), [
    ("preview", False, {"mode": "preview"}),
    ("sync", False, {}),
    ("sync", True, {"send_email": True}),
])  # fmt: skip
def test_a_run_is_started_once_it_was_confirmed_and_its_page_says_so(
    hand: Starter, button: str, mail: bool, conf: dict[str, Any]
) -> None:
    form = hand.open(START)
    confirm = hand.press(form.tick("send_email") if mail else form, button)
    assert hand.runs() == []
    started = hand.press(confirm, "start")
    assert "Started The run is queued in Airflow" in words(started.page)
    assert hand.runs() == [("mingasync_oak", "manual", "queued", conf)]
    hand.press(confirm, "start")  # the same page, pressed again
    assert len(hand.runs()) == 1
    with Session(hand.metastore) as session:
        run = session.scalars(sqlalchemy.select(DagRun)).one()
        assert run.triggering_user_name == "robin" and run.run_id.startswith("manual__")
    assert "A run of this district is going on" in words(hand.console.page(START))


@pytest.mark.parametrize(("button", "conf"), [("sync", {}), ("preview", {"mode": "preview"})])
def test_the_first_sync_is_started_where_the_history_is_empty(hand: Starter, button: str, conf: dict[str, Any]) -> None:
    confirm = hand.press(hand.open("/districts/oak"), button)
    assert hand.runs() == []
    assert "Started The run is queued in Airflow" in words(hand.press(confirm, "start").page)
    assert hand.runs() == [("mingasync_oak", "manual", "queued", conf)]


def test_whoever_may_not_start_runs_sees_no_button_where_the_history_is_empty(
    hand: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    from include.mingasync.console import action_pages, pages

    for module in (pages, action_pages):
        monkeypatch.setattr(module, "may_start", lambda user, slug: False)
    page = hand.console.page("/districts/oak")
    assert "<button" not in page and "started by somebody who may edit mingasync_oak and start its runs" in words(page)
    assert hand.send("/districts/oak", [("action", "sync"), ("end", "1")]).status_code == 403
    assert hand.runs() == []


def test_a_failed_night_is_done_once_more_by_its_local_date(hand: Starter) -> None:
    night = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=3)
    confirm = hand.press(hand.open(START).fill("night", night.isoformat()), "replay")
    assert f"Replay the night of {night:%a} {night.day} {night:%b %Y} ?" in words(confirm.page) and hand.runs() == []
    assert "Started" in words(hand.press(confirm, "start").page)
    with Session(hand.metastore) as session:
        run = session.scalars(sqlalchemy.select(DagRun)).one()
        assert str(run.run_type) == "backfill" and run.logical_date is not None
        local = run.logical_date.astimezone(starting.ZoneInfo("America/Chicago"))
        assert (local.date(), local.hour) == (night, 2)
        run.state = "success"
        session.execute(sqlalchemy.text("update backfill set completed_at = now()"))
        session.commit()
    told = words(hand.press(confirm, "start", status=409).page)
    assert "That night did not fail, or is going on now" in told and len(hand.runs()) == 1


def test_a_second_replay_waits_until_the_first_is_over(hand: Starter) -> None:
    today = dt.datetime.now(dt.UTC).date()
    for number, told in (
        (3, "Started"),
        (4, "already a running backfill for dag mingasync_oak. Wait a minute, then press the button again."),
    ):
        night = (today - dt.timedelta(days=number)).isoformat()
        confirm = hand.press(hand.open(START).fill("night", night), "replay")
        assert told in words(hand.press(confirm, "start", status=200 if number == 3 else 409).page)
    assert len(hand.runs()) == 1


@pytest.mark.parametrize("night", ["", "2999-01-01", "yesterday"])
def test_a_night_that_is_none_is_not_replayed(hand: Starter, night: str) -> None:
    told = words(hand.press(hand.open(START).fill("night", night), "replay", status=422).page)
    assert "Choose the date of a night that is over." in told and hand.runs() == []


def test_a_mail_is_promised_only_where_mails_are_on(hand: Starter) -> None:
    confirm = hand.press(hand.open(START).tick("send_email"), "sync")
    assert "get the results by mail, if the rostering results email is turned on." in words(confirm.page)
    assert "Nobody is mailed." in words(hand.press(hand.open(START), "sync").page)


def test_a_paused_dag_is_told_and_turned_on_only_when_that_is_wanted(hand: Starter) -> None:
    hand.pause("mingasync_oak")
    confirm = hand.press(hand.open(START), "sync")
    assert "The DAG is paused" in words(confirm.page)
    again = hand.press(confirm, "start", status=409)
    assert "Nothing was started. The DAG is paused" in words(again.page)
    assert hand.runs() == [] and hand.is_paused("mingasync_oak")
    hand.press(again.tick("unpause"), "start")
    assert len(hand.runs()) == 1 and not hand.is_paused("mingasync_oak")


def test_a_dag_that_airflow_does_not_know_is_told(hand: Starter) -> None:
    confirm = hand.press(hand.open(START), "sync")
    with Session(hand.metastore) as session:
        session.execute(sqlalchemy.text("update dag set is_stale = true"))
        session.commit()
    assert "Airflow does not know the DAG mingasync_oak" in words(hand.press(confirm, "start", status=409).page)
    page = hand.console.page(START)
    assert "Airflow does not know the DAG" in words(page) and "<button" not in page and hand.runs() == []


def applied(hand: Starter) -> str:
    """A run that created two people, by its id."""
    run_id = hand.console.run(run_id="scheduled__<b>1")
    hand.console.connection.execute(
        "insert into directory.changes (run_no, entity, entity_no, role, action, status, reason)"
        " select run_no, 'person', n, 'student', 'create', case when n < 3 then 'applied' else 'suppressed' end, 'new_in_sis'"
        " from directory.sync_runs, generate_series(1, 3) as n"
    )
    return f"/districts/oak/runs/{quote(run_id, safe='')}"


def test_an_undo_says_what_it_takes_back_and_is_started_for_its_district(hand: Starter) -> None:
    address = applied(hand)
    assert "Undo this run…" in hand.console.page(address)
    form = hand.open(f"{address}/undo")
    assert "Person student Create New in SIS 2" in words(form.page) and "<b>1" not in form.page
    assert "Started" in words(hand.press(form, "start").page)
    assert hand.runs() == [("mingasync_undo", "manual", "queued", {"district": "oak", "run_id": "scheduled__<b>1"})]
    assert hand.press(form, "start") and len(hand.runs()) == 1


def test_the_page_of_an_undo_says_what_would_change_and_which_later_edits_stay_and_keeps_nothing(hand: Starter) -> None:
    execute = hand.console.connection.execute
    run_id = hand.console.run(run_id="scheduled__one")
    made = execute(
        "insert into directory.people (district, source, sourced_id, sourced_ids, role, given_name, family_name, email, include_in_sync)"
        " select 'oak', 'sis', n::text, array[n::text], 'student', 'Given', 'After', 'a@example.org', true from generate_series(1, 3) as n"
        " returning person_id"
    ).fetchall()
    for (person,) in made:
        execute(
            "insert into directory.changes (run_no, entity, entity_no, role, action, status, reason, before, after)"
            """ select run_no, 'person', %s, 'student', 'update', 'applied', 'changed_in_sis', '{"family_name": "Before"}',"""
            """ '{"family_name": "After"}' from directory.sync_runs where run_id = 'scheduled__one'""",
            (person,),
        )
    execute("update directory.people set family_name = 'By hand' where person_id = %s", (made[0][0],))
    state = "select (select json_agg(p order by person_id) from directory.people as p), (select json_agg(r) from directory.sync_runs as r),"
    state += " (select json_agg(c order by entity_no) from directory.changes as c)"
    before = execute(state).fetchall()
    page = hand.console.page(f"/districts/oak/runs/{run_id}/undo")
    assert "2 people, 0 lists and 0 memberships would be again as they were before this run." in words(page)
    assert (
        "Later edits that stay" in words(page)
        and f"Person {made[0][0]}" in words(page)
        and f"Person {made[1][0]}" not in words(page)
    )
    assert execute(state).fetchall() == before
    with hand.console.connection.transaction():
        execute("select directory.lock_district('oak')")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("include.mingasync.console.reading._SECONDS_TO_CONNECT", 1)
            page = hand.console.page(f"/districts/oak/runs/{run_id}/undo")
    assert (
        "cannot be said now. A run of this district is writing its results now." in words(page)
        and "Undo this run</button>" in page
    )


def test_two_clicks_at_the_same_moment_start_one_run(hand: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    both, turn_on = threading.Barrier(2, timeout=60), starting._turn_on

    def together(*args: Any, **more: Any) -> None:
        turn_on(*args, **more)
        both.wait()

    monkeypatch.setattr(starting, "_turn_on", together)
    fields = [("what", "sync"), ("action", "start"), ("pressed_at", dt.datetime.now(dt.UTC).isoformat()), ("end", "1")]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: hand.send(START, fields), range(2)))
    assert [one.status_code for one in answers] == [200, 200] and answers[0].url == answers[1].url
    assert len(hand.runs()) == 1


def test_a_run_whose_undo_has_begun_is_not_undone_a_second_time_from_another_page(hand: Starter) -> None:
    address = applied(hand)
    first, second = hand.open(f"{address}/undo"), hand.open(f"{address}/undo")
    assert first.value("pressed_at") != second.value("pressed_at")
    for form in (first, second):
        assert "Started" in words(hand.press(form, "start").page)
    assert len(hand.runs()) == 1


@pytest.mark.parametrize(("column", "words_of_it"), [
    ("undone_at = now(), undone_by = 'manual__undo'", "It was undone already by manual__undo."),
    ("kind = 'preview'", "It applied no roster"),
    ("finished_at = null, state = 'held'", "It has not ended."),
])  # fmt: skip
def test_a_run_that_cannot_be_undone_says_why(hand: Starter, column: str, words_of_it: str) -> None:
    address = applied(hand)
    form = hand.open(f"{address}/undo")
    hand.console.connection.execute(f"update directory.sync_runs set {column}")
    assert words_of_it in words(hand.press(form, "start", status=409).page)
    assert "Undo this run…" not in hand.console.page(address) and hand.runs() == []


def test_whoever_may_only_read_starts_and_undoes_nothing(hand: Starter) -> None:
    address = applied(hand)
    hand.console.editable.clear()
    for page in (START, f"{address}/undo"):
        assert "<button" not in hand.console.page(page)
        for action in ("start", "sync", "preview"):
            fields = [("what", "sync"), ("action", action), ("pressed_at", dt.datetime.now(dt.UTC).isoformat()), ("end", "1")]
            assert hand.send(page, fields).status_code == 403
    assert "Undo this run" not in hand.console.page(address) and "Preview, sync" not in hand.console.page("/districts/oak")
    hand.console.readable.clear()
    for page in (START, f"{address}/undo"):
        assert hand.console.browser.get(page).status_code == 403 and hand.send(page, [("end", "1")]).status_code == 403
    assert hand.runs() == []


def test_another_sites_start_is_refused(hand: Starter) -> None:
    fields = [("what", "sync"), ("action", "start"), ("pressed_at", dt.datetime.now(dt.UTC).isoformat()), ("end", "1")]
    for site in ("cross-site", "same-site"):
        assert hand.send(START, fields, **{"sec-fetch-site": site}).status_code == 403
    assert hand.runs() == []


@pytest.mark.parametrize("pressed_at", ["", "now", "2020-01-01T00:00:00+00:00", "2999-01-01T00:00:00+00:00", "2026-11-28"])
def test_a_confirmation_without_its_moment_starts_nothing(hand: Starter, pressed_at: str) -> None:
    fields = [("what", "sync"), ("action", "start"), ("pressed_at", pressed_at), ("end", "1")]
    assert hand.send(START, fields).status_code == 409 and hand.runs() == []


def test_whoever_may_start_no_runs_in_airflow_starts_none_here(hand: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    from include.mingasync.console import action_pages

    monkeypatch.setattr(action_pages, "may_start", lambda user, slug: False)
    assert hand.send(START, [("what", "sync"), ("action", "sync"), ("end", "1")]).status_code == 403
    assert hand.runs() == []


def test_pages_need_nothing_that_their_security_policy_forbids(hand: Starter) -> None:
    address = applied(hand)
    for page in (hand.console.page(START), hand.console.page(f"{address}/undo"), hand.press(hand.open(START), "sync").page):
        assert not re.findall(r"\s(?:style|on\w+)=|<style|<script>|https?://|target=", page)
