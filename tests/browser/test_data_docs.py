"""The Data Docs of a run in a real browser that reaches no other site and runs no script."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.browser.mails import chromium
from tests.unit.quality.dirt import clean
from tests.unit.quality.test_prove import proven


@pytest.mark.parametrize("width", [375, 1280])
def test_from_the_index_to_what_each_rule_found(width: int, tmp_path: Path) -> None:
    rows = clean()
    rows["users"][0]["email"] = "nowhere"
    with zipfile.ZipFile(io.BytesIO(proven(rows).data_docs)) as archive:
        archive.extractall(tmp_path)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": width, "height": 900}, offline=True, java_script_enabled=False).new_page()
        page.goto((tmp_path / "index.html").as_uri())
        page.get_by_text("1 record, warning users.email_malformed").wait_for()
        page.get_by_role("link", name="users", exact=True).click()
        page.get_by_text(f"1 of {len(rows['users'])} records break users.email_malformed (warning)").wait_for()
        broken = page.locator("tr", has_text="users.email_malformed").locator("i").first
        assert "broken" in broken.evaluate("one => getComputedStyle(one, '::before').content")
        # Without a style sheet of ours no row would have a line below it.
        assert page.locator("td").last.evaluate("one => getComputedStyle(one).borderBottomWidth") == "1px"
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.get_by_role("link", name="Home").first.click()
        page.get_by_role("heading", name="Data Docs").wait_for()
        browser.close()
