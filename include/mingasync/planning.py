"""From what a run read to its plan: the steps that a night's tasks take one by one, and *what if* takes at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import psycopg

from include.mingasync.directory import issues, runs
from include.mingasync.directory.counts import Counts
from include.mingasync.directory.desired import desired_from
from include.mingasync.directory.load import load
from include.mingasync.directory.proof import last_complete_sizes, whose
from include.mingasync.district import expectations_of
from include.mingasync.errors import CriticalData, SnapshotUnusable
from include.mingasync.oneroster.records import COLUMNS
from include.mingasync.quality import prove as proving
from include.mingasync.quality.unproven import standing_of
from include.mingasync.rosters.derive import Sizes, derive
from include.mingasync.snapshot import loaded_before

if TYPE_CHECKING:
    from include.mingasync.district import District
    from include.mingasync.run import Run
    from include.mingasync.settings import Settings
    from include.mingasync.snapshot import Snapshot


@dataclass(frozen=True)
class Planning:
    """A run on the way from its snapshot to its plan.

    ``accept_smaller`` and ``accept_district`` are what a person said with the run, as for ``desired_from``.
    """

    connection: psycopg.Connection[Any]
    run: Run
    run_no: int
    district: District
    snapshot: Snapshot
    settings: Settings
    accept_smaller: bool = False
    accept_district: str | None = None

    def prove(self) -> proving.Findings:
        """What is wrong with the snapshot, now kept beside it and with the run."""
        connection, run, snapshot = self.connection, self.run, self.snapshot
        snapshot.require_whole()
        frames = {name: snapshot.frame(name) for name in COLUMNS}
        sizes = last_complete_sizes(connection, run.district, self.run_no)
        findings = proving.prove(
            frames,
            night=run.night,
            sis_name=self.district.sis.name,
            unreadable=snapshot.unreadable(),
            previous_rows=sizes,
            known_until=runs.known_until(connection, run.district),
            standing=standing_of(snapshot, frames, sizes, self.settings, accept_smaller=self.accept_smaller),
            another_district=whose(
                connection, run.district, self.run_no, snapshot, accepted=self.accept_district, rostered=self.district.schools
            ),
            expectations=expectations_of(self.district.slug),
        )
        # What was found critical is no base for a plan, whatever state this task is given by hand.
        snapshot.write_json("validated", {"is_usable": not findings.critical})
        snapshot.write_frame("set_aside", findings.set_aside)
        snapshot.keep_data_docs(findings.data_docs)
        snapshot.require_as_read()
        issues.replace(connection, run, self.run_no, "validate", findings.issues)
        return findings

    def derive(self, root: str) -> Sizes:
        """The sizes of the people and lists that the proven snapshot and the settings ask for, now kept beside it.

        ``root``: where the snapshots of the nights before are.
        """
        run, snapshot = self.run, self.snapshot
        snapshot.require_whole()
        if not (snapshot.read_json("validated") or {}).get("is_usable"):
            raise CriticalData(
                "The data of this run was not found fit for use: its task validate found it critical or did not run, whatever "
                "state it has. Clear the task validate and everything after it. Nothing was changed."
            )
        loaded = runs.loaded_runs(self.connection, run.district, self.run_no)
        earlier = loaded_before(root, run.district, loaded, snapshot.taken_at)
        sizes = derive(snapshot, self.district, self.settings, run.night, earlier)
        snapshot.write_json("derived_with", self.settings.model_dump(mode="json", by_alias=True))
        snapshot.require_as_read()
        return sizes

    def load(self) -> Counts:
        """The counts of the plan, now carried out (or, in a preview, only stored); raises as ``directory.load``."""
        snapshot = self.snapshot
        if snapshot.read_json("derived_with") != self.settings.model_dump(mode="json", by_alias=True):
            raise SnapshotUnusable(
                "The people and lists of this run were made with other settings than it has now, or its task transform did not "
                "run, whatever state it has. Clear the task transform and everything after it. Nothing was changed."
            )
        desired = desired_from(
            self.connection,
            snapshot,
            self.run.district,
            self.run_no,
            accept_smaller=self.accept_smaller,
            accept_district=self.accept_district,
            rostered=self.district.schools,
            read_on=snapshot.taken_at.astimezone(ZoneInfo(self.district.timezone)).date(),
        )
        return load(self.connection, self.run, self.run_no, self.settings, desired)
