"""Credentials on requests: OAuth 2 client credentials, static bearer tokens, OAuth 1.0a signatures."""

from __future__ import annotations

import threading
import time

import requests
from requests.auth import AuthBase

from include.mingasync.errors import SourceError
from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.oauth1 import OAuth1

#: Scopes of the read-only roster service, by version (OneRoster 1.1 and 1.2, security section).
SCOPES = {
    "1.1": "https://purl.imsglobal.org/spec/or/v1p1/scope/roster-core.readonly https://purl.imsglobal.org/spec/or/v1p1/scope/roster.readonly",
    "1.2": "https://purl.imsglobal.org/spec/or/v1p2/scope/roster-core.readonly https://purl.imsglobal.org/spec/or/v1p2/scope/roster.readonly",
}
_EARLY = 30  # seconds before its end at which a token is renewed


class Bearer:
    """One SIS's credentials, for many threads: a token, static or fetched and renewed, or a signature."""

    def __init__(self, access: Access, session: requests.Session, version: str, timeout: float) -> None:
        self._access, self._session, self._version, self._timeout = access, session, version, timeout
        self._token: str | None = access.client_secret if access.auth == "bearer" else None
        self._ends = float("inf")
        self._lock = threading.Lock()
        self.signer: AuthBase | None = None
        if access.auth == "oauth1":
            method = str(access.extra.get("signature") or "HMAC-SHA1").upper()
            self.signer = OAuth1(access.client_id or "", access.client_secret or "", method)

    def header(self) -> dict[str, str]:
        """The Authorization header as it should be now; empty where requests are signed, or need none."""
        if self._access.auth in ("none", "oauth1"):
            return {}
        with self._lock:
            if self._token is None or time.monotonic() > self._ends:
                self._fetch()
            return {"Authorization": f"Bearer {self._token}"}

    def refused(self, header: dict[str, str]) -> bool:
        """Whether asking once more is worth it after a 401: only with a token that can be fetched anew."""
        if self._access.auth != "oauth2":
            return False
        with self._lock:
            # Another thread may have renewed it since; then that one is good.
            if header.get("Authorization") == f"Bearer {self._token}":
                self._token = None
        return True

    def _fetch(self) -> None:
        url = self._access.token_url
        if not url:
            raise SourceError("The Connection has no token_url in its extra; add it, or set auth to bearer. Nothing was changed.")
        body = {"grant_type": "client_credentials"}
        scope = self._access.scope if self._access.scope is not None else SCOPES[self._version]
        both = (self._access.client_id or "", self._access.client_secret or "")
        in_body = {"client_id": both[0], "client_secret": both[1]}
        # Some want the credentials in the header, others only in the body, a few refuse any scope.
        tries = [
            (body | {"scope": scope}, both),
            (body | {"scope": scope} | in_body, None),
            (body, both),
            (body | in_body, None),
        ]
        status = 0
        for form, basic in tries:
            try:
                answer = self._session.post(url, data={k: v for k, v in form.items() if v}, auth=basic, timeout=self._timeout)
            except requests.RequestException as error:
                raise SourceError(
                    f"The SIS's token address cannot be reached ({type(error).__name__}). Nothing was changed."
                ) from None
            status = answer.status_code
            if status == 200:
                return self._keep(answer)
            if status not in (400, 401, 403):
                break
        raise SourceError(
            f"The SIS refused the client id and secret (status {status} at the token address). "
            "Check login, password and token_url of the Connection. Nothing was changed."
        )

    def _keep(self, answer: requests.Response) -> None:
        try:
            content = answer.json()
            self._token = str(content["access_token"])
            lasts = float(content.get("expires_in") or 3600)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise SourceError("The SIS's token address answered without a token. Check token_url. Nothing was changed.") from None
        self._ends = time.monotonic() + max(lasts - _EARLY, lasts / 2)
