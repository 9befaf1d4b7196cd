"""Whole nights by the very functions of the tasks, from a snapshot to the verdict, without Airflow around them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pyarrow as pa
import pytest
from airflow.sdk.exceptions import AirflowFailException

from include.mingasync.airflow_glue import context, nightly
from include.mingasync.directory import runs
from include.mingasync.district import District
from include.mingasync.errors import CriticalData
from include.mingasync.oneroster.access import Access
from include.mingasync.oneroster.records import COLUMNS
from include.mingasync.quality import prove as proving
from include.mingasync.run import Kind, Run
from include.mingasync.snapshot import Proof, Snapshot
from tests.integration.directory.world import (
    DISTRICT,
    NIGHT,
    Directory,
    Sis,
    enrollment,
    everything_on,
    klass,
    school,
    term,
    user,
)

OAK = District.model_validate(
    {
        "slug": DISTRICT,
        "name": "Oak",
        "timezone": "UTC",
        "sis": {"name": "Skyward"},
        "contact": {"name": "Sam", "email": "sam@example.org"},
    }
)
Issue = tuple[str, str, str | None, str, str, str]


@dataclass(frozen=True)
class Told:
    """How a night ended: its state, its reason, its counts, and its issues as (severity, resource, sourced_id, rule, message, fix)."""

    state: str
    reason: str
    counts: dict[str, Any]
    issues: list[Issue]

    def rules(self, severity: str = "error") -> list[str]:
        """The rules that were broken, in order, once per issue."""
        return sorted(issue[3] for issue in self.issues if issue[0] == severity)


@dataclass
class Tasks:
    """A district whose nights are run task by task."""

    directory: Directory
    folder: Path
    patch: pytest.MonkeyPatch
    district: District = OAK
    snapshots: list[Snapshot] = field(default_factory=list)
    #: where the district's SIS answers, for nights that are really read
    access: Access | None = None

    def take(
        self,
        sis: Sis,
        run: Run,
        proofs: Mapping[str, Mapping[str, Any]],
        unreadable: Sequence[tuple[str, str]] = (),
    ) -> Snapshot:
        """What a pull of the SIS leaves; ``proofs`` says what is different in which collection's proof."""
        taken, now = Snapshot.of(self.folder.as_uri(), run.district, run.run_id), dt.datetime.now(dt.UTC)
        for name, schema in COLUMNS.items():
            said = dict(proofs.get(name, {}))
            came = said.get("state") != "absent"
            rows = ({"academicSessions": sis.terms}.get(name) or getattr(sis, name, [])) if came else []
            number, digest = taken.write(name, [pa.Table.from_pylist(rows, schema=schema)])
            own = [
                (name, sourced_id, "it has 9 cells under 8 headers") for resource, sourced_id in unreadable if resource == name
            ]
            taken.keep_unreadable(name, own)
            plain = {"state": "complete", "rows": number, "sha256": digest, "started_at": now, "finished_at": now}
            plain["nameless"] = sum(not sourced_id for _, sourced_id, _ in own)
            taken.prove(Proof(collection=name, **(plain | said)))
        self.snapshots.append(taken)
        return taken

    def night(
        self,
        sis: Sis,
        *,
        proofs: Mapping[str, Mapping[str, Any]] | None = None,
        unreadable: Sequence[tuple[str, str]] = (),
        conf: Mapping[str, Any] | None = None,
        kind: Kind | None = None,
        night: dt.date = NIGHT,
        run_id: str | None = None,
    ) -> Told:
        """A night from its snapshot to its verdict, with the run configuration given; one that is critical ends there."""
        run = self._run(kind, night, run_id)
        self._stand_in(run, dict(conf or {}))
        nightly.open_run()
        if run_id is None or not Snapshot.of(self.folder.as_uri(), run.district, run.run_id).is_whole():
            self.take(sis, run, proofs or {}, unreadable)
        return self._carry_on(run)

    def read_night(self, *, conf: Mapping[str, Any] | None = None, night: dt.date = NIGHT) -> Told:
        """A night whose collections are read from the SIS at ``access``."""
        run = self._run(None, night, None)
        self._stand_in(run, dict(conf or {}))
        nightly.open_run()
        for collections in nightly.EXTRACTS.values():
            nightly.extract(collections)
        return self._carry_on(run)

    def _run(self, kind: Kind | None, night: dt.date, run_id: str | None) -> Run:
        """The next run of the district: by hand the first time (docs/behaviours.md, B4)."""
        number = self.directory.value("select count(*) from directory.sync_runs")
        loaded = self.directory.value("select count(*) from directory.sync_runs where loaded_at is not null")
        return Run(
            self.district.slug,
            run_id or f"run-{number}",
            kind or ("nightly" if loaded else "manual"),
            dt.datetime.combine(night, dt.time(8), dt.UTC),
            night,
        )

    def _carry_on(self, run: Run) -> Told:
        broken = None
        try:
            nightly.validate()
        except CriticalData as error:
            raise AssertionError(f"a task let a fault out in no words for people: {error}") from error
        except AirflowFailException:
            broken = "validate"
        if broken is None:
            nightly.transform()
            nightly.load()
            nightly.archive()
        return self.told(run, broken)

    def go_on(self, run_id: str) -> None:
        """Let the tasks after the validation of a run that failed run all the same, as far as they come."""
        kind, at, night = self.directory.rows(
            "select kind, logical_date, night from directory.sync_runs where run_id = %s", run_id
        )[0]
        self._stand_in(Run(self.district.slug, run_id, kind, at, night), {})
        for task in (nightly.transform, nightly.load, nightly.archive):
            try:
                task()
            except AirflowFailException:
                return

    def told(self, run: Run, broken: str | None = None) -> Told:
        """How the run stands once its last task is done."""
        run_no = runs.run_number(self.directory.connection, run)
        assert run_no is not None
        if broken:
            runs.note(self.directory.connection, run_no, state="failed")
        else:
            state, words = runs.verdict(self.directory.connection, run_no)
            runs.finish_run(self.directory.connection, run_no, state, words)
        state, reason, counts = self.directory.rows(
            "select state, reason, counts from directory.sync_runs where run_no = %s", run_no
        )[0]
        issues = self.directory.rows(
            "select severity, resource, sourced_id, rule, message, fix from directory.sync_issues where run_no = %s"
            " order by 1, 2, 3, 4, 5",
            run_no,
        )
        return Told(state, reason or "", counts or {}, issues)

    def _stand_in(self, run: Run, conf: dict[str, Any]) -> None:
        """Answer the tasks' questions to Airflow."""

        class DagRun:
            def __init__(self) -> None:
                self.conf = conf

        @contextmanager
        def directory() -> Iterator[psycopg.Connection[Any]]:
            yield self.directory.connection

        settings = json.dumps(self.directory.settings)
        for name, answer in {
            "this_district": lambda: self.district,
            "this_run": lambda district: run,
            "settings_text": lambda district: settings,
            "sis_connection": lambda district: None,
            "sis_access": lambda district: self.access,
            "snapshots_root": self.folder.as_uri,
            "get_current_context": lambda: {"dag_run": DagRun()},
            "directory": directory,
            "announce": lambda district, extra: None,
            "note": lambda words, pages: None,
        }.items():
            self.patch.setattr(context, name, answer)
        # What great-expectations finds is looked at elsewhere; here it would cost most of the time.
        self.patch.setattr(proving, "broken_rules", _broken_rules)


