"""Who is late, from the rows of real nights; and no storm of mails about it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from include.mingasync.directory import runs
from include.mingasync.district import District
from include.mingasync.results.lateness import claim, expiring, how_late, quiet_notices, sent
from include.mingasync.results.notices import late_mail, quiet_mail, secret_mail
from include.mingasync.settings import Settings
from tests.integration.directory.world import Directory, Sis, user

NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
TODAY = NOW.date()


def settings(**more: Any) -> Settings:
    return Settings.model_validate({"automatic_rostering": True, **more})


def a_night(directory: Directory, hours_ago: float, state: Any = "success", kind: Any = "nightly") -> None:
    run_id = f"{kind}-{hours_ago}"
    directory.night(Sis(users=[user("u1")]), run_id=run_id, kind=kind)
    number = directory.value("select run_no from directory.sync_runs where run_id = %s", run_id)
    runs.finish_run(directory.connection, number, state, "It broke." if state == "failed" else None)
    at = NOW - dt.timedelta(hours=hours_ago)
    directory.do("update directory.sync_runs set finished_at = %s, loaded_at = %s where run_no = %s", at, at, number)


@pytest.mark.parametrize(("hours", "late"), [(25.9, False), (26, False), (26.1, True)])
def test_26_hours_without_a_good_night_are_late(directory: Directory, oak: District, hours: float, late: bool) -> None:
    a_night(directory, hours, "completed_with_errors", "manual")
    assert (how_late(directory.connection, oak, settings(), NOW) is not None) is late


@pytest.mark.parametrize("state", ["failed", "held", "skipped", "superseded"])
def test_only_a_good_night_counts_and_the_last_run_is_named(directory: Directory, oak: District, state: str) -> None:
    a_night(directory, 50)
    a_night(directory, 2, state)
    late = how_late(directory.connection, oak, settings(), NOW)
    assert late and (late.hours, late.last_run_id, late.state) == (50, "nightly-2", state)


def test_a_night_that_was_undone_is_no_good_night(directory: Directory, oak: District) -> None:
    a_night(directory, 50)
    a_night(directory, 2)
    assert how_late(directory.connection, oak, settings(), NOW) is None
    directory.do("update directory.sync_runs set undone_at = now() where run_id = 'nightly-2'")
    late = how_late(directory.connection, oak, settings(), NOW)
    assert late and late.hours == 50


def test_a_preview_is_no_good_night(directory: Directory, oak: District) -> None:
    a_night(directory, 50)
    a_night(directory, 1, kind="preview")
    assert how_late(directory.connection, oak, settings(), NOW)


def test_a_night_of_long_ago_that_is_closed_anew_is_no_good_night_of_today(directory: Directory, oak: District) -> None:
    a_night(directory, 50)
    directory.do("update directory.sync_runs set finished_at = %s", NOW - dt.timedelta(hours=1))
    late = how_late(directory.connection, oak, settings(), NOW)
    assert late and late.hours == 50


def test_who_is_not_meant_to_run_is_not_late(directory: Directory, oak: District) -> None:
    assert how_late(directory.connection, oak, settings(), NOW) is None  # never had a first sync
    a_night(directory, 500)
    pause = {"from": "2026-11-20", "to": "2026-11-24", "mode": "pause"}
    assert how_late(directory.connection, oak, settings(quiet=[pause]), NOW) is None
    assert how_late(directory.connection, oak, settings(automatic_rostering=False), NOW) is None
    assert how_late(directory.connection, oak, settings(quiet=[pause | {"mode": "additions_only"}]), NOW)
    assert how_late(directory.connection, oak, None, NOW)


def test_the_clock_starts_anew_after_a_pause_or_once_turned_on(directory: Directory, oak: District) -> None:
    a_night(directory, 500)
    over = settings(quiet=[{"from": "2026-11-10", "to": "2026-11-23", "mode": "pause"}])
    assert how_late(directory.connection, oak, over, NOW) is None
    late = how_late(directory.connection, oak, over, NOW + dt.timedelta(days=1))
    assert late and late.hours == 30  # since midnight in Chicago
    directory.do(
        "insert into directory.settings_history values ('oak', %s, 'kim', '{}', %s)",
        NOW - dt.timedelta(hours=3),
        '{"automatic_rostering": true}',
    )
    assert how_late(directory.connection, oak, settings(), NOW) is None


def test_one_alarm_a_day_and_district_and_again_the_day_after(directory: Directory) -> None:
    a_night(directory, 50)
    real = dt.datetime.now(dt.UTC)
    day = dt.timedelta(days=1)
    tell = (directory.connection, "oak")
    assert claim(*tell, TODAY, kind="watchdog", to=["s@example.org"], now=real)
    sent(*tell, TODAY, "watchdog", "refused")
    assert claim(*tell, TODAY, kind="watchdog", to=["s@example.org"], now=real), "one that was refused is tried again"
    sent(*tell, TODAY, "watchdog")
    assert not claim(*tell, TODAY, kind="watchdog", to=["s@example.org"], now=real)
    assert not claim(*tell, TODAY + day, kind="watchdog", to=["s@example.org"], now=real + dt.timedelta(hours=2)), (
        "just after midnight"
    )
    assert claim(*tell, TODAY + day, kind="watchdog", to=["s@example.org"], now=real + dt.timedelta(hours=25))
    assert not claim(directory.connection, "elm", TODAY, kind="watchdog", to=["s@example.org"], now=real), (
        "a district without runs"
    )


def test_the_contact_is_told_the_day_before_a_quiet_range_begins_and_ends() -> None:
    own = settings(quiet=[{"from": "2026-12-19", "to": "2027-01-03", "mode": "pause"}])
    kinds = {day: quiet_notices(own, day) for day in (dt.date(2026, 12, 17) + dt.timedelta(days=n) for n in range(20))}
    told = [(day, kind) for day, notices in kinds.items() for kind, _, _ in notices]
    assert told == [(dt.date(2026, 12, 18), "quiet begins"), (dt.date(2027, 1, 2), "quiet ends")]


def test_the_mails_say_what_is_wrong_what_to_do_and_what_was_not_changed(directory: Directory, oak: District) -> None:
    a_night(directory, 50)
    a_night(directory, 2, "failed")
    late = how_late(directory.connection, oak, settings(), NOW)
    assert late
    mail = late_mail([late], {"oak": "https://air.example.org/r"})
    assert mail.subject == "MingaSync: 1 district without a good night for over 26 hours"
    for part in (mail.text, mail.html):
        assert "50 hours: Oak Valley. Last run: failed. It broke." in part
        assert "https://air.example.org/r" in part and "nobody was archived" in part
    (notice,) = quiet_notices(settings(quiet=[{"from": "2026-11-25", "to": "2026-11-29", "mode": "pause"}]), TODAY)
    assert "is paused from 2026-11-25 to 2026-11-29" in quiet_mail(oak, notice[0], notice[2]).text


def test_where_a_second_quiet_range_follows_the_mail_does_not_say_that_all_is_as_usual(oak: District) -> None:
    holidays = {"from": "2026-12-19", "to": "2027-01-03", "mode": "pause"}
    own = settings(quiet=[holidays, {"from": "2027-01-04", "to": "2027-01-08", "mode": "additions_only"}])
    ((kind, _, quiet),) = quiet_notices(own, dt.date(2027, 1, 2))
    mail = quiet_mail(oak, kind, quiet, own.quiet_on(dt.date(2027, 1, 4)))
    assert mail.subject == "MingaSync: Oak Valley: a quiet time ends tomorrow, and another follows"
    text = " ".join(mail.text.split())
    assert "until 2027-01-08 it only adds people" in text and "as usual" not in text
    alone = settings(quiet=[holidays])
    assert "runs as usual again" in quiet_mail(oak, kind, quiet, alone.quiet_on(dt.date(2027, 1, 4))).text


@pytest.mark.parametrize(
    ("ends", "kind"),
    [
        ("2027-01-31", None),
        ("2026-12-08", "secret ends, 14 days"),
        ("2026-11-27", "secret ends, 3 days"),
        ("2026-11-24", "secret ends, 0 days"),
        ("2026-11-01", "secret ends, 0 days"),
        ("soon", None),
        (None, None),
    ],
)
def test_a_secret_about_to_end_is_told_of_in_steps(ends: str | None, kind: str | None) -> None:
    due = expiring({"expires": ends} if ends else {}, dt.date(2026, 11, 24))
    assert (due and due[0]) == kind


def test_the_notice_of_a_secret_says_when_and_where_the_new_one_goes(oak: District) -> None:
    mail = secret_mail(oak, dt.date(2026, 11, 27), dt.date(2026, 11, 24))
    assert "PowerSchool ends in 3 days, on 2026-11-27" in mail.subject
    assert "oneroster_oak" in mail.text and "oneroster_oak" in mail.html
