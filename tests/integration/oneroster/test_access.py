"""An access that is wrong is told as what it is, with its own cure; the cure is carried out, and then everything is read."""

from __future__ import annotations

import json
import logging
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from include.mingasync.errors import SourceError, SourceRefused
from include.mingasync.oneroster import limits, rest
from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.bases import Bases
from include.mingasync.oneroster.connect import check
from include.mingasync.oneroster.read import read_collection
from include.mingasync.oneroster.records import READING_ORDER
from include.mingasync.snapshot import Snapshot
from include.rehearsal.faults import Faults
from include.rehearsal.running import Running, running
from include.rehearsal.server import CLIENT_ID, CLIENT_SECRET, ROOTS, application
from tests.integration.oneroster.certificates import self_signed
from tests.integration.oneroster.faulty import TODAY
from tests.unit.oneroster.bundles import district

_STATIC, _WRONG = "static-token", "wrong-secret"
_V2 = "https://purl.imsglobal.org/spec/or/v1p2/scope/roster.readonly"


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    with running(application(students=60, schools=1, today=TODAY, bearer=_STATIC)) as server:
        yield server


@pytest.fixture
def server(shared: Running, monkeypatch: pytest.MonkeyPatch) -> Running:
    monkeypatch.setattr(rest, "_backoff", lambda _: 0.01)
    shared.misbehave()
    shared.sis.forget()
    return shared


@dataclass(frozen=True)
class Wrong:
    """What is wrong: parts of the Connection, the version in the district file, or the server; what is told; what the cure changes."""

    words: str
    told: str
    parts: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    version: str = "1.2"
    #: the parts after the cure; None: as the message says itself
    cured: Mapping[str, Any] | None = field(default_factory=dict)
    cured_extra: Mapping[str, Any] = field(default_factory=dict)
    cured_faults: Faults | None = None
    cured_version: str = "1.2"
    passes: bool = False  # trying again later may help


CASES = (
    Wrong("an OAuth 2 secret", "refused the client id and secret (status 401, invalid_client", {"password": _WRONG}),
    Wrong("an OAuth 1 secret", "refuses the OAuth 1 signature of every request (status 401, unauthorisedrequest)",
          {"password": _WRONG}, {"auth": "oauth1"}, cured_extra={"auth": "oauth1"}),
    Wrong("a bearer that has ended", "refuses the static token for every resource", {"password": _WRONG}, {"auth": "bearer"},
          cured={"password": _STATIC}, cured_extra={"auth": "bearer"}),
    Wrong("a root path", "but OneRoster 1.2 answers at /ims/oneroster/rostering/v1p2", {"host": "{url}/oneroster"}, cured=None),
    Wrong("no root path", "but OneRoster 1.2 answers at /ims/oneroster/rostering/v1p2", {"host": "{url}"}, cured=None),
    Wrong("1.1 asked of a 1.2 server", "but OneRoster 1.2 answers at /ims/oneroster/rostering/v1p2", {"host": "{url}" + ROOTS["1.1"]},
          faults=Faults(versions=["1.2"]), version="1.1", cured=None, cured_faults=Faults(versions=["1.2"])),
    Wrong("1.2 asked of a 1.1 server", "but OneRoster 1.1 answers at /ims/oneroster/v1p1", {"host": "{url}" + ROOTS["1.2"]},
          faults=Faults(versions=["1.1"]), cured=None, cured_faults=Faults(versions=["1.1"])),
    Wrong("a host without OneRoster", "nothing of OneRoster is at /ims/oneroster/rostering/v1p2",
          faults=Faults(versions=["none"])),
    Wrong("the version in the district file", "while the district file says 1.1, so the wrong scope is asked for",
          faults=Faults(service_scope=_V2), version="1.1", cured_faults=Faults(service_scope=_V2)),
    Wrong("a scope that the token address refuses", "refused the scope (status 400, invalid_scope at the token address)",
          faults=Faults(scope="own"), cured_extra={"scope": "own"}, cured_faults=Faults(scope="own")),
    Wrong("a scope that the service refuses", "may read no resource at all (status 403, forbidden",
          faults=Faults(service_scope="own"), cured_extra={"scope": "own"}, cured_faults=Faults(service_scope="own")),
    Wrong("a token address that is down", "status 500 at the token address; the client id and secret were not refused",
          faults=Faults(token_status=500), passes=True),
    Wrong("a token address that takes no POST", "There is no token address at token_url (status 405)",
          extra={"token_url": "{url}/rehearsal/numbers"}),
    Wrong("a token address that is not there", "There is no token address at token_url (status 404)", extra={"token_url": "{url}/nowhere"}),
    Wrong("a token address for people", "answered without a token, so it is probably none", faults=Faults(token_html=True)),
    Wrong("a token address that sends on", "The token address sends on to sis.example.org (status 307)",
          faults=Faults(token_sends_to="https://sis.example.org/token")),
    Wrong("a root that sends on", "The SIS sends on to sis.example.org (status 307)", faults=Faults(sends_to="https://sis.example.org/")),
    Wrong("a port where nobody listens", "refuses the connection", {"host": "http://127.0.0.1:9/ims/oneroster/v1p1"}, passes=True),
)  # fmt: skip


