"""### Removes what has been kept long enough

Once a day, snapshots, changes, issues and mails older than the district file's `retention` says are removed, and people who were
archived longer ago than that, with all that was kept of them. A district's newest loaded snapshot always stays, and so does
everything of a run that is going on. Files that others could read are closed. See docs/retention.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

from airflow.sdk import CronTriggerTimetable, dag, task

sys.path.append(str(Path(__file__).parents[1]))  # so that `include` is found wherever Airflow was started

from include.mingasync.airflow_glue import housekeeping


@dag(
    dag_id="mingasync_housekeeping",
    dag_display_name="MingaSync: housekeeping",
    description="Removes what is older than the retention of its district",
    schedule=CronTriggerTimetable("15 12 * * *", timezone="UTC"),
    catchup=False,
    # Nobody would think of turning it on.
    is_paused_upon_creation=False,
    max_active_runs=1,
    tags=["mingasync"],
    doc_md=__doc__,
    default_args={"owner": "mingasync", "retries": 1},
)
def keep_house() -> None:
    @task
    def remove_old() -> dict[str, int]:
        return housekeeping.keep_house()

    remove_old()


keep_house()
