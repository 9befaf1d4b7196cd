"""Every fault, seen from outside."""

from __future__ import annotations

import email.utils
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from include.rehearsal import credentials
from include.rehearsal.running import Running
from tests.integration.rehearsal.conftest import STUDENTS, Client

USERS = STUDENTS + 126 + 30 + 30 + 6 + 3 + 2  # students, contacts, teachers, staff, admins of schools and district


@pytest.fixture
def total(client: Client) -> int:
    return int(client.get("users").headers["X-Total-Count"])


def ids(answer: requests.Response, key: str = "users") -> list[str]:
    return [row["sourcedId"] for row in answer.json()[key]]


def test_pages_are_clamped_without_a_word(server: Running, client: Client, total: int) -> None:
    server.misbehave(clamp=50)
    answer = client.get("users", limit=5000)
    assert len(ids(answer)) == 50
    assert answer.headers["X-Total-Count"] == str(total)
    assert "offset=50" in answer.links["next"]["url"]


def test_totals_are_missing_or_wrong(server: Running, client: Client, total: int) -> None:
    server.misbehave(no_total=True)
    assert "X-Total-Count" not in client.get("users").headers
    server.misbehave(wrong_total=-20)
    assert client.get("users").headers["X-Total-Count"] == str(total - 20)
    server.misbehave(wrong_total=20)
    assert client.get("users").headers["X-Total-Count"] == str(total + 20)


def test_links_are_missing_relative_or_end_early(server: Running, client: Client) -> None:
    server.misbehave(no_link=True)
    assert "Link" not in client.get("users").headers
    server.misbehave(relative_link=True)
    assert client.get("users").links["next"]["url"].startswith("/ims/oneroster/rostering/v1p2/users?")
    server.misbehave(link_ends_at=200)
    assert "next" in client.get("users", offset=100).links
    assert "next" not in client.get("users", offset=200).links


@pytest.mark.parametrize("status", [204, 404])
def test_an_empty_page_is_answered_otherwise(status: int, server: Running, client: Client) -> None:
    server.misbehave(empty_status=status)
    assert client.get("users", offset=9999).status_code == status
    assert client.get("users").status_code == 200


