"""OAuth 1.0a signatures and OAuth 2 tokens, as the server judges them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from include.rehearsal import credentials as module
from include.rehearsal.credentials import Credentials, TokenError, signature
from include.rehearsal.faults import Faults

URL = "http://Sis.Example.org:80/ims/users?offset=0&filter=status%3D%27active%27&limit=5"


@pytest.fixture
def credentials() -> Credentials:
    return Credentials("me", "s&cret")


def oauth(**changes: str) -> dict[str, str]:
    return {
        "oauth_consumer_key": "me",
        "oauth_nonce": "n1",
        "oauth_signature_method": "HMAC-SHA256",
        "oauth_timestamp": str(int(time.time())),
        "oauth_version": "1.0",
    } | changes


def header(parameters: dict[str, str], secret: str = "s&cret", url: str = URL) -> str:
    signed = parameters | {"oauth_signature": signature("GET", url, parameters, secret)}
    return "OAuth " + ", ".join(f'{key}="{quote(value, safe="~")}"' for key, value in signed.items())


@pytest.mark.parametrize(("method", "algorithm"), [("HMAC-SHA1", hashlib.sha1), ("HMAC-SHA256", hashlib.sha256)])
def test_the_signature_is_of_the_base_string_that_the_rfc_describes(method: str, algorithm: Any) -> None:
    parameters = oauth(oauth_signature_method=method, oauth_timestamp="1191242096")
    base = (
        "GET&http%3A%2F%2Fsis.example.org%2Fims%2Fusers&filter%3Dstatus%253D%2527active%2527%26limit%3D5"
        "%26oauth_consumer_key%3Dme%26oauth_nonce%3Dn1%26oauth_signature_method%3D"
        f"{method}%26oauth_timestamp%3D1191242096%26oauth_version%3D1.0%26offset%3D0"
    )
    expected = base64.b64encode(hmac.new(b"s%26cret&", base.encode(), algorithm).digest()).decode()
    assert signature("get", URL, parameters, "s&cret") == expected


def test_a_good_signature_admits_once(credentials: Credentials) -> None:
    good = header(oauth())
    assert credentials.admits(good, "GET", URL)
    assert not credentials.admits(good, "GET", URL), "a nonce that was used admits again"
    assert credentials.admits(header(oauth(oauth_nonce="n2")), "GET", URL)


@pytest.mark.parametrize(
    "bad",
    [
        header(oauth(), secret="other"),
        header(oauth(oauth_consumer_key="you")),
        header(oauth(oauth_timestamp=str(int(time.time()) - 4000))),
        header(oauth(oauth_timestamp="soon")),
        header(oauth(oauth_nonce="")),
        header(oauth(), url=URL.replace("limit=5", "limit=6")),
        header(oauth()).replace("HMAC-SHA256", "PLAINTEXT"),
        "OAuth",
        "",
        "Bearer ",
        "Bearer nonsense",
    ],
)
def test_anything_else_does_not(bad: str, credentials: Credentials) -> None:
    assert not credentials.admits(bad, "GET", URL)


def basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


GRANT = {"grant_type": "client_credentials"}
BODY = GRANT | {"client_id": "me", "client_secret": "s&cret"}


@pytest.mark.parametrize(("head", "form"), [(basic("me", "s&cret"), GRANT), ("", BODY), (basic("me", "s%26cret"), GRANT)])
def test_a_token_is_given_for_credentials_in_header_or_body(head: str, form: dict[str, str], credentials: Credentials) -> None:
    answer = credentials.token(head, form, Faults(token_seconds=60))
    assert answer["expires_in"] == 60
    assert credentials.admits(f"Bearer {answer['access_token']}", "GET", URL)
    credentials.revoke(f"Bearer {answer['access_token']}")
    assert not credentials.admits(f"Bearer {answer['access_token']}", "GET", URL)


@pytest.mark.parametrize(
    ("head", "form", "faults", "error"),
    [
        (basic("me", "wrong"), GRANT, Faults(), "invalid_client"),
        ("Basic ???", GRANT, Faults(), "invalid_client"),
        ("", GRANT, Faults(), "invalid_client"),
        ("", BODY | {"grant_type": "password"}, Faults(), "unsupported_grant_type"),
        ("", BODY, Faults(credentials="basic"), "invalid_client"),
        (basic("me", "s&cret"), GRANT, Faults(credentials="body"), "invalid_client"),
        ("", BODY, Faults(scope="roster"), "invalid_scope"),
    ],
)
def test_no_token_otherwise(head: str, form: dict[str, str], faults: Faults, error: str, credentials: Credentials) -> None:
    with pytest.raises(TokenError, match=error):
        credentials.token(head, form, faults)
    assert credentials.tokens == {}


def test_a_token_ends_when_its_time_is_over(credentials: Credentials, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = credentials.token("", BODY | {"scope": "a b"}, Faults(scope="b", token_seconds=60))
    bearer = f"Bearer {answer['access_token']}"
    assert credentials.admits(bearer, "GET", URL)
    later = time.monotonic() + 60
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: later))
    assert not credentials.admits(bearer, "GET", URL)


def test_a_static_token_admits_only_where_there_is_one(credentials: Credentials) -> None:
    assert Credentials("me", "secret", bearer="static").admits("Bearer static", "GET", URL)
    assert not credentials.admits("Bearer static", "GET", URL)
