"""Loading: the plan made from snapshot, settings and directory, and carried out in one transaction."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pyarrow as pa
from psycopg.types.json import Jsonb

from include.mingasync.directory.archive import archive_leavers
from include.mingasync.directory.copying import copy_table
from include.mingasync.directory.counts import Counts, count_run
from include.mingasync.directory.lacking import count_lacking
from include.mingasync.directory.locking import lock_district
from include.mingasync.directory.naming import name_as_here, without_naming
from include.mingasync.directory.preview import taken_back
from include.mingasync.directory.rolls import stage_rolls
from include.mingasync.directory.runs import refuse_outdated, refuse_undone
from include.mingasync.directory.settling import settle, stage_shared
from include.mingasync.errors import LoadRefused
from include.mingasync.quality.unproven import Unproven, consequence, resting_kinds, why_unproven
from include.mingasync.rosters.grades import grade_code
from include.mingasync.run import Run
from include.mingasync.settings import LIST_KINDS, ROLES, Settings

log = logging.getLogger(__name__)

_SQL = Path(__file__).parent / "sql"
#: So many nights of the very same data are told of: longer than a long weekend.
_IDENTICAL_NIGHTS = 7
#: So many loaded nights back it is remembered whose a record is whose sourcedId could not be written.
_REMEMBERED_NIGHTS = 10
_STEPS = (
    "15_guard", "20_match", "25_unsure", "30_decide", "35_uncount", "40_leavers", "50_apply_people", "52_contacts",
    "54_forget_contacts", "56_settled", "58_names", "60_lists", "70_apply_lists", "80_members", "85_apply_members",
)  # fmt: skip


@dataclass(frozen=True)
class Desired:
    """What the snapshot and the settings ask for: one Arrow table per staging table, and what is proven.

    ``tables``: people, gone, set_aside, lists, members, unlisted, kept, unread, schools, terms (columns as in sql/10_stage.sql).
    ``unproven``: why each collection that proves nothing to be gone does not. While there is any, nobody leaves; the kinds of
    list that are made from one that is not whole rest. ``only_changes``: the night asked only for what changed, so that nobody
    is gone whose record is missing. ``lost_terms``: selected and not shared any more; their lists rest, as do those of
    ``resting_terms`` and ``resting_schools``, of which nobody can say what they were.
    """

    tables: Mapping[str, pa.Table]
    snapshot_at: dt.datetime
    lost_terms: Sequence[str] = ()
    resting_terms: Sequence[str] = ()
    resting_schools: Sequence[str] = ()
    unproven: Mapping[str, Unproven] = field(default_factory=dict)
    #: parents' contacts are wanted and not one came: they stay as they are
    contacts_rest: bool = False
    only_changes: bool = False
    #: the local date on which it was read; none: the run's night. A night that is read later meets the SIS of that day
    read_on: dt.date | None = None
    #: whose it is, see quality/whose.py
    identity: Mapping[str, Any] | None = None
    collections: Mapping[str, Any] = field(default_factory=dict)

    @property
    def unproven_because(self) -> str | None:
        """The causes with what follows from them, None when every collection is proven."""
        causes = why_unproven(self.unproven)
        return f"{causes} {consequence(resting_kinds(self.unproven))}" if causes else None


def load(connection: psycopg.Connection[Any], run: Run, run_no: int, settings: Settings, desired: Desired) -> Counts:
    """The counts of a run after its plan was made and carried out; of a preview, after it was carried out, kept and taken back.

    Everything happens in one transaction under the district's lock: it is all there or nothing is. Run again it finds
    nothing more to do. Raises LoadRefused when a newer snapshot is in the directory already, RunUndone when the run was
    undone. Archiving is planned here and carried out by ``archive``.
    """
    with connection.transaction(), psycopg.ClientCursor(connection) as cursor:
        lock_district(cursor, run.district)
        refuse_undone(connection, run_no)
        _refuse_older(cursor, run_no, desired.snapshot_at)
        _forget_undone_plan(cursor, run_no)
        if run.applies:
            _carry_out(cursor, run, run_no, settings, desired)
            lacking = count_lacking(connection, run.district)
        else:
            with taken_back(connection, run_no):
                _carry_out(cursor, run, run_no, settings, desired)
                archive_leavers(cursor, run, run_no)
                lacking = count_lacking(connection, run.district)
        counts = count_run(connection, run_no, lacking)
        cursor.execute("update directory.sync_runs set counts = %s where run_no = %s", (Jsonb(counts), run_no))
    return counts


def _carry_out(cursor: psycopg.Cursor[Any], run: Run, run_no: int, settings: Settings, desired: Desired) -> None:
    """Make the plan, apply it step by step, and keep its rows."""
    _stage(cursor, run, settings, desired)
    parameters = {
        "district": run.district,
        "run_no": run_no,
        "uncounted": run_no,
        "run_id": run.run_id,
        "night": run.night,
        "proven": not desired.unproven,
        "roles_rest": "users" in desired.unproven and desired.unproven["users"].rests,
        "unproven": Jsonb(_told(desired)),
        "only_changes": desired.only_changes,
        "lost_terms": list(desired.lost_terms),
        "frozen_terms": [*desired.lost_terms, *desired.resting_terms],
        "resting_schools": list(desired.resting_schools),
        "contacts_rest": desired.contacts_rest,
        "selected": _selected_terms(settings),
        "schools_set": list(settings.schools),
        "contact_schools": [row[0] for row in cursor.execute("select distinct school_id from s_rules where parent_contact")],
        "digests": Jsonb({name: size.get("sha256", "") for name, size in desired.collections.items()}),
        "identical_nights": _IDENTICAL_NIGHTS,
        "remembered_nights": _REMEMBERED_NIGHTS,
        "district_percent": settings.safety.archive_percent,
        "district_minimum": settings.safety.archive_minimum,
    }
    for step in _STEPS:
        if step == "60_lists":
            name_as_here(cursor, desired.tables["lists"])
        if step == "80_members":
            stage_rolls(cursor, desired.tables["members"])
        _run_sql(cursor, step, parameters)
        # The next statement's plan, and the next night's, rest on fresh statistics; a sample of the tables is read.
        if step == "50_apply_people" and _is_true(cursor, "select exists (select from new_people)"):
            cursor.execute(
                "analyze directory.people (person_id, district, sourced_id, role, status, include_in_sync, digest, parent_name,"
                " parent_email, parent_phone)"
            )
    if _is_true(cursor, "select exists (select from asked)"):
        cursor.execute("analyze directory.relink_proposals (district, person_id, sourced_id, state)")
    if _is_true(cursor, "select exists (select from list_match where is_new)"):
        cursor.execute(
            "analyze directory.user_lists (list_id, district, kind, source_id), directory.memberships (list_id, manager)"
        )
    # What an earlier attempt of this run did; the rows of this one come after.
    if _is_true(cursor, "select exists (select from directory.changes where run_no = %s and status = 'applied')", (run_no,)):
        _run_sql(cursor, "88_attempts", parameters)
    moved_before = _is_true(
        cursor, "select exists (select from directory.membership_changes where run_no = %s and status = 'applied')", (run_no,)
    )
    _run_sql(cursor, "90_record", parameters)
    if moved_before:
        _run_sql(cursor, "moves_of_attempts", parameters)
    for step in ("95_catalogue", "98_issues"):
        _run_sql(cursor, step, parameters)
    cursor.execute(
        """update directory.sync_runs
           set loaded_at = now(), snapshot_at = %s, collections = %s, identity = %s, proven = %s, unproven_because = %s,
               counts = %s
           where run_no = %s""",
        (desired.snapshot_at, Jsonb(dict(desired.collections)), Jsonb(desired.identity) if desired.identity else None,
         not desired.unproven, desired.unproven_because, Jsonb({"unchanged": _unchanged(cursor, run_no)}), run_no),
    )  # fmt: skip


def _told(desired: Desired) -> list[dict[str, str]]:
    """What the load tells of the collections that are not proven: those of which the data proof does not tell already."""
    follows = consequence(resting_kinds(desired.unproven))
    return [
        {"resource": name, "message": f"{why.reason} {follows}", "fix": why.fix}
        for name, why in sorted(desired.unproven.items())
        if not why.is_told
    ]


def forget_contacts(connection: psycopg.Connection[Any], district: str, settings: Settings) -> None:
    """Clear the parents' contacts that the settings do not want, where no run does it: a district may be paused or off."""
    with connection.transaction(), psycopg.ClientCursor(connection) as cursor:
        lock_district(cursor, district)
        query = "select distinct coalesce(school_ids[1], '') from directory.people where district = %s"
        schools = [row[0] for row in cursor.execute(query, (district,))]
        wanting = [one for one in schools if settings.for_school(one or None).include_primary_parent_contact]
        _run_sql(cursor, "54_forget_contacts", {"district": district, "contact_schools": wanting})


