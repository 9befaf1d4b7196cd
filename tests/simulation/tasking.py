"""A run's tasks, carried out by the product's own functions; Airflow and the SIS are simulated, and so is the clock."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pyarrow as pa
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.mingasync.airflow_glue import context, nightly
from include.mingasync.directory import runs, schema
from include.mingasync.directory.archive import approve, reject
from include.mingasync.errors import MingaSyncError
from include.mingasync.oneroster.records import COLUMNS
from include.mingasync.quality import prove as proving
from include.mingasync.run import Run
from include.mingasync.snapshot import Proof, Snapshot
from tests.integration.directory.tasks import OAK, _broken_rules
from tests.integration.directory.world import Sis

NOTHING = proving.Findings(
    issues=pd.DataFrame(columns=proving._ISSUE).astype("string"),
    set_aside=pd.DataFrame(columns=proving._ASIDE, dtype="string"),
    data_docs=b"",
)
TASKS = ("open_run", "extract", "validate", "transform", "load", "approve", "archive", "notify")


class Killed(BaseException):
    """The worker died here."""


class _Dying:
    """What makes a cursor die before a certain statement, counted since ``Mortal.dies_in`` was set; None lives on.

    To be mixed into one of psycopg's cursors, which has the methods called here; mypy sees this class alone.
    """

    def _step(self) -> None:
        if Mortal.dies_in is not None:
            Mortal.dies_in -= 1
            if Mortal.dies_in < 0:
                Mortal.dies_in = None
                raise Killed

    def execute(self, query: Any, params: Any = None, **more: Any) -> Any:
        """As always."""
        self._step()
        return super().execute(query, params, **more)  # type: ignore[misc]

    def copy(self, *arguments: Any, **more: Any) -> Any:
        """As always."""
        self._step()
        return super().copy(*arguments, **more)  # type: ignore[misc]


class Mortal(_Dying, psycopg.Cursor[Any]):
    """The cursor that a connection gives, which may die."""

    dies_in: int | None = None


class MortalClient(_Dying, psycopg.ClientCursor[Any]):
    """The cursor that takes several statements at once, which may die."""


@dataclass(frozen=True)
class Pull:
    """What the SIS answers at a moment, and what is wrong with the answer."""

    sis: Sis
    proofs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    unreadable: Sequence[tuple[str, str]] = ()
    words: str = "whole"

    @property
    def is_clean(self) -> bool:
        """Whether nothing of it can be an error: no record of it is set aside."""
        known, orgs = {row["sourced_id"] for row in self.sis.terms}, {row["sourced_id"] for row in self.sis.orgs}
        return self.words == "whole" and all(
            row["school_id"] in orgs and known.issuperset(row["term_ids"]) for row in self.sis.classes
        )


@dataclass
class Job:
    """A run as Airflow knows it: its tasks' states, its configuration, and the settings when it was opened."""

    run: Run
    pull: Pull
    taken_at: dt.datetime
    conf: dict[str, Any] = field(default_factory=dict)
    states: dict[str, str | None] = field(default_factory=lambda: dict.fromkeys(TASKS))
    #: how a question about held archives is answered: approve, reject, some, none, wait
    answer: str = "none"
    #: what a task let out that no task may
    fault: str | None = None
    waits: bool = False
    #: the schools that the district's file named when people were made of what was read; none is all
    rostered: tuple[str, ...] = ()


