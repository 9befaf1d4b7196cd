"""The task of ``mingasync_undo``, and the tasks of a run that was undone."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.mingasync.airflow_glue import nightly, undoing
from tests.integration.airflow_glue.conftest import Glue
from tests.integration.directory.test_undo import a_night, everything
from tests.integration.directory.world import Sis, user


def history(glue: Glue, run_id: str) -> tuple[str, str]:
    state, reason = glue.directory.rows("select state, reason from directory.sync_runs where run_id = %s", run_id)[0]
    return state, reason


def test_an_undo_says_how_much_it_took_back_and_how_much_it_left(glue: Glue) -> None:
    a_night(glue.directory, Sis(users=[user("a")]), "first")
    a_night(glue.directory, Sis(users=[user("a"), user("b"), user("c")]), "second")
    glue.directory.do(
        "select directory.pin_field(person_id, 'email', email, 'hers') from directory.people where sourced_id = 'c'"
    )
    glue.conf |= {"district": "oak", "run_id": "second"}
    assert undoing.undo() == {"reversed": {"people": 1, "lists": 0, "memberships": 0}, "conflicts": 1}
    told = (
        "1 person, 0 lists and 0 memberships are again as they were before second. 1 change was left alone, because a person or a "
        "later run decided about the same since; directory.sync_changes lists them as conflicts of this undo."
    )
    assert history(glue, "manual__undo") == ("completed_with_errors", told) and glue.notes == [told]
    # Cleared, it says the same; another one finds nothing.
    assert undoing.undo()["conflicts"] == 1 and history(glue, "manual__undo") == ("completed_with_errors", told)
    undoing.get_current_context()["dag_run"].run_id = "manual__again"
    assert undoing.undo()["conflicts"] == 0
    assert history(glue, "manual__again") == (
        "success",
        "Nothing more was to be undone: second was undone already by manual__undo.",
    )


def test_an_undo_of_a_run_that_goes_on_fails_in_words_and_touches_nothing(glue: Glue) -> None:
    glue.directory.night(Sis(users=[user("a")]), run_id="first")
    before = everything(glue.directory)
    glue.conf |= {"district": "oak", "run_id": "first"}
    with pytest.raises(
        AirflowFailException, match=r"has not ended.*clear its task notify, which closes it\. Nothing was changed\."
    ):
        undoing.undo()
    assert everything(glue.directory) == before and history(glue, "manual__undo")[0] == "failed"
    # The cure that it names.
    glue.start("first", "manual")
    assert nightly.notify() == "success"
    undoing.undo()
    assert everything(glue.directory)["people"] == []


def test_whatever_task_of_an_undone_run_is_cleared_is_skipped_in_words(glue: Glue) -> None:
    a_night(glue.directory, Sis(users=[user("a")]), "first")
    before = everything(glue.directory)
    a_night(glue.directory, Sis(users=[user("b")]), "second")
    glue.conf |= {"district": "oak", "run_id": "second"}
    undoing.undo()
    ended = glue.directory.rows("select * from directory.sync_runs where run_id = 'second'")
    glue.start("second", "manual")
    for task in (
        nightly.open_run,
        lambda: nightly.extract(["users"]),
        nightly.validate,
        nightly.transform,
        nightly.load,
        nightly.held_groups,
        nightly.archive,
    ):
        with pytest.raises(AirflowSkipException, match="was undone by the run 'manual__undo' and stays so"):
            task()
    assert nightly.notify() == "success"
    assert everything(glue.directory) == before
    assert glue.directory.rows("select * from directory.sync_runs where run_id = 'second'") == ended


@pytest.mark.parametrize("wish", [{"dry_run": True}, {"mode": "preview"}])
def test_an_undo_that_is_asked_for_more_than_it_can_do_says_so_and_touches_nothing(glue: Glue, wish: dict[str, object]) -> None:
    """Whoever asks for a look only must not get the real thing."""
    a_night(glue.directory, Sis(users=[user("a")]), "first")
    before = everything(glue.directory)
    glue.conf |= {"district": "oak", "run_id": "first", **wish}
    with pytest.raises(AirflowFailException, match=rf"An undo knows no {next(iter(wish))}: .*Nothing was changed\."):
        undoing.undo()
    assert everything(glue.directory) == before
