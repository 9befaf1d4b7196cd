"""Every page of the console in a real browser, on a phone and on a desk: nothing sticks out, nothing is refused by the page's own policy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal
from urllib.parse import quote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, sync_playwright

from tests.browser.mails import chromium
from tests.integration.console.school import School
from tests.integration.console.test_decision import ADDRESS, Held, held  # noqa: F401 (a fixture)

_RUN = ADDRESS.removesuffix("/decision")
PAGES = ["/", *(f"/districts/oak{page}" for page in (
    "", "/start", "/settings", "/terms", "/list-settings", "/lists", "/people", "/why?q=s1", "/connection")), _RUN, ADDRESS]  # fmt: skip
#: What sticks out of the window; a table may be moved to the side within its own frame.
_WIDEST = "() => Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)"


@pytest.fixture
def page(held: Held) -> Iterator[Page]:  # noqa: F811
    """A page whose requests the console answers."""

    def answer(route: Route) -> None:
        asked, address = route.request, urlsplit(route.request.url)
        headers = {"accept": "text/html", "sec-fetch-site": "same-origin"}
        headers |= {"content-type": asked.headers["content-type"]} if asked.post_data else {}
        got = held.console.browser.request(
            asked.method, f"{address.path}?{address.query}", headers=headers, content=asked.post_data_buffer
        )
        kept = {name: value for name, value in got.headers.items() if name.lower() in ("content-type", "content-security-policy")}
        route.fulfill(status=got.status_code, headers=kept, body=got.content)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        made = browser.new_context(base_url="http://airflow.test").new_page()
        made.route("**/*", answer)
        yield made
        browser.close()


def test_no_page_is_wider_than_a_phone_or_a_desk(page: Page, held: Held) -> None:  # noqa: F811
    school = School(held.console)
    person = school.person(
        "Maximiliane-Theodora", "Wolfeschlegelsteinhausenbergerdorff", email=f"{'long' * 12}@{'example' * 5}.org"
    )
    user_list = school.list(f"Advanced Placement {'Environmental' * 4} · Period 12 · North High School", members=[person])
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    for width in (375, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        for address in [*PAGES, f"/districts/oak/people/{person}", f"/districts/oak/lists/{user_list}"]:
            answer = page.goto(quote(address, safe="/?=%"))
            assert answer and answer.status == 200, address
            assert page.get_by_role("heading").count() > 0, address
            assert page.evaluate(_WIDEST) <= width, f"{address} is wider than {width} pixels"
            assert not problems, (address, problems)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(page: Page, scheme: Literal["light", "dark"], held: Held) -> None:  # noqa: F811
    school = School(held.console)
    person = school.person("Max", "Oak")
    user_list = school.list("Algebra", members=[person])
    page.emulate_media(color_scheme=scheme)
    found = {}
    for width in (375, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        for address in [*PAGES, f"/districts/oak/people/{person}", f"/districts/oak/lists/{user_list}"]:
            page.goto(quote(address, safe="/?=%"))
            for one in Axe().run(page).response["violations"]:
                found[address, width, one["id"]] = [node["html"][:150] for node in one["nodes"][:3]]
    assert not found, "\n".join(f"{where}: {nodes}" for where, nodes in found.items())


def test_a_held_archive_is_answered_with_a_thumb(page: Page) -> None:
    page.set_viewport_size({"width": 375, "height": 700})
    page.goto(ADDRESS)
    boxes = [one.bounding_box() for one in page.get_by_role("button").all() if one.is_visible()]
    assert boxes and all(one and one["x"] >= 0 and one["x"] + one["width"] <= 375 and one["height"] >= 24 for one in boxes)
    choices = page.locator("input[type=radio]")
    assert choices.count() == 6, "approve or reject, for each of three groups"
    for number in range(choices.count()):
        box = choices.nth(number).locator("xpath=ancestor::label[1]").bounding_box()
        assert box and box["height"] >= 24 and box["x"] + box["width"] <= 375


def test_somebody_is_erased_by_clicking_on_a_phone(page: Page, held: Held) -> None:  # noqa: F811
    held.glue.directory.do("update directory.sync_runs set finished_at = now(), state = 'success', loaded_at = null")
    person = School(held.console).person("Max", "Oakley", email="max@example.org")
    page.set_viewport_size({"width": 375, "height": 700})
    page.goto(f"/districts/oak/people/{person}")
    page.get_by_role("button", name="Erase").click()
    page.get_by_role("heading", name="Erase Max Oakley for good?").wait_for()
    assert page.evaluate(_WIDEST) <= 375
    assert not Axe().run(page).response["violations"]
    page.get_by_label(f"Type {person} to confirm").fill("1")
    page.get_by_role("button", name="Erase for good").click()
    page.get_by_text("Nobody was erased.").wait_for()
    assert held.glue.directory.value("select count(*) from directory.people where person_id = %s", person) == 1
    page.get_by_label(f"Type {person} to confirm").fill(str(person))
    page.get_by_role("button", name="Erase for good").click()
    page.get_by_text("One person was erased for good").wait_for()
    assert held.glue.directory.value("select count(*) from directory.people where person_id = %s", person) == 0
