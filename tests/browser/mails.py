"""``python -m tests.browser.mails docs/images/mails``: the mails of every kind of night, drawn by a real browser at two widths, light and dark.

Needs Playwright and a Chromium: the one of the system, of CHROMIUM, or Playwright's own. Fails when a mail is wider than the screen, when the
verdict is not what one sees first, or when a text has too little contrast to be read.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from itertools import product
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from include.mingasync.results.mail import compose
from include.mingasync.results.night import Night
from tests.unit.results.nights import NIGHTS

_WIDTHS = (375, 1280)
_LEAST_CONTRAST = 4.5  # WCAG 2.2, 1.4.3
_LEAST_FONT = 11
_STICKS_OUT = """() => [...document.querySelectorAll('.card')].some(card => [...card.querySelectorAll('*')].some(one =>
  one.getBoundingClientRect().right > card.getBoundingClientRect().right || one.scrollWidth > one.clientWidth + 1 && one.clientWidth))"""
#: The heads of a table that overlap or touch, by their words as they are drawn; a head stands in the first row or the first column.
_TOUCHING = """() => [...document.querySelectorAll('table')].flatMap(table => {
  const heads = [...table.querySelectorAll('th, td:first-child')].map(cell => {
    const range = document.createRange(); range.selectNodeContents(cell);
    return [cell.innerText, range.getBoundingClientRect()]; });
  return heads.flatMap(([one, a], i) => heads.slice(i + 1).filter(([, b]) =>
    a.left < b.right + 3 && b.left < a.right + 3 && a.top < b.bottom && b.top < a.bottom).map(([other]) => one + '/' + other)); })"""
#: The smallest text of a table.
_SMALLEST = "() => Math.min(99, ...[...document.querySelectorAll('th, td')].map(e => parseFloat(getComputedStyle(e).fontSize)))"
#: The least contrast of any text on the page against the background it stands on; zeros are meant to step back.
_CONTRAST = """() => {
  const parts = c => c.match(/[\\d.]+/g).map(Number);
  const light = c => { const [r, g, b] = parts(c).map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; const p = parts(c);
    if (p.length < 4 || p[3] > 0) return c; } return 'rgb(255, 255, 255)'; };
  let least = 99;
  for (const e of document.querySelectorAll('h1, h2, p, td:not(.zero), th, a, .cure')) {
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))];
    least = Math.min(least, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)); }
  return least; }"""


def look(page: Page, name: str, width: int, verdict: str, *, cards: bool) -> None:
    """Raise AssertionError with what is wrong with the mail as it stands on the screen."""
    if page.evaluate("document.documentElement.scrollWidth") > width:
        raise AssertionError(f"{name} is wider than {width} pixels")
    if cards and page.evaluate(_STICKS_OUT):
        raise AssertionError(f"{name} has a table or a text that sticks out of its card at {width} pixels")
    if touching := page.evaluate(_TOUCHING):
        raise AssertionError(f"{name} has heads that touch at {width} pixels: {', '.join(touching)}")
    if (smallest := page.evaluate(_SMALLEST)) < _LEAST_FONT:
        raise AssertionError(f"{name} has text of {smallest} pixels in a table at {width} pixels")
    first = page.evaluate("document.body.innerText.trim().split('\\n')[0]")
    if first != verdict:
        raise AssertionError(f"{name} begins with '{first}', not with its verdict")
    contrast = page.evaluate(_CONTRAST)
    if contrast < _LEAST_CONTRAST:
        raise AssertionError(f"{name} has a text with a contrast of {contrast:.1f}")


def draw(folder: Path, nights: Mapping[str, Night] = NIGHTS, *, cards: bool = False) -> list[Path]:
    """The pictures of every mail of some nights, drawn into the folder; the dark ones are looked at and not kept.

    ``cards`` also holds every table to its card, which depends on the fonts of the machine.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for name, night in nights.items():
            mail = compose(night)
            verdict = night_verdict(mail.subject.split(": ")[0], mail.text)
            for width, theme in product(_WIDTHS, ("light", "dark")):
                page = browser.new_page(viewport={"width": width, "height": 700}, color_scheme=theme)
                page.set_content(mail.html)
                look(page, f"{name}, {theme}", width, verdict, cards=cards)
                if theme == "light":
                    drawn.append(folder / f"{name.replace(' ', '-')}-{width}.png")
                    page.screenshot(path=drawn[-1], full_page=True)
                page.close()
        browser.close()
    return drawn


def chromium() -> str | None:
    """The Chromium that is installed, None for Playwright's own."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium")


def night_verdict(subject: str, text: str) -> str:
    """The verdict, which subject and text part have to agree on."""
    if not text.startswith(subject.upper()):
        first = text.splitlines()[0]
        raise AssertionError(f"the text part begins with '{first}', the subject says '{subject}'")
    return subject


if __name__ == "__main__":
    draw(Path(sys.argv[1]), cards=True)
