"""Runs started from the console: by the code of Airflow's own API, so that a run is the same whichever door it was started at."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from include.mingasync.console.access import name_of
from include.mingasync.console.metastore import metastore
from include.mingasync.console.reading import Unreadable
from include.mingasync.errors import MingaSyncError

UNDO = "mingasync_undo"
CONNECT = "mingasync_connect"
_GOING = ("queued", "running")
#: So many of the newest verifications are looked through for one of a district.
_LOOKED_AT = 200


class NotStarted(MingaSyncError):
    """No run was started; the words say why."""


@dataclass(frozen=True)
class Dag:
    """How a DAG stands in Airflow: whether it is known there, is paused, and which of its runs have not ended."""

    is_known: bool
    is_paused: bool
    going: tuple[str, ...]


def dag(dag_id: str) -> Dag:
    """How a DAG stands."""
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun

    with _metastore() as session:
        model = session.scalar(select(DagModel).where(DagModel.dag_id == dag_id, ~DagModel.is_stale))
        going = session.scalars(select(DagRun.run_id).where(DagRun.dag_id == dag_id, DagRun.state.in_(_GOING)))
        return Dag(model is not None, bool(model and model.is_paused), tuple(going))


def run_of(slug: str, run_id: str) -> tuple[str, str] | None:
    """The DAG and the state of a district's run that the OneRoster History may not have yet; None where Airflow knows none."""
    from airflow.models.dagrun import DagRun

    try:
        with _metastore() as session:
            dag_ids = (f"mingasync_{slug}", UNDO)
            runs = session.scalars(select(DagRun).where(DagRun.dag_id.in_(dag_ids), DagRun.run_id == run_id)).all()
            for run in runs:
                if run.dag_id != UNDO or (run.conf or {}).get("district") == slug:
                    return run.dag_id, str(run.state)
    except Unreadable:  # the page says then that the history does not have it
        return None
    return None


def same_that_goes_on(dag_id: str, conf: Mapping[str, Any]) -> str | None:
    """The run of a DAG with the same configuration that was started already and has not ended."""
    from airflow.models.dagrun import DagRun

    with _metastore() as session:
        going = session.scalars(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.state.in_(_GOING)).order_by(DagRun.id))
        return next((str(run.run_id) for run in going if run.conf == conf), None)


def last_verification(slug: str) -> tuple[str, str] | None:
    """Id and state of the newest run of ``mingasync_connect`` for a district; None where Airflow has none, or does not answer."""
    from airflow.models.dagrun import DagRun

    try:
        with _metastore() as session:
            runs = session.scalars(select(DagRun).where(DagRun.dag_id == CONNECT).order_by(DagRun.id.desc()).limit(_LOOKED_AT))
            return next(((str(run.run_id), str(run.state)) for run in runs if (run.conf or {}).get("district") == slug), None)
    except Unreadable:  # the page shows then what the directory has
        return None


def start(request: Request, dag_id: str, user: Any, conf: Mapping[str, Any], pressed_at: str, *, unpause: bool) -> str:
    """The id of a run that was started by hand; pressed twice, the button starts one.

    Raises NotStarted when Airflow does not know the DAG, refuses it, or the DAG is paused and is not to be turned on.
    """
    from airflow.api_fastapi.core_api.datamodels.dag_run import TriggerDAGRunPostBody
    from airflow.api_fastapi.core_api.routes.public.dag_run import trigger_dag_run
    from airflow.models.dagbag import DBDagBag
    from airflow.models.dagrun import DagRun

    run_id = f"manual__{_moment(pressed_at).isoformat()}"
    with _metastore() as session:
        if session.scalar(select(DagRun.id).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)) is not None:
            return run_id
        _turn_on(session, dag_id, user, unpause=unpause)
        body = TriggerDAGRunPostBody(
            dag_run_id=run_id, logical_date=None, conf=dict(conf), note=f"Started in Rostering by {name_of(user)}"
        )
        try:
            trigger_dag_run(dag_id, body, DBDagBag(), user, session, request)
        except HTTPException as refused:
            raise NotStarted(f"Airflow did not start it: {str(refused.detail).rstrip('.')}.") from refused
        except IntegrityError:  # the same page, confirmed twice at the same moment
            session.rollback()
            if session.scalar(select(DagRun.id).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)) is None:
                raise
            return run_id
        _write_down(session, dag_id, run_id, user)
    return run_id


