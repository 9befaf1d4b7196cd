"""Credentials on requests: OAuth 2 client credentials, static bearer tokens, OAuth 1.0a signatures."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
import requests
import urllib3
from requests.auth import AuthBase

from include.mingasync.oneroster import limits
from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.failures import AccessRefused, PassingError
from include.mingasync.oneroster.network import cause_of, session_to, start_of
from include.mingasync.oneroster.oauth1 import OAuth1

#: Scopes of the read-only roster service, by version (OneRoster 1.1 and 1.2, security section).
SCOPES = {
    "1.1": "https://purl.imsglobal.org/spec/or/v1p1/scope/roster-core.readonly https://purl.imsglobal.org/spec/or/v1p1/scope/roster.readonly",
    "1.2": "https://purl.imsglobal.org/spec/or/v1p2/scope/roster-core.readonly https://purl.imsglobal.org/spec/or/v1p2/scope/roster.readonly",
}
_EARLY = 30  # seconds before its end at which a token is renewed
_LASTS = 3600.0  # seconds that a token lasts where nobody says
_PASSING = frozenset({408, 425, 429})
_NO_TOKEN_ADDRESS = frozenset({404, 405, 410, 501})
#: Why a token address refuses (RFC 6749 section 5.2): only these words of it are told.
_ERRORS = frozenset(
    {"invalid_client", "invalid_scope", "invalid_request", "invalid_grant", "unauthorized_client", "unsupported_grant_type"}
)


@dataclass(frozen=True)
class _Try:
    """One way to ask for a token: credentials in the body or in the header, with a scope or without."""

    in_body: bool
    scoped: bool


class Bearer:
    """One SIS's credentials, for many threads: a token, static or fetched and renewed, or a signature."""

    def __init__(self, access: Access, version: str) -> None:
        self._access = access
        self.scope = access.scope if access.scope is not None else SCOPES[version]
        self._token: str | None = access.client_secret if access.auth == "bearer" else None
        self._ends = float("inf")
        self._lock = threading.Lock()
        self._session: requests.Session | None = None
        self._known: _Try | None = None
        #: whether a page came with the token as it is now
        self._accepted = False
        self._refusal: AccessRefused | None = None
        self.signer: AuthBase | None = None
        if access.auth == "oauth1":
            method = str(access.extra.get("signature") or "HMAC-SHA1").upper()
            self.signer = OAuth1(access.client_id or "", access.client_secret or "", method)

    def header(self) -> dict[str, str]:
        """The Authorization header as it should be now; empty where requests are signed, or need none.

        Raises AccessRefused when the token address refuses, at once every further time: a wrong secret that is tried again and
        again locks the account. Raises PassingError when the token address is down.
        """
        if self._access.auth in ("none", "oauth1"):
            return {}
        with self._lock:
            if self._token is None or time.monotonic() > self._ends:
                if self._refusal:
                    raise self._refusal
                try:
                    self._fetch()
                except AccessRefused as refusal:
                    self._refusal = refusal
                    raise
            return {"Authorization": f"Bearer {self._token}"}

    def accepted(self, header: dict[str, str]) -> None:
        """Note that a page came with this header."""
        if not self._accepted and header.get("Authorization") == f"Bearer {self._token}":
            self._accepted = True

    def refused(self, header: dict[str, str], status: int) -> bool:
        """Whether asking once more is worth it after a refusal: only with a token that can be fetched anew.

        After a 403 that is so when pages came with the same token before: some servers answer 403 for a token that ended.
        """
        if self._access.auth != "oauth2":
            return False
        with self._lock:
            # Another thread may have renewed it since; then that one is good.
            if header.get("Authorization") == f"Bearer {self._token}":
                if status == 403 and not self._accepted:
                    return False
                self._token, self._accepted = None, False
        return True

    def _fetch(self) -> None:
        url = self._access.token_url or ""
        if self._session is None:
            self._session = session_to(url, private_network=self._access.private_network)
        answers: list[tuple[int, str | None]] = []
        for way in self._ways():
            # Whoever knows neither the client in the header nor the one in the body does not know it.
            if [error for _, error in answers].count("invalid_client") >= 2 or (answers and self._known):
                break
            answer, body = self._ask(self._session, url, way)
            if answer.status_code == 200:
                self._keep(body)
                self._known = way
                return
            answers.append((answer.status_code, _error(body)))
        raise AccessRefused(_words(answers, self._access))

    def _ways(self) -> Iterator[_Try]:
        # Some want the credentials in the header, others only in the body, a few refuse any scope.
        if self._known:
            yield self._known
        for scoped in (True, False) if self.scope else (False,):
            for in_body in (False, True):
                yield _Try(in_body, scoped)

    def _ask(self, session: requests.Session, url: str, way: _Try) -> tuple[requests.Response, bytes]:
        form = {"grant_type": "client_credentials"} | ({"scope": self.scope} if way.scoped else {})
        both = (self._access.client_id or "", self._access.client_secret or "")
        if way.in_body:
            form |= {"client_id": both[0], "client_secret": both[1]}
        try:
            with session.post(
                url,
                data=form,
                auth=None if way.in_body else both,
                timeout=limits.TIMEOUT,
                allow_redirects=False,
                stream=True,
            ) as answer:
                body = start_of(answer)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise PassingError(f"the token address cannot be reached: {cause_of(error)}") from None
        status = answer.status_code
        if 300 <= status < 400:
            raise AccessRefused(redirected(answer, "The token address", "token_url in the extra of the Connection"))
        if status >= 500 and status not in _NO_TOKEN_ADDRESS:
            raise PassingError(f"status {status} at the token address; the client id and secret were not refused")
        if status in _PASSING:
            raise PassingError(f"status {status} at the token address", retry_after(answer))
        return answer, body

    def _keep(self, body: bytes) -> None:
        try:
            content = msgspec.json.decode(body, type=dict[str, Any])
            token, lasts = content["access_token"], float(content.get("expires_in") or _LASTS)
        except (msgspec.MsgspecError, ValueError, KeyError, TypeError, RecursionError):
            token, lasts = None, _LASTS
        if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
            raise AccessRefused(
                "The SIS's token address answered without a token, so it is probably none. Check token_url in the extra of the "
                "Connection. Nothing was changed."
            )
        lasts = lasts if lasts > 0 else _LASTS
        self._token, self._accepted = token, False
        self._ends = time.monotonic() + max(lasts - _EARLY, lasts / 2)