def _refuse_older(cursor: psycopg.Cursor[Any], run_no: int, snapshot_at: dt.datetime) -> None:
    """Refuse to load over a run whose data or settings are newer, whose night is later, or that was loaded since this one was."""
    refuse_outdated(cursor.connection, run_no)
    newer = cursor.execute(
        """select other.run_id, other.snapshot_at > %(snapshot_at)s
           from directory.sync_runs as own
           join directory.sync_runs as other on other.district = own.district and other.run_no <> own.run_no
           where own.run_no = %(run_no)s and other.loaded_at is not null
             and (other.snapshot_at > %(snapshot_at)s or other.settings_at > own.settings_at)
           order by other.snapshot_at desc limit 1""",
        {"run_no": run_no, "snapshot_at": snapshot_at},
    ).fetchone()
    if newer and newer[1]:
        raise LoadRefused(
            f"A newer snapshot was loaded already by run {newer[0]}; this older one would undo it. "
            "Nothing was changed and nothing needs to be done."
        )
    if newer:
        raise LoadRefused(
            f"Run {newer[0]} was loaded with newer settings than this run has. Nothing was changed. To load this run with the "
            "settings of now, clear its task open_run and everything after it."
        )


def _forget_undone_plan(cursor: psycopg.Cursor[Any], run_no: int) -> None:
    """An earlier attempt of the same run left rows that were not carried out; this attempt plans them anew."""
    cursor.execute("delete from directory.changes where run_no = %s and status not in ('applied', 'undone')", (run_no,))
    cursor.execute(
        "delete from directory.membership_changes where run_no = %s and status not in ('applied', 'undone')", (run_no,)
    )
    cursor.execute("delete from directory.sync_issues where run_no = %s and step = 'load'", (run_no,))


