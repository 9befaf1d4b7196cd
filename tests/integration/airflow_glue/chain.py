"""The chain of a district's tasks, run, cleared and marked as Airflow does, without Airflow: the order, the states, the skips."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
from airflow.sdk.exceptions import AirflowSkipException

from include.mingasync.airflow_glue import nightly
from include.mingasync.oneroster.records import COLUMNS
from include.mingasync.run import Kind
from include.mingasync.snapshot import Proof, Snapshot
from tests.integration.airflow_glue.conftest import Glue
from tests.integration.directory.world import NIGHT, Sis

EXTRACTS = [f"extract.{name}" for name in nightly.EXTRACTS]
TASKS = ["open_run", *EXTRACTS, "validate", "transform", "load", "approve", "archive", "notify"]


class Chain:
    """The runs of a district; ``sis`` is what its SIS has at the moment, None while it cannot be reached."""

    def __init__(self, glue: Glue, sis: Sis | None = None) -> None:
        self.glue, self.sis = glue, sis
        self.answer: str | None = None
        self.mails = False
        self.states: dict[str, dict[str, str]] = {}

    def read(self, name: str, _district: Any, _access: Any, snapshot: Snapshot, **_more: Any) -> Proof:
        """In place of ``read_collection``."""
        if self.sis is None:
            raise RuntimeError("the SIS is away")
        at = dt.datetime.now(dt.UTC)
        rows = self.sis.frame(name)
        table = pa.Table.from_pandas(rows, schema=COLUMNS[name], preserve_index=False)
        number, digest = snapshot.write(name, [table])
        snapshot.keep_unreadable(name, [])
        proof = Proof(collection=name, state="complete", rows=number, sha256=digest, started_at=at, finished_at=at)
        snapshot.prove(proof)
        return proof

    def start(self, run_id: str, kind: Kind = "manual", night: dt.date = NIGHT, marked: Sequence[str] = ()) -> str | None:
        """A run from its first task to its last; the state that its row ends with."""
        self.glue.start(run_id, kind, night, send_email=self.mails)
        self.states[run_id] = {}
        return self._do(run_id, TASKS, marked)

    def clear(self, run_id: str, task: str, *, downstream: bool = True, marked: Sequence[str] = ()) -> str | None:
        """A task of a run once more, with everything after it or alone; those ``marked`` are given success by hand."""
        kind, night = self.glue.directory.rows("select kind, night from directory.sync_runs where run_id = %s", run_id)[0]
        self.glue.start(run_id, kind, night, send_email=self.mails)
        tasks = TASKS[TASKS.index(task) :] if downstream else [task]
        for one in tasks:
            self.states[run_id].pop(one, None)
        return self._do(run_id, tasks, marked)

    def _do(self, run_id: str, tasks: Sequence[str], marked: Sequence[str]) -> str | None:
        states = self.glue.tasks = self.states[run_id]
        stopped: str | None = None
        for task in tasks:
            if task in marked:
                states[task] = "success"
            elif stopped and task != "notify":
                states[task] = stopped
            else:
                try:
                    self._what(task)()
                    states[task] = "success"
                except AirflowSkipException:
                    states[task] = stopped = "skipped"
                except Exception:
                    states[task], stopped = "failed", "upstream_failed"
        return self.state(run_id)

    def _what(self, task: str) -> Callable[[], Any]:
        if task in EXTRACTS:
            return lambda: nightly.extract(nightly.EXTRACTS[task.removeprefix("extract.")])
        return self._approve if task == "approve" else getattr(nightly, task)

    def _approve(self) -> None:
        """As ``ApproveArchive`` does; without an answer the time runs out."""
        if not nightly.held_groups():
            return
        nightly.announce_hold(nightly.ask_held(), dt.timedelta(hours=1))
        if self.answer == "approve":
            nightly.approve_held("pat")
        else:
            nightly.reject_held("pat" if self.answer == "reject" else None)

    def state(self, run_id: str) -> str | None:
        """The state of a run's row."""
        rows = self.glue.directory.rows("select state from directory.sync_runs where run_id = %s", run_id)
        return rows[0][0] if rows else None

    def row(self, run_id: str) -> dict[str, Any]:
        """A run's row."""
        cursor = self.glue.directory.connection.execute("select * from directory.sync_runs where run_id = %s", (run_id,))
        assert cursor.description
        return dict(zip([column.name for column in cursor.description], cursor.fetchone() or (), strict=True))
