"""OAuth 1.0a: the published worked examples, and a server that verifies every signature for itself."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pytest

from include.mingasync.errors import SourceError
from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.failures import NotSharedError
from include.mingasync.oneroster.oauth1 import base_string, sign
from include.mingasync.oneroster.paging import Tally
from include.mingasync.oneroster.rest import RestSource


def test_the_example_of_oauth_core_1_0_appendix_a() -> None:
    fields = {
        "oauth_consumer_key": "dpf43f3p2l4k3l03",
        "oauth_token": "nnch734d00sl2jdk",
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": "1191242096",
        "oauth_nonce": "kllo9940pd9333jh",
        "oauth_version": "1.0",
    }
    base = base_string("get", "http://photos.example.net/photos?file=vacation.jpg&size=original", fields.items())
    assert base == (
        "GET&http%3A%2F%2Fphotos.example.net%2Fphotos&file%3Dvacation.jpg%26oauth_consumer_key%3Ddpf43f3p2l4k3l03"
        "%26oauth_nonce%3Dkllo9940pd9333jh%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D1191242096"
        "%26oauth_token%3Dnnch734d00sl2jdk%26oauth_version%3D1.0%26size%3Doriginal"
    )
    assert sign(base, "kd94hf93k423kf44", "pfkkdhi9sl3r4s00", hashlib.sha1) == "tR3+Ty81lMeYAr/Fid0kMTYa/WM="


def test_the_base_string_of_rfc_5849_section_3_4_1() -> None:
    fields = [
        ("c2", ""),
        ("a3", "2 q"),
        ("oauth_consumer_key", "9djdj82h48djs9d2"),
        ("oauth_token", "kkk9d7dh3k39sjv7"),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131201"),
        ("oauth_nonce", "7d8f3e4a"),
    ]
    assert base_string("POST", "http://EXAMPLE.com:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b", fields) == (
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D"
        "%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1"
        "%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
    )


class _Verifier(BaseHTTPRequestHandler):
    """Answers two pages of orgs to signatures it works out itself; a nonce seen before is refused."""

    nonces: set[str]

    def do_GET(self) -> None:
        given = dict(re.findall(r'(\w+)="([^"]*)"', self.headers.get("Authorization", "")))
        given = {name: unquote(value) for name, value in given.items()}
        good = hmac.compare_digest(given.pop("oauth_signature", ""), self._expected(given))
        fresh = given.get("oauth_nonce") not in self.nonces
        self.nonces.add(given.get("oauth_nonce", ""))
        last = "offset=2" in self.path
        body = b'{"orgs": []}' if last else b'{"orgs": [{"sourcedId": "a b"}, {"sourcedId": "c"}]}'
        self.send_response(200 if good and fresh else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _expected(self, given: dict[str, str]) -> str:
        parts = urlsplit(self.path)
        pairs = sorted((quote(k, safe=""), quote(v, safe="")) for k, v in [*parse_qsl(parts.query), *given.items()])
        address = f"http://{self.headers['Host']}{parts.path}"
        text = "&".join(quote(one, safe="") for one in ("GET", address, "&".join("=".join(pair) for pair in pairs)))
        digest = "sha256" if given.get("oauth_signature_method") == "HMAC-SHA256" else "sha1"
        return base64.b64encode(hmac.digest(b"a%26b%2Fsecret&", text.encode(), digest)).decode()

    def log_message(self, *_: Any) -> None:
        """Silent."""


@pytest.fixture
def verifier() -> Iterator[str]:
    _Verifier.nonces = set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Verifier)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/ims/oneroster/v1p1"
    server.shutdown()
    server.server_close()


def _access(root: str, secret: str, signature: str) -> Access:
    extra = {"auth": "oauth1", "signature": signature}
    return Access.from_connection(host=root, login="key", password=secret, extra=extra)


@pytest.mark.parametrize("signature", ["HMAC-SHA1", "HMAC-SHA256"])
def test_a_verifying_server_takes_every_request(signature: str, verifier: str) -> None:
    pages = list(RestSource(_access(verifier, "a&b/secret", signature), "1.1", 2).pages("orgs", Tally()))
    assert [one for page in pages for one in page.column("sourced_id").to_pylist()] == ["a b", "c"]


def test_a_wrong_secret_is_refused(verifier: str) -> None:
    with pytest.raises(NotSharedError) as refusal:
        list(RestSource(_access(verifier, "other", "HMAC-SHA1"), "1.1", 2).pages("orgs", Tally()))
    assert refusal.value.status == 401


def test_an_unknown_signature_is_an_error_in_words(verifier: str) -> None:
    with pytest.raises(SourceError, match="HMAC-SHA1"):
        RestSource(_access(verifier, "x", "PLAINTEXT"), "1.1", 2)
