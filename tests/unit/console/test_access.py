"""Who gets what from the console: nothing without a login, no district without its DAG, no foreign write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from airflow.api_fastapi.core_api.security import get_user
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from include.mingasync.console import access
from include.mingasync.console import app as application
from include.mingasync.console.access import slug_of
from include.mingasync.console.app import HEADERS, app

PAGE = {"accept": "text/html"}
EXAMPLES = {
    "slug": "oak",
    "run_id": "manual__1",
    "dag_id": "mingasync_oak",
    "name": "console.css",
    "rest": "nothing/here",
    "page": "index.html",
    "list_id": "1",
    "person_id": "1",
}
ADDRESSES = [
    (method, re.sub(r":path}", "}", route.path).format_map(EXAMPLES))
    for route in app.routes
    if isinstance(route, APIRoute)
    for method in sorted(route.methods)
]


@pytest.fixture(autouse=True)
def readable(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The DAGs that the user may read; a test adds to them."""
    dags = {"mingasync_elm", "mingasync_undo", "other"}
    manager = SimpleNamespace(
        get_authorized_dag_ids=lambda user, method: dags if method == "GET" and user.name == "robin" else set(),
        get_url_login=lambda next_url: f"/auth/login/?next={next_url}",
    )
    for module in (access, application):
        monkeypatch.setattr(module, "get_auth_manager", lambda: manager)
    return dags


@pytest.fixture
def nobody() -> TestClient:
    """A browser that is not logged in."""
    return TestClient(app, follow_redirects=False, raise_server_exceptions=False)


@pytest.fixture
def robin(nobody: TestClient) -> Iterator[TestClient]:
    """A browser in which somebody is logged in."""
    app.dependency_overrides[get_user] = lambda: SimpleNamespace(name="robin")
    yield nobody
    app.dependency_overrides.clear()


def test_every_route_is_among_those_that_are_tried() -> None:
    # Anything else, such as a mount, would not ask for a login by itself.
    assert [type(route) for route in app.routes] == [APIRoute] * len(app.routes)
    assert {"/", "/districts/oak", "/static/console.css", "/nothing/here"} <= {path for _, path in ADDRESSES}


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
def test_no_route_answers_without_a_login(nobody: TestClient, method: str, path: str) -> None:
    assert nobody.request(method, path).status_code == 401
    answer = nobody.request(method, path, headers=PAGE)
    assert answer.status_code == (303 if method == "GET" else 401)
    assert answer.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]
    if method == "GET":
        assert answer.headers["location"] == f"/auth/login/?next=http://testserver{path}"


@pytest.mark.parametrize("cookie", ["garbage", "e30.e30.e30"])
def test_a_cookie_that_is_no_login_leads_to_the_login(nobody: TestClient, monkeypatch: pytest.MonkeyPatch, cookie: str) -> None:
    from airflow.api_fastapi.core_api import security
    from jwt import InvalidTokenError

    async def refuse(_: str) -> None:
        raise InvalidTokenError

    monkeypatch.setattr(security, "get_auth_manager", lambda: SimpleNamespace(get_user_from_token=refuse))
    nobody.cookies.set("_token", cookie)
    assert nobody.get("/", headers=PAGE).status_code == 303
    assert nobody.get("/").status_code == 401


@pytest.mark.parametrize("page", ["", "/history.csv", "/runs/manual__1"])
def test_another_district_and_one_that_is_not_there_get_the_same_answer(robin: TestClient, page: str) -> None:
    other = robin.get(f"/districts/oak{page}", headers=PAGE)
    absent = robin.get(f"/districts/nowhere{page}", headers=PAGE)
    assert (other.status_code, absent.status_code) == (403, 403)
    assert other.text == absent.text
    assert "no such district" in other.text


@pytest.mark.parametrize("slug", ["undo", "other", "Elm", "elm%2F..", "mingasync_elm"])
def test_only_a_districts_own_slug_opens_it(robin: TestClient, slug: str) -> None:
    assert robin.get(f"/districts/{slug}").status_code in (403, 404)


