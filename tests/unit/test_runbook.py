"""The runbook is held to the code: each line's cure is carried out by a test, and what a line quotes is what the code says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| (?!what you see|---)(.+?) \| (.+) \| (.+) \|$", re.MULTILINE)
ROWS = {found[1]: found[3] for found in _ROW.finditer((ROOT / "docs" / "runbook.md").read_text(encoding="utf-8"))}

_GLUE, _DIRECTORY, _ONEROSTER = "integration/airflow_glue", "integration/directory", "integration/oneroster"
_RUNBOOK, _CLEARING = f"{_GLUE}/test_runbook.py", f"{_GLUE}/test_clearing.py"
_CONNECTION = "integration/console/test_connection.py"
_ACCESS = f"{_ONEROSTER}/test_access.py::test_what_is_wrong_is_told_and_its_cure_cures"
#: The first words of each line, and the test that does what the line says and looks at the state after it.
CARRIED_OUT = {
    "`open_run`: key … is unknown": f"{_CLEARING}::test_a_failed_night_taken_up_again_reads_its_settings_anew_and_is_a_good_one",
    "`open_run`: the Connection": f"{_RUNBOOK}::test_a_connection_of_the_sis_that_is_added_lets_the_night_go_on",
    "`open_run`: the directory's schema": f"{_DIRECTORY}/test_making.py::test_what_is_not_ours_is_told_and_can_be_put_aside",
    "`open_run`: the schema directory": f"{_DIRECTORY}/test_making.py::test_whoever_migrates_all_has_one_owner",
    "`open_run`: the directory is at": f"{_DIRECTORY}/test_making.py::test_a_directory_of_a_later_release_is_left_alone",
    "`open_run`: for 60 s": f"{_DIRECTORY}/test_making.py::test_an_open_transaction_does_not_make_everybody_wait",
    "an import error": "unit/dags/test_district_sync.py::test_a_bad_file_is_an_import_error_and_every_other_district_still_runs",
    "`open_run`: key … in the extra": f"{_RUNBOOK}::test_a_wrong_key_of_the_connection_that_is_corrected_lets_the_night_go_on",
    "`extract.*`: the SIS refused": _ACCESS,
    "`extract.*`: the Connection's address": _ACCESS,
    "`extract.*`: refused the scope": _ACCESS,
    "`extract.*`: an address": f"{_ONEROSTER}/test_access.py::test_a_sis_in_the_school_s_own_network_is_read_when_the_connection_says_so",
    "`extract.*`: the host key": f"{_ONEROSTER}/test_stores.py::test_a_server_that_is_not_known_is_sent_nothing_and_the_cure_works",
    "`extract.*`: failed 6 times": f"{_RUNBOOK}::test_a_sis_that_was_away_is_read_once_its_task_is_cleared",
    "`validate`: fault(s)": f"{_RUNBOOK}::test_data_that_cannot_be_trusted_are_read_again_once_the_sis_is_right",
    "`validate`, `transform`, `load`": f"{_CLEARING}::test_what_validate_did_not_find_usable_is_not_loaded_though_it_is_marked_as_success",
    "*an earlier bundle": f"{_ONEROSTER}/test_bases.py::test_changes_of_a_night_that_was_never_loaded_are_missed_aloud",
    "`validate`: these seem": f"{_DIRECTORY}/test_other_district.py::test_the_printed_cure_of_a_renumbering_lets_it_land_and_is_kept_in_the_history",
    "state `completed_with_errors`, *not shared": f"{_DIRECTORY}/test_cures.py::test_the_printed_cure_cures",
    "… *the SIS's answer was empty*": f"{_DIRECTORY}/test_cures.py::test_the_printed_cure_cures",
    "… *The district file names": f"{_DIRECTORY}/test_unknown_schools.py::test_a_school_that_is_mistyped_in_the_districts_file_takes_nobody_away",
    "… *came twice*": f"{_DIRECTORY}/test_cures.py::test_the_printed_cure_cures",
    "state `held` |": "integration/console/test_decision.py::test_one_group_is_approved_and_the_others_are_refused",
    "`approve` failed": f"{_RUNBOOK}::test_an_answer_that_was_not_kept_is_asked_for_once_more",
    "state `held` with answer": f"{_DIRECTORY}/test_archive.py::test_an_approval_that_comes_after_a_newer_night_releases_nobody_and_says_so",
    "state `superseded`": f"{_CLEARING}::test_a_night_that_never_loaded_is_superseded_by_a_later_one_at_whatever_task_it_is_taken_up",
    "*was loaded with newer": f"{_RUNBOOK}::test_a_run_with_older_settings_than_another_of_its_night_loads_with_those_of_now",
    "*Nothing of this run": f"{_CLEARING}::test_a_run_whose_load_never_happened_is_no_success",
    "*What was read last": f"{_CLEARING}::test_what_was_read_again_and_not_loaded_again_is_no_success",
    "*planned and never": f"{_CLEARING}::test_an_archive_that_never_happened_is_no_success",
    "*held after the approval": f"{_DIRECTORY}/test_archive.py::test_a_plan_made_anew_keeps_the_approval_and_holds_whoever_came_to_it",
    "*its task validate": f"{_CLEARING}::test_what_validate_did_not_find_usable_is_not_loaded_though_it_is_marked_as_success",
    "*made with other settings": f"{_CLEARING}::test_lists_made_with_other_settings_are_not_loaded",
    "*was ended in Airflow": "e2e/test_ended_outside.py::test_a_run_whose_last_task_was_lost_is_closed_by_the_watchdog",
    "Connection: a mail": f"{_CONNECTION}::test_a_mail_server_that_is_down_loses_nothing_and_the_mails_are_sent_by_a_button",
    "Connection: *The last verification": f"{_CONNECTION}::test_a_verification_that_left_no_result_is_told",
    "state `skipped`": f"{_CLEARING}::test_a_night_skipped_with_rostering_off_runs_once_it_is_on",
    "every task fails": f"{_RUNBOOK}::test_a_directory_that_was_away_is_loaded_once_the_failed_tasks_are_cleared",
    "*The snapshot store": f"{_RUNBOOK}::test_a_full_disk_is_told_and_the_night_goes_on_once_there_is_room",
    "`notify` failed": "e2e/test_mail_down.py::test_the_night_is_done_and_its_mail_comes_once",
}


def _text(node: ast.AST) -> str | None:
    """What a literal says, … where something is put in."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join((_text(part) or "…") if isinstance(part, ast.Constant) else "…" for part in node.values)
    return None


