"""Issues beside those of the night before: new, still there, fixed."""

from __future__ import annotations

import json

import pandas as pd

from include.mingasync.directory import issues
from include.mingasync.run import Run
from tests.integration.directory.world import Directory, Sis, user


def found(directory: Directory, run: tuple[Run, int], *records: tuple[str, str | None]) -> None:
    rows = [("error", "users", sourced_id, f"users.{rule}", "It is wrong.", "Mend it.") for rule, sourced_id in records]
    columns = ["severity", "resource", "sourced_id", "rule", "message", "fix"]
    issues.replace(directory.connection, *run, "validate", pd.DataFrame(rows, columns=columns))


def test_new_still_there_and_fixed(directory: Directory) -> None:
    sis = Sis(users=[user("a")])

    def night(*records: tuple[str, str | None]) -> tuple[object, ...]:
        run_id = f"run-{directory.value('select count(*) from directory.sync_runs')}"
        directory.night(sis, run_id=run_id)
        number = directory.value("select run_no from directory.sync_runs where run_id = %s", run_id)
        found(directory, (directory.open(run_id=run_id)[0], number), *records)
        return directory.rows("select compared, new, still, fixed from directory.issue_trend where run_id = %s", run_id)[0]

    assert night(("name_blank", "a"), ("role_unknown", "b"))[0] is False
    assert night(("name_blank", "a"), ("name_blank", "c")) == (True, 1, 1, 1)
    # A night that failed before it loaded is passed over, and so is a preview.
    failed = directory.open(run_id="failed")
    found(directory, failed, ("email_malformed", None))
    directory.night(sis, kind="preview", run_id="preview")
    assert night(("name_blank", "c"), ("email_malformed", None)) == (True, 1, 1, 1)
    assert night() == (True, 0, 0, 2)


def test_of_a_collection_that_did_not_come_nothing_is_fixed_and_nothing_new_when_it_is_back(directory: Directory) -> None:
    sis = Sis(users=[user("a")])

    def night(run_id: str, users: dict[str, str | None], *records: tuple[str, str | None]) -> tuple[object, ...]:
        directory.night(sis, run_id=run_id)
        directory.connection.execute(
            "update directory.sync_runs set collections = jsonb_build_object('users', %s::jsonb) where run_id = %s",
            (json.dumps(users), run_id),
        )
        number = directory.value("select run_no from directory.sync_runs where run_id = %s", run_id)
        found(directory, (directory.open(run_id=run_id)[0], number), *records)
        return directory.rows("select compared, new, still, fixed from directory.issue_trend where run_id = %s", run_id)[0]

    whole: dict[str, str | None] = {"state": "complete", "unproven": None}
    night("first", whole, ("name_blank", "a"), ("name_blank", "b"), ("name_blank", "c"))
    assert night("refused", {"state": "absent", "unproven": "absent"}) == (True, 0, 0, 0)
    assert night("halved", {"state": "complete", "unproven": "shrunken"}, ("name_blank", "a")) == (True, 0, 1, 0)
    assert night("back", whole, ("name_blank", "a"), ("name_blank", "b"), ("name_blank", "d")) == (True, 1, 2, 1)
    assert night("after", {"state": "complete", "unproven": "nameless"}, ("name_blank", "d")) == (True, 0, 1, 2)
