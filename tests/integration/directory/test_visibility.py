"""The matrix of who sees which list, as the owner and as the restricted role."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.directory.apps import act_as, make_app
from tests.integration.directory.visibility import HEAD, as_markdown, expected, prepared, tried
from tests.integration.directory.world import Directory


@pytest.mark.parametrize("status", ["active", "inactive"])
@pytest.mark.parametrize("role", ["owner", "mingasync_reader"])
def test_everybody_sees_what_they_may(role: str, status: str, directory: Directory) -> None:
    ids, lists = prepared(directory)
    directory.do("update directory.user_lists set status = %s", status)
    cells = {}
    for visibility in ("private", "public"):
        directory.do("select directory.set_list_visibility(%s::bigint[], %s)", list(lists.values()), visibility)
        if role != "owner":
            act_as(directory.connection, make_app(directory.connection, "oak"))
        cells |= tried(directory, ids, lists, visibility)
        directory.do("reset role")
    assert cells == expected()


def test_the_table_for_people_is_current() -> None:
    written = Path(__file__).parents[3] / "docs" / "visibility.md"
    assert written.read_text(encoding="utf-8") == HEAD + as_markdown() + "\n", "write docs/visibility.md anew"