def _access(server: Running, parts: Mapping[str, Any], extra: Mapping[str, Any]) -> Access:
    own: dict[str, Any] = {"host": server.root("1.2"), "login": CLIENT_ID, "password": CLIENT_SECRET} | dict(parts)
    own["host"] = own["host"].replace("{url}", server.url)
    more = {key: value.replace("{url}", server.url) if isinstance(value, str) else value for key, value in extra.items()}
    return Access.from_connection(**own, extra={"token_url": server.token_url} | more)


def _read(access: Access, folder: Path, version: str, **sis: Any) -> set[str]:
    """The states of every collection's proof."""
    own = district(source="rest", url=None, name="own", version=version, max_parallel_requests=4, page_size=50, **sis)
    snapshot = Snapshot.of(str(folder), "maple", "run")
    return {read_collection(name, own, access, snapshot, parents=False).state for name in READING_ORDER}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.words)
def test_what_is_wrong_is_told_and_its_cure_cures(
    case: Wrong, server: Running, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "include")
    server.sis.faults = case.faults
    access = _access(server, case.parts, case.extra)
    with pytest.raises(SourceError) as refusal:
        _read(access, tmp_path, case.version)
    told = str(refusal.value)
    assert case.told in told
    assert "Nothing was changed." in told
    assert "share" not in told or "are shared with the client" in told, "the wrong culprit"
    assert isinstance(refusal.value, SourceRefused) != case.passes
    own = district(source="rest", url=None, name="own", version=case.version)
    checks = check(own, access)
    assert not any(one.shared for one in checks)
    assert all(case.told in one.words for one in checks)
    assert not any("Turn on sharing" in one.words for one in checks)
    for secret in (_WRONG, CLIENT_SECRET, _STATIC):
        assert secret not in told + caplog.text

    parts, version = case.cured, case.cured_version
    if parts is None:
        host, version = re.findall(r'Write (\S+) as host into the Connection, and version: "(\S+)"', told)[0]
        parts = {"host": host}
    server.sis.faults = case.cured_faults or Faults()
    cured = _access(server, parts, case.cured_extra)
    assert _read(cured, tmp_path, version) == {"complete"}
    assert all(one.shared for one in check(district(source="rest", url=None, name="own", version=version), cured))


@pytest.mark.parametrize("collection", ["users", "enrollments"])
def test_a_wrong_secret_is_tried_at_two_places_and_then_no_more(collection: str, server: Running, tmp_path: Path) -> None:
    """Also where only changes are asked for: a refused secret is not a refused filter."""
    good = _access(server, {}, {})
    own = district(source="rest", url=None, max_parallel_requests=8, page_size=10, incremental=True)
    previous = Snapshot.of(str(tmp_path), "maple", "before")
    read_collection(collection, own, good, previous, parents=False)
    server.sis.forget()
    with pytest.raises(SourceRefused, match="client id and secret"):
        read_collection(
            collection,
            own,
            _access(server, {"password": _WRONG}, {}),
            Snapshot.of(str(tmp_path), "maple", "run"),
            parents=False,
            bases=Bases(previous),
            whole=False,
        )
    assert server.sis.asked == {"/token": 2}


