"""One mail a night, whatever is retried."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import psycopg

from include.mingasync.results import outbox
from include.mingasync.run import Run
from tests.integration.directory.world import NIGHT, Directory

TO = ["sam@example.org"]


def later(directory: Directory, minutes: int) -> None:
    directory.do("update directory.mails set claimed_at = claimed_at - make_interval(mins => %s)", minutes)


def test_a_sent_mail_is_never_sent_again(directory: Directory) -> None:
    run, _ = directory.open()
    assert outbox.claim(directory.connection, run, TO)
    outbox.sent(directory.connection, run)
    assert not outbox.claim(directory.connection, run, TO)
    later(directory, 60)
    assert not outbox.claim(directory.connection, run, TO)
    assert directory.rows("select recipients, sent_at is not null, problem from directory.mails") == [(TO, True, None)]


def test_a_mail_that_failed_may_be_tried_again_by_its_run(directory: Directory) -> None:
    run, _ = directory.open()
    assert outbox.claim(directory.connection, run, TO)
    outbox.failed(directory.connection, run, "the mail server did not take it")
    assert directory.value("select problem from directory.mails") == "the mail server did not take it"
    assert outbox.claim(directory.connection, run, TO)
    outbox.sent(directory.connection, run)
    assert directory.value("select problem from directory.mails") is None


def test_another_run_of_the_same_night_sends_no_second(directory: Directory) -> None:
    run, _ = directory.open()
    other, _ = directory.open(kind="backfill", run_id="again")
    assert outbox.claim(directory.connection, run, TO)
    assert not outbox.claim(directory.connection, other, TO)
    outbox.sent(directory.connection, run)
    later(directory, 60)
    assert not outbox.claim(directory.connection, other, TO)


def test_another_run_takes_over_a_mail_that_was_claimed_long_ago_and_never_sent(directory: Directory) -> None:
    run, _ = directory.open()
    other, number = directory.open(kind="backfill", run_id="again")
    assert outbox.claim(directory.connection, run, TO)
    later(directory, 16)
    assert outbox.claim(directory.connection, other, TO)
    assert directory.value("select run_no from directory.mails") == number


def test_nights_and_kinds_have_mails_of_their_own(directory: Directory) -> None:
    run, _ = directory.open()
    tomorrow, _ = directory.open(night=NIGHT + dt.timedelta(days=1), run_id="tomorrow")
    assert outbox.claim(directory.connection, run, TO)
    assert outbox.claim(directory.connection, tomorrow, TO)
    assert outbox.claim(directory.connection, run, TO, "results of by-hand")
    outbox.sent(directory.connection, run)
    assert directory.value("select count(*) from directory.mails where sent_at is null") == 2


def test_a_run_that_was_never_opened_mails_nothing(directory: Directory) -> None:
    at = dt.datetime.now(dt.UTC)
    assert not outbox.claim(directory.connection, Run("oak", "unknown", "nightly", at, NIGHT), TO)


def test_of_eight_runs_at_once_one_may_send(directory: Directory, database: str) -> None:
    runs = [directory.open(run_id=f"r{number}")[0] for number in range(8)]

    def claim(run: Run) -> bool:
        with psycopg.connect(database, autocommit=True) as connection:
            return outbox.claim(connection, run, TO)

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(claim, runs)) == 1