def replay(dag_id: str, user: Any, night: dt.date, zone: ZoneInfo, *, unpause: bool) -> str:
    """The id of the run that does a failed night once more, by a backfill of that one local day.

    Raises NotStarted as ``start``, and when there is no night on that day, or one that did not fail.
    """
    from airflow.api_fastapi.core_api.datamodels.backfills import BackfillPostBody
    from airflow.api_fastapi.core_api.routes.public.backfills import create_backfill, create_backfill_dry_run
    from airflow.models.backfill import BackfillDagRun, ReprocessBehavior

    first = dt.datetime.combine(night, dt.time(), zone).astimezone(dt.UTC)
    last = dt.datetime.combine(night + dt.timedelta(days=1), dt.time(), zone).astimezone(dt.UTC) - dt.timedelta(minutes=1)
    body = BackfillPostBody(
        dag_id=dag_id, from_date=first, to_date=last, reprocess_behavior=ReprocessBehavior.FAILED, max_active_runs=1
    )
    with _metastore() as session:
        try:
            if not create_backfill_dry_run(body, session).total_entries:
                raise NotStarted("That night did not fail, or is going on now: there is nothing to do once more.")
            _turn_on(session, dag_id, user, unpause=unpause)
            session.commit()
            made = create_backfill(body, user, session)
        except HTTPException as refused:
            # Airflow runs one backfill of a DAG at a time, and takes a moment to close the last one.
            again = " Wait a minute, then press the button again." if refused.status_code == HTTPStatus.CONFLICT else ""
            raise NotStarted(f"Airflow did not start it: {str(refused.detail).rstrip('.')}.{again}") from refused
        except RequestValidationError as refused:
            raise NotStarted("There was no night on that day, or it is not over yet.") from refused
        query = select(BackfillDagRun).where(BackfillDagRun.backfill_id == made.id)
        run = next((one.dag_run for one in session.scalars(query) if one.dag_run is not None), None)
        if run is None:
            raise NotStarted("Airflow found nothing to do once more in that night.")
        _write_down(session, dag_id, run.run_id, user)
        return str(run.run_id)


def _moment(pressed_at: str) -> dt.datetime:
    try:
        at = dt.datetime.fromisoformat(pressed_at)
    except ValueError:
        at = None
    now = dt.datetime.now(dt.UTC)
    if at is None or at.tzinfo is None or not now - dt.timedelta(days=1) < at <= now + dt.timedelta(minutes=1):
        raise NotStarted("The page is too old. Look at it once more, then press the button.")
    return at.astimezone(dt.UTC)


def _turn_on(session: Session, dag_id: str, user: Any, *, unpause: bool) -> None:
    """Nothing while a run of the DAG would begin; a paused DAG is turned on where that is wanted."""
    from airflow.models.dag import DagModel
    from airflow.models.log import Log

    model = session.scalar(select(DagModel).where(DagModel.dag_id == dag_id, ~DagModel.is_stale))
    if model is None:
        raise NotStarted(f"Airflow does not know the DAG {dag_id}: its file is new, or cannot be read. See Import Errors.")
    if model.is_paused and not unpause:
        raise NotStarted("The DAG is paused, so nothing of it begins. Turn it on with the run, or in Airflow.")
    if model.is_paused:
        session.execute(update(DagModel).where(DagModel.dag_id == dag_id).values(is_paused=False))
        session.add(Log(event="unpause", dag_id=dag_id, owner=name_of(user)))


def _write_down(session: Session, dag_id: str, run_id: str, user: Any) -> None:
    from airflow.models.log import Log

    session.add(Log(event="start_in_rostering", dag_id=dag_id, run_id=run_id, owner=name_of(user)))


def _metastore() -> AbstractContextManager[Session]:
    return metastore("holds the runs", "Nothing was started.")