@dataclass
class Airflow:
    """Carries out tasks; at any time one of them is current."""

    connection: psycopg.Connection[Any]
    folder: Path
    patch: pytest.MonkeyPatch
    settings: dict[str, Any]
    current: Job | None = None
    #: the schools that the district's file names
    rostered: tuple[str, ...] = ()

    def stand_in(self) -> None:
        """Answer the tasks' questions to Airflow from now on."""

        class DagRun:
            conf: Mapping[str, Any] = {}

        @contextmanager
        def directory() -> Iterator[psycopg.Connection[Any]]:
            yield self.connection

        def dag_run() -> dict[str, Any]:
            made = DagRun()
            made.conf = self.job.conf
            return {"dag_run": made}

        for name, answer in {
            "this_district": lambda: OAK.model_copy(update={"schools": self.rostered}),
            "this_run": lambda district: self.job.run,
            "settings_text": lambda district: json.dumps(self.settings),
            "sis_connection": lambda district: None,
            "sis_access": lambda district: None,
            "snapshots_root": self.folder.as_uri,
            "get_current_context": dag_run,
            "directory": directory,
            "announce": lambda district, extra: None,
            "note": lambda words, pages: None,
            "states_of_tasks": lambda: {task: state or "none" for task, state in self.job.states.items()},
            # It looks through every snapshot that there is; tests/integration/directory covers it.
            "forget_contacts": lambda *_: 0,
        }.items():
            self.patch.setattr(context, name, answer)
        self.patch.setattr(proving, "broken_rules", _broken_rules)
        self.patch.setattr(schema, "bring_to_head", lambda *_: None)
        self.patch.setattr(psycopg, "ClientCursor", MortalClient)
        self.connection.cursor_factory = Mortal

    @property
    def job(self) -> Job:
        """The job whose task is going on."""
        assert self.current is not None
        return self.current

    def carry_out(self, job: Job, tasks: Sequence[str] = TASKS) -> None:
        """Carry out tasks of a job in order; what follows one that failed or was skipped is not carried out, but for notify."""
        stopped: str | None = None
        for task in tasks:
            if stopped and task != "notify":
                job.states[task] = "upstream_failed" if stopped == "failed" else "skipped"
                continue
            if job.waits and task != "approve":
                return
            self.carry_out_one(job, task)
            if job.states[task] in ("failed", "skipped"):
                stopped = job.states[task]

    def carry_out_one(self, job: Job, task: str) -> None:
        """Carry out one task; Killed goes through, and leaves it to be tried again."""
        self.current = job
        job.states[task] = None
        if task == "transform":
            job.rostered = self.rostered
        work: Callable[[], object] = getattr(self, f"_{task}", None) or getattr(nightly, task)
        try:
            work()
        except AirflowSkipException:
            job.states[task] = "skipped"
        except (AirflowFailException, MingaSyncError) as error:
            job.states[task] = "failed"
            # Nothing ails the database: what it refuses is wrong in itself, though it is told in plain words.
            if isinstance(error.__context__, psycopg.Error):
                job.fault = f"{task}: {type(error.__context__).__name__}: {error.__context__}"[:600]
        except Exception as error:
            job.states[task] = "failed"
            job.fault = f"{task}: {type(error).__name__}: {error}"[:600]
        else:
            job.states[task] = "success"

    def _extract(self) -> None:
        """Read what the SIS answers; as the task extract, an outdated run reads nothing, a backfill replays what is there."""
        job = self.job
        with nightly._opened() as (_, run, connection, run_no):
            nightly._pass_over_outdated(connection, run_no)
            taken = context.snapshot_of(run)
            if run.kind == "backfill" and taken.is_whole():
                return
            for name, schema_ in COLUMNS.items():
                said = dict(job.pull.proofs.get(name, {}))
                sis = job.pull.sis
                rows = (
                    [] if said.get("state") == "absent" else ({"academicSessions": sis.terms}.get(name) or getattr(sis, name, []))
                )
                number, digest = taken.write(name, [pa.Table.from_pylist(rows, schema=schema_)])
                own = [(name, one, "it has 9 cells under 8 headers") for resource, one in job.pull.unreadable if resource == name]
                taken.keep_unreadable(name, own)
                plain = {
                    "state": "complete", "rows": number, "sha256": digest, "started_at": job.taken_at,
                    "finished_at": job.taken_at, "nameless": sum(not one for _, one, _ in own),
                }  # fmt: skip
                taken.prove(Proof(collection=name, **(plain | said)))

    def _approve(self) -> None:
        """Ask about held archives, and answer."""
        job = self.job
        groups = nightly.held_groups()
        if not groups:
            return
        nightly.ask_held()
        job.waits = job.answer == "wait"
        if job.waits:
            with nightly._opened() as (_, _, connection, run_no):
                runs.note(connection, run_no, state="held", reason="waits")
            return
        with nightly._opened() as (_, _, connection, run_no):
            if job.answer == "approve":
                approve(connection, run_no, "sam")
            elif job.answer == "some":
                approve(connection, run_no, "sam", [(groups[0]["school_id"], groups[0]["role"])])
            else:
                reject(connection, run_no, "sam" if job.answer == "reject" else None)

    def _notify(self) -> None:
        """Close the run with the verdict that it has earned."""
        with nightly._opened(closes=True) as (_, run, connection, run_no):
            nightly._close(connection, run, run_no)

    def _validate(self) -> None:
        """Prove the data. To save time, of pulls without an error only every third is looked at: nothing is set aside of the others."""
        job = self.job
        is_looked_at = not job.pull.is_clean or job.taken_at.minute % 3 == 0
        with pytest.MonkeyPatch.context() as patch:
            if not is_looked_at:
                patch.setattr(proving, "prove", lambda *_, **__: NOTHING)
            nightly.validate()

    def snapshot(self, run: Run) -> Snapshot:
        """What a run read."""
        return Snapshot.of(self.folder.as_uri(), run.district, run.run_id)
