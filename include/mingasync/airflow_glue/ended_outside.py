"""Closes runs that Airflow ended before their task ``notify``: by hand, by a time limit, or because a worker was lost."""

from __future__ import annotations

import logging
from typing import Any

import psycopg

from include.mingasync.airflow_glue import context
from include.mingasync.district import District
from include.mingasync.errors import MailRefused
from include.mingasync.run import Run

log = logging.getLogger(__name__)

_LOADED = (
    "The run was ended in Airflow before it could say how it went. What it had loaded is in the directory; whoever was still to "
    "be archived was not. Clear its tasks that did not succeed to finish it."
)
_NOT_LOADED = (
    "The run was ended in Airflow before it could say how it went. Nothing was loaded: the directory is as it was before. Clear "
    "its tasks that did not succeed to finish it, or leave it to the next night."
)


def close_what_ended(connection: psycopg.Connection[Any], district: District) -> int:
    """How many runs of the district were closed as failed; the night's mail goes out as it does for other failed nights.

    A run that Airflow does not know, or that goes on, stays open.
    """
    from include.mingasync.directory.runs import close_ended, still_open

    closed = 0
    for run in still_open(connection, district.slug):
        dag_id = "mingasync_undo" if run.kind == "undo" else district.dag_id

        def is_over(dag_id: str = dag_id, run: Run = run) -> bool:
            return context.state_of_run(dag_id, run.run_id) in ("success", "failed")

        if close_ended(connection, run, is_over, loaded=_LOADED, not_loaded=_NOT_LOADED):
            closed += 1
            log.warning("Run %s of %s was ended in Airflow and is closed as failed", run.run_id, district.slug)
            _mail(connection, district, run)
    return closed


def _mail(connection: psycopg.Connection[Any], district: District, run: Run) -> None:
    from include.mingasync.airflow_glue.results_mail import mail_results

    if not run.send_email:
        return
    try:
        mail_results(connection, district, run)
    except MailRefused as refusal:  # it waits with the others that were refused
        log.warning("%s", refusal)
