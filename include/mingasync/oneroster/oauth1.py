"""OAuth 1.0a on requests: two-legged, HMAC-SHA1 or HMAC-SHA256 (RFC 5849; OneRoster 1.1 section 4)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterable
from urllib.parse import parse_qsl, quote, urlsplit

import requests
from requests.auth import AuthBase

from include.mingasync.errors import SourceRefused

_DIGESTS = {"HMAC-SHA1": hashlib.sha1, "HMAC-SHA256": hashlib.sha256}


class OAuth1(AuthBase):
    """Signs each request with the consumer's key and secret; every request gets a nonce of its own."""

    def __init__(self, key: str, secret: str, method: str = "HMAC-SHA1") -> None:
        if method not in _DIGESTS:
            raise SourceRefused(
                "The Connection's extra asks for a signature that is neither HMAC-SHA1 nor HMAC-SHA256. "
                "Set signature to one of them. Nothing was changed."
            )
        self._key, self._secret, self._method = key, secret, method

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """The request with its Authorization header."""
        fields = {
            "oauth_consumer_key": self._key,
            "oauth_nonce": secrets.token_hex(16),
            "oauth_signature_method": self._method,
            "oauth_timestamp": str(int(time.time())),
            "oauth_version": "1.0",
        }
        base = base_string(request.method or "GET", request.url or "", fields.items())
        fields["oauth_signature"] = sign(base, self._secret, "", _DIGESTS[self._method])
        pairs = ", ".join(f'{_escape(name)}="{_escape(value)}"' for name, value in fields.items())
        request.headers["Authorization"] = f"OAuth {pairs}"
        return request


def base_string(method: str, url: str, fields: Iterable[tuple[str, str]]) -> str:
    """The text that is signed (RFC 5849 section 3.4.1): method, address without query, and every
    parameter in order.
    """
    parts = urlsplit(url)
    port = "" if parts.port in (None, {"http": 80, "https": 443}.get(parts.scheme)) else f":{parts.port}"
    host = parts.hostname or ""
    address = f"{parts.scheme.lower()}://{f'[{host}]' if ':' in host else host}{port}{parts.path or '/'}"
    pairs = [*parse_qsl(parts.query, keep_blank_values=True), *fields]
    ordered = sorted((_escape(name), _escape(value)) for name, value in pairs)
    parameters = "&".join(f"{name}={value}" for name, value in ordered)
    return "&".join(map(_escape, (method.upper(), address, parameters)))


def sign(base: str, secret: str, token_secret: str, digest: Callable[..., object]) -> str:
    """The signature of a base string, in base64 (RFC 5849 section 3.4.2)."""
    key = f"{_escape(secret)}&{_escape(token_secret)}"
    return base64.b64encode(hmac.new(key.encode(), base.encode(), digest).digest()).decode()  # type: ignore[arg-type]


def _escape(value: str) -> str:
    return quote(value, safe="-._~")