def test_a_token_that_ends_is_renewed_where_it_was_given(server: Running, tmp_path: Path) -> None:
    server.misbehave(credentials="body", credentials_status=422, token_dies_at_percent=50, ended_token_status=403)
    assert _read(_access(server, {}, {}), tmp_path, "1.2") == {"complete"}
    # Per collection: a way in the header and one in the body, and the body alone when the token ended.
    assert server.sis.asked["/token"] <= 3 * len(READING_ORDER)


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ({"auth": "oauth 2"}, "Key 'auth' in the extra of the Connection is none of oauth2, oauth1, bearer. Did you mean 'oauth2'?"),
        ({"auth": "none"}, "is none of oauth2, oauth1, bearer."),
        ({"auth": 2}, "is none of oauth2, oauth1, bearer."),
        ({"auht": "bearer"}, "Key 'auht' in the extra of the Connection is unknown; did you mean 'auth'?"),
        ({"tokenurl": "x"}, "unknown; did you mean 'token_url'?"),
        ({"colour": "red"}, "unknown; known are auth, token_url, scope, signature, private_network, expires."),
        ({"auth": "oauth1", "signature": "SHA1"}, "Key 'signature' in the extra of the Connection is none of HMAC-SHA1, HMAC-SHA256."),
        ({"auth": "bearer", "private_network": "perhaps"}, "Key 'private_network' in the extra of the Connection is neither true nor false"),
        ({"auth": "oauth2"}, "no token_url in its extra"),
        ("{not json", "is no JSON object"),
        ("[1]", "is no JSON object"),
        ({"token_url": "http://sis.example.org/token"}, "uses http, which anybody between can read"),
        ({"token_url": "https://me:secret@sis.example.org/token"}, "without a login in it"),
    ],
)  # fmt: skip
def test_an_extra_that_is_wrong_is_named(extra: Any, told: str) -> None:
    with pytest.raises(SourceRefused, match=re.escape(told)) as refusal:
        Access.from_connection(host="https://sis.example.org/ims/oneroster/v1p1", login="a", password="b", extra=extra)
    assert "me:secret" not in str(refusal.value)


def test_an_extra_as_airflow_and_the_documents_write_it_is_right() -> None:
    extra = {"auth": "bearer", "expires": "2027-01-31", "private_network": "true", "extra__http__timeout": ""}
    access = Access.from_connection(host="sis.example.org", password="b", extra=json.dumps(extra))
    assert (access.auth, access.private_network, access.root_url) == ("bearer", True, "https://sis.example.org")
    assert Access.from_connection(host="h.example", extra={"auth": "bearer", "private_network": False}).private_network is False


class _Elsewhere(BaseHTTPRequestHandler):
    """Whoever comes here was led astray."""

    came: list[str]

    def do_GET(self) -> None:
        self.came.append(f"{self.command} {self.headers.get('Authorization')}")
        self.send_response(200)
        self.end_headers()

    do_POST = do_GET  # noqa: N815 (as http.server names it)

    def log_message(self, *_: Any) -> None:
        """Silent."""


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    handler = type("_Own", (_Elsewhere,), {"came": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", handler.came  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("fault", ["token_sends_to", "sends_to"])
@pytest.mark.parametrize("extra", [{}, {"auth": "oauth1"}, {"auth": "bearer"}], ids=["oauth2", "oauth1", "bearer"])
def test_no_secret_goes_where_a_server_sends_on(
    extra: dict[str, str], fault: str, server: Running, elsewhere: tuple[str, list[str]], tmp_path: Path
) -> None:
    address, came = elsewhere
    server.misbehave(**{fault: address})
    if fault == "sends_to" or not extra:
        with pytest.raises(SourceRefused, match=r"sends on to 127\.0\.0\.1"):
            _read(_access(server, {}, extra), tmp_path, "1.2")
    assert came == []


def _refusing_to_connect(*_: Any, **__: Any) -> socket.socket:
    raise AssertionError("something was connected to")


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.5", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "2130706433", "0x7f000001", "127.1",
        "0177.0.0.1", "[::ffff:10.0.0.1]", "[fe80::1]", "[fd00::1]", "[64:ff9b::a00:1]", "[2002:a00:1::]", "inside.school.example",
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["host", "token_url"])
def test_a_private_address_is_refused_before_anything_is_sent(
    where: str, host: str, server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def looked_up(name: str, *more: Any, **others: Any) -> Any:
        if name == "inside.school.example":
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 443)),
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.1.2.3", 443)),
            ]
        return real(name, *more, **others)

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    url = f"https://{host}/ims/oneroster/v1p1"
    if where == "host":
        access = _access(server, {"host": url, "password": _STATIC}, {"auth": "bearer"})
        monkeypatch.setattr(socket.socket, "connect", _refusing_to_connect)
    else:
        access = _access(server, {}, {"token_url": url})
    with pytest.raises(SourceRefused, match='"private_network": true'):
        _read(access, tmp_path, "1.2")


