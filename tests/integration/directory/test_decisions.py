"""Every cell of the decision table, on a real server, against values worked out the slow and simple way."""

from __future__ import annotations

from pathlib import Path

from tests.integration.directory import leaving
from tests.integration.directory.decisions import HEAD, all_cases, as_markdown, expected, tried
from tests.integration.directory.world import Directory


def test_every_cell_of_the_decision_table(directory: Directory) -> None:
    outcomes = tried(directory)
    wrong = {case: (got, expected(case)) for case, got in outcomes.items() if got != expected(case)}
    assert len(outcomes) == len(all_cases()) == 1536
    assert not wrong, f"{len(wrong)} of {len(outcomes)} cells are wrong, such as {next(iter(wrong.items()))}"
    written = Path(__file__).parents[3] / "docs" / "decision-table.md"
    assert written.read_text(encoding="utf-8") == HEAD + as_markdown(outcomes) + "\n", "write docs/decision-table.md anew"


def test_every_cell_of_the_decision_table_of_leaving(directory: Directory) -> None:
    outcomes = leaving.tried(directory)
    wrong = {case: (got, leaving.expected(case)) for case, got in outcomes.items() if got != leaving.expected(case)}
    assert len(outcomes) == len(leaving.all_cases()) == 160
    assert not wrong, f"{len(wrong)} of {len(outcomes)} cells are wrong, such as {next(iter(wrong.items()))}"
    written = Path(__file__).parents[3] / "docs" / "decision-table-leaving.md"
    assert written.read_text(encoding="utf-8") == leaving.HEAD + leaving.as_markdown(outcomes) + "\n", (
        f"write {written.name} anew"
    )
