"""What somebody looks for on a page: a text, choices, a page of what was found; kept in the page's address.

Airflow's access log holds every address. A text that is looked for is often somebody's name or e-mail, so that it
is sent by POST and stands in the address encrypted.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from airflow.configuration import conf
from cryptography.fernet import Fernet, InvalidToken
from fastapi import HTTPException, Request

from include.mingasync.console.forms import Form

PER_PAGE = 50
_MOST_PAGES = 100_000
#: So many digits fit into a bigint.
_MOST_DIGITS = 18
_LONGEST = 200
NOWHERE = "~none"
NOT_UNDERSTOOD = (
    "This address is not one that the console understands. Go back to the page and search again. Nothing was changed."
)


def _fernet() -> Fernet:
    secret = f"mingasync console search {conf.get('api', 'secret_key', fallback='')}"
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest()))


def sealed(text: str) -> str:
    """A text as it may stand in an address."""
    return _fernet().encrypt(text.encode()).decode() if text else ""


def unsealed(token: str) -> str:
    """The text of an address; refused where it is none that this Airflow made, as everything would match no text at all."""
    try:
        return _fernet().decrypt(token.encode()).decode() if token else ""
    except (InvalidToken, ValueError):
        raise HTTPException(422, NOT_UNDERSTOOD) from None


@dataclass(frozen=True)
class Filter:
    """Something to choose from on a search form: its name in the address, its label, its values with their words."""

    name: str
    label: str
    choices: Mapping[str, str]


@dataclass(frozen=True)
class Search:
    """What is looked for: a text, a value of each filter that is set, and which page of it is shown."""

    text: str
    chosen: Mapping[str, str]
    filters: tuple[Filter, ...]
    page: int = 1

    @property
    def patterns(self) -> list[str]:
        """A pattern for each word, all of which have to be found."""
        escaped = self.text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
        return [f"%{word}%" for word in escaped.split()]

    @property
    def parameters(self) -> dict[str, Any]:
        """The search as the statements of ``sql/`` want it; a filter that is not set is null."""
        return {"patterns": self.patterns, "text": self.text, **{one.name: self.chosen.get(one.name) for one in self.filters}}

    @property
    def window(self) -> dict[str, int]:
        """Which rows the page shows."""
        return {"limit": PER_PAGE, "offset": (self.page - 1) * PER_PAGE}

    @property
    def is_set(self) -> bool:
        """Whether anything is looked for."""
        return bool(self.text or self.chosen)

    @cached_property
    def _find(self) -> str:
        return sealed(self.text)

    def query(self, **more: Any) -> str:
        """The search in an address, with or without the question mark that it needs."""
        parts = {"find": self._find, **self.chosen, **more}
        told = urlencode({name: value for name, value in parts.items() if value not in (None, "")})
        return f"?{told}" if told else ""

    @property
    def told(self) -> list[str]:
        """The search in words."""
        words = [f"“{self.text}”"] if self.text else []
        return words + [f"{one.label}: {one.choices[self.chosen[one.name]]}" for one in self.filters if one.name in self.chosen]


def whole_number(text: str) -> int | None:
    """The number that an address or a form names; None where it names none that a column could hold."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def search_in(request: Request, filters: tuple[Filter, ...]) -> Search:
    """What the address of a page says; refused where it cannot be understood, since a filter that is left out shows too much."""
    query = request.query_params
    page = whole_number(query.get("page") or "1")
    if page is None or not 1 <= page <= _MOST_PAGES:
        raise HTTPException(422, NOT_UNDERSTOOD)
    return Search(unsealed(query.get("find", "")), _chosen(dict(query), filters), filters, page)


def search_of(form: Form, filters: tuple[Filter, ...]) -> Search:
    """What a search form asks for."""
    given = {one.name: form.one(one.name) for one in filters}
    return Search(" ".join(form.one("text").split())[:_LONGEST], _chosen(given, filters), filters)


def _chosen(given: Mapping[str, str], filters: tuple[Filter, ...]) -> dict[str, str]:
    chosen = {one.name: given[one.name] for one in filters if given.get(one.name)}
    if any(chosen[one.name] not in one.choices for one in filters if one.name in chosen):
        raise HTTPException(422, NOT_UNDERSTOOD)
    return chosen


def pages_for(size: int) -> int:
    """How many pages show so many rows."""
    return max(1, -(-size // PER_PAGE))