def test_plain_http_is_refused_to_whatever_only_leads_to_this_machine() -> None:
    for host in ("2130706433", "127.1", "0x7f.1", "localtest.example", "10.0.0.1", "localhost.example.org"):
        with pytest.raises(SourceRefused, match="uses http"):
            Access.from_connection(host=f"http://{host}/", extra={"auth": "bearer"})
    for bad in ("https://sis.example.org\\@evil.example/", "https://me@sis.example.org/", "https:///x", "", "https://a b/"):
        with pytest.raises(SourceRefused, match="an address that is none"):
            Access.from_connection(host=bad, extra={"auth": "bearer"})


def test_a_sis_in_the_school_s_own_network_is_read_when_the_connection_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS with the school's own authority; the name leads to a private address, as here to this machine."""
    name, certificate = "sis.school.example", self_signed("sis.school.example", tmp_path)
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *more, **others: real("127.0.0.1" if host == name else host, *more, **others)
    )
    monkeypatch.setattr(rest, "_backoff", lambda _: 0.0)

    class Orgs(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"orgs": [{"sourcedId": "o1"}]}' if "offset=0" in self.path else b'{"orgs": []}'
            self.send_response(200)
            self.send_header("X-Total-Count", "1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Orgs)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        host = f"https://{name}:{server.server_port}/ims/oneroster/v1p1"

        def read(**extra: Any) -> str:
            access = Access.from_connection(host=host, password="token", extra={"auth": "bearer", **extra})
            own = district(source="rest", url=None)
            return read_collection("orgs", own, access, Snapshot.of(str(tmp_path), "maple", "run"), parents=False).state

        with pytest.raises(
            SourceRefused, match=r'sis\.school.example is an address inside a private network.*"private_network": true'
        ):
            read()
        with pytest.raises(SourceError, match=r"certificate is not trusted.*REQUESTS_CA_BUNDLE"):
            read(private_network=True)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        assert read(private_network=True) == "complete"
    finally:
        server.shutdown()
        server.server_close()


def test_netrc_and_proxies_of_the_environment_do_not_touch_what_is_sent(
    server: Running, elsewhere: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    address, came = elsewhere
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, address)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert _read(_access(server, {}, {}), tmp_path, "1.2") == {"complete"}
    assert came == []


def test_an_https_proxy_of_the_environment_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Proxy(_Elsewhere):
        came = asked

        def do_CONNECT(self) -> None:
            asked.append(self.path)
            self.send_response(502)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(rest, "_backoff", lambda _: 0.0)
    try:
        access = Access.from_connection(host="https://sis.invalid/ims/oneroster/v1p1", password="t", extra={"auth": "bearer"})
        with pytest.raises(SourceError, match="failed 6 times"):
            _read(access, tmp_path, "1.1")
        assert set(asked) == {"sis.invalid:443"}
        private = Access.from_connection(host="https://10.0.0.9/ims/oneroster/v1p1", password="t", extra={"auth": "bearer"})
        with pytest.raises(SourceRefused, match='"private_network": true'):
            _read(private, tmp_path, "1.1")
        assert set(asked) == {"sis.invalid:443"}
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("limit", "value", "faults", "told"),
    [
        ("ANSWER_SECONDS", 0.3, {"drip_ms": 20}, "an answer that took more than 0 seconds. Set a smaller sis.page_size"),
        ("ANSWER_BYTES", 5_000, {}, "an answer of more than 0.00476837 MiB, however few rows were asked. Tell the SIS's support"),
        (
            "ANSWER_RECORDS",
            30,
            {},
            "an answer of more than 30 records or 1000000 values, however few rows were asked. Tell the SIS's support",
        ),
        ("PULL_BYTES", 30_000, {}, "0 GiB were not enough to read users"),
    ],
)
def test_a_limit_that_is_broken_is_named_with_its_cure(
    limit: str, value: float, faults: dict[str, Any], told: str, server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, limit, value)
    monkeypatch.setattr(limits, "ATTEMPTS", 3)
    server.misbehave(**faults)
    own = district(source="rest", url=None, version="1.2", page_size=60)
    with pytest.raises(SourceError, match=re.escape(told)):
        read_collection("users", own, _access(server, {}, {}), Snapshot.of(str(tmp_path), "maple", "run"), parents=False)
    monkeypatch.undo()


