"""A district's life: its steps carried out one after the other, each looked at by the judge."""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from include.mingasync.directory import runs as history
from include.mingasync.directory.undo import undo
from include.mingasync.errors import MingaSyncError
from include.mingasync.run import Run
from tests.simulation import hands as by_hand
from tests.simulation import luck
from tests.simulation import world as living
from tests.simulation.hands import ACTS, Hands
from tests.simulation.seeing import State, look
from tests.simulation.steps import Step
from tests.simulation.tasking import TASKS, Airflow, Job, Killed, Mortal, Pull
from tests.simulation.world import EVENTS

DISTRICT = "oak"
TABLES = (
    "people", "user_lists", "memberships", "changes", "membership_changes", "sync_runs", "schools", "terms", "field_pins",
    "membership_overrides", "relink_proposals", "absences", "approvals", "sync_issues", "mails",
)  # fmt: skip
_ANSWERS = ("none", "approve", "reject", "some", "wait", "approve")
#: What the district's file may name as schools.
_ROSTERED: tuple[tuple[str, ...], ...] = ((), ("S1",), ("S2",), ("S1", "S2"))


@dataclass
class Fact:
    """What a step did, for the judge."""

    step: Step
    words: str
    #: event, hand, runs, undo, restore or nothing
    kind: str
    before: State
    after: State
    #: the runs whose tasks were carried out, in order
    jobs: list[Job] = field(default_factory=list)
    #: the run that was undone, and whether anything else was done since it
    undone: str | None = None
    state_before_undone: State | None = None
    #: states that must be equal, under the name of the invariant
    same: list[tuple[str, Any, Any]] = field(default_factory=list)


