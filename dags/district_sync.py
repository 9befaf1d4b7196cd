"""### The nightly roster sync of one district

Reads the district's SIS over OneRoster, proves the data, works out the exact changes, applies them to the people
directory in PostgreSQL, archives leavers safely, and mails the district what happened.

| task | what it does | when it fails |
| --- | --- | --- |
| `open_run` | opens the run in the OneRoster History, brings the database schema up to date, reads the settings once | settings or a Connection are wrong: the message names key and cure |
| `extract.*` | reads one OneRoster collection each into the run's snapshot | the SIS refused or could not be reached: nothing was changed |
| `validate` | checks every record, sets bad ones aside with cause and cure | the data cannot be trusted at all: nothing was changed |
| `transform` | makes people and user lists from the snapshot and the settings | a fault of the product: nothing was changed |
| `load` | makes the plan and applies it in one transaction | nothing was changed; run it again |
| `approve` | waits for a person only when more would be archived than the safety limits allow; archives all others first | nobody who was held is archived |
| `archive` | archives leavers, in a transaction of its own | everything but the archive is done; run it again |
| `notify` | closes the run with its verdict, mails the district, announces the Asset `mingasync://<slug>/directory` when the run loaded it | what the run did stands as its page says; only the mail is missing |

Every task may be cleared or retried at any time: the end state is that of one clean run.
Run configuration: `{"mode": "preview"}` stores the plan and applies nothing; `{"send_email": true}` mails a manual run;
`{"accept_smaller": true}` says that a smaller SIS (a closed school, say) is right; `{"accept_district": "<org sourcedId>"}` says that data which
seem to be another district's are this one's, under new sourcedIds. Neither makes absence of what the SIS refused.
"""  # noqa: E501 (a table row is one line)

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, AssetAlias, Param, TaskGroup, chain, dag, get_parsing_context, task

sys.path.append(str(Path(__file__).parents[1]))  # so that `include` is found wherever Airflow was started

from include.mingasync.airflow_glue import failing, nightly
from include.mingasync.airflow_glue.approval import ApproveArchive
from include.mingasync.airflow_glue.night_timetable import schedule_of
from include.mingasync.airflow_glue.task_links import DataDocs, DecisionPage, RosterResult, linked
from include.mingasync.district import OUTLET, District, read_districts
from include.mingasync.errors import DistrictFileError

PARAMS = {
    "mode": Param("apply", type="string", enum=["apply", "preview"], title="Mode",
                  description="preview: work out and store the plan, apply nothing"),
    "send_email": Param(False, type="boolean", title="Send the results mail",
                        description="A run started by hand mails nobody unless this is on"),
    "accept_smaller": Param(False, type="boolean", title="The SIS really became smaller",
                            description="Take a vanished school or a halved collection for true and let people leave"),
    # What may stay empty has to allow null: Airflow's form cannot be sent while a string is blank.
    "accept_district": Param(None, type=["null", "string"], title="These data are this district's",
                             description="The sourcedId of the district org, after a SIS gave every org a new one"),
}  # fmt: skip


def district_dag(district: District) -> DAG:
    """The DAG of one district."""

    @dag(
        dag_id=district.dag_id,
        dag_display_name=f"MingaSync: {district.name}",
        description=f"Nightly roster sync of {district.name} from {district.sis.name}",
        schedule=schedule_of(district),
        catchup=False,
        max_active_runs=1,
        params=PARAMS,
        tags=["mingasync", "roster"],
        doc_md=__doc__,
        default_args={
            "owner": "mingasync",
            "retries": 2,
            "retry_delay": timedelta(minutes=3),
            # Three tries that hang end before the next night.
            "execution_timeout": timedelta(hours=6),
        },
    )
    def sync() -> None:
        @task
        def open_run() -> dict[str, object]:
            return nightly.open_run()

        with TaskGroup("extract"):
            reads = []
            for name, collections in nightly.EXTRACTS.items():

                @task(task_id=name, pool=district.sis.pool)
                def read(collections: list[str] = collections) -> dict[str, int]:
                    return nightly.extract(collections)

                reads.append(read())

        @task
        def validate() -> dict[str, int]:
            return nightly.validate()

        @task
        def transform() -> dict[str, int]:
            return nightly.transform()

        @task
        def load() -> dict[str, object]:
            return nightly.load()

        @task
        def archive() -> dict[str, object]:
            return nightly.archive()

        @task(
            retries=4,
            execution_timeout=timedelta(hours=1),
            on_failure_callback=failing.tell_without_directory,
            outlets=[AssetAlias(OUTLET)],
        )
        def notify() -> str:
            return nightly.notify()

        # Rejected or not, the run goes on to archive, which leaves alone what nobody approved.
        approve = ApproveArchive(task_id="approve", execution_timeout=None)
        steps = [
            open_run(),
            *reads,
            linked(validate(), DataDocs()),
            transform(),
            linked(load(), RosterResult()),
            linked(approve, DecisionPage()),
            archive(),
        ]
        chain(*steps)
        # A teardown runs whatever happened before and never hides that it failed. It waits for every task, not only for the
        # last: when a task to come is marked as failed by hand, the tasks before it may still be running.
        steps >> linked(notify(), RosterResult()).as_teardown()

    return sync()


class UnusableDistricts(DAG):
    """Turns district files that cannot be used into an import error, while every other district's DAG still loads."""

    def validate(self) -> None:
        raise DistrictFileError(str(self.description))


districts, unusable = read_districts()
only = get_parsing_context().dag_id  # set while a task starts: its own DAG is enough then
for district in districts:
    if only in (None, district.dag_id):
        globals()[district.dag_id] = district_dag(district)
if unusable and only is None:
    unusable_districts = UnusableDistricts(
        "mingasync_unusable_districts", schedule=None, description="\n".join(str(file.error) for file in unusable)
    )
