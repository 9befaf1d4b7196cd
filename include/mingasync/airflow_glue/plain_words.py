"""What goes wrong leaves a task as one sentence for people: what broke, what to do, what was not changed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import psycopg
import structlog
from airflow.sdk.exceptions import AirflowFailException

from include.mingasync.airflow_glue import context
from include.mingasync.errors import DirectoryRefused, MailRefused, MingaSyncError, SourceError, SourceRefused


@contextmanager
def in_plain_words() -> Iterator[None]:
    """Errors leave a task in words for people; one that trying again cannot mend fails the task at once."""
    _log_sentences()
    try:
        yield
    except SourceRefused as error:
        raise AirflowFailException(str(error)) from None
    except DirectoryRefused as error:
        raise _refused(str(error), "End what holds it") from None
    except (SourceError, MailRefused) as error:
        if context.nobody_can_answer():
            raise AirflowFailException(str(error)) from None
        raise
    except MingaSyncError as error:
        raise AirflowFailException(str(error)) from None
    except psycopg.Error as error:
        # What PostgreSQL says may quote the row, and rows are people: only the place and the code go into the log.
        place = ".".join(filter(None, (error.diag.table_name, error.diag.column_name, error.diag.constraint_name)))
        told = (
            f"The directory's database refused a step (SQLSTATE {error.sqlstate or 'none: it cannot be reached'}"
            f"{f', at {place}' if place else ''}). Nothing of this step was kept"
        )
        cure = "Check that PostgreSQL runs (its own log says more) and that the Connection roster_db leads to it"
        raise _refused(told, cure) from None


def _refused(told: str, cure: str) -> Exception:
    """What a step that the directory refused leaves the task as: what broke, whether Airflow tries again, what a person does."""
    told = told.removesuffix(".")
    if context.nobody_can_answer():  # nor tries again
        return AirflowFailException(f"{told}. {cure}, then start the run anew.")
    if context.is_tried_again():
        return DirectoryRefused(f"{told}; it is tried again. If it stays so: {cure[0].lower()}{cure[1:]}.")
    return DirectoryRefused(f"{told}. {cure}, then clear this task and everything after it.")


def _log_sentences() -> None:
    """Let the log of this process tell an error of ours by its sentence alone.

    Airflow logs every exception with the way through the code that led to it, unfolded, which hides the sentence. Its processors
    are a list that loggers share; where a later Airflow keeps them otherwise, the log has both, as Airflow writes them.
    """
    processors = structlog.get_config()["processors"]
    if isinstance(processors, list) and _sentence_alone not in processors:
        processors.insert(0, _sentence_alone)


def _sentence_alone(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    error = sys.exc_info()[1]
    if event.get("exc_info") and isinstance(error, MingaSyncError | AirflowFailException) and str(error):
        del event["exc_info"]
        event["event"] = str(error)
    return event
