"""Reading a collection over REST, whatever the server does with its pages."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from itertools import islice

import pyarrow as pa
import requests
import urllib3
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from include.mingasync.district import District
from include.mingasync.errors import MingaSyncError, SourceError, SourceRefused
from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.auth import Bearer
from include.mingasync.oneroster.decode import Pages
from include.mingasync.oneroster.quirks import quirks_of

log = logging.getLogger(__name__)

_ATTEMPTS = 6
_TIMEOUT = (10.0, 120.0)
_BUSY = frozenset({429, 500, 502, 503, 504})
_HEAVY = frozenset({500, 502, 504})  # what servers answer to a page that is too much for them
_TOO_HEAVY = 2  # such answers to one page before its size is halved
_SMALLEST_PAGE = 50
_BUDGET = 20_000  # requests for one pull of one collection
_SAME_PAGE = "the server sent the same page again, so the rows after it cannot be reached"


class _PassingError(MingaSyncError):
    """A passing fault; ``after`` seconds, if the server said; ``heavy``: a smaller page may help."""

    def __init__(self, cause: str, after: float | None = None, *, heavy: bool = False) -> None:
        super().__init__(cause)
        self.after, self.heavy = after, heavy


class NotSharedError(MingaSyncError):
    """The SIS does not share a collection; ``status`` is what it answered."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


@dataclass
class Tally:
    """What a reading cost, counted as it goes; ``fault`` is why it cannot be whole."""

    pages: int = 0
    requests: int = 0
    retries: int = 0
    bytes: int = 0
    totals: list[int] = field(default_factory=list)
    fault: str | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, *, requests: int = 0, retries: int = 0, bytes_: int = 0, total: int | None = None) -> None:
        """Count, from any thread."""
        with self.lock:
            self.requests += requests
            self.retries += retries
            self.bytes += bytes_
            if total is not None:
                self.totals.append(total)


