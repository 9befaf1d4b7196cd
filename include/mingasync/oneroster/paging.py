"""Walking through the pages of a collection so that no row is skipped, and the evidence that none was; knows no HTTP.

Every page is asked from the last row that came: that row has to come again, first. Where it does, nothing lies between the two
pages and nothing moved in between; where another row comes, the collection moved, or is paged otherwise than OneRoster says.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc

#: An offset, a limit, and whether a row is known to be there -> the rows that came, none where there are none.
Ask = Callable[[int, int, bool], pa.Table]

SAME_PAGE = "the server sent the same page again, so the rows after it cannot be reached"
#: Where the end seems to be, it is looked for so many pages further on too: servers fail to send a page, and send the next.
_FURTHER = (1, 10)


class Joint(IntEnum):
    """How well two pages that follow each other are known to do so; the worst of a pull counts."""

    EXACT = 0  #: the page begins with the very row from which it was asked
    LOOSE = 1  #: it begins with some other row of the page before: nothing was skipped, but something moved
    OPEN = 2  #: it could not be asked so that rows come again
    BROKEN = 3  #: it begins with a row that never came before: rows between the two may be missing


@dataclass
class Tally:
    """What a reading cost and what it showed, noted as it goes; ``fault`` is why it cannot be whole."""

    pages: int = 0
    requests: int = 0
    retries: int = 0
    bytes: int = 0
    #: of each answer: its rows, and the total that it announced
    announced: list[tuple[int, int]] = field(default_factory=list)
    joint: Joint = Joint.EXACT
    #: the row, counted from 1, at which the worst joint is
    joint_at: int = 0
    ended: bool = False
    fault: str | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, *, requests: int = 0, retries: int = 0, bytes_: int = 0) -> None:
        """Count, from any thread."""
        with self.lock:
            self.requests += requests
            self.retries += retries
            self.bytes += bytes_

    def announce(self, rows: int, total: int) -> None:
        """Note the total that came with so many rows, from any thread."""
        with self.lock:
            self.announced.append((rows, total))

    def join(self, joint: Joint, row: int) -> None:
        """Note how a page joined the one before, at a row."""
        if joint > self.joint:
            self.joint, self.joint_at = joint, row

    @property
    def totals(self) -> list[int]:
        """The totals that the server announced; none where each is only the length of its own page."""
        return [] if all(rows == total for rows, total in self.announced) else [total for _, total in self.announced]

    @property
    def total(self) -> int | None:
        """The total, where the server announces one and always the same."""
        return self.totals[0] if len(set(self.totals)) == 1 else None

    def doubt(self, rows: int) -> str | None:
        """Why so many rows are not proven to be all; None where they are."""
        if (lacking := self._lacking(rows)) or self.joint is Joint.EXACT:
            return lacking
        if self.joint is Joint.OPEN:
            return f"from row {self.joint_at} on the pages could not be seen to follow each other"
        return f"the page from row {self.joint_at} on did not begin where the one before ended, so the rows moved"

    def skipped_none(self, rows: int) -> bool:
        """Whether only how the pages joined leaves it in doubt that rows are all, and none can have lain between two of them."""
        return self.joint is not Joint.BROKEN and self._lacking(rows) is None

    def moved(self, rows: int) -> bool:
        """Whether as many rows came as were announced, but not one page after the other."""
        return self.fault is None and self.joint is not Joint.EXACT and rows >= max(self.totals, default=0)

    def _lacking(self, rows: int) -> str | None:
        if self.fault:
            return self.fault
        if self.totals and rows < max(self.totals):
            if len(set(self.totals)) > 1:
                return f"the server's total moved from {self.totals[0]} to {self.totals[-1]} while it was read"
            return f"{rows} rows came of {self.totals[0]} that the server announced"
        if not self.ended:
            return "where the collection ends is not known: its last row did not come again alone when it was asked for"
        return None


@dataclass(frozen=True)
class Page:
    """The rows that came from an offset, asked with a limit."""

    offset: int
    rows: pa.Table
    limit: int

    @property
    def ids(self) -> pa.ChunkedArray:
        """The sourcedIds, in the server's order."""
        return self.rows.column("sourced_id")

    @property
    def count(self) -> int:
        """How many rows came."""
        return int(self.rows.num_rows)

    @cached_property
    def reach(self) -> int:
        """How many rows of the collection it is sure to hold: not more than were asked, each counted once.

        A page that repeats a row is one row too long, or has lost another for it.
        """
        return min(self.limit, int(pc.count_distinct(self.ids, mode="all").as_py()))

    @property
    def end(self) -> int:
        """The place after the last row that it is sure to hold."""
        return self.offset + self.reach


