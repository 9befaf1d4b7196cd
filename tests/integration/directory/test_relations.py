"""The relations, columns, functions and counts that other software relies on are there as docs/names.md says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration.directory.world import Directory, Sis, user

PAGE = (Path(__file__).parents[3] / "docs" / "names.md").read_text(encoding="utf-8")


def rows_below(heading: str) -> list[tuple[str, str]]:
    """The first two cells of each row of the table below a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [
        (cells[1].strip(), cells[2].strip())
        for line in section.splitlines()
        if line.startswith("| `")
        for cells in [line.split("|")]
    ]


def columns_of(text: str) -> list[str]:
    """The columns in a cell; what stands in brackets or after a colon or semicolon explains them."""
    return re.findall(r"`([a-z_]+)`", re.sub(r"\([^)]*\)", "", re.split(r"[:;]", text)[0]))


RELATIONS = {name.strip("`"): columns_of(text) for name, text in rows_below("Relations")}


def test_the_page_lists_the_relations_that_are_read() -> None:
    assert set(RELATIONS) == {"people", "user_lists", "list_members", "sync_runs", "sync_changes", "sync_issues"}
    assert sum(map(len, RELATIONS.values())) > 60


@pytest.mark.parametrize("relation", RELATIONS)
def test_every_column_of_a_relation_is_there(relation: str, directory: Directory) -> None:
    directory.night(Sis(users=[user("s1")]))
    wanted = RELATIONS[relation]
    names = ", ".join(wanted)
    cursor = directory.connection.execute(f"select {names} from directory.{relation} limit 1")
    assert [column.name for column in cursor.description or []] == wanted


def test_every_function_takes_what_it_is_said_to_take(directory: Directory) -> None:
    found: dict[str, list[str]] = {}
    for name, arguments in directory.rows(
        "select proname, coalesce(proargnames, '{}') from pg_proc where pronamespace = 'directory'::regnamespace"
    ):
        found.setdefault(name, []).append(",".join(one.removeprefix("its_").removeprefix("the_") for one in arguments))
    for cell, _ in rows_below("Functions"):
        for name, arguments in re.findall(r"`(\w+)\(([^)]*)\)`", cell):
            assert name in found, name
            if arguments != "…":
                wanted = arguments.replace(" ", "")
                assert any(one == wanted or one.startswith(f"{wanted},") for one in found[name]), (name, found[name])


def test_the_counts_of_a_run_have_the_names_on_the_page(directory: Directory) -> None:
    counts = directory.night(Sis(users=[user("s1")]))
    text = re.sub(r"\s+", " ", PAGE.split("`counts` of a run:")[1].split("Tests:")[0])
    said = {
        part: re.findall(r"`([a-z_]+)`", rest)
        for part, rest in re.findall(r"`(people|lists|memberships|issues)`[,:]([^;.]*)", f"{text}")
    }
    assert set(said) == {"people", "lists", "memberships", "issues"}
    for part, names in said.items():
        groups = counts[part].values() if part in ("people", "lists") else [counts[part]]
        for group in groups:
            assert set(names) <= set(group), part
    assert set(counts["people"]) == {"student", "teacher", "staff", "admin"}
    assert set(counts["lists"]) == {"class", "role", "grade", "subject", "teacher"}