@pytest.mark.parametrize("page", ["", "/runs/manual__1"])
def test_the_tab_of_another_districts_dag_is_refused(robin: TestClient, page: str) -> None:
    assert robin.get(f"/dags/mingasync_oak{page}").status_code == 403


def test_the_tab_of_a_roster_dag_leads_to_its_pages(robin: TestClient) -> None:
    assert robin.get("/dags/mingasync_elm").headers["location"] == "/districts/elm"
    answer = robin.get("/dags/mingasync_elm/runs/manual__2026-11-24T08:00:00+00:00")
    assert answer.status_code == 302
    assert answer.headers["location"] == "/districts/elm/runs/manual__2026-11-24T08%3A00%3A00%2B00%3A00"


@pytest.mark.parametrize("dag_id", ["other", "mingasync_undo", "mingasync_", "mingasync_Elm", "<b>dag</b>"])
def test_the_tab_of_any_other_dag_says_so_politely(robin: TestClient, dag_id: str) -> None:
    for path in (f"/dags/{dag_id.replace('/', '%2F')}", f"/dags/{dag_id.replace('/', '')}/runs/r"):
        answer = robin.get(path, headers=PAGE)
        if answer.status_code == 200:
            assert "This is not a roster DAG" in answer.text
            assert "<b>dag" not in answer.text
    assert robin.get("/dags/other").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "origin": "http://testserver"},
        {"origin": "https://elsewhere.example.org"},
        {"origin": "null"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_write_from_another_site_is_refused(robin: TestClient, method: str, headers: dict[str, str]) -> None:
    answer = robin.request(method, "/districts/elm", headers=headers)
    assert answer.status_code == 403
    assert "another site" in answer.json()["detail"]


@pytest.mark.parametrize(
    "headers",
    [{}, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}, {"origin": "http://testserver"}],
)
def test_a_write_from_our_own_pages_gets_through_to_its_route(robin: TestClient, headers: dict[str, str]) -> None:
    assert robin.post("/nothing", headers=headers).status_code == 404


def test_a_page_that_is_opened_from_another_site_is_no_write(robin: TestClient) -> None:
    assert robin.get("/static/console.css", headers={"sec-fetch-site": "cross-site"}).status_code == 200


@pytest.mark.parametrize("path", ["/static/console.css", "/nothing", "/districts/oak", "/dags/other"])
def test_every_answer_keeps_other_sites_and_caches_out(robin: TestClient, path: str) -> None:
    answer = robin.get(path)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert "default-src 'none'" in HEADERS["Content-Security-Policy"]
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize("name", ["..%2Fapp.py", "%2e%2e%2fapp.py", "nothing.css", "%2e%2e"])
def test_only_the_files_of_the_pages_are_served(robin: TestClient, name: str) -> None:
    answer = robin.get(f"/static/{name}")
    assert answer.status_code == 404
    assert "import" not in answer.text


def test_a_fault_of_the_console_shows_no_trace_of_it(robin: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("secret words")

    monkeypatch.setattr("include.mingasync.console.pages.directory", broken)
    answer = robin.get("/", headers=PAGE)
    assert answer.status_code == 500
    assert "secret words" not in answer.text
    assert "api-server" in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_an_address_that_means_nothing_is_answered_in_words(robin: TestClient) -> None:
    answer = robin.get("/districts/elm?page=minus", headers=PAGE)
    assert answer.status_code == 422
    assert "not one that the console understands" in answer.text


@pytest.mark.parametrize(
    ("dag_id", "slug"),
    [
        ("mingasync_oak", "oak"),
        ("mingasync_oak_2", "oak_2"),
        ("oak", None),
        ("mingasync_connect", None),
        ("xmingasync_oak", None),
    ],
)
def test_a_district_is_told_from_its_dag(dag_id: str, slug: str | None) -> None:
    assert slug_of(dag_id) == slug
