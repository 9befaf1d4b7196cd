"""A browser that fills in the console's forms as a person does: what stands in the page is what is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import httpx

from tests.integration.console.conftest import Console

PAGE = {"accept": "text/html", "sec-fetch-site": "same-origin"}


@dataclass
class Sheet(HTMLParser):
    """The form of a page that is posted: its fields as they stand, and the address it goes to."""

    page: str
    address: str = ""
    fields: list[tuple[str, str]] = field(default_factory=list)
    boxes: list[tuple[str, str]] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._inside, self._select, self._area = False, "", ""
        self.feed(self.page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = has.get("method") == "post"
            self.address = has["action"] if self._inside else self.address
        elif not self._inside:
            return
        elif tag == "button" and has.get("name") == "action":
            self.actions.append(has["value"])
        elif tag == "input" and has.get("type") == "checkbox":
            self.boxes.append((has["name"], has["value"]))
            if "checked" in has:
                self.fields.append((has["name"], has["value"]))
        elif tag == "input":
            self.fields.append((has["name"], has.get("value", "")))
        elif tag == "select":
            self._select = has["name"]
            self._chosen: str | None = None
        elif tag == "option" and self._select:
            if self._chosen is None or "selected" in has:
                self._chosen = has["value"]
        elif tag == "textarea":
            self._area = has["name"]
            self._text = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "select" and self._select:
            self.fields.append((self._select, self._chosen or ""))
            self._select = ""
        elif tag == "textarea" and self._area:
            self.fields.append((self._area, self._text.removeprefix("\n")))
            self._area = ""

    def value(self, name: str) -> list[str]:
        """What the form would send of a field."""
        return [value for key, value in self.fields if key == name]

    def tick(self, name: str, value: str = "on") -> Sheet:
        """Turn a switch on."""
        assert (name, value) in self.boxes, f"no switch {name}"
        self.fields.insert(0, (name, value))
        return self

    def untick(self, name: str, value: str = "on") -> Sheet:
        """Turn a switch off."""
        self.fields.remove((name, value))
        return self

    def fill(self, name: str, value: str) -> Sheet:
        """Type into a field."""
        at = next(number for number, (key, _) in enumerate(self.fields) if key == name)
        self.fields[at] = (name, value)
        return self


@dataclass
class Hand:
    """Somebody at the console."""

    console: Console

    def open(self, path: str) -> Sheet:
        """The form of a page."""
        return Sheet(self.console.page(path))

    def press(self, sheet: Sheet, action: str, status: int = 200, **headers: Any) -> Sheet:
        """The page that a button of the form leads to."""
        assert action in sheet.actions, f"no button {action}"
        answer = self.send(sheet.address, [*sheet.fields[:-1], ("action", action), *sheet.fields[-1:]], **headers)
        assert answer.status_code == status, answer.text
        return Sheet(answer.text)

    def send(self, address: str, fields: list[tuple[str, str]], **headers: Any) -> httpx.Response:
        """The answer to a form."""
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return self.console.browser.post(address, content=urlencode(fields), headers={**PAGE, **kind, **headers})
