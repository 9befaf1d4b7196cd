"""The server that behaves: versions, collections, pages, filters, credentials, control."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from requests.auth import AuthBase

from include.mingasync.oneroster.oauth1 import OAuth1
from include.rehearsal.collections import read_collections
from include.rehearsal.district import build
from include.rehearsal.records import COLLECTIONS
from include.rehearsal.running import Running, running
from include.rehearsal.server import application
from tests.integration.rehearsal.conftest import STUDENTS, TODAY, Client
from tests.waiting import PATIENCE, answer_of

GRANT = {"grant_type": "client_credentials"}
SAMPLE = Path(__file__).parents[2] / "samples" / "edfi-grandbend-1p2-json"


def control(server: Running, method: str, path: str, **body: Any) -> requests.Response:
    return requests.request(method, f"{server.url}/rehearsal/{path}", json=body or None, timeout=PATIENCE)


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize("collection", COLLECTIONS)
def test_a_collection_read_in_pages_is_the_district_s(version: str, collection: str, client: Client) -> None:
    district = build(STUDENTS, today=TODAY)
    rows = client.pull(collection, limit=97, version=version)
    assert [row["sourcedId"] for row in rows] == [one["sourcedId"] for one in getattr(district, collection)]
    if version == "1.2":
        assert rows == getattr(district, collection)
    elif collection == "users":
        assert {row["role"] for row in rows} >= {"student", "teacher", "administrator", "aide"}
        assert all(row["orgs"] and "roles" not in row for row in rows)


@pytest.mark.parametrize(
    ("version", "part", "key", "count"),
    [
        ("1.1", "schools", "orgs", 3), ("1.2", "terms", "academicSessions", 3),
        ("1.1", "gradingPeriods", "academicSessions", 0), ("1.2", "students", "users", STUDENTS),
        ("1.1", "teachers", "users", 30), ("1.2", "teachers", "users", 33),  # 1.2 tells second roles
    ],
)  # fmt: skip
def test_parts_of_collections(version: str, part: str, key: str, count: int, client: Client) -> None:
    answer = client.get(part, version, limit=1000)
    assert len(answer.json()[key]) == count
    assert answer.headers["X-Total-Count"] == str(count)


def test_links_lead_through_all_pages_and_back(client: Client) -> None:
    answer, seen = client.get("users", limit=100), 0
    last = answer.links["last"]["url"]
    while True:
        seen += len(answer.json()["users"])
        if "next" not in answer.links:
            break
        answer = client.session.get(answer.links["next"]["url"], timeout=PATIENCE)
    assert seen == int(answer.headers["X-Total-Count"])
    assert answer.url == last
    while "prev" in answer.links:
        answer = client.session.get(answer.links["prev"]["url"], timeout=PATIENCE)
    assert answer.url == answer.links["first"]["url"]


def test_a_page_has_a_hundred_rows_unless_asked_otherwise(client: Client) -> None:
    assert len(client.get("users").json()["users"]) == 100
    assert len(client.get("users", limit=5000).json()["users"]) > 300
    assert client.get("users", offset=10_000).json() == {"users": []}


@pytest.mark.parametrize("parameters", [{"limit": 0}, {"limit": -1}, {"limit": "x"}, {"offset": -1}, {"offset": "x"}])
def test_a_page_that_is_none_is_refused(parameters: dict[str, Any], client: Client) -> None:
    answer = client.get("users", **parameters)
    assert answer.status_code == 400
    info = answer.json()["imsx_StatusInfo"]
    assert info["imsx_codeMajor"] == "failure"
    assert info["imsx_CodeMinor"]["imsx_codeMinorField"][0]["imsx_codeMinorFieldValue"] == "invaliddata"


def test_filters_by_status_and_by_what_changed_since(server: Running, client: Client) -> None:
    before = "2026-11-24T00:00:00.000Z"
    everybody = int(client.get("users").headers["X-Total-Count"])
    assert client.get("users", filter=f"dateLastModified>'{before}'").headers["X-Total-Count"] == "0"
    assert client.get("users", filter="status='active'").headers["X-Total-Count"] == str(everybody)
    control(server, "PUT", "night", night=2)
    changed = client.get("users", filter=f"dateLastModified>'{before}'", limit=1000).json()["users"]
    assert 0 < len(changed) < everybody // 4
    gone = client.get("users", filter=f"status='tobedeleted' AND dateLastModified>'{before}'").json()["users"]
    assert gone == [user for user in changed if user["status"] == "tobedeleted"] != []
    refused = client.get("users", filter="shoe='42'")
    assert (refused.status_code, "invalid_filter_field" in refused.text) == (400, True)
    assert client.get("orgs", fields="sourcedId,name", sort="name", orderBy="desc").json()["orgs"][0] == {
        "sourcedId": "district",
        "name": "Rehearsal Unified",
    }


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize(
    ("collection", "key"),
    [
        ("orgs", "org"), ("academicSessions", "academicSession"), ("courses", "course"), ("classes", "class"),
        ("users", "user"), ("enrollments", "enrollment"), ("schools", "org"), ("students", "user"),
    ],
)  # fmt: skip
def test_each_record_can_be_had_alone(version: str, collection: str, key: str, client: Client) -> None:
    page = client.get(collection, version, limit=1, offset=2).json()
    row = next(iter(page.values()))[0]
    assert client.get(f"{collection}/{row['sourcedId']}", version).json() == {key: row}
    missing = client.get(f"{collection}/nobody", version)
    assert (missing.status_code, "unknownobject" in missing.text) == (404, True)


def test_without_credentials_nothing_is_read(server: Running) -> None:
    for headers in ({}, {"Authorization": "Bearer guess"}, {"Authorization": "OAuth x"}):
        for path in ("users", "users/u000001"):
            answer = requests.get(f"{server.root('1.1')}/{path}", headers=headers, timeout=PATIENCE)
            assert (answer.status_code, "unauthorisedrequest" in answer.text) == (401, True)
    wrong = requests.post(
        server.token_url, auth=("rehearsal", "guess"), data={"grant_type": "client_credentials"}, timeout=PATIENCE
    )
    assert (wrong.status_code, wrong.json()) == (401, {"error": "invalid_client"})


@pytest.mark.parametrize("method", ["HMAC-SHA1", "HMAC-SHA256"])
def test_oauth_1_signatures_are_verified(method: str, server: Running) -> None:
    def status(auth: AuthBase) -> int:
        parameters = {"limit": "5", "filter": "status='active'"}
        return requests.get(f"{server.root('1.1')}/users", params=parameters, auth=auth, timeout=PATIENCE).status_code

    assert status(OAuth1("rehearsal", "rehearsal-secret", method)) == 200
    assert status(OAuth1("rehearsal", "guess", method)) == 401


def test_a_static_token_and_credentials_in_the_body(server: Running) -> None:
    answer = requests.get(f"{server.root('1.2')}/orgs", headers={"Authorization": "Bearer static"}, timeout=PATIENCE)
    assert answer.status_code == 200
    form = {"grant_type": "client_credentials", "client_id": "rehearsal", "client_secret": "rehearsal-secret"}
    assert requests.post(server.token_url, data=form, timeout=PATIENCE).json()["expires_in"] == 3600


def test_the_night_and_its_numbers_are_switched(server: Running, client: Client) -> None:
    assert control(server, "GET", "numbers").json() == {"night": 1} | build(STUDENTS, today=TODAY).numbers()
    assert control(server, "PUT", "night", night=2).json() == {"night": 2}
    second = build(STUDENTS, today=TODAY, night=2)
    assert control(server, "GET", "numbers").json() == {"night": 2} | second.numbers()
    assert {u["sourcedId"] for u in client.pull("users")} == {u["sourcedId"] for u in second.users}
    for body in ({"night": 0}, {"night": "two"}, {"nite": 2}):
        assert control(server, "PUT", "night", **body).status_code == 400
    assert control(server, "GET", "night").json() == {"night": 2}


def test_requests_are_counted_by_path_until_forgotten(server: Running, client: Client) -> None:
    control(server, "DELETE", "requests")
    client.get("users")
    client.get("users")
    client.get("orgs/nobody", "1.1")
    users, org = "/ims/oneroster/rostering/v1p2/users", "/ims/oneroster/v1p1/orgs/nobody"
    assert control(server, "GET", "requests").json() == {users: 2, org: 1}
    load = control(server, "GET", "load").json()
    assert (load["answers"], load["most_at_once"]) == ({"200": 2}, 1)
    assert load["bytes"] == 2 * len(client.get("users").content)
    assert control(server, "DELETE", "requests").json() == {}


def test_faults_are_set_changed_shown_and_refused(server: Running) -> None:
    assert control(server, "PUT", "faults", clamp=7, delay_ms=1).json()["clamp"] == 7
    assert control(server, "PATCH", "faults", delay_ms=2).json()["clamp"] == 7
    assert control(server, "PUT", "faults", delay_ms=3).json()["clamp"] == 0
    refused = control(server, "PUT", "faults", klamp=7)
    assert refused.status_code == 400
    assert "klamp" in refused.json()["error"]
    assert "clamp" in refused.json()["faults"]
    assert control(server, "GET", "faults").json()["delay_ms"] == 3
    assert control(server, "DELETE", "faults").json()["delay_ms"] == 0


def test_a_folder_is_served_in_both_versions() -> None:
    district = read_collections(SAMPLE)
    with running(application(district=district)) as server:
        client = Client(server)
        assert client.pull("users", limit=1000) == district.users
        older = client.pull("users", limit=1000, version="1.1")
        assert len(older) == 2893
        assert {"student", "teacher", "parent"} <= {user["role"] for user in older}
        assert len(client.pull("enrollments", limit=5000)) == 12_048
        assert server.sis.rows.district.numbers()["records"]["classes"] == 532


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-m", "include.rehearsal", *arguments], cwd=Path(__file__).parents[3])
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_the_command_serves_on_the_loopback_only() -> None:
    port = free_port()
    options = {"--port": port, "--students": 30, "--seed": 3, "--night": 2}
    words = [str(word) for pair in options.items() for word in pair]
    with started("serve", *words, "--client-id", "a", "--client-secret", "b") as process:
        numbers = answer_of(f"http://127.0.0.1:{port}/rehearsal/numbers", process).json()
        assert numbers == {"night": 2} | build(30, seed=3, night=2).numbers()
        token = requests.post(f"http://127.0.0.1:{port}/token", auth=("a", "b"), data=GRANT, timeout=PATIENCE)
        assert token.status_code == 200
        sockets = psutil.Process(process.pid).net_connections("inet")
        assert [one.laddr for one in sockets if one.status == "LISTEN"] == [("127.0.0.1", port)]