def _stage(cursor: psycopg.Cursor[Any], run: Run, settings: Settings, desired: Desired) -> None:
    _run_sql(cursor, "10_stage", {})
    for name, table in desired.tables.items():
        if name == "people":
            changed = settle(cursor, run.district, table, settings, contacts_rest=desired.contacts_rest)
            copy_table(cursor, "s_people", changed)
            if changed.num_rows:
                stage_shared(cursor, table)
        elif name != "members":  # staged once it is known who is who
            copy_table(cursor, f"s_{name}", without_naming(table) if name == "lists" else table)
    cursor.execute(
        "analyze s_people (n, sourced_id, role), s_lists (k, kind, school_id, source_id, owner_n), s_gone, s_set_aside, s_kept,"
        " s_unlisted, s_shared"
    )
    schools = {
        row[0]
        for row in cursor.execute(
            """select coalesce(school_ids[1], '') from s_people
               union select coalesce(school_id, '') from s_waiting
               union select coalesce(school_ids[1], '') from directory.people where district = %(district)s
               union select coalesce(school_id, '') from s_lists
               union select coalesce(school_id, '') from directory.user_lists where district = %(district)s
               union select ''""",
            {"district": run.district},
        )
    }
    rests, frozen_terms = resting_kinds(desired.unproven), {*desired.lost_terms, *desired.resting_terms}
    # Data of a quiet day are those of the rollover, whichever night they are read for.
    days = {run.night, desired.read_on or run.night}
    rules: list[tuple[Any, ...]] = []
    kinds: list[tuple[Any, ...]] = []
    for school in sorted(schools):
        own = settings.for_school(school or None)
        paused = any(settings.pauses(school or None, day) for day in days)
        adds_only = any((quiet := own.quiet_on(day)) is not None and quiet.mode == "additions_only" for day in days)
        for role in ROLES:
            toggles = getattr(own.roles, role)
            contact = own.include_primary_parent_contact
            rules.append(
                (school, role, toggles.roster and not paused, toggles.auto_update, toggles.archive,
                 own.safety.archive_percent, own.safety.archive_minimum, own.safety.absent_nights, contact, adds_only, paused)
            )  # fmt: skip
        on = {"class": own.class_lists.enabled, **{kind: getattr(own.auto_lists, kind) for kind in LIST_KINDS[1:]}}
        terms, grades = own.class_lists.terms, [grade_code(grade) for grade in own.class_lists.grades]
        # Subject and teacher lists follow every selected term at once: with one lost they would lose its part.
        follow_lost = bool(frozen_terms.intersection(terms))
        kinds.extend(
            (
                school,
                kind,
                adds_only,
                paused or kind in rests or (follow_lost and kind in ("subject", "teacher")),
                paused,
                terms,
                grades,
            )
            for kind, wanted in on.items()
            if wanted
        )
    cursor.executemany("insert into s_rules values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)", rules)
    cursor.executemany("insert into s_kinds values (%s, %s, %s, %s, %s, %s, %s)", kinds)


def _selected_terms(settings: Settings) -> list[str]:
    """The terms that the district or any of its schools selected and uses."""
    every = [settings, *(settings.for_school(school) for school in settings.schools)]
    using = [own for own in every if own.class_lists.enabled or own.auto_lists.subject or own.auto_lists.teacher]
    return sorted({term for own in using for term in own.class_lists.terms})


def _is_true(cursor: psycopg.Cursor[Any], query: LiteralString, parameters: tuple[Any, ...] = ()) -> bool:
    return cursor.execute(query, parameters).fetchone() == (True,)


def _unchanged(cursor: psycopg.Cursor[Any], run_no: int) -> dict[str, dict[str, int]]:
    """How many people by role and lists by kind the run looked at and left as they are, and those that rest."""
    unchanged: dict[str, dict[str, int]] = {"people": {}, "lists": {}}
    for group, name, number in cursor.execute((_SQL / "unchanged.sql").read_bytes(), {"run_no": run_no}):
        unchanged[group][name] = number
    return unchanged


def _run_sql(cursor: psycopg.Cursor[Any], step: str, parameters: Mapping[str, Any]) -> None:
    cursor.execute((_SQL / f"{step}.sql").read_bytes(), parameters or None)
