"""docs/data-quality.md says what the catalogue and the tests say."""

from __future__ import annotations

from pathlib import Path

from include.mingasync.quality.catalogue import RULES, as_table
from tests.unit.quality.dirt import FORTY

PAGE = (Path(__file__).parents[3] / "docs" / "data-quality.md").read_text(encoding="utf-8")


def test_the_table_of_rules_is_current() -> None:
    assert as_table() in PAGE, "run python -m include.mingasync.quality.catalogue and paste its table"


def test_every_kind_of_dirt_is_listed() -> None:
    assert [one.name for one in FORTY if f"| {one.name} | `{one.rule}` | {one.severity} |" not in PAGE] == []


def test_no_rule_is_there_twice_and_none_lacks_a_cure() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.message.endswith(".") and rule.fix.endswith(".") for rule in RULES)
