"""``python -m include.mingasync.airflow_glue.why DISTRICT person|list TEXT``: why somebody or a list is as it is."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from include.mingasync.airflow_glue import context
from include.mingasync.directory.why import why_list, why_person
from include.mingasync.errors import MingaSyncError


def main() -> None:
    """Print the stories of whom or what the question fits."""
    parser = argparse.ArgumentParser(prog="python -m include.mingasync.airflow_glue.why", description=__doc__)
    parser.add_argument("district")
    parser.add_argument("what", choices=["person", "list"])
    parser.add_argument("text", help="an id, sourcedId, e-mail, username, identifier, or a part of the name")
    asked = parser.parse_args()
    try:
        for line in _answers(asked):
            print(line)  # noqa: T201 - the answer is what the program is for
    except MingaSyncError as error:
        parser.exit(1, f"{error}\n")


def _answers(asked: argparse.Namespace) -> Iterator[str]:
    from include.mingasync.snapshot import Snapshot

    with context.directory() as connection:
        row = connection.execute(
            "select snapshot_url from directory.sync_runs where district = %s and loaded_at is not null"
            " order by snapshot_at desc limit 1",
            (asked.district,),
        ).fetchone()
        ask = why_person if asked.what == "person" else why_list
        for story in ask(connection, asked.district, asked.text, Snapshot(row[0]) if row and row[0] else None):
            yield story.subject
            yield from (f"  {line}" for line in story.lines)


if __name__ == "__main__":
    context.as_a_command()
    main()
