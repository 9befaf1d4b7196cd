"""What the task of ``mingasync_undo`` does."""

from __future__ import annotations

import logging
from zoneinfo import ZoneInfo

from airflow.sdk import get_current_context

from include.mingasync.airflow_glue import context
from include.mingasync.airflow_glue.nightly import in_plain_words
from include.mingasync.district import find_district
from include.mingasync.errors import MingaSyncError
from include.mingasync.run import Run

log = logging.getLogger(__name__)


def undo() -> dict[str, object]:
    """The counts of what was reversed, and the number of conflicts left alone."""
    from include.mingasync.directory import runs
    from include.mingasync.directory.undo import undo as undo_run

    dag_run = get_current_context()["dag_run"]
    conf = {**get_current_context()["params"], **(dag_run.conf or {})}
    with in_plain_words():
        if not conf.get("district") or not conf.get("run_id"):
            raise MingaSyncError(
                'Say which run to undo: {"district": "<slug>", "run_id": "<from the OneRoster History>"}. Nothing was changed.'
            )
        district = find_district(conf["district"])
        at = dag_run.logical_date or dag_run.run_after
        run = Run(district.slug, dag_run.run_id, "undo", at, at.astimezone(ZoneInfo(district.timezone)).date())
        with context.directory() as connection:
            run_no = runs.open_run(connection, run)
            try:
                counts = undo_run(connection, run, run_no, conf["run_id"])
            except MingaSyncError as error:
                runs.finish_run(connection, run_no, "failed", str(error))
                raise
            conflicts = counts["conflicts"]
            words = (
                f"Undid {conf['run_id']}; {conflicts} later edits were left alone." if conflicts else f"Undid {conf['run_id']}."
            )
            runs.finish_run(connection, run_no, "completed_with_errors" if conflicts else "success", words)
            log.info("%s People %s; lists %s; memberships %s", words, counts["people"], counts["lists"], counts["memberships"])
            return {"conflicts": conflicts, "memberships": counts["memberships"]}
