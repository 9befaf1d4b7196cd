"""Walking through pages without HTTP: whatever is said to be whole is every row, of collections of any size."""

from __future__ import annotations

import random
from collections.abc import Callable

import pyarrow as pa
import pytest

from include.mingasync.oneroster.paging import Joint, Page, Tally, Walk, join

Server = Callable[[list[str], int, int], list[str]]

SERVERS: dict[str, Server] = {
    "by rows": lambda rows, offset, limit: rows[offset : offset + limit],
    "clamped": lambda rows, offset, limit: rows[offset : offset + min(limit, 7)],
    "clamped to two": lambda rows, offset, limit: rows[offset : offset + 2],
    "clamped to one": lambda rows, offset, limit: rows[offset : offset + 1],
    "more than asked": lambda rows, offset, limit: rows[offset : offset + limit + 5],
    "one row too many": lambda rows, offset, limit: [*rows[offset : offset + limit][:1], *rows[offset : offset + limit]],
    "one row pushed out": lambda rows, offset, limit: [*rows[offset : offset + limit][:1], *rows[offset : offset + limit]][
        :limit
    ],
    "clamped, one row too many": lambda rows, offset, limit: [*rows[offset : offset + 7], *rows[offset : offset + 7][-1:]],
    "offsets rounded": lambda rows, offset, limit: rows[offset // limit * limit : offset // limit * limit + limit],
    "offsets in pages": lambda rows, offset, limit: rows[offset * limit : offset * limit + limit],
}


def table(ids: list[str]) -> pa.Table:
    return pa.table({"sourced_id": pa.array(ids, pa.string())})


def walked(server: Server, rows: list[str], limit: int, parallel: int, *, total: bool) -> tuple[list[str], Tally]:
    """The ids that a walk yields, and its tally."""
    tally = Tally()

    def ask(offset: int, limit: int, known: bool) -> pa.Table:
        tally.add(requests=1)
        came = server(rows, offset, limit)
        if total:
            tally.announce(len(came), len(rows))
        return table(came)

    pages = Walk(ask, limit, tally, parallel).pages()
    return [one for page in pages for one in page.column("sourced_id").to_pylist()], tally


@pytest.mark.parametrize("total", [False, True])
@pytest.mark.parametrize("name", SERVERS)
def test_no_row_is_skipped_and_none_comes_twice(name: str, total: bool) -> None:
    dice = random.Random(11)
    for count in (*range(30), *(dice.randint(30, 400) for _ in range(30))):
        rows = [f"r{n}" for n in range(count)]
        limit, parallel = dice.randint(1, 60), dice.randint(1, 4)
        ids, tally = walked(SERVERS[name], rows, limit, parallel, total=total)
        where = f"{count} rows in pages of {limit}, {parallel} at once"
        assert list(dict.fromkeys(ids)) == rows, where
        assert "row" in name or ids == rows, where
        if name.startswith("offsets") or name == "clamped to one" or (name.endswith(("many", "out")) and limit < 7):
            # Such a reading has to come out the same twice to be believed.
            assert tally.skipped_none(len(ids)), (where, tally)
        else:
            assert tally.doubt(len(ids)) is None, (where, tally)
        assert tally.requests < 2 * count + 12


@pytest.mark.parametrize("total", [False, True])
def test_whatever_goes_wrong_is_never_called_whole(total: bool) -> None:
    """A server whose every answer may be short, empty or moved: what is said to be whole is the server's own rows."""
    dice, whole = random.Random(7), 0
    for _ in range(1500):
        rows = [f"r{n}" for n in range(dice.randint(0, 60))]
        always, share, first = set(rows), dice.choice([0.02, 0.1, 0.3]), []

        def server(
            rows: list[str], offset: int, limit: int, always: set[str] = always, share: float = share, first: list[int] = first
        ) -> list[str]:
            if dice.random() < share:
                fault = dice.randrange(5)
                if fault == 0 and rows:
                    always.discard(rows.pop(dice.randrange(len(rows))))
                elif fault == 1:
                    rows.insert(dice.randrange(len(rows) + 1), f"new{dice.random()}")
                elif fault == 2 and len(rows) > 1:
                    rows.append(rows.pop(0))
                elif fault == 3:
                    if offset or not first:  # a collection that is empty twice running is empty
                        first += [] if offset else [1]
                        return []
                else:
                    return rows[offset : offset + dice.randint(1, limit)]
            return rows[offset : offset + limit]

        ids, tally = walked(server, rows, dice.randint(2, 12), dice.randint(1, 3), total=total)
        if tally.doubt(len(ids)) is None:
            whole += 1
            assert always <= set(ids), tally
    assert whole > 300


def test_pages_join_where_the_last_row_comes_again() -> None:
    def joined(before: str, at: int, after: str) -> tuple[Joint, str]:
        joint, new = join(Page(0, table(list(before)), 9), Page(at, table(list(after)), 9))
        return joint, "".join(new.column("sourced_id").to_pylist())

    assert joined("abc", 2, "cde") == (Joint.EXACT, "de")
    assert joined("abcd", 1, "bcdef") == (Joint.EXACT, "ef")
    assert joined("abbc", 2, "cd") == (Joint.EXACT, "d")
    assert joined("abc", 2, "bcd") == (Joint.LOOSE, "d")
    assert joined("abc", 2, "de") == (Joint.BROKEN, "de")
    assert joined("abc", 3, "de") == (Joint.OPEN, "de")


def test_a_total_that_is_each_page_s_own_length_is_none() -> None:
    tally = Tally(announced=[(100, 100), (40, 40), (0, 0)])
    assert (tally.totals, tally.total) == ([], None)
    tally.announce(1, 140)
    assert tally.total is None
    assert Tally(announced=[(100, 140), (41, 140)]).total == 140
