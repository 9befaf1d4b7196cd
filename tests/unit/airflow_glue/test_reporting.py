"""What the person on call reads in a task's log."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace

import pandas as pd
import pytest

from include.mingasync.airflow_glue.reporting import next_command, report_counts, report_issues, report_night
from include.mingasync.directory.counts import empty_counts
from include.mingasync.run import Run
from tests.unit.results.nights import NIGHTS

RUN = Run("oak", "scheduled__1", "nightly", dt.datetime(2026, 11, 24, 8, tzinfo=dt.UTC), dt.date(2026, 11, 24))


def test_issues_are_told_by_cause_below_their_numbers(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    rows = [("error", "classes.school_missing", "No school.", "Give it one.")] * 3 + [
        ("warning", "users.name_blank", "1 record.", "Fill it.")
    ]
    report_issues(pd.DataFrame(rows, columns=["severity", "rule", "message", "fix"]).astype("string"), 3)
    assert caplog.messages == [
        "4 issues (0 critical, 3 error, 1 warning); 3 records set aside, which archives nobody",
        "::group::2 causes and their cures",
        "3 x classes.school_missing (error): No school. Give it one.",
        "1 x users.name_blank (warning): 1 record. Fill it.",
        "::endgroup::",
    ]


def test_a_load_tells_how_many_first(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    counts = empty_counts()
    counts["people"]["student"] |= {"created": 5, "updated": 2, "archive_held": 9}
    counts["lists"]["role"] |= {"updated": 2}
    counts["memberships"] |= {"added": 30}
    report_counts(counts)
    assert caplog.messages[0] == "7 people and 2 lists changed; memberships: 30 added, 0 removed"
    assert "student: 5 created, 2 updated, 9 archive held" in caplog.messages and "class lists: none" in caplog.messages


@pytest.mark.parametrize("name", NIGHTS)
def test_a_night_begins_with_its_verdict_and_folds_the_rest(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    report_night(NIGHTS[name], RUN, "load" if name == "failed at extraction" else None)
    first, opening, *rest = caplog.messages
    assert re.match(
        r"(All good|Done, 1 thing to look at|Undone|Waiting for you|Archives held back|Done, with problems|Failed|Not needed): ",
        first,
    )
    assert not any("kim" in line for line in caplog.messages)
    assert opening == "::group::The whole report" and "::endgroup::" in rest
    told = rest[rest.index("::endgroup::") + 1 :]
    assert all(line.startswith(("Not changed: ", "Next: ")) for line in told)
    assert any(line.startswith("Next: ") for line in told) == (NIGHTS[name].state in ("failed", "held"))


def test_the_next_command_clears_the_broken_task_of_that_night_alone() -> None:
    command = next_command("failed", RUN, "extract.users")
    assert command and "airflow tasks clear mingasync_oak --task-regex extract.users --downstream" in command
    assert "--start-date 2026-11-24T08:00:00+00:00 --end-date 2026-11-24T08:00:00+00:00 --yes" in command
    assert next_command("success", RUN, None) is None
    by_hand = next_command("failed", replace(RUN, kind="manual"), "extract.users")
    assert by_hand and by_hand.endswith("airflow dags trigger mingasync_oak")


def test_a_preview_that_failed_is_started_once_more_as_a_preview() -> None:
    preview = next_command("failed", replace(RUN, kind="preview", send_email=False), "extract.users")
    assert preview and preview.endswith("""airflow dags trigger mingasync_oak --conf '{"mode": "preview"}'""")
    mailed = next_command("failed", replace(RUN, kind="manual", send_email=True), "extract.users")
    assert mailed and mailed.endswith("""airflow dags trigger mingasync_oak --conf '{"send_email": true}'""")


def test_a_preview_asks_nobody_and_sends_nobody_to_another_preview() -> None:
    assert next_command("held", replace(RUN, kind="preview"), None) is None