@dataclass
class Life:
    """One district on a database of its own."""

    connection: psycopg.Connection[Any]
    folder: Path
    patch: pytest.MonkeyPatch
    world: living.World = field(default_factory=living.first_world)
    hands: Hands = field(default_factory=Hands)
    settings: dict[str, Any] = field(default_factory=by_hand.first_settings)
    jobs: list[Job] = field(default_factory=list)
    #: the state before each run, and the number of deeds done when it was over
    before: dict[str, tuple[State, int]] = field(default_factory=dict)
    deeds: int = 0
    minutes: int = 0
    state: State = field(init=False)
    dump: Any = None

    def __post_init__(self) -> None:
        self.connection.execute(f"truncate {', '.join(f'directory.{one}' for one in TABLES)} restart identity cascade")
        shutil.rmtree(self.folder, ignore_errors=True)
        self._live_beside()
        self.airflow = Airflow(self.connection, self.folder, self.patch, self.settings)
        self.airflow.stand_in()
        self.state = look(self.connection)

    def _live_beside(self) -> None:
        """Another district of the same database, with the same sourcedIds, names and keys."""
        self.connection.execute(
            """insert into directory.people (district, source, sourced_id, sourced_ids, role, given_name, family_name, email,
                                             identifier, username, school_ids, include_in_sync)
               values ('elm', 'sis', 'u0-1', '{u0-1}', 'student', 'Ada', 'Reyes', 'ada@example.org', 'n0', 'ada.0', '{S1}', true),
                      ('elm', 'manual', null, '{}', 'teacher', 'Ira', 'Lund', 'ira@example.org', null, null, '{S1}', false)"""
        )
        self.connection.execute(
            "insert into directory.user_lists (district, school_id, kind, source_id, name, synced_name, term_ids)"
            " values ('elm', 'S1', 'class', 'A', 'Algebra', 'Algebra', '{T1}'), ('elm', 'S1', 'role', 'student', 'Students', 'Students', '{}')"
        )

    def take(self, step: Step) -> Fact:
        """What a step did."""
        before = self.state
        if step.what in EVENTS:
            words = living.happen(self.world, step.what, step.a, step.b, step.c)
            return Fact(step, words or "nothing happens", "event", before, before)
        if step.what == "days":
            self.world.night += dt.timedelta(days=(1, 7, 30)[step.a % 3])
            return Fact(step, f"it is {self.world.night}", "event", before, before)
        if step.what in ("setting", "school_setting"):
            at = living.SCHOOLS[step.c % 2] if step.what == "school_setting" else None
            a = step.a % 20 + 1 if at else step.a
            words = by_hand.choose(self.settings, self.world.night, a, step.b, at)
            self.deeds += 1
            return Fact(step, words, "event", before, before)
        if step.what == "schools":
            self.airflow.rostered = _ROSTERED[step.a % len(_ROSTERED)]
            self.deeds += 1
            words = f"the district's file names {' and '.join(self.airflow.rostered) or 'no school, which is all'}"
            return Fact(step, words, "event", before, before)
        fact = Fact(step, "nothing is done", "nothing", before, before)
        if step.what in ACTS:
            done = by_hand.lend(self.connection, self.hands, before, self.world.humans, step.what, step.a, step.b, step.c)
            fact.kind, fact.words = ("hand", done) if done else ("nothing", "nothing is done")
        else:
            fact.kind = "runs"
            getattr(self, f"_{step.what}")(fact, step.a, step.b, step.c)
        if fact.kind != "nothing":
            fact.after = self.state = look(self.connection)
            self.deeds += 1
            # Of two runs that worked in one step nobody looked at what was between them.
            if len([job for job in fact.jobs if job.conf.get("mode") != "preview"]) == 1:
                for job in fact.jobs:
                    self.before.setdefault(job.run.run_id, (before, self.deeds))
        return fact

    def _job(self, pull: Pull, answer: str = "none", **more: Any) -> Job:
        """A new run of tonight."""
        self.minutes += 1
        number = len(self.jobs)
        loaded = any(row["loaded_at"] for row in self.state.runs.values())
        night = more.pop("night", self.world.night)
        kind = more.pop("kind", "nightly" if loaded else "manual")
        at = dt.datetime.combine(night, dt.time(2), dt.UTC)
        taken_at = dt.datetime.combine(self.world.night, dt.time(2), dt.UTC) + dt.timedelta(minutes=self.minutes)
        job = Job(Run(DISTRICT, f"run-{number}", kind, at, night), pull, taken_at, answer=answer, **more)
        self.jobs.append(job)
        return job

    def _whole(self) -> Pull:
        return luck.whole(self.world.sis())

    def _next_day(self) -> None:
        self.world.night += dt.timedelta(days=1)

    def _go(self, fact: Fact, job: Job, tasks: Sequence[str] = TASKS) -> None:
        if job not in fact.jobs:
            fact.jobs.append(job)
        self.airflow.carry_out(job, tasks)

    def _night(self, fact: Fact, a: int, b: int, c: int) -> None:
        job = self._job(self._whole(), _ANSWERS[b % len(_ANSWERS)])
        if a % 12 == 0:
            job.conf["accept_smaller"] = True
        self._go(fact, job)
        fact.words = f"a night ({job.run.run_id}, {job.run.night}{', accept_smaller' if job.conf else ''}, answer {job.answer})"
        self._next_day()

    def _bad_night(self, fact: Fact, a: int, b: int, c: int) -> None:
        job = self._job(luck.spoilt(self.world.sis(), a, b), _ANSWERS[c % len(_ANSWERS)])
        if c % 8 == 0:
            job.conf["accept_smaller"] = True
        self._go(fact, job)
        fact.words = f"a night ({job.run.run_id}) of a pull with {job.pull.words}{', accept_smaller' if job.conf else ''}"
        self._next_day()

    def _killed_night(self, fact: Fact, a: int, b: int, c: int) -> None:
        """A night whose worker dies before some statement of some task, which is then tried again; the twin was not killed."""
        job = self._job(self._whole(), ("none", "approve")[c % 2])
        with self.connection.transaction(force_rollback=True):
            self.airflow.carry_out(job)
            clean = look(self.connection).without_numbers()
        again = Job(job.run, job.pull, job.taken_at, dict(job.conf), answer=job.answer)
        self.jobs[-1] = again
        fact.jobs.append(again)
        shutil.rmtree(self.folder / DISTRICT / job.run.run_id, ignore_errors=True)
        Mortal.dies_in = a * 60 // 10 + b
        killed = None
        for place, task in enumerate(TASKS):
            try:
                self.airflow.carry_out(again, [task])
            except Killed:
                killed = task
                Mortal.dies_in = None
                self.airflow.carry_out(again, TASKS[place:])
                break
            if again.states[task] in ("failed", "skipped"):
                self.airflow.carry_out(again, ["notify"])
                break
        Mortal.dies_in = None
        fact.same.append(("a_kill_ends_as_a_clean_run", clean, look(self.connection).without_numbers()))
        fact.words = f"a night ({again.run.run_id}) killed in {killed or 'no task'}, and tried again"
        self._next_day()

    def _preview(self, fact: Fact, a: int, b: int, c: int) -> None:
        """A preview, and then the run that it showed."""
        pull = self._whole()
        job = self._job(pull, kind="preview", conf={"mode": "preview"})
        self._go(fact, job)
        after = look(self.connection)
        fact.same.append(("a_preview_changes_nothing", fact.before.content(), after.content()))
        shown = self._plan(job.run.run_id)
        run = self._job(pull, kind="manual")
        self._go(fact, run)
        if job.states["load"] == "success" and run.states["load"] == "success":
            fact.same.append(("a_preview_is_the_run", shown, self._plan(run.run_id if isinstance(run, Run) else run.run.run_id)))
        fact.words = f"a preview ({job.run.run_id}) and the same by hand ({run.run.run_id})"
        self._next_day()

    def _plan(self, run_id: str) -> list[Any]:
        """The rows of a plan, with what new entries are in place of their numbers."""
        rows = self.connection.execute(
            """select entity, c.school_id, c.role, action, case when c.status = 'planned' then 'applied' else c.status end, reason,
                      case when action = 'create' or entity = 'membership' then '' else entity_id end, before::text, after::text,
                      case when entity = 'membership' then (select source_id from directory.user_lists as l where l.list_id = c.list_id) end
               from directory.sync_changes as c where run_id = %s and district = %s
               order by 1, 2, 3, 4, 5, 6, 7, 8, 9""",
            (run_id, DISTRICT),
        ).fetchall()
        return [row[:9] for row in rows]

    def _two_runs(self, fact: Fact, a: int, b: int, c: int) -> None:
        """A run that stops in the middle, another that goes on from its start to its end, and then the rest of the first."""
        # Of three times twice somebody leaves for the one night only, and the first run stops just before it archives them.
        gone = self._someone_here(a) if b % 3 else None
        records = copy.deepcopy(gone.records) if gone else []
        left = living.happen(self.world, "leave", a, b, c) if gone else None
        first = self._job(self._whole(), "approve" if gone else "none")
        middle = TASKS.index("archive") if gone else 1 + a % (len(TASKS) - 2)
        self._go(fact, first, TASKS[:middle])
        if gone:
            gone.records, happened = records, f"{gone.given} is back"
        else:
            happened = living.happen(self.world, "leave", b, c, 0) or "nothing happens"
        self._next_day()
        second = self._job(self._whole(), ("none", "approve")[c % 2], kind="manual" if b % 4 else "nightly")
        self._go(fact, second)
        between = look(self.connection)
        stopped = next((state for state in first.states.values() if state in ("failed", "skipped")), None)
        self.airflow.carry_out(first, TASKS[middle:] if stopped is None else ["notify"])
        if second.states["load"] == "success":
            fact.same.append(("an_older_run_decides_nothing", between.content(), look(self.connection).content()))
        fact.words = (
            f"{left or 'nobody leaves'}, {first.run.run_id} stops before {TASKS[middle]}, {happened}, {second.run.run_id} goes through,"
            " and the first goes on"
        )
        self._next_day()

    def _someone_here(self, number: int) -> living.Human | None:
        here = [one for one in self.world.humans if one.is_here]
        return here[number % len(here)] if here else None

    def _clear(self, fact: Fact, a: int, b: int, c: int) -> None:
        """A task of any run is cleared, alone or with all that follows."""
        if not self.jobs:
            fact.kind = "nothing"
            return
        job = self.jobs[-1 - a % min(len(self.jobs), 4)]
        start = b % len(TASKS)
        tasks = TASKS[start:] if c % 3 else TASKS[start : start + 1]
        newest, row = fact.before.newest_loaded(), fact.before.runs.get(job.run.run_id)
        is_old = newest is not None and newest["run_id"] != job.run.run_id
        is_undone = row is not None and row["undone_at"] is not None
        if TASKS[start] == "extract" and not is_old:
            job.pull = self._whole()
        job.waits = False
        job.answer = _ANSWERS[c % len(_ANSWERS)]
        if "extract" in tasks:
            self.minutes += 1
            if not is_old:
                job.taken_at = dt.datetime.combine(self.world.night, dt.time(2), dt.UTC) + dt.timedelta(minutes=self.minutes)
        for task in tasks:
            job.states[task] = None
        self._go(fact, job, tasks)
        decides = row is not None and newest is not None and (row["loaded_at"] is not None or job.run.night < newest["night"])
        if (is_old and decides) or is_undone:
            fact.same.append(("an_older_run_decides_nothing", fact.before.content(), look(self.connection).content()))
        fact.words = f"{tasks[0]}{' and all after it' if len(tasks) > 1 else ' alone'} of {job.run.run_id} is cleared"

    def _backfill(self, fact: Fact, a: int, b: int, c: int) -> None:
        """A night of the past is asked for once more: replayed, read now, or passed over."""
        failed = [one for one in self.jobs if fact.before.runs.get(one.run.run_id, {}).get("state") == "failed"]
        newest = fact.before.newest_loaded()
        if failed and a % 2:
            job = failed[a % len(failed)]
            run = Run(DISTRICT, job.run.run_id, "backfill", job.run.logical_date, job.run.night)
            job = Job(run, job.pull, job.taken_at)
            self.jobs.append(job)
        else:
            job = self._job(self._whole(), kind="backfill", night=self.world.night - dt.timedelta(days=1 + b % 4))
        self._go(fact, job)
        if newest is not None and job.run.night < newest["night"]:
            fact.same.append(("an_older_run_decides_nothing", fact.before.content(), look(self.connection).content()))
        fact.words = f"a backfill of the night {job.run.night} ({job.run.run_id})"

    def _undo(self, fact: Fact, a: int, b: int, c: int) -> None:
        loaded = [one for one, row in fact.before.runs.items() if row["loaded_at"] is not None and row["finished_at"] is not None]
        if not loaded:
            fact.kind = "nothing"
            return
        target = loaded[-1 - (a // 3) % min(len(loaded), 3) if a % 3 == 0 else -1]
        number = len([one for one in fact.before.runs if one.startswith("undo-")])
        run = Run(
            DISTRICT,
            f"undo-{number}-{self.minutes}",
            "undo",
            dt.datetime.combine(self.world.night, dt.time(3), dt.UTC),
            self.world.night,
        )
        self.minutes += 1
        run_no = history.open_run(self.connection, run)
        fact.undone, fact.kind = target, "undo"
        try:
            undo(self.connection, run, run_no, target)
        except MingaSyncError as refusal:
            history.finish_run(self.connection, run_no, "failed", str(refusal))
        else:
            history.finish_run(self.connection, run_no, "success", None)
            was, deeds = self.before.get(target, (None, -1))
            jobs = [one for one in self.jobs if one.run.run_id == target]
            if was is not None and deeds == self.deeds and len(jobs) == 1:
                fact.state_before_undone = was
        fact.words = f"{target} is undone"

    def _restore_dump(self, fact: Fact, a: int, b: int, c: int) -> None:
        """The database goes back to a dump of an earlier day; the snapshots, Airflow and the SIS do not."""
        if self.dump is None or a % 2 == 0:
            content = {}
            for one in TABLES:
                with self.connection.cursor() as cursor, cursor.copy(f"copy directory.{one} to stdout (format binary)") as out:
                    content[one] = b"".join(bytes(part) for part in out)
            self.dump = content, copy.deepcopy(self.hands)
            fact.words = "the database is dumped"
            return
        content, remembered = self.dump
        with self.connection.transaction():
            self.connection.execute("set local session_replication_role = replica")
            self.connection.execute(f"truncate {', '.join(f'directory.{one}' for one in TABLES)}")
            for one, rows in content.items():
                with self.connection.cursor() as cursor, cursor.copy(f"copy directory.{one} from stdin (format binary)") as into:
                    into.write(rows)
        self.hands = copy.deepcopy(remembered)
        self.before.clear()
        fact.kind, fact.words = "restore", "the dump is restored"

    def close(self) -> None:
        """Leave nothing behind."""
        with contextlib.suppress(OSError):
            shutil.rmtree(self.folder)
