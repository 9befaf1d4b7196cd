"""### Undo one run of a district

Reverses what a run that has ended did to people, lists and memberships. What was edited since, by a later run or by hand
(a pin, an exception of a list and a switch are edits too), is left alone and listed as a conflict in `directory.sync_changes`.
The run then says that it was undone, and clearing its tasks does nothing any more. The next night does the same again unless
its cause is mended: turn `automatic_rostering` off first.
"""

from __future__ import annotations

import sys
from pathlib import Path

from airflow.sdk import AssetAlias, Param, dag, task

sys.path.append(str(Path(__file__).parents[1]))  # so that `include` is found wherever Airflow was started

from include.mingasync.airflow_glue import undoing
from include.mingasync.district import OUTLET, SLUG

PARAMS = {
    "district": Param("", type="string", pattern=rf"^({SLUG.pattern})?$", title="District", description="The district's slug"),
    "run_id": Param("", type="string", title="Run", description="The run_id from the OneRoster History"),
}


@dag(
    dag_id="mingasync_undo",
    dag_display_name="MingaSync: undo a run",
    description="Reverses what one run of a district did",
    schedule=None,
    catchup=False,
    # Nobody would think of turning it on.
    is_paused_upon_creation=False,
    max_active_runs=1,
    params=PARAMS,
    tags=["mingasync"],
    doc_md=__doc__,
    default_args={"owner": "mingasync", "retries": 0},
)
def undo_run() -> None:
    @task(outlets=[AssetAlias(OUTLET)])
    def undo() -> dict[str, object]:
        return undoing.undo()

    undo()


undo_run()
