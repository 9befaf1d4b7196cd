"""What has to be declared in several places agrees: whoever adds a setting or a kind of list and leaves a place out is told which."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from include.mingasync.console import fields, lists_pages, what_if
from include.mingasync.results import mail
from include.mingasync.rosters.basis import BASIS
from include.mingasync.settings import LIST_KINDS, ROLES, AutoLists, ListKind, Role, Roles, SchoolSettings

ROOT = Path(__file__).parents[2]


def leaves(settings: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """The keys of nested settings, as ``safety.archive_percent``."""
    for key, value in settings.items():
        yield from leaves(value, f"{above}{key}.") if isinstance(value, dict) else [above + key]


KEYS = set(leaves(SchoolSettings().model_dump(by_alias=True)))


def documented() -> set[str]:
    """The keys in the first column of docs/settings.md; ``.grade`` continues the key before it."""
    found, last = set(), ""
    for row in re.findall(r"^\| (`.*?) \|", (ROOT / "docs" / "settings.md").read_text(encoding="utf-8"), re.MULTILINE):
        for name in re.findall(r"`([^`]+)`", row):
            last = f"{last.rpartition('.')[0]}{name}" if name.startswith(".") else name
            found |= {last.replace("<role>", role) for role in ROLES}
    return found


def test_every_setting_is_a_field_of_the_console() -> None:
    assert {field.name for field in fields.EVERY} == KEYS
    assert len(fields.EVERY) == len(KEYS)


def test_every_field_of_the_console_stands_on_a_page() -> None:
    folder = ROOT / "include" / "mingasync" / "console" / "templates"
    pages = "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.html")))
    # The switches of the roles are put together in a loop.
    wanted = {re.sub(r"^roles\.\w+", "roles.", key).replace("roles..", "roles.") for key in KEYS}
    shown = {key for key in wanted if f'"{key}"' in pages or f'"roles." ~ role ~ ".{key.removeprefix("roles.")}"' in pages}
    assert sorted(wanted - shown) == []


def test_every_setting_is_documented() -> None:
    assert sorted(KEYS - documented()) == []


def test_kinds_of_lists_are_the_same_everywhere() -> None:
    assert get_args(ListKind) == LIST_KINDS
    assert ("class", *AutoLists.model_fields) == LIST_KINDS
    assert set(BASIS) == set(LIST_KINDS)
    assert tuple(mail._LISTS) == LIST_KINDS
    assert tuple(lists_pages.KINDS) == (*LIST_KINDS, "manual")


def test_roles_are_the_same_everywhere() -> None:
    assert get_args(Role) == ROLES
    assert tuple(Roles.model_fields) == ROLES
    assert tuple(mail._ROLES) == tuple(mail._NOUNS) == tuple(what_if._ROLES) == ROLES
