"""Who may read: OAuth 2 client credentials, a static bearer token, OAuth 1.0a signatures."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from include.rehearsal.faults import Faults

_CLOCK_SECONDS = 300  # an OAuth 1.0a timestamp may be so far off
_HASHES = {"HMAC-SHA1": hashlib.sha1, "HMAC-SHA256": hashlib.sha256}


class TokenError(ValueError):
    """Why the token address gives no token, in OAuth 2's words (RFC 6749 section 5.2)."""

    def __init__(self, error: str, status: int) -> None:
        super().__init__(error)
        self.error, self.status = error, status


@dataclass
class Credentials:
    """The one client that may read, and the tokens that it got."""

    client_id: str
    client_secret: str
    bearer: str = ""
    tokens: dict[str, float] = field(default_factory=dict)
    nonces: set[str] = field(default_factory=set)
    scopes: dict[str, str] = field(default_factory=dict)

    def token(self, header: str, form: Mapping[str, str], faults: Faults) -> dict[str, object]:
        """A fresh token's answer to a request at the token address; raises TokenError."""
        if form.get("grant_type") != "client_credentials":
            raise TokenError("unsupported_grant_type", 400)
        basic, body = _basic(header), (form.get("client_id", ""), form.get("client_secret", ""))
        given = {"any": basic or body, "basic": basic, "body": body}[faults.credentials] or ("", "")
        if not secrets.compare_digest("\n".join(given).encode(), f"{self.client_id}\n{self.client_secret}".encode()):
            raise TokenError("invalid_client" if faults.credentials_status == 401 else "", faults.credentials_status)
        if faults.scope and faults.scope not in form.get("scope", "").split():
            raise TokenError("invalid_scope", 400)
        token = secrets.token_urlsafe(24)
        self.tokens[token] = time.monotonic() + faults.token_seconds
        self.scopes[token] = form.get("scope", "")
        answer = {"access_token": token, "token_type": "bearer", "expires_in": int(faults.token_seconds)}
        return answer | ({"scope": form["scope"]} if form.get("scope") else {})

    def admits(self, header: str, method: str, url: str) -> bool:
        """Whether a request with this Authorization header may read."""
        kind, _, value = header.partition(" ")
        if kind.lower() == "bearer":
            static = bool(self.bearer) and secrets.compare_digest(value.encode(), self.bearer.encode())
            return static or self.tokens.get(value, 0.0) > time.monotonic()
        return kind.lower() == "oauth" and self._signed(value, method, url)

    def is_scoped(self, header: str, scope: str) -> bool:
        """Whether the token of a request was given for a scope."""
        return scope in self.scopes.get(header.partition(" ")[2], "").split()

    def revoke(self, header: str) -> None:
        """End the token of a request."""
        self.tokens.pop(header.partition(" ")[2], None)

    def _signed(self, value: str, method: str, url: str) -> bool:
        """Whether an OAuth 1.0a signature holds (RFC 5849 section 3.2): not old, not used before, ours."""
        given = _oauth_parameters(value)
        stamp, nonce = given.get("oauth_timestamp", ""), given.get("oauth_nonce", "")
        if given.get("oauth_consumer_key") != self.client_id or given.get("oauth_signature_method") not in _HASHES:
            return False
        if not stamp.isdigit() or abs(time.time() - int(stamp)) > _CLOCK_SECONDS or not nonce:
            return False
        right = signature(method, url, given, self.client_secret)
        if not secrets.compare_digest(right.encode(), given.get("oauth_signature", "").encode()):
            return False
        if f"{stamp} {nonce}" in self.nonces:
            return False
        self.nonces.add(f"{stamp} {nonce}")
        return True


def signature(method: str, url: str, oauth: Mapping[str, str], secret: str) -> str:
    """The OAuth 1.0a signature of a request without token (RFC 5849 section 3.4), base64."""
    parts = urlsplit(url)
    port = "" if parts.port in (None, {"http": 80, "https": 443}.get(parts.scheme)) else f":{parts.port}"
    base = f"{parts.scheme.lower()}://{(parts.hostname or '').lower()}{port}{parts.path or '/'}"
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    pairs += [(key, value) for key, value in oauth.items() if key not in ("oauth_signature", "realm")]
    joined = "&".join(f"{key}={value}" for key, value in sorted((_quoted(k), _quoted(v)) for k, v in pairs))
    text = "&".join((method.upper(), _quoted(base), _quoted(joined)))
    algorithm = _HASHES[oauth["oauth_signature_method"]]
    return base64.b64encode(hmac.new(f"{_quoted(secret)}&".encode(), text.encode(), algorithm).digest()).decode()


def _quoted(text: str) -> str:
    return quote(text, safe="~")


def _oauth_parameters(value: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in value.split(","))
    return {unquote(key): unquote(text.strip('"')) for key, _, text in pairs if key}


def _basic(header: str) -> tuple[str, str] | None:
    kind, _, value = header.partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(value).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return unquote(name), unquote(secret)
