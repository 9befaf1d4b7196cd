"""Airflow's own tables in a test's database, and a task in them that waits for an answer."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import sqlalchemy
from airflow.models import import_all_models
from airflow.models.base import Base
from airflow.models.dagrun import DagRun
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from sqlalchemy.orm import Session, joinedload


def make_tables(metastore: sqlalchemy.Engine) -> None:
    """Nothing; every table of Airflow is there."""
    from airflow.models.tasklog import LogTemplate

    import_all_models()
    Base.metadata.create_all(metastore)
    with Session(metastore) as session:
        session.add(LogTemplate(filename="log", elasticsearch_id="log"))
        session.commit()


def park(metastore: sqlalchemy.Engine, dag_id: str, run_id: str, until: dt.datetime) -> uuid.UUID:
    """The id of a run's task ``approve``, which waits for an answer as Airflow lets it wait."""
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=5)
    tasks, number = TaskInstance.__table__, uuid.uuid4()
    with Session(metastore) as session:
        run = {"dag_id": dag_id, "run_id": run_id, "run_type": "manual", "state": "running", "run_after": long_ago}
        session.execute(sqlalchemy.insert(DagRun.__table__).values(**run, queued_at=long_ago, start_date=long_ago))
        session.execute(
            sqlalchemy.insert(tasks).values(
                id=number,
                dag_id=dag_id,
                run_id=run_id,
                task_id="approve",
                map_index=-1,
                state="awaiting_input",
                try_number=1,
                max_tries=2,
                pool="default_pool",
                pool_slots=1,
                queue="default",
                priority_weight=1,
                operator="ApproveArchive",
                custom_operator_name="ApproveArchive",
                executor_config={},
                updated_at=long_ago,
                trigger_timeout=until,
                next_method="execute_complete",
                next_kwargs={},
            )
        )
        question = {"subject": "Archive?", "options": ["Approve", "Reject"], "defaults": ["Reject"], "params": {}}
        session.execute(sqlalchemy.insert(HITLDetail.__table__).values(ti_id=number, multiple=False, params_input={}, **question))
        session.commit()
    return number


def task(metastore: sqlalchemy.Engine, run_id: str) -> Any:
    """A run's task ``approve`` with its question, as Airflow's database has it now."""
    query = sqlalchemy.select(TaskInstance).where(TaskInstance.run_id == run_id)
    with Session(metastore, expire_on_commit=False) as session:
        found = session.scalar(query.options(joinedload(TaskInstance.hitl_detail)))
        assert found is not None and found.hitl_detail is not None
        return found


def answer_handed_on(metastore: sqlalchemy.Engine, run_id: str) -> dict[str, Any]:
    """The answer with which Airflow wakes a run's task."""
    from airflow.models.trigger import _decode_next_kwargs

    woken = task(metastore, run_id)
    assert woken.state == "scheduled" and woken.next_method == "execute_complete", woken.state
    return dict(_decode_next_kwargs(woken.next_kwargs)["event"])


def serialise(metastore: sqlalchemy.Engine, dag_id: str, schedule: Any = None) -> None:
    """Nothing; Airflow's database knows a DAG of this id with one task, turned on."""
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG
    from airflow.serialization.definitions.dag import SerializedDAG
    from airflow.serialization.serialized_objects import DagSerialization, LazyDeserializedDAG

    with DAG(dag_id, schedule=schedule, catchup=False, is_paused_upon_creation=False, max_active_runs=1) as dag:
        EmptyOperator(task_id="open_run")
    with Session(metastore) as session:
        session.merge(DagBundleModel(name="tests"))
        session.flush()
        SerializedDAG.bulk_write_to_db("tests", None, [dag], session=session)
        data = DagSerialization.to_dict(dag)
        SerializedDagModel.write_dag(LazyDeserializedDAG(data=data), "tests", session=session)
        session.commit()