class RestSource:
    """One SIS's OneRoster service, spoken to by ``requests``."""

    def __init__(self, access: Access, version: str, page_size: int, parallel: int = 1) -> None:
        self._root, self._page_size, self._parallel = access.root_url, page_size, parallel
        self._own = threading.local()
        self._bearer = Bearer(access, self._session(), version, _TIMEOUT[1])

    @classmethod
    def of(cls, district: District, access: Access) -> RestSource:
        """The service of a district's SIS, asked as that SIS is known to like it."""
        sis, quirks = district.sis, quirks_of(district.sis.name)
        if access.scope is None and not quirks.takes_scope:
            access = replace(access, scope="")
        return cls(access, sis.version, min(sis.page_size, quirks.page_cap), sis.max_parallel_requests)

    def _session(self) -> requests.Session:
        """This thread's own session: requests does not promise that one can be shared."""
        if not hasattr(self._own, "session"):
            self._own.session = requests.Session()
            self._own.session.headers["Accept"] = "application/json"
        return self._own.session  # type: ignore[no-any-return]

    def first_page(self, collection: str) -> pa.Table:
        """The first page of a collection; raises as ``pages`` does."""
        return self._page(Pages(collection, parents=False), 0, self._page_size, Tally())

    def has_any(self, collection: str, asked: str) -> bool:
        """Whether at least one record of a collection fits a filter."""
        return bool(self._page(Pages(collection, parents=False), 0, 1, Tally(), asked).num_rows)

    def pages(self, collection: str, tally: Tally, *, parents: bool = False, asked: str | None = None) -> Iterator[pa.Table]:
        """Every page of a collection, in order; the end is the first empty page, never the first short one.

        A page is a table of the collection's columns with every row that came, as ``Pages.table`` gives it. ``asked`` is a filter
        (OneRoster 1.1 section 3.4.2); the pages then tell when each record was last modified.

        Once the server has said a total, the pages up to it are fetched by several threads. Raises NotSharedError when the
        first page is refused, SourceError when the server cannot be read.
        """
        reader = Pages(collection, parents=parents, dated=asked is not None)
        first = self._page(reader, 0, self._page_size, tally, asked)
        offset, mark = first.num_rows, _mark(first)
        if offset:
            tally.pages += 1
            yield first
        total = tally.totals[0] if tally.totals else 0
        for rows in self._ranges(reader, offset, total, tally, asked) if offset else ():
            if not rows.num_rows:
                return
            if _mark(rows).equals(mark):
                tally.fault = _SAME_PAGE
                return
            tally.pages += 1
            offset += rows.num_rows
            yield rows
        # Totals may be too small, or missing: only an empty page is the end.
        while offset and (rows := self._page(reader, offset, self._page_size, tally, asked)).num_rows:
            if _mark(rows).equals(mark):
                tally.fault = _SAME_PAGE
                return
            tally.pages += 1
            # By what came, not by what was asked: servers clamp pages without saying so.
            offset, mark = offset + rows.num_rows, _mark(rows)
            yield rows

    def _ranges(self, reader: Pages, step: int, total: int, tally: Tally, asked: str | None) -> Iterator[pa.Table]:
        """The rows between the first page and the total, in order, fetched a few pages at once."""
        # The page after the total is asked for along with the rest: it proves the end.
        starts = iter([*range(step, total, step), total] if total > step else [])
        waiting: deque[Future[pa.Table]] = deque()
        with ThreadPoolExecutor(self._parallel, "oneroster") as threads:
            try:
                while True:
                    for start in islice(starts, 2 * self._parallel - len(waiting)):
                        stop = min(start + step, total) if start < total else start + step
                        waiting.append(threads.submit(self._range, reader, start, stop, tally, asked))
                    if not waiting:
                        return
                    yield waiting.popleft().result()
            finally:
                threads.shutdown(wait=True, cancel_futures=True)

    def _range(self, reader: Pages, start: int, stop: int, tally: Tally, asked: str | None) -> pa.Table:
        """The rows from start to stop, by as many requests as it takes; fewer where there are no more."""
        parts = [self._page(reader, start, stop - start, tally, asked)]
        came = parts[0].num_rows
        while parts[-1].num_rows and start + came < stop:
            parts.append(self._page(reader, start + came, stop - start - came, tally, asked))
            came += parts[-1].num_rows
        return pa.concat_tables(parts).slice(0, stop - start) if len(parts) > 1 or came > stop - start else parts[0]

    def _page(self, reader: Pages, offset: int, limit: int, tally: Tally, asked: str | None = None) -> pa.Table:
        heavy, collection = 0, reader.collection

        def count(state: RetryCallState) -> None:
            nonlocal heavy, limit
            fault = state.outcome.exception() if state.outcome else None
            tally.add(retries=1)
            heavy += getattr(fault, "heavy", False)
            if heavy >= _TOO_HEAVY and limit > _SMALLEST_PAGE:
                heavy, limit = 0, max(limit // 2, _SMALLEST_PAGE)
            log.warning("%s from %s: %s; trying again with %s rows", collection, offset, fault, limit)

        retrying = Retrying(
            stop=stop_after_attempt(_ATTEMPTS),
            wait=_wait,
            retry=retry_if_exception_type(_PassingError),
            before_sleep=count,
            reraise=True,
        )
        try:
            return retrying(lambda: self._ask(reader, offset, limit, tally, asked))
        except _PassingError as fault:
            raise SourceError(
                f"The SIS could not be read: {collection} from row {offset} failed {_ATTEMPTS} times, "
                f"last with {str(fault).rstrip('.')}. Try again later, or tell the SIS's support. Nothing was changed."
            ) from None

    def _ask(self, reader: Pages, offset: int, limit: int, tally: Tally, asked: str | None, *, fresh: bool = False) -> pa.Table:
        tally.add(requests=1)
        collection = reader.collection
        if tally.requests > _BUDGET:
            raise SourceError(
                f"{_BUDGET} requests were not enough to read {collection}; the SIS may never say where "
                "it ends. "
                "Raise sis.page_size in the district file, or tell the SIS's support. Nothing was changed."
            )
        header = self._bearer.header()
        try:
            # Read whole from the socket: requests' own way hands on ten kilobytes at a time.
            with self._session().get(
                f"{self._root}/{collection}",
                params={"limit": limit, "offset": offset} | ({"filter": asked} if asked else {}),
                headers=header,
                auth=self._bearer.signer,
                timeout=_TIMEOUT,
                allow_redirects=False,
                stream=True,
            ) as answer:
                body = answer.raw.read(decode_content=True)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            heavy = isinstance(error, requests.ReadTimeout | urllib3.exceptions.ReadTimeoutError)
            raise _PassingError(type(error).__name__, heavy=heavy) from None
        status = answer.status_code
        if status == 401 and not fresh and self._bearer.refused(header):
            return self._ask(reader, offset, limit, tally, asked, fresh=True)
        return _rows(answer, body, reader, offset, tally)


def _rows(answer: requests.Response, body: bytes, reader: Pages, offset: int, tally: Tally) -> pa.Table:
    """The rows of an answer; NotSharedError, _PassingError or SourceError say why there are none."""
    status, collection = answer.status_code, reader.collection
    if status in _BUSY:
        raise _PassingError(f"status {status}", _retry_after(answer), heavy=status in _HEAVY)
    if status == 204 or (status == 404 and offset > 0):
        return reader.schema.empty_table()
    if status in (401, 403, 404):
        if offset > 0:
            # What was shared a moment ago: a fault that passes, never the end of the collection.
            raise _PassingError(f"status {status}")
        raise NotSharedError(status)
    if status != 200:
        raise SourceRefused(
            f"The SIS answered {collection} with status {status}. Check the address in the Connection. Nothing was changed."
        )
    total = (answer.headers.get("X-Total-Count") or answer.headers.get("X-Count") or "").strip()
    try:
        rows = reader.table(body)
    except SourceError as error:
        raise _PassingError(str(error)) from None
    tally.add(bytes_=len(body), total=int(total) if total.isdigit() else None)
    return rows


def _mark(rows: pa.Table) -> pa.ChunkedArray:
    """What a page is known by, to see that a server sends the same one again."""
    return rows.column("sourced_id")


_backoff = wait_random_exponential(multiplier=0.5, max=20)


def _wait(state: RetryCallState) -> float:
    fault = state.outcome.exception() if state.outcome else None
    after = getattr(fault, "after", None)
    return float(_backoff(state)) if after is None else min(after, 120.0)


def _retry_after(answer: requests.Response) -> float | None:
    """Seconds that the server asks to wait, given as seconds or as a date (RFC 9110 section 10.2.3)."""
    value = answer.headers.get("Retry-After", "")
    if value.strip().isdigit():
        return float(value)
    try:
        then = parsedate_to_datetime(value)
        now = parsedate_to_datetime(answer.headers["Date"])
    except (ValueError, TypeError, KeyError):
        return None
    return max((then - now).total_seconds(), 0.0)
