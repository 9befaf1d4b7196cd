"""The question about held archives that a run's task asks in Airflow: read, and answered as its Required Actions does."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from include.mingasync.airflow_glue.approval import APPROVE, GROUPS, REJECT
from include.mingasync.console.access import name_of
from include.mingasync.console.metastore import metastore
from include.mingasync.errors import MingaSyncError

TASK = "approve"
#: Airflow fails a task that is answered while its scheduler has not seen it park yet.
_AFTER_PARKING = dt.timedelta(seconds=3)


@dataclass(frozen=True)
class Question:
    """What Airflow knows of the question of a run; ``version`` stands for this very asking."""

    version: str
    waits: bool
    parked_at: dt.datetime
    answered_at: dt.datetime | None
    answered_by: str | None


class NotAnswered(MingaSyncError):
    """The question does not wait any more, or is another one by now; nothing was answered."""


def question(dag_id: str, run_id: str) -> Question | None:
    """The question of a run as it stands; None where its task never asked."""
    with _metastore() as session:
        return _asked(session, _task(session, dag_id, run_id))


def answer(dag_id: str, run_id: str, user: Any, version: str, approved: Sequence[str]) -> None:
    """Answer a question for the groups of these keys, and reject all others; with none of them, it is rejected.

    Raises NotAnswered when it was answered or asked anew since it was shown: the first answer counts.
    """
    from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
    from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
    from airflow.models.log import Log
    from airflow.models.taskinstance import TaskInstance
    from fastapi import HTTPException

    shown = question(dag_id, run_id)
    if shown is None or not shown.waits or shown.version != version:
        raise NotAnswered("The question does not wait any more.")
    time.sleep(max(dt.timedelta(), shown.parked_at + _AFTER_PARKING - dt.datetime.now(dt.UTC)).total_seconds())
    options, given = ([APPROVE], {GROUPS: list(approved)}) if approved else ([REJECT], {})
    with _metastore() as session:
        task = _task(session, dag_id, run_id)
        if task is not None:
            # As Airflow does itself: the task before its question, so that a clearing of the task cannot come between.
            task = session.get(TaskInstance, task.id, with_for_update={"of": TaskInstance}, populate_existing=True)
        asked = _asked(session, task)
        if asked is None or not asked.waits or asked.version != version:
            raise NotAnswered("The question does not wait any more.")
        payload = UpdateHITLDetailPayload(chosen_options=options, params_input=given)
        try:
            update_hitl_detail(dag_id, run_id, TASK, payload, user, session, -1)
        except HTTPException as refused:
            raise NotAnswered("Airflow did not take the answer.") from refused
        told = f"{options[0]}, {len(approved)} groups of people approved"
        session.add(Log(event="answer_held_archives", task_instance=task, owner=name_of(user), extra=told))


def _task(session: Session, dag_id: str, run_id: str) -> Any:
    from airflow.models.taskinstance import TaskInstance

    return session.scalar(
        select(TaskInstance).where(
            TaskInstance.dag_id == dag_id,
            TaskInstance.run_id == run_id,
            TaskInstance.task_id == TASK,
            TaskInstance.map_index == -1,
        )
    )


def _asked(session: Session, task: Any) -> Question | None:
    from airflow.models.hitl import HITLDetail

    asked = session.get(HITLDetail, task.id, populate_existing=True) if task is not None else None
    if asked is None:
        return None
    return Question(
        version=str(task.id),
        waits=asked.responded_at is None and str(task.state) in ("awaiting_input", "deferred"),
        parked_at=task.updated_at or asked.created_at,
        answered_at=asked.responded_at,
        answered_by=asked.responded_by_user_name,
    )


def _metastore() -> AbstractContextManager[Session]:
    return metastore("holds the question", "Nothing was answered.")