def test_an_answer_that_is_too_large_is_asked_smaller(server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ANSWER_BYTES", 40_000)  # some seventy users
    own = district(source="rest", url=None, version="1.2", page_size=1000)
    proof = read_collection("users", own, _access(server, {}, {}), Snapshot.of(str(tmp_path), "maple", "run"), parents=False)
    assert proof.state == "complete"
    assert proof.pages > 1


@pytest.mark.parametrize("status", [400, 413, 414, 416, 422])
def test_a_page_size_that_is_refused_is_asked_as_small_as_the_server_says(status: int, server: Running, tmp_path: Path) -> None:
    server.misbehave(largest_limit=45, largest_limit_status=status)
    own = district(source="rest", url=None, version="1.2", page_size=1000, max_parallel_requests=3)
    proof = read_collection("users", own, _access(server, {}, {}), Snapshot.of(str(tmp_path), "maple", "run"), parents=False)
    assert proof.state == "complete"
    assert server.sis.answered[status] == 1, "it is remembered"


@pytest.mark.parametrize("status", [400, 422])
def test_a_server_that_refuses_every_page_size_is_told_with_its_own_word(status: int, server: Running, tmp_path: Path) -> None:
    server.misbehave(largest_limit=1, largest_limit_status=status)
    own = district(source="rest", url=None, version="1.2", page_size=1000)
    told = rf"with status {status} \(invaliddata\), however few rows were asked\. Check the address in the Connection\."
    with pytest.raises(SourceRefused, match=told):
        read_collection("users", own, _access(server, {}, {}), Snapshot.of(str(tmp_path), "maple", "run"), parents=False)
    assert server.sis.answered[status] < 10


def _paths(server: Running) -> Callable[[str], int]:
    return lambda name: sum(count for path, count in server.sis.asked.items() if urlsplit(path).path.endswith(f"/{name}"))


def test_schools_and_terms_are_read_where_there_are_no_orgs_and_sessions(server: Running, tmp_path: Path) -> None:
    server.misbehave(not_shared=["orgs", "academicSessions"], not_shared_status=404)
    access = _access(server, {}, {})
    assert _read(access, tmp_path, "1.2") == {"complete"}
    proofs = Snapshot.of(str(tmp_path), "maple", "run").proofs()
    assert proofs["orgs"].reason == "read from schools, since the SIS serves no orgs"
    assert proofs["academicSessions"].reason == "read from terms and gradingPeriods, since the SIS serves no academicSessions"
    notes = {one.collection: one.note for one in check(district(source="rest", url=None, version="1.2"), access)}
    assert (notes["orgs"], notes["academicSessions"]) == ("as schools", "as terms and gradingPeriods")
    assert _paths(server)("gradingPeriods") > 0


def test_students_and_teachers_are_not_all_users(server: Running, tmp_path: Path) -> None:
    server.misbehave(not_shared="users", not_shared_status=404)
    access = _access(server, {}, {})
    assert _read(access, tmp_path, "1.2") == {"complete", "incomplete"}
    snapshot = Snapshot.of(str(tmp_path), "maple", "run")
    assert "who else there is, is not known" in (snapshot.proofs()["users"].reason or "")
    ids = snapshot.table("users").column("sourced_id").to_pylist()
    assert len(ids) == len(set(ids)) > 60, "somebody who is both comes once"


def test_a_resource_that_alone_is_refused_is_not_shared(server: Running, tmp_path: Path) -> None:
    server.misbehave(not_shared="classes", not_shared_status=401)
    access = _access(server, {}, {})
    assert _read(access, tmp_path, "1.2") == {"complete", "absent"}
    checks = {one.collection: one for one in check(district(source="rest", url=None, version="1.2"), access)}
    assert [name for name, one in checks.items() if not one.shared] == ["classes"]
    assert "share classes" in checks["classes"].words