def _said() -> str:
    """All literals of the product's code, and of tests that have seen it say something put together; in small letters."""
    paths = [*(ROOT / "include" / "mingasync").rglob("*.py"), *(ROOT / "tests" / "integration").rglob("*.py")]
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in paths)
    lines = (text for tree in trees for node in ast.walk(tree) if (text := _text(node)))
    queries = (path.read_text(encoding="utf-8") for path in (ROOT / "include" / "mingasync").rglob("*.sql"))
    return "\n".join([*lines, *queries]).lower()


def test_each_line_has_a_test_that_does_what_it_says() -> None:
    starts = {line: [start for start in CARRIED_OUT if f"{line} |".startswith(start)] for line in ROWS}
    assert {line: found for line, found in starts.items() if len(found) != 1} == {}
    assert {start for found in starts.values() for start in found} == set(CARRIED_OUT)


@pytest.mark.parametrize("test", sorted(set(CARRIED_OUT.values())))
def test_the_test_is_there(test: str) -> None:
    path, name = test.split("::")
    assert f"\ndef {name}(" in (ROOT / "tests" / path).read_text(encoding="utf-8")


def test_what_a_line_quotes_is_what_the_code_says() -> None:
    said = _said()
    quotes = [quote for line in ROWS for quote in re.findall(r"(?<!\*)\*([^*]+)\*", line.replace(".*", "."))]
    assert len(quotes) >= 19
    pieces = [piece.strip(" ()") for quote in quotes for piece in quote.split("…")]
    assert [piece for piece in pieces if piece and piece.lower() not in said] == []
