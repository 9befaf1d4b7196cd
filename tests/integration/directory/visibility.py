"""Who sees which list: every viewer against every list, as docs/visibility.md shows it."""

from __future__ import annotations

from itertools import product
from typing import Any

from tests.integration.directory.world import Directory, Sis, enrollment, everything_on, klass, user

HEAD = """# Who sees which list

A private list is seen by its own managers and by admins; a public one by all staff, teachers and admins. Students, parents (who are not
people of the directory), archived people and people of another district see none, whatever they managed. The same through
`directory.lists_visible_to(person_id)` as the owner of the tables and as an application's role.
Made from the tests by `python -m tests.integration.directory.visibility > docs/visibility.md`.

"""
KINDS = ("class", "role", "grade", "subject", "teacher", "manual")
#: Viewer -> sourcedId; each stands for everybody like them.
VIEWERS = {
    "student on the list": "a", "teacher of the class": "t", "co-teacher": "co", "teacher elsewhere": "other",
    "manager by hand": "hand", "staff": "aide", "admin": "boss", "archived manager": "gone", "archived admin": "old boss",
    "admin of another district": None, "somebody who is not there": None,
}  # fmt: skip
#: Who manages a list of each kind; everybody else only sees public ones. Worked out by hand from what makes a manager.
_MANAGES = {
    "teacher of the class": {"class", "teacher"},
    "co-teacher": {"class"},
    "manager by hand": set(KINDS),
}
_SEES_PUBLIC = {"teacher of the class", "co-teacher", "teacher elsewhere", "manager by hand", "staff"}
Cell = tuple[str, str, str]


def expected() -> dict[Cell, bool]:
    """Viewer, kind and visibility -> whether they see it."""
    return {
        (viewer, kind, visibility): viewer == "admin"
        or kind in _MANAGES.get(viewer, ())
        or (visibility == "public" and viewer in _SEES_PUBLIC)
        for viewer, kind, visibility in product(VIEWERS, KINDS, ("private", "public"))
    }


def prepared(directory: Directory) -> tuple[dict[str, int], dict[str, int]]:
    """The viewers' person_ids and one list of each kind in a directory where all of them are."""
    directory.settings = everything_on(
        class_lists={"enabled": True, "terms": ["T1"]},
        auto_lists=dict.fromkeys(("role", "grade", "subject", "teacher"), True),
    )
    staff = [user("aide", "aide"), user("boss", "principal"), user("other", "teacher"), user("hand", "aide")]
    leaving = [user("gone", "teacher"), user("old boss", "principal")]
    sis = Sis(
        users=[user("a"), user("t", "teacher"), user("co", "teacher"), *staff, *leaving],
        classes=[klass("C", subjects=["Math"])],
        enrollments=[enrollment("C", "a"), enrollment("C", "t", "teacher"), enrollment("C", "co", "teacher", primary=False)],
    )
    directory.night(sis)
    directory.do("insert into directory.user_lists (district, kind, name) values ('oak', 'manual', 'Choir')")
    found = "select kind, list_id from directory.user_lists where kind <> 'role' or source_id = 'student'"
    lists = {kind: list_id for kind, list_id in directory.rows(found + " order by source_id = 't', 1")}
    people = dict(directory.rows("select sourced_id, person_id from directory.people"))
    for list_id in lists.values():
        for manager in ("hand", "gone"):
            directory.do("select directory.add_list_member(%s, %s, 'manager')", list_id, people[manager])
    sis.users = [row for row in sis.users if row["sourced_id"] not in ("gone", "old boss")]
    directory.night(sis)
    elsewhere = directory.value("select directory.add_person('elm', 'admin', 'E', 'E', 'e@example.org')")
    ids = {viewer: people[sourced_id] for viewer, sourced_id in VIEWERS.items() if sourced_id}
    return ids | {"admin of another district": elsewhere, "somebody who is not there": 2**40}, lists


def tried(directory: Directory, ids: dict[str, int], lists: dict[str, int], visibility: str) -> dict[Cell, bool]:
    """What lists_visible_to answers, whoever is asking."""
    cells: dict[Cell, bool] = {}
    for viewer, person in ids.items():
        seen: set[Any] = {row[0] for row in directory.rows("select list_id from directory.lists_visible_to(%s)", person)}
        cells |= {(viewer, kind, visibility): list_id in seen for kind, list_id in lists.items()}
    return cells


def as_markdown() -> str:
    """The table for people."""
    cells = expected()
    columns = [(kind, visibility) for kind in KINDS for visibility in ("private", "public")]
    lines = [f"| viewer | {' | '.join(f'{kind}, {visibility}' for kind, visibility in columns)} |"]
    lines.append("| --- " * (len(columns) + 1) + "|")
    for viewer in VIEWERS:
        marks = ["sees" if cells[viewer, kind, visibility] else "–" for kind, visibility in columns]
        lines.append(f"| {viewer} | {' | '.join(marks)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    import sys

    sys.stdout.write(HEAD + as_markdown() + "\n")
