"""Reading a collection over REST, whatever the server does with its pages (OneRoster 1.1 section 3.4, 1.2 section 4)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

import requests
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from include.mingasync.errors import SourceError
from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.auth import Bearer
from include.mingasync.oneroster.decode import Row, rows_of

log = logging.getLogger(__name__)

_ATTEMPTS = 6
_TIMEOUT = (10.0, 120.0)
_BUSY = frozenset({429, 500, 502, 503, 504})


class _Again(Exception):
    """A passing fault; ``after`` seconds, where the server said how long."""

    def __init__(self, cause: str, after: float | None = None) -> None:
        super().__init__(cause)
        self.after = after


class NotShared(Exception):
    """The SIS does not share a collection; ``status`` is what it answered."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


@dataclass
class Tally:
    """What a reading cost, counted as it goes."""

    pages: int = 0
    requests: int = 0
    retries: int = 0
    bytes: int = 0
    totals: list[int] = field(default_factory=list)


class RestSource:
    """One SIS's OneRoster service, spoken to by ``requests``."""

    def __init__(self, access: Access, version: str, page_size: int) -> None:
        self._root, self._page_size = access.root_url, page_size
        self._session = requests.Session()
        self._session.headers["Accept"] = "application/json"
        self._bearer = Bearer(access, self._session, version, _TIMEOUT[1])

    def pages(self, collection: str, tally: Tally) -> Iterator[list[Row]]:
        """Every page of a collection; the end is the first empty page, never the first short one.

        Raises NotShared when the first page is refused, SourceError when the server cannot be read.
        """
        offset = 0
        while True:
            rows = self._page(collection, offset, tally)
            if not rows:
                return
            tally.pages += 1
            yield rows
            # By what came, not by what was asked: servers clamp pages without saying so.
            offset += len(rows)
            if (
                tally.totals
                and len(set(tally.totals)) == 1
                and offset == tally.totals[0]
                and len(rows) < self._page_size
            ):
                return

    def _page(self, collection: str, offset: int, tally: Tally) -> list[Row]:
        def count(state: RetryCallState) -> None:
            tally.retries += 1
            log.warning(
                "%s from %s: %s; trying again",
                collection,
                offset,
                state.outcome and state.outcome.exception(),
            )

        retrying = Retrying(
            stop=stop_after_attempt(_ATTEMPTS),
            wait=_wait,
            retry=retry_if_exception_type(_Again),
            before_sleep=count,
            reraise=True,
        )
        try:
            return retrying(self._ask, collection, offset, tally)
        except _Again as fault:
            raise SourceError(
                f"The SIS could not be read: {collection} from row {offset} failed {_ATTEMPTS} times, last with {fault}. "
                "Try again later, or tell the SIS's support. Nothing was changed."
            ) from None

    def _ask(self, collection: str, offset: int, tally: Tally, fresh: bool = False) -> list[Row]:
        tally.requests += 1
        try:
            answer = self._session.get(
                f"{self._root}/{collection}",
                params={"limit": self._page_size, "offset": offset},
                headers=self._bearer.header(),
                timeout=_TIMEOUT,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise _Again(type(error).__name__) from None
        status = answer.status_code
        if status == 401 and not fresh and self._bearer.refused():
            return self._ask(collection, offset, tally, fresh=True)
        if status in _BUSY:
            raise _Again(f"status {status}", _retry_after(answer))
        if status == 204 or (status == 404 and offset > 0):
            return []
        if status in (401, 403, 404):
            raise NotShared(status)
        if status != 200:
            raise SourceError(
                f"The SIS answered {collection} with status {status}. Check the address in the Connection. Nothing was changed."
            )
        tally.bytes += len(answer.content)
        total = answer.headers.get("X-Total-Count") or answer.headers.get("x-count") or ""
        if total.strip().isdigit():
            tally.totals.append(int(total))
        try:
            return rows_of(answer.content, collection)
        except SourceError as error:
            raise _Again(str(error)) from None


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