class _CountedOtherwise(Exception):
    """The server rounds offsets to whole pages, or counts ``unit`` rows as one."""

    def __init__(self, unit: int) -> None:
        self.unit = unit


class Walk:
    """One reading of a collection, page after page; what it shows goes into the tally."""

    def __init__(self, ask: Ask, limit: int, tally: Tally, parallel: int = 1) -> None:
        self._ask, self._tally, self._parallel = ask, tally, parallel
        self._limit = max(limit, 2)  # a page of one row cannot have the last one again
        self._again = 1  #: so many rows of each page are asked for again with the next
        self._unit = 1  #: so many rows are one step of the server's offset
        self._stride = 1  #: so far is asked on after a page that holds only the last row

    def pages(self) -> Iterator[pa.Table]:
        """The rows of every page that did not come with the page before, in order."""
        first = self._first()
        if first is None:
            return
        self._tally.pages += 1
        yield first.rows
        try:
            return (yield from self._after(first))
        except _CountedOtherwise as server:
            self._again, self._unit, self._limit = 0, server.unit, first.count
        yield from self._after(Page(0, first.rows, first.count))

    def _page(self, offset: int, *, known: bool = False) -> Page:
        return Page(offset, self._ask(offset // self._unit, self._limit, known), self._limit)

    def _first(self) -> Page | None:
        """The first page; None for a collection that is empty when it is asked twice."""
        for _ in range(2):
            page = self._page(0)
            if page.count:
                return page
        # No rows at the head, and rows further on: one of the two answers is wrong.
        further = self._further(0)
        if further is None:
            self._tally.ended = True
        else:
            self._nothing(0, further)
        return further

    def _nothing(self, offset: int, further: Page) -> None:
        self._tally.fault = f"nothing came for the rows from {offset + 1} on, though rows follow from {further.offset + 1} on"

    def _after(self, before: Page) -> Iterator[pa.Table]:
        total, step = self._tally.total or 0, self._next(before) - before.offset
        if before.count < before.limit and total > before.end and self._again:
            # Clamped, or only short this once: the next page tells how long pages are.
            page = self._page(self._next(before), known=True)
            if page.count:
                yield from self._joined(before, page)
                before, step = page, max(step, self._next(page) - page.offset)
        with closing(self._ranges(self._next(before), step, total)) as pages:
            for page in pages:
                if not page.count or self._tally.fault:
                    break
                if page.offset <= before.offset:
                    continue  # a page that was needed to reach it holds it already
                yield from self._joined(before, page)
                before = page
        while self._tally.fault != SAME_PAGE and (following := self._following(before)) is not None:
            yield from self._joined(before, following)
            before = following

    def _following(self, before: Page) -> Page | None:
        """The page after another; None at the end, with what proves it."""
        alone = before.reach == 1
        if alone and self._tally.joint is Joint.EXACT and self._tally.total == before.end:
            self._tally.ended = True
            return None
        offset = self._next(before)
        page = self._page(offset, known=offset < before.end)
        if not page.count and offset < before.end:
            if before.offset == 0:
                self._look_for_page_numbers(before)
            self._tally.fault = f"row {before.end} came, and was not there when it was asked for again"
            page = self._page(before.end)
        if page.count:
            return page
        if self._tally.total == before.end and not self._tally.fault:
            self._tally.ended = True
            return None
        if (further := self._further(page.offset)) is None:
            self._tally.ended = alone or (not self._again and self._is_last(before))
            return None
        self._nothing(page.offset, further)
        return further

    def _next(self, page: Page) -> int:
        """The offset from which to ask on: the last row that is sure to have come."""
        return page.offset + (max(page.reach - 1, self._stride) if self._again else self._limit)

    def _further(self, offset: int) -> Page | None:
        """The first page with rows further on; None where there are none."""
        for pages in _FURTHER:
            if (page := self._page(offset + pages * self._limit)).count:
                return page
        return None

    def _is_last(self, page: Page) -> bool:
        """Whether a page comes again as it was and nothing after it; for servers that cannot be asked for its last row."""
        return self._page(page.offset).ids.equals(page.ids) and not self._page(self._next(page)).count

    def _look_for_page_numbers(self, first: Page) -> None:
        """Raise _CountedOtherwise when the second half of the rows comes for offset 1: the server counts pages."""
        half = max(first.count // 2, 1)
        if self._ask(1, half, False).column("sourced_id").equals(first.ids.slice(half, half)):
            raise _CountedOtherwise(first.count)

    def _joined(self, before: Page, page: Page) -> Iterator[pa.Table]:
        """The new rows of a page, if any; how it joins the one before is noted."""
        if page.ids.equals(before.ids):
            if self._again and before.offset == 0:
                raise _CountedOtherwise(1)
            if not self._again or page.reach > 1 or self._stride > self._limit:
                self._tally.fault = SAME_PAGE
                return
            # Rows that are hidden after a page was cut leave the last one where it seems to have been passed.
            self._stride *= 2
            self._tally.join(Joint.LOOSE, page.offset + 1)
            return
        joint, new = join(before, page)
        if joint is Joint.BROKEN and self._again and before.offset == 0:
            self._look_for_page_numbers(before)
        self._tally.join(joint, page.offset + 1)
        if new.num_rows:
            self._tally.pages += 1
            yield new

    def _ranges(self, start: int, step: int, total: int) -> Generator[Page]:
        """The pages from an offset to the total, in order, fetched several at once."""
        # Never made into a list: a server may announce any total.
        starts = iter(range(start, total - self._again, step))
        waiting: deque[Future[list[Page]]] = deque()
        with ThreadPoolExecutor(self._parallel, "oneroster") as threads:
            try:
                while True:
                    for offset in islice(starts, 2 * self._parallel - len(waiting)):
                        waiting.append(threads.submit(self._range, offset, min(offset + step, total - 1)))
                    if not waiting:
                        return
                    yield from waiting.popleft().result()
            finally:
                threads.shutdown(wait=True, cancel_futures=True)

    def _range(self, offset: int, stop: int) -> list[Page]:
        """The pages from an offset to a row further on, by as many requests as it takes; an empty one where no more come."""
        pages = [self._page(offset, known=True)]
        while self._again and pages[-1].count and pages[-1].end <= stop:
            pages.append(self._page(self._next(pages[-1]), known=True))
        return pages


def join(before: Page, page: Page) -> tuple[Joint, pa.Table]:
    """How a page follows the one before, and the rows of it that are new."""
    at = page.offset - before.offset
    twice = min(before.count - at, page.count)  # so many rows should come again
    if twice > 0 and page.ids.slice(0, twice).equals(before.ids.slice(at, twice)):
        return Joint.EXACT, page.rows.slice(twice)
    if page.offset >= before.end:
        return Joint.OPEN, page.rows
    if page.ids[0].equals(before.ids[-1]):
        return Joint.EXACT, page.rows.slice(1)  # the page before repeated a row, so its last one lies further ahead
    known = pc.is_in(page.ids, before.ids.combine_chunks())
    if known[0].as_py():
        return Joint.LOOSE, page.rows.filter(pc.invert(known))
    return Joint.BROKEN, page.rows
