"""However a server pages: what is called complete is every row that the server has, counted by the server's own data."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from include.mingasync.oneroster import rest
from tests.integration.oneroster.pagers import BEGIN, CASES, END, Behaviour, Case, Pager, Said, as_markdown, plain, pulled


@pytest.mark.parametrize("parallel", [1, 4])
@pytest.mark.parametrize("total", [False, True], ids=["no total", "total"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.words)
def test_what_is_complete_is_every_row_of_the_server(
    case: Case, total: bool, parallel: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "_backoff", lambda _: 0.0)
    made = pulled(case, tmp_path, total=total, parallel=parallel)
    expected = (case.with_total or case.without) if total else case.without
    lost = made.there - set(made.ids) - case.lacking
    assert (made.state, made.reason if made.state == "complete" else "") == (expected, ""), made.reason
    if case.whole:
        assert not lost, f"{len(lost)} rows were never read: {sorted(lost)[:3]}"
    assert not set(made.ids) - made.there
    assert made.requests < 400
    if case.words != "lists rows twice itself" and made.state == "complete" and "repeats" not in case.words:
        assert max(Counter(made.ids).values()) == 1


def _stumbling(dice: random.Random) -> Behaviour:
    """A server that loses, gains and moves rows, answers nothing or too little, now and then."""
    share = dice.choice([0.02, 0.1, 0.25])

    def behave(pager: Pager, offset: int, limit: int) -> Said:
        fault = dice.randrange(5) if dice.random() < share else None
        if fault == 0 and pager.rows:
            pager.ever.discard(pager.rows.pop(dice.randrange(len(pager.rows))))
        elif fault == 1:
            pager.rows.insert(dice.randrange(len(pager.rows) + 1), f"new{dice.random()}")
        elif fault == 2:
            pager.rows = pager.rows[1:] + pager.rows[:1]
        elif fault == 3 and offset:
            return Said(status=dice.choice([200, 204, 404]))
        elif fault == 4:
            return plain(pager, offset, dice.randint(1, limit))
        return plain(pager, offset, limit)

    return behave


@pytest.mark.parametrize("total", [False, True], ids=["no total", "total"])
def test_a_stumbling_server_is_read_whole_or_said_to_be_incomplete(
    total: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "_backoff", lambda _: 0.0)
    states: Counter[str] = Counter()
    for seed in range(40):
        case = Case("stumbles", _stumbling(random.Random(seed)), "")
        made = pulled(case, tmp_path, total=total, parallel=1 + seed % 3)
        states[made.state] += 1
        # ``there`` holds who was there all the time: whoever goes is taken out, whoever comes is not put in.
        assert made.state != "complete" or made.there <= set(made.ids), f"seed {seed}"
    assert states["complete"] >= 10 and states["incomplete"] >= 5, states


def test_the_table_of_pages_is_current() -> None:
    text = (Path(__file__).parents[3] / "docs" / "reading.md").read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0].strip() == as_markdown(), "write the table in docs/reading.md anew"