def _broken_rules(checks: Mapping[str, pd.DataFrame], *_: object) -> tuple[set[str], bytes]:
    return {f"{resource}.{name}" for resource, frame in checks.items() for name in frame if not frame[name].all()}, b""


def oak() -> Sis:
    """Two schools of a district with every kind of list: classes of the same title, a class named after its course, a human with
    a record at each school, a co-teacher, the only student of a grade, the only one of the staff, somebody of the whole district."""
    both = {"identifier": "id-both", "email": "both@example.org", "username": "both", "given_name": "Bo", "family_name": "Both"}
    people = [
        *(user(f"s{one}") for one in range(1, 6)),
        user("s6", grades=["10"]),
        *(user(f"s{one}", schools=["S2"]) for one in range(7, 10)),
        user("both1", schools=["S1"], **both),
        user("both2", schools=["S2"], **both),
        user("t1", "teacher"), user("t2", "teacher"), user("t3", "teacher", ["S2"]), user("co", "teacher"),
        user("aide", "aide", ["S2"]), user("boss", "administrator", ["D1"]),
    ]  # fmt: skip
    of = {"A": ["s1", "s2", "s3", "both1"], "B": ["s3", "s4", "s6"], "C": ["s7", "s8", "both2"], "E": ["s5"], "P": ["s9"]}
    taught = {"A": ["t1", "co"], "B": ["t1"], "C": ["t3"], "E": ["t2"], "P": ["t3"]}
    return Sis(
        users=people,
        orgs=[
            {"sourced_id": "D1", "status": "active", "name": "Oak Unified", "type": "district"},
            *(school(one) | {"parent_id": "D1"} for one in ("S1", "S2")),
        ],
        terms=[term("T1"), term("T2", start_date="2027-01-04", end_date="2027-06-11")],
        courses=[
            {"sourced_id": "K1", "status": "active", "title": "Algebra", "org_id": "D1", "grades": ["9"], "subjects": ["Math"]},
            {"sourced_id": "K2", "status": "active", "title": "World History", "org_id": "D1", "subjects": ["History"]},
        ],
        classes=[
            klass("A", title=None, class_code="AL-1", course_id="K1", periods=["1"]),
            klass("B", title="History", course_id="K2", periods=["2"]),
            klass("C", "S2", title="History", course_id="K2", periods=["2"], grades=["09"]),
            klass("E", title="History", course_id="K2", periods=["5"]),
            klass("P", "S2", terms=["T2"], title="Pottery", subjects=["Art"]),
        ],
        enrollments=[
            *(enrollment(one, who) for one, members in of.items() for who in members),
            *(enrollment(one, who, "teacher", primary=who != "co") for one, own in taught.items() for who in own),
        ],
    )


def every_list(*terms: str) -> dict[str, Any]:
    """Settings with every kind of list on and every archive without limit; the classes of these terms."""
    return everything_on(
        class_lists={"enabled": True, "terms": list(terms or ("T1",))},
        auto_lists=dict.fromkeys(("role", "grade", "subject", "teacher"), True),
    )
