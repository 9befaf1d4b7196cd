"""The note of a DAG run in Airflow's grid: the verdict of the night, since Airflow's colors know only success and failure.

A task hands the text on (``context.note``). Only the scheduler may write a note, so it takes it over when the run ends: this
module is a listener of Airflow, registered by the plugin, and is imported by every process that loads plugins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

#: The XCom by which a task hands on the note of its run.
KEY = "note"


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """Keep the note of a run that ended well; called by Airflow."""
    _keep(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """Keep the note of a run that failed; called by Airflow."""
    _keep(dag_run)


def _keep(dag_run: DagRun) -> None:
    """Write the note into the run's row, which Airflow is about to save; what a person wrote there stays."""
    if not dag_run.dag_id.startswith("mingasync_"):
        return
    from airflow.models.xcom import XComModel
    from sqlalchemy import select
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    if session is None or (dag_run.dag_run_note is not None and dag_run.dag_run_note.user_id is not None):
        return
    handed_on = session.scalars(
        select(XComModel)
        .where(XComModel.dag_id == dag_run.dag_id, XComModel.run_id == dag_run.run_id, XComModel.key == KEY)
        .order_by(XComModel.timestamp.desc())
        .limit(1)
    ).first()
    if handed_on is not None:
        dag_run.note = str(XComModel.deserialize_value(handed_on))
