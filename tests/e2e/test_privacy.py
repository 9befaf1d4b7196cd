"""After real nights: no name, e-mail or phone number of anybody in any log, Data Docs page or mail."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from include.rehearsal.district import build
from stack.home import Home

pytestmark = pytest.mark.usefixtures("demo_output")
_WORDS = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_ADDRESS = re.compile(r"[\w.+-]+@[\w.-]+\w")


def texts(home: Home) -> Iterator[tuple[str, str]]:
    """Everything that was written about the nights for people to read, by where it lies."""
    for folder in (home.logs, home.airflow / "logs", home.mails):
        for path in folder.rglob("*"):
            if path.is_file():
                yield str(path), path.read_text(encoding="utf-8", errors="replace")
    for archive in home.snapshots.rglob("data_docs.zip"):
        with zipfile.ZipFile(archive) as pages:
            for name in pages.namelist():
                yield f"{archive}:{name}", pages.read(name).decode()


def test_nobody_is_named_anywhere(live_stack: Home) -> None:
    users = [user for night in (1, 2) for user in build(2400, 3, night=night, today=dt.date.today()).users]
    names = {(str(user["givenName"]).casefold(), str(user["familyName"]).casefold()) for user in users}
    addresses = {str(user["email"]).casefold() for user in users if user.get("email")}
    numbers = {re.sub(r"\D", "", str(user[key])) for user in users for key in ("phone", "sms") if user.get(key)}
    assert len(names) > 2000 and len(addresses) > 2000 and numbers
    found, seen = [], set()
    for where, text in texts(live_stack):
        seen.add(Path(where.split(":")[0]).suffix)
        words = [word.casefold() for word in _WORDS.findall(text)]
        found += [(where, pair) for pair in pairwise(words) if pair in names]
        found += [(where, one) for one in _ADDRESS.findall(text) if one.casefold() in addresses]
        found += [(where, one) for one in re.findall(r"\d[\d ().-]{6,}\d", text) if re.sub(r"\D", "", one) in numbers]
    assert {".log", ".zip", ".eml"} <= seen
    assert not found, f"{len(found)} found, such as {found[:3]}"
