"""What the log of a task tells of an error."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from airflow.sdk.exceptions import AirflowFailException

from include.mingasync.airflow_glue import context
from include.mingasync.airflow_glue.plain_words import in_plain_words
from include.mingasync.errors import MingaSyncError, SourceError, SourceRefused

SENTENCE = "The SIS refused the secret. Write a new one into the Connection. Nothing was changed."


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Exception], dict[str, Any]]]:
    """What a logger that is there already writes of an error that leaves a task, as Airflow's runner does."""
    before, written = structlog.get_config(), io.StringIO()
    monkeypatch.setattr(context, "nobody_can_answer", lambda: False)
    structlog.configure(
        processors=[structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(written),
        wrapper_class=structlog.make_filtering_bound_logger(0),
        cache_logger_on_first_use=False,
    )
    log = structlog.get_logger().bind()

    def of(error: Exception) -> dict[str, Any]:
        try:
            with in_plain_words():
                raise error
        except Exception:
            log.exception("Task failed with exception")
        return dict(json.loads(written.getvalue()))

    yield of
    structlog.configure(**before)


@pytest.mark.parametrize("kind", [SourceRefused, SourceError, MingaSyncError, AirflowFailException])
def test_an_expected_error_is_its_sentence_alone(logged: Any, kind: type[Exception]) -> None:
    assert logged(kind(SENTENCE)) == {"event": SENTENCE}


@pytest.mark.parametrize("error", [ValueError("x"), AirflowFailException()])
def test_a_fault_of_the_product_shows_where_it_is(logged: Any, error: Exception) -> None:
    told = logged(error)
    assert told["event"] == "Task failed with exception"
    assert [one["exc_type"] for one in told["exception"]] == [type(error).__name__] and told["exception"][0]["frames"]


@pytest.mark.parametrize(
    ("try_number", "max_tries", "again"), [(1, 2, True), (2, 2, True), (3, 2, False), (1, 0, False), (4, 5, True)]
)
def test_a_task_is_tried_again_while_it_has_tries_left(
    monkeypatch: pytest.MonkeyPatch, try_number: int, max_tries: int, *, again: bool
) -> None:
    ti = SimpleNamespace(try_number=try_number, max_tries=max_tries)
    monkeypatch.setattr(context, "get_current_context", lambda: {"ti": ti})
    assert context.is_tried_again() == again
