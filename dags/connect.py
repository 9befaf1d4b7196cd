"""### Verify the connection to a district's SIS

Reads one page of each OneRoster resource and says, a line each, whether it is shared; if not, why, and what the district does
about it in its own SIS. Changes nothing. It fails when something is missing without which no sync makes sense.
"""

from __future__ import annotations

import sys
from pathlib import Path

from airflow.sdk import Param, dag, task

sys.path.append(str(Path(__file__).parents[1]))  # so that `include` is found wherever Airflow was started

from include.mingasync.airflow_glue import connecting
from include.mingasync.district import SLUG

PARAMS = {
    "district": Param("", type="string", pattern=rf"^({SLUG.pattern})?$", title="District", description="The district's slug"),
}


@dag(
    dag_id="mingasync_connect",
    dag_display_name="MingaSync: verify a connection",
    description="Says what a district's SIS shares, and what cures the rest",
    schedule=None,
    catchup=False,
    # Nobody would think of turning it on.
    is_paused_upon_creation=False,
    params=PARAMS,
    tags=["mingasync"],
    doc_md=__doc__,
    default_args={"owner": "mingasync", "retries": 0},
)
def connect() -> None:
    @task
    def verify() -> dict[str, object]:
        return connecting.verify()

    verify()


connect()
