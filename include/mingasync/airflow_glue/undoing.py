"""What the task of ``mingasync_undo`` does."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk import get_current_context

from include.mingasync.airflow_glue import context
from include.mingasync.airflow_glue.announcing import announce_undo
from include.mingasync.airflow_glue.plain_words import in_plain_words
from include.mingasync.district import find_district
from include.mingasync.errors import MingaSyncError
from include.mingasync.results.numbers import told_number
from include.mingasync.run import Run, State

log = logging.getLogger(__name__)
#: The keys of its run's configuration.
CONFIGURATION = ("district", "run_id")


def undo() -> dict[str, object]:
    """The counts of what was reversed, and the number of conflicts left alone."""
    from include.mingasync.directory import runs, schema
    from include.mingasync.directory.undo import undo as undo_run

    dag_run = get_current_context()["dag_run"]
    conf = {**get_current_context()["params"], **(dag_run.conf or {})}
    with in_plain_words():
        if not conf.get("district") or not conf.get("run_id"):
            raise MingaSyncError(
                'Say which run to undo: {"district": "<slug>", "run_id": "<from the OneRoster History>"}. Nothing was changed.'
            )
        if unknown := sorted(set(conf) - set(CONFIGURATION)):
            # Taken no notice of, a wish such as dry_run would be followed by the real thing.
            raise MingaSyncError(
                f"An undo knows no {', '.join(unknown)}: its configuration is {' and '.join(CONFIGURATION)} alone. "
                "What it would take back is shown by Undo this run on the run's page. Nothing was changed."
            )
        district = find_district(conf["district"])
        at = dag_run.logical_date or dag_run.run_after
        run = Run(district.slug, dag_run.run_id, "undo", at, at.astimezone(ZoneInfo(district.timezone)).date())
        with context.directory() as connection:
            schema.bring_to_head(connection)
            schema.bring_to_head(connection)
            run_no = runs.open_run(connection, run)
            try:
                counts = undo_run(connection, run, run_no, conf["run_id"])
            except MingaSyncError as error:
                runs.finish_run(connection, run_no, "failed", str(error))
                raise
            conflicts, words = counts["conflicts"], _words(conf["run_id"], run, counts)
            state: State = "completed_with_errors" if conflicts else "success"
            runs.finish_run(connection, run_no, state, words)
            log.info("%s", words)
            context.note(words, context.links(district, run))
            if counts["undone_by"] == run.run_id:
                announce_undo(district, run, state, counts["reversed"])
            return {"reversed": counts["reversed"], "conflicts": conflicts}


def _words(target: str, run: Run, counts: Mapping[str, Any]) -> str:
    """What an undo did, in words for people."""
    if counts["undone_by"] != run.run_id:
        return f"Nothing more was to be undone: {target} was undone already by {counts['undone_by']}."
    back = counts["reversed"]
    told = (
        f"{told_number(back['people'], 'person', 'people')}, {told_number(back['lists'], 'list')} and "
        f"{told_number(back['memberships'], 'membership')} are again as they were before {target}."
    )
    if not counts["conflicts"]:
        return told
    left = "1 change was" if counts["conflicts"] == 1 else f"{counts['conflicts']} changes were"
    return (
        f"{told} {left} left alone, because a person or a later run decided about the same since; "
        "directory.sync_changes lists them as conflicts of this undo."
    )
