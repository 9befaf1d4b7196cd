"""### After a night of Springfield

Runs as soon as a night has loaded the people and lists of the district `springfield`, and says what it was told of that night.
Copy it into your DAG folder, and put your own work in the place of `look`.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, dag, task

SPRINGFIELD = Asset("mingasync://springfield/directory")


@dag(schedule=[SPRINGFIELD], catchup=False, doc_md=__doc__)
def after_a_good_night() -> None:
    @task
    def look(triggering_asset_events: Any) -> str:
        night = triggering_asset_events[SPRINGFIELD][-1].extra
        if night["state"] == "held":
            return f"{night['run_id']}: archives wait for an answer; {night['changes']} other changes are in."
        return f"{night['run_id']}: {night['changes']} changes, {night['counts']['people']['student']['created']} new students."

    look()


after_a_good_night()
