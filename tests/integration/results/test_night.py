"""What the mail knows of a night, read from the rows that the night left."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest

from include.mingasync.directory import issues, runs
from include.mingasync.directory.archive import approve, archive, ask, reject
from include.mingasync.district import District
from include.mingasync.errors import MingaSyncError
from include.mingasync.results.mail import compose, what_was_not_changed
from include.mingasync.results.night import Night, read_night
from include.mingasync.run import Run
from tests.integration.directory.world import NIGHT, Directory, Sis, enrollment, everything_on, klass, school, user
from tests.integration.results.test_attachment import read


def finished(directory: Directory, run_id: str) -> None:
    number = directory.value("select run_no from directory.sync_runs where run_id = %s", run_id)
    runs.finish_run(directory.connection, number, *runs.verdict(directory.connection, number))


def test_a_first_night(directory: Directory, oak: District) -> None:
    directory.night(Sis(users=[user("u1"), user("u2"), user("t1", "teacher")]), run_id="first", kind="manual")
    finished(directory, "first")
    night = read_night(directory.connection, oak, "first", {"run": "https://air.example.org"})
    assert (night.state, night.reason, night.sis, night.held, night.causes) == (
        "success",
        None,
        "PowerSchool",
        (),
        (),
    )
    assert {role: own["created"] for role, own in night.counts["people"].items()} == {
        "student": 2,
        "teacher": 1,
        "staff": 0,
        "admin": 0,
    }
    assert str(night.started_at.tzinfo) == "America/Chicago" and night.finished_at
    assert "3 joined, 0 left" in compose(night).subject


def test_a_held_night_names_school_and_numbers(directory: Directory, oak: District) -> None:
    directory.settings = everything_on(safety={"archive_percent": 10, "archive_minimum": 2})
    directory.night(Sis(users=[user(f"u{number}") for number in range(10)]), run_id="first")
    directory.night(Sis(users=[user(f"u{number}") for number in range(5)]), run_id="second")
    finished(directory, "second")
    night = read_night(directory.connection, oak, "second")
    assert night.state == "held" and night.counts["people"]["student"]["archive_held"] == 5
    assert [(group["school"], group["role"], group["people"], group["of"]) for group in night.held] == [
        ("School S1", "student", 5, 10)
    ]
    assert "5 of 10 students of School S1 would be archived" in " ".join(
        compose(night).html.replace('<span class="number">', "").replace("</span>", "").split()
    )


def test_a_school_reads_its_own_part_and_its_own_verdict(directory: Directory, oak: District) -> None:
    schools = [school("S1", "North High"), school("S2", "South High")]
    directory.settings = everything_on(safety={"archive_percent": 10, "archive_minimum": 2})
    north, south = [user(f"n{one}") for one in range(10)], [user(f"s{one}", schools=["S2"]) for one in range(8)]
    directory.night(Sis(users=[*north, *south], orgs=schools), run_id="first")
    newcomer = user("s9", schools=["S2"])
    directory.night(Sis(users=[*north[:5], *south[:7], newcomer], orgs=schools), run_id="second")
    number = directory.value("select run_no from directory.sync_runs where run_id = 'second'")
    bad = [("error", "users", "s1", "users.match_not_unique", "Fits several.", "Part them.")]
    columns = ["severity", "resource", "sourced_id", "rule", "message", "fix"]
    run = Run("oak", "second", "nightly", dt.datetime.now(dt.UTC), NIGHT)
    issues.replace(directory.connection, run, number, "validate", pd.DataFrame(bad, columns=columns).astype("string"))
    reject(directory.connection, number, "kim")
    finished(directory, "second")

    def part(school_id: str) -> Night:
        return read_night(directory.connection, oak, "second", school_id=school_id, attach_changes=True)

    own = part("S1")
    assert (own.district, own.state, own.reason) == (
        "Oak Valley, North High", "held", "5 archives were rejected; these people stay active.",
    )  # fmt: skip
    assert own.counts["people"]["student"]["archive_held"] == 5 and own.causes == ()
    own = part("S2")
    assert (own.district, own.state, own.reason, own.held) == (
        "Oak Valley, South High", "completed_with_errors", "1 record of this school was set aside or could not be used.", (),
    )  # fmt: skip
    students = own.counts["people"]["student"]
    assert (students["created"], students["archived"], students["archive_held"]) == (1, 1, 0)
    assert own.attachment and {change["school"] for change in read(own.attachment.content)} == {"South High"}
    directory.do("delete from directory.sync_issues")
    assert (part("S2").state, part("S2").reason) == ("success", None)


@pytest.mark.parametrize(
    ("by", "reason"),
    [
        ("kim", "5 archives were rejected; these people stay active."),
        (
            None,
            "5 archives got no answer in time, which counts as rejected; these people stay active. The next night asks again.",
        ),
    ],
)
def test_a_hold_asks_while_it_waits_and_tells_the_answer_afterwards(
    directory: Directory, oak: District, by: str | None, reason: str
) -> None:
    directory.settings = everything_on(safety={"archive_percent": 10, "archive_minimum": 2})
    directory.night(Sis(users=[user(f"u{number}") for number in range(10)]), run_id="first")
    directory.night(Sis(users=[user(f"u{number}") for number in range(5)]), run_id="second")
    number = directory.value("select run_no from directory.sync_runs where run_id = 'second'")
    until = dt.datetime(2026, 11, 25, 7, 50, tzinfo=dt.UTC)
    runs.note(directory.connection, number, state="held", reason="5 archives wait.", answer_until=until)
    mail = compose(read_night(directory.connection, oak, "second"))
    assert "Waiting for you" in mail.subject and "Without an answer until 2026-11-25 01:50 CST" in mail.text

    reject(directory.connection, number, by)
    finished(directory, "second")
    night = read_night(directory.connection, oak, "second")
    assert (night.state, night.reason, night.answer_until) == ("held", reason, None)
    assert ("Answered by kim" in compose(night).text) == ("Answered by kim" in compose(night).html) == (by == "kim")
    assert "Archives held back" in compose(night).subject

    # Opened once more the run is as it was; only who is asked anew may answer anew.
    answered = "select state, answer, answered_by from directory.sync_runs where run_id = 'second'"
    directory.open(run_id="second")
    assert directory.rows(answered) == [("held", "rejected" if by else "none", by)]
    ask(directory.connection, number)
    assert directory.rows(answered) == [("held", None, None)]


def test_the_mail_after_an_approval_says_who_gave_it(directory: Directory, oak: District) -> None:
    directory.settings = everything_on(safety={"archive_percent": 10, "archive_minimum": 2})
    directory.night(Sis(users=[user(f"u{number}") for number in range(10)]), run_id="first")
    directory.night(Sis(users=[user(f"u{number}") for number in range(5)]), run_id="second")
    run = Run("oak", "second", "nightly", dt.datetime.combine(NIGHT, dt.time(8), dt.UTC), NIGHT)
    number = directory.value("select run_no from directory.sync_runs where run_id = 'second'")
    assert approve(directory.connection, number, "kim") == 5
    archive(directory.connection, run, number)
    finished(directory, "second")
    mail = compose(read_night(directory.connection, oak, "second"))
    assert "0 joined, 5 left" in mail.subject
    assert "Answered by kim: approved." in mail.text and "Answered by kim: approved." in mail.html


def test_a_night_of_nothing_but_class_moves_says_so(directory: Directory, oak: District) -> None:
    directory.settings = everything_on(class_lists={"enabled": True, "terms": ["T1"]})
    sis = Sis(users=[user("u1"), user("u2")], classes=[klass("C"), klass("D")], enrollments=[enrollment("C", "u1")])
    directory.night(sis, run_id="first")
    sis.enrollments = [enrollment("D", "u1"), enrollment("C", "u2")]
    directory.night(sis, run_id="second")
    finished(directory, "second")
    mail = compose(read_night(directory.connection, oak, "second"))
    assert mail.subject.startswith("All good: 2 memberships added, 1 removed, Oak Valley")
    assert "2 memberships added, 1 removed." in mail.text and "Nothing changed" not in mail.text


def test_issues_are_grouped_by_cause_the_gravest_first(directory: Directory, oak: District) -> None:
    run, number = directory.open(run_id="r")
    rows = [
        ("warning", "users", None, "users.org_missing", "2 records: no school. (u1, u2)", "Give them one."),
        *[("error", "enrollments", f"e{one}", "enrollments.user_unknown", "Unknown user.", "Share it.") for one in range(7)],
        ("error", "classes", "c1", "classes.school_missing", "No school.", "Name it."),
        ("critical", "orgs", None, "orgs.none", "The SIS sent no orgs.", "Share orgs."),
    ]
    frame = pd.DataFrame(rows, columns=["severity", "resource", "sourced_id", "rule", "message", "fix"]).astype("string")
    issues.replace(directory.connection, run, number, "validate", frame)
    causes = read_night(directory.connection, oak, "r").causes
    assert [(cause.severity, cause.rule, cause.number) for cause in causes] == [
        ("critical", "orgs.none", 1),
        ("error", "enrollments.user_unknown", 7),
        ("error", "classes.school_missing", 1),
        ("warning", "users.org_missing", 1),
    ]
    assert causes[1].sourced_ids == ("e0", "e1", "e2", "e3", "e4") and causes[0].sourced_ids == ()


def test_a_run_that_failed_before_it_counted_still_has_a_mail(directory: Directory, oak: District) -> None:
    _, number = directory.open(run_id="r")
    runs.finish_run(directory.connection, number, "failed", "The SIS refused the request for users (HTTP 403).")
    mail = compose(read_night(directory.connection, oak, "r"))
    assert mail.subject.startswith("Failed: nothing changed, Oak Valley") and "HTTP 403" in mail.text


def test_a_run_that_is_not_there_is_named(directory: Directory, oak: District) -> None:
    with pytest.raises(MingaSyncError, match="Oak Valley has no run r9 in its history"):
        read_night(directory.connection, oak, "r9")


LEFT_ALONE = "person differs in the SIS and was left as is", "person is gone from the SIS and stays active"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"safety": {"absent_nights": 2}}, [f"1 {LEFT_ALONE[1]}: not missing for enough nights running yet (setting safety.absent_nights)."]),
        (
            {"quiet": [{"from": "2026-11-20", "to": "2026-11-30", "mode": "additions_only"}]},
            [f"1 {one}: tonight only additions are made (setting quiet)." for one in LEFT_ALONE],
        ),
        (
            {"roles": {"student": {"roster": True}}},
            [f"1 {LEFT_ALONE[0]}: auto update is off for the role.", f"1 {LEFT_ALONE[1]}: archive is off for the role."],
        ),
    ],
)  # fmt: skip
def test_what_was_left_alone_is_told_with_its_cause(
    settings: dict[str, Any], told: list[str], directory: Directory, oak: District
) -> None:
    directory.night(Sis(users=[user("u1"), user("u2"), user("u3"), user("u4")]), run_id="first")
    directory.do("select directory.set_include_in_sync(person_id, false) from directory.people where sourced_id = 'u4'")
    directory.settings = everything_on(**settings)
    away = {"role_begin_dates": ["2027-01-04"]}
    directory.night(Sis(users=[user("u1", family_name="Else"), user("u3", **away), user("u4")]), run_id="second")
    finished(directory, "second")
    for school_id in (None, "S1"):
        night = read_night(directory.connection, oak, "second", school_id=school_id)
        skipped = [
            "1 SIS record was skipped: excluded from the sync by hand.",
            "1 SIS record was skipped: the role begins later.",
        ]
        assert what_was_not_changed(night) == [*told, *skipped]


def test_issues_of_one_rule_with_cures_of_their_own_are_told_by_one_of_them_whole(directory: Directory, oak: District) -> None:
    directory.night(Sis(users=[user("u1")]), run_id="first")
    number = directory.value("select run_no from directory.sync_runs where run_id = 'first'")
    found = [
        ("warning", "users", one, "users.sourced_id_changed", f"Person {no}.", f"Confirm {no}.")
        for one, no in (("a", 9), ("b", 10))
    ]
    run = Run("oak", "first", "nightly", dt.datetime.now(dt.UTC), NIGHT)
    columns = ["severity", "resource", "sourced_id", "rule", "message", "fix"]
    issues.replace(directory.connection, run, number, "validate", pd.DataFrame(found, columns=columns).astype("string"))
    (cause,) = read_night(directory.connection, oak, "first").causes
    assert (cause.told, cause.fix) == ("2 x, such as: Person 9.", "Confirm 9.")
