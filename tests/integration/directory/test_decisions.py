"""Every cell of the decision table, on a real server, against values worked out the slow and simple way."""

from __future__ import annotations

from tests.integration.directory.decisions import all_cases, expected, tried
from tests.integration.directory.world import Directory


def test_every_cell_of_the_decision_table(directory: Directory) -> None:
    outcomes = tried(directory)
    wrong = {case: (got, expected(case)) for case, got in outcomes.items() if got != expected(case)}
    assert len(outcomes) == len(all_cases()) == 672
    assert not wrong, f"{len(wrong)} of {len(outcomes)} cells are wrong, such as {next(iter(wrong.items()))}"
