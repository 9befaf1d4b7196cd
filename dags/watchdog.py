"""### Says so when a district has had no good night

Once an hour: every district with automatic rostering on that has had no good night (`success` or
`completed_with_errors`) for 26 hours is told of. `MINGASYNC_SUPPORT_EMAIL` gets one mail for all of
them, each district's contact one of their own; no more than one a day and district. Left out: districts
before their first sync, paused by `quiet`, or with `automatic_rostering` off.

The day before a quiet range begins and the day before it ends, the district's contact is told.

A district whose file (or suite of expectations) cannot be used has no DAG and so no nights: `MINGASYNC_SUPPORT_EMAIL` is told
what to correct, once a day.

When this fails, the mail server or the directory's database cannot be reached; the next hour tries
again, and of the latter `MINGASYNC_SUPPORT_EMAIL` is told once a day. It changes no person and no list.
"""

from __future__ import annotations

import sys
from pathlib import Path

from airflow.sdk import CronTriggerTimetable, dag, task

sys.path.append(str(Path(__file__).parents[1]))  # so that `include` is found wherever Airflow was started

from include.mingasync.airflow_glue import watching


@dag(
    dag_id="mingasync_watchdog",
    dag_display_name="MingaSync: watchdog",
    description="Mails when a district has had no good night for 26 hours",
    schedule=CronTriggerTimetable("0 * * * *", timezone="UTC"),
    catchup=False,
    # Nobody would think of turning it on.
    is_paused_upon_creation=False,
    max_active_runs=1,
    tags=["mingasync"],
    doc_md=__doc__,
    default_args={"owner": "mingasync", "retries": 0},
)
def watchdog() -> None:
    @task
    def watch() -> dict[str, int]:
        return watching.watch()

    watch()


watchdog()