def _error(body: bytes) -> str | None:
    """The code in a token address's refusal, where it is one of the known ones."""
    try:
        content = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    error = content.get("error")
    return error if isinstance(error, str) and error in _ERRORS else None


def _words(answers: list[tuple[int, str | None]], access: Access) -> str:
    """Why no way to ask for a token led to one, and the cure."""
    status, errors = answers[-1][0], [error for _, error in answers if error]
    said = f"status {status}{f', {errors[-1]}' if errors else ''}"
    if not errors and all(one in _NO_TOKEN_ADDRESS for one, _ in answers):
        return (
            f"There is no token address at token_url ({said}); the client id and secret were not refused. "
            "Correct token_url in the extra of the Connection. Nothing was changed."
        )
    if errors and errors[-1] == "invalid_scope":
        return (
            f"The SIS refused the scope ({said} at the token address), not the client id and secret. "
            "Set scope in the extra of the Connection to what the SIS gives this client. Nothing was changed."
        )
    if errors and errors[-1] in ("unsupported_grant_type", "unauthorized_client"):
        return (
            f"The SIS does not let this client use client credentials ({said} at the token address). "
            "Have the SIS allow them, or set auth in the extra of the Connection to oauth1 or bearer. Nothing was changed."
        )
    return (
        f"The SIS refused the client id and secret ({said} at the token address). They are not tried again, so that the account "
        "is not locked. Correct login and password of the Connection, then clear the task and everything after it. "
        "Nothing was changed."
    )


def redirected(answer: requests.Response, what: str, where: str) -> str:
    """The words for an answer that sends on to another address: the secret would go along, so nobody follows."""
    host = urlsplit(answer.headers.get("Location", "")).hostname or ""
    to = f"to {host} " if re.fullmatch(r"[A-Za-z0-9.:-]{1,253}", host) else ""
    return (
        f"{what} sends on {to}(status {answer.status_code}). That is not followed, because the secret would go along. "
        f"Write the right address into {where}. Nothing was changed."
    )


def retry_after(answer: requests.Response) -> float | None:
    """Seconds that the server asks to wait, given as seconds or as a date (RFC 9110 section 10.2.3)."""
    value = answer.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    try:
        then = parsedate_to_datetime(value)
        now = parsedate_to_datetime(answer.headers["Date"])
    except (ValueError, TypeError, KeyError):
        return None
    return max((then - now).total_seconds(), 0.0)
