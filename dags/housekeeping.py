"""### Removes old snapshots

Once a day, what the runs read from the SIS longer than `MINGASYNC_SNAPSHOT_DAYS` ago (30 where it is not
set) is removed. A district's newest whole snapshot always stays. People, lists and the OneRoster History
are not touched; a night whose snapshot is gone can no longer be replayed.
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
    description="Removes snapshots older than the retention time",
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
    def remove_old_snapshots() -> dict[str, int]:
        return housekeeping.keep_house()

    remove_old_snapshots()


keep_house()
