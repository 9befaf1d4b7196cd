"""A small school in the console's database: people, lists, and a browser that sends forms to their pages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.integration.console.conftest import Console
from tests.integration.console.sheets import Hand

SCRIPT = "<script>alert(1)</script>"


@dataclass
class School:
    """People and lists of districts, and what somebody does with them in the console."""

    console: Console
    numbers: dict[str, int] = field(default_factory=dict)

    def person(self, given: str, family: str, role: str = "student", district: str = "oak", **more: Any) -> int:
        """The id of a new person."""
        row = {"district": district, "source": "sis", "role": role, "given_name": given, "family_name": family,
               "include_in_sync": True, "school_ids": ["S1"]} | more  # fmt: skip
        return self._insert("people", row, "person_id")

    def list(self, name: str, kind: str = "class", members: Iterable[int] = (), managers: Iterable[int] = (), **more: Any) -> int:
        """The id of a new list with these people on it."""
        number = self.numbers["lists"] = self.numbers.get("lists", 0) + 1
        row = {"district": "oak", "kind": kind, "name": name, "synced_name": name, "source_id": f"c{number}",
               "school_id": "S1"} | more  # fmt: skip
        list_id = self._insert("user_lists", row, "list_id")
        for manager, people in ((False, members), (True, managers)):
            if people := sorted(people):
                self.do("insert into directory.memberships values (%s, %s, %s)", list_id, manager, people)
        return list_id

    def _insert(self, table: str, row: dict[str, Any], key: str) -> int:
        names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
        query = f"insert into directory.{table} ({names}) values ({marks}) returning {key}"
        return int(self.console.connection.execute(query, list(row.values())).fetchone()[0])  # type: ignore[index]

    def do(self, query: str, *values: Any) -> None:
        """Run a statement."""
        self.console.connection.execute(query, values)

    def rows(self, query: str, *values: Any) -> list[Any]:
        """What a query finds; of one column its values."""
        found = self.console.connection.execute(query, values).fetchall()
        return [row[0] if len(row) == 1 else row for row in found]

    def visibility(self) -> dict[str, str]:
        """Every list's visibility by its name."""
        return dict(self.rows("select name, visibility from directory.user_lists order by list_id"))

    def on(self, list_id: int) -> list[tuple[int, str]]:
        """Who is on a list, and as what."""
        return self.rows("select person_id, member_role from directory.list_members where list_id = %s order by 2, 1", list_id)

    def by_hand(self) -> list[Any]:
        """What was written down: who did what."""
        return self.rows("select changed_by, action from directory.hand_changes order by change_no")

    def send(self, address: str, action: str, *more: tuple[str, Any], status: int = 200, **fields: Any) -> httpx.Response:
        """The answer to a form that was filled in."""
        pairs = [*((name, str(value)) for name, value in fields.items()), *((name, str(value)) for name, value in more)]
        answer = Hand(self.console).send(address, [*pairs, ("action", action), ("end", "1")])
        assert answer.status_code == status, answer.text
        return answer

    def look(self, address: str, **fields: Any) -> httpx.Response:
        """The page that a search leads to."""
        return self.send(address, "search", *fields.items())


def names_in(page: str, base: str) -> list[str]:
    """The names that link to single pages below an address, in order."""
    import re
    from html import unescape

    return [unescape(name) for name in re.findall(rf'<a href="{base}/\d+">(.*?)</a>', page)]
