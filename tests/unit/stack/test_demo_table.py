"""The demo's table shows what happened and leaves out what did not."""

from __future__ import annotations

from stack.demo import Night, table

FIRST = {
    "people": {"student": {"created": 2400, "archived": 0, "unchanged": 0, "update_suppressed": 0}},
    "lists": {"class": {"created": 120}},
    "memberships": {"added": 20000, "removed": 0},
    "issues": {"warning": 0},
}
SECOND = {
    "people": {"student": {"created": 12, "archived": 7, "unchanged": 2380, "update_suppressed": 1}},
    "lists": {"class": {"created": 0}},
    "memberships": {"added": 40, "removed": 31},
    "issues": {"warning": 0},
}


def test_nights_stand_beside_each_other() -> None:
    lines = table([Night(1, "a", "success", FIRST, 21.25), Night(2, "b", "completed_with_errors", SECOND, 18.0)])
    cells = [line.split() for line in lines]
    assert ["student", "created", "2,400", "12"] in cells
    assert ["student", "archived", "0", "7"] in cells
    assert ["student", "updates", "held", "back", "0", "1"] in cells
    assert ["class", "lists", "created", "120", "0"] in cells
    assert ["memberships", "added", "20,000", "40"] in cells
    assert ["verdict", "success", "completed_with_errors"] in cells
    assert ["seconds", "from", "trigger", "21.2", "18.0"] in cells
    assert not any("unchanged" in line or "warning" in line for line in lines)
    assert len({len(line) for line in lines}) == 1


def test_a_night_that_failed_before_it_counted_has_its_verdict() -> None:
    assert table([Night(1, "a", "failed", {}, 3.0)])[1].split() == ["verdict", "failed"]