def test_rows_are_repeated_across_pages(server: Running, client: Client, total: int) -> None:
    server.misbehave(repeat_every=10)
    seen = Counter(row["sourcedId"] for row in client.pull("users", limit=10))
    assert len(seen) == total
    assert Counter(seen.values()) == {1: total - total // 10, 2: total // 10}


@pytest.mark.parametrize(("how", "lost", "twice"), [("insert", 0, 1), ("remove", 1, 0), ("rotate", 1, 1)])
def test_rows_shift_in_mid_pull_and_then_rest(how: str, lost: int, twice: int, server: Running, client: Client) -> None:
    clean = {row["sourcedId"] for row in client.pull("users")}
    server.misbehave(shift=how, shift_after=2)
    seen = Counter(row["sourcedId"] for row in client.pull("users"))
    assert len(clean - seen.keys()) == lost
    assert sum(count - 1 for count in seen.values()) == twice
    again = [row["sourcedId"] for row in client.pull("users")]
    assert len(again) == len(set(again)) == len(clean) + {"insert": 1, "remove": -1, "rotate": 0}[how]


def test_a_token_ends_after_its_seconds(server: Running, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    server.misbehave(token_seconds=3600)
    assert client.renew().json()["expires_in"] == 3600
    assert client.get("users").status_code == 200
    later = time.monotonic() + 3600
    monkeypatch.setattr(credentials, "time", SimpleNamespace(monotonic=lambda: later))
    assert client.get("users").status_code == 401


def test_a_token_dies_once_amid_each_collection(server: Running, client: Client, total: int) -> None:
    server.misbehave(token_dies_at_percent=50)
    assert client.get("users", offset=total // 2 - 1).status_code == 200
    assert client.get("users", offset=total // 2 + 1).status_code == 401
    assert client.get("users").status_code == 401, "the token lives on"
    client.renew()
    assert client.get("users", offset=total // 2 + 1).status_code == 200
    assert client.get("enrollments", offset=2000).status_code == 401


def test_a_good_token_is_refused_once(server: Running, client: Client) -> None:
    server.misbehave(unauthorized_once=True)
    assert [client.get("users").status_code for _ in range(3)] == [401, 200, 200]
    assert client.get("orgs").status_code == 401


def test_the_token_address_wants_a_scope_or_another_place(server: Running, client: Client) -> None:
    server.misbehave(scope="roster")
    assert client.renew().json() == {"error": "invalid_scope"}
    assert client.renew(scope="other roster").json()["scope"] == "other roster"
    server.misbehave(credentials="body")
    assert client.renew().status_code == 401


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_collection_is_not_shared(status: int, server: Running, client: Client) -> None:
    server.misbehave(not_shared=["classes", "terms"], not_shared_status=status)
    assert [client.get(name).status_code for name in ("classes", "terms", "users")] == [status, status, 200]
    assert client.get("classes/school-1-MATH-KG-1").status_code == status


def test_a_rate_limiter_answers_in_html(server: Running, client: Client) -> None:
    server.misbehave(busy_every=3, retry_after=7)
    answers = [client.get("users") for _ in range(6)]
    assert [one.status_code for one in answers] == [200, 200, 429, 200, 200, 429]
    assert answers[2].headers["Retry-After"] == "7"
    assert answers[2].headers["Content-Type"].startswith("text/html")
    server.misbehave(busy_every=1, retry_after=60, retry_after_date=True)
    after = email.utils.parsedate_to_datetime(client.get("users").headers["Retry-After"]).timestamp()
    assert 55 < after - time.time() < 62


def test_errors_html_and_broken_json(server: Running, client: Client) -> None:
    server.misbehave(broken_every=2, broken_status=502)
    assert [client.get("users").status_code for _ in range(4)] == [200, 502, 200, 502]
    server.misbehave(html_every=1)
    answer = client.get("users")
    assert (answer.status_code, answer.text[:9]) == (200, "<!doctype")
    server.misbehave(malformed_every=1)
    answer = client.get("users")
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


@pytest.mark.parametrize("where", ["before", "body"])
def test_a_connection_is_reset(where: str, server: Running, client: Client) -> None:
    server.misbehave(reset_every=2, reset_where=where)
    assert client.get("users", limit=1000).status_code == 200
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)) as error:
        client.get("users", limit=1000)
    assert "reset" in str(error.value).lower()
    assert client.get("users", limit=1000).status_code == 200


def test_answers_are_slow_but_many_at_once(server: Running, client: Client) -> None:
    server.misbehave(delay_ms=150)
    started = time.monotonic()
    assert client.get("users").status_code == 200
    assert time.monotonic() - started >= 0.15
    server.misbehave(delay_ms=3000)  # long enough for six threads to ask meanwhile, also on a busy machine
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda offset: client.get("users", offset=offset), range(0, 300, 50)))
    assert server.sis.most_at_once == 6


def test_envelopes_are_other_or_none(server: Running, client: Client) -> None:
    server.misbehave(other_envelope=True)
    keys = {name: next(iter(client.get(name).json())) for name in ("users", "orgs", "academicSessions", "teachers")}
    assert keys == {
        "users": "students",
        "orgs": "schools",
        "academicSessions": "terms",
        "teachers": "teachers",
    }
    server.misbehave(bare_list=True)
    assert isinstance(client.get("users").json(), list)
    server.misbehave(bom=True)
    assert client.get("users").content.startswith(b"\xef\xbb\xbf{")


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_records_come_ill_shaped_in_both_versions(version: str, server: Running, client: Client) -> None:
    server.misbehave(
        grades_as_text=True,
        mixed_case_roles=True,
        nulls=True,
        json_booleans=True,
        plain_ids=True,
        new_ids=True,
    )
    pupil = client.get("students", version, limit=1).json()["users"][0]
    role: Any = pupil["role"] if version == "1.1" else pupil["roles"][0]["role"]
    assert (role, pupil["enabledUser"], pupil["metadata"]) == ("Student", True, None)
    assert isinstance(pupil["grades"], str)
    assert pupil["sourcedId"].startswith("new-u")
    assert (pupil["orgs"] if version == "1.1" else [pupil["primaryOrg"]]) == ["school-1"]
    assert client.get(f"users/{pupil['sourcedId']}", version).json()["user"] == pupil
    assert client.get(f"users/{pupil['sourcedId'].removeprefix('new-')}", version).status_code == 404
    server.misbehave()
    assert client.get("students", version, limit=1).json()["users"][0]["enabledUser"] == "true"


def test_what_is_there_shrinks(server: Running, client: Client, total: int) -> None:
    server.misbehave(missing_schools=["school-2"], empty="classes", shrink={"users": 40})
    assert "school-2" not in ids(client.get("orgs"), "orgs") + ids(client.get("schools"), "orgs")
    assert client.get("orgs/school-2").status_code == 404
    assert client.get("classes").json() == {"classes": []}
    assert client.get("users").headers["X-Total-Count"] == str(total * 40 // 100)
    server.misbehave(gone_school="school-3", gone_percent=30)
    assert client.get("students").headers["X-Total-Count"] == str(STUDENTS - STUDENTS // 3 * 30 // 100)


def test_a_filter_is_not_honoured(server: Running, client: Client, total: int) -> None:
    server.misbehave(ignore_filter=True)
    assert client.get("users", filter="status='tobedeleted'").headers["X-Total-Count"] == str(total)


def test_faults_befall_only_the_collections_named(server: Running, client: Client) -> None:
    server.misbehave(only=["enrollments"], broken_every=1, clamp=5)
    assert client.get("enrollments").status_code == 503
    assert len(ids(client.get("users"))) == 100
