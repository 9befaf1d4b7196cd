"""Asking a OneRoster service over REST, whatever happens to single requests."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pyarrow as pa
import requests
import urllib3
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from include.mingasync.district import District
from include.mingasync.errors import SourceError, SourceRefused
from include.mingasync.oneroster import limits
from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.answers import Question, rows_of
from include.mingasync.oneroster.auth import Bearer, redirected
from include.mingasync.oneroster.decode import Pages
from include.mingasync.oneroster.failures import AccessRefused, NothingThere, PassingError, TooMuchAsked
from include.mingasync.oneroster.network import body_of, cause_of, session_to, start_of
from include.mingasync.oneroster.paging import Tally, Walk
from include.mingasync.oneroster.quirks import quirks_of

log = logging.getLogger(__name__)

_TOO_HEAVY = 2  # answers that say that a page is too much before its size is halved
_BUDGET = limits.REQUESTS


class RestSource:
    """One SIS's OneRoster service, spoken to by ``requests``."""

    def __init__(self, access: Access, version: str, page_size: int, parallel: int = 1) -> None:
        self.access, self.version = access, version
        self.bearer = Bearer(access, version)
        self._page_size, self._parallel = page_size, parallel
        self._own = threading.local()

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
            self._own.session = session_to(self.access.root_url, private_network=self.access.private_network)
        return self._own.session  # type: ignore[no-any-return]

    def first_page(self, collection: str) -> pa.Table:
        """The first page of a collection; raises as ``pages`` does."""
        return self._page(Question(Pages(collection, parents=False), collection, 0, self._page_size), Tally())

    def has_any(self, collection: str, asked: str) -> bool:
        """Whether at least one record of a collection fits a filter."""
        question = Question(Pages(collection, parents=False), collection, 0, 1, asked)
        return bool(self._page(question, Tally()).num_rows)

    def status_of(self, resource: str, root: str | None = None) -> int | None:
        """What the SIS answers to one row of a resource, asked once; None when it does not answer.

        ``root`` is another root on the same host. A page for people counts as 404: nothing of OneRoster is there.
        """
        try:
            answer, body = self._answer(
                f"{root or self.access.root_url}/{resource}", {"limit": 1, "offset": 0}, self.bearer.header()
            )
        except (PassingError, TooMuchAsked):
            return None
        if answer.status_code == 200 and body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] not in (b"{", b"["):
            return 404
        return int(answer.status_code)

    def pages(
        self, collection: str, tally: Tally, *, parents: bool = False, asked: str | None = None, path: str | None = None
    ) -> Iterator[pa.Table]:
        """The rows of every page of a collection, in order, each row as often as the server lists it.

        A page is a table of the collection's columns with every row that came, as ``Pages.table`` gives it. ``asked`` is a filter
        (OneRoster 1.1 section 3.4.2); the pages then tell when each record was last modified. ``path`` is the resource to ask
        where it is not the collection itself, such as students for users.

        What proves the rows to be all is in the tally afterwards. Raises NotSharedError when the first page is refused,
        SourceError when the server cannot be read.
        """
        reader = Pages(collection, parents=parents, dated=asked is not None)

        def ask(offset: int, limit: int, known: bool) -> pa.Table:
            return self._page(Question(reader, path or collection, offset, limit, asked, known), tally)

        return Walk(ask, self._page_size, tally, self._parallel).pages()

    def _page(self, asked: Question, tally: Tally) -> pa.Table:
        """The rows of one page, tried again and smaller for as long as that may help."""
        while True:
            try:
                return self._tried(replace(asked, limit=min(asked.limit, self._page_size)), tally)
            except TooMuchAsked as refusal:
                # From now on: what one page is refused for, every page is.
                self._page_size = _smaller(asked, min(asked.limit, self._page_size), refusal)

    def _tried(self, asked: Question, tally: Tally) -> pa.Table:
        heavy = 0

        def count(state: RetryCallState) -> None:
            nonlocal heavy, asked
            fault = state.outcome.exception() if state.outcome else None
            tally.add(retries=1)
            heavy += getattr(fault, "heavy", False)
            if heavy >= _TOO_HEAVY and asked.limit > limits.SMALLEST_PAGE:
                heavy, asked = 0, replace(asked, limit=max(asked.limit // 2, limits.SMALLEST_PAGE))
            log.warning("%s from %s: %s; trying again with %s rows", asked.path, asked.offset, fault, asked.limit)

        retrying = Retrying(
            stop=_enough,
            wait=_wait,
            retry=retry_if_exception_type(PassingError),
            before_sleep=count,
            reraise=True,
        )
        try:
            return retrying(lambda: self._rows(asked, tally))
        except NothingThere:
            return asked.reader.schema.empty_table()
        except PassingError as fault:
            raise SourceError(
                f"The SIS could not be read: {asked.path} from row {asked.offset} failed {limits.ATTEMPTS} times, "
                f"last with {str(fault).rstrip('.')}. {_cure(fault)} Nothing was changed."
            ) from None

    def _rows(self, asked: Question, tally: Tally, *, fresh: bool = False) -> pa.Table:
        tally.add(requests=1)
        if tally.requests > _BUDGET:
            raise SourceError(
                f"{_BUDGET} requests were not enough to read {asked.path}; the SIS may never say where it ends. "
                "Raise sis.page_size in the district file, or tell the SIS's support. Nothing was changed."
            )
        header = self.bearer.header()
        answer, body = self._answer(f"{self.access.root_url}/{asked.path}", asked.parameters, header)
        if answer.status_code in (401, 403) and not fresh and self.bearer.refused(header, answer.status_code):
            return self._rows(asked, tally, fresh=True)
        if answer.status_code == 200:
            self.bearer.accepted(header)
        rows = rows_of(answer, body, asked, tally)
        if tally.bytes > limits.PULL_BYTES:
            raise SourceError(
                f"{limits.PULL_BYTES // 2**30} GiB were not enough to read {asked.path}; that is more than any district has. "
                "Tell the SIS's support. Nothing was changed."
            )
        return rows

    def _answer(self, url: str, parameters: Mapping[str, int | str], header: dict[str, str]) -> tuple[requests.Response, bytes]:
        """The answer to one request and its whole body; PassingError when there is none, AccessRefused for a redirect."""
        try:
            with self._session().get(
                url,
                params=parameters,
                headers=header,
                auth=self.bearer.signer,
                timeout=limits.TIMEOUT,
                allow_redirects=False,
                stream=True,
            ) as answer:
                if 300 <= answer.status_code < 400:
                    raise AccessRefused(redirected(answer, "The SIS", "host of the Connection"))
                body = body_of(answer) if answer.status_code == 200 else start_of(answer)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            heavy = isinstance(error, requests.ReadTimeout | urllib3.exceptions.ReadTimeoutError)
            raise PassingError(cause_of(error), heavy=heavy) from None
        return answer, body


def _smaller(asked: Question, limit: int, refusal: TooMuchAsked) -> int:
    """A smaller page to ask for, after one that was too much; SourceRefused when its size is not the reason."""
    if limit <= limits.SMALLEST_PAGE and not refusal.allowed:
        raise SourceRefused(
            f"The SIS answered {asked.path} from row {asked.offset} with {refusal}, however few rows were asked. "
            f"{refusal.cure} Nothing was changed."
        )
    smaller = refusal.allowed or limit // 2
    log.warning("%s: %s to %s rows; asking for %s from now on", asked.path, refusal, limit, smaller)
    return smaller


def _cure(fault: PassingError) -> str:
    """What to do about a fault that did not pass."""
    if "no OneRoster page" in str(fault):
        return "Check the host in the Connection; if it is right, try again later, or tell the SIS's support."
    if "seconds" in str(fault):
        return "Set a smaller sis.page_size in the district file, or tell the SIS's support."
    return "Try again later, or tell the SIS's support."


def _enough(state: RetryCallState) -> bool:
    fault = state.outcome.exception() if state.outcome else None
    return state.attempt_number >= (limits.ATTEMPTS_FOR_A_KNOWN_ROW if isinstance(fault, NothingThere) else limits.ATTEMPTS)


_backoff = wait_random_exponential(multiplier=0.5, max=20)


def _wait(state: RetryCallState) -> float:
    fault = state.outcome.exception() if state.outcome else None
    after = getattr(fault, "after", None)
    return float(_backoff(state)) if after is None else min(after, limits.LONGEST_PAUSE)
