"""What the tasks of a nightly run do, each a function without arguments; heavy imports wait until they are needed,
because every task start reads this file."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import psycopg
from airflow.sdk.exceptions import AirflowSkipException

from include.mingasync.airflow_glue import context
from include.mingasync.airflow_glue.plain_words import in_plain_words
from include.mingasync.airflow_glue.reporting import report_counts, report_issues, report_night
from include.mingasync.district import District
from include.mingasync.errors import LoadRefused, MailRefused, MingaSyncError, RunUndone
from include.mingasync.run import Run, State

if TYPE_CHECKING:
    from include.mingasync.directory.archive import Group
    from include.mingasync.planning import Planning
    from include.mingasync.settings import Settings

log = logging.getLogger(__name__)

_READ_ANEW = "Once that is right, clear the task extract.orgs and everything after it: the SIS is read anew. "
#: Task -> the collections it reads, in the order in which they point at each other.
EXTRACTS: dict[str, list[str]] = {
    "orgs": ["orgs"],
    "terms": ["academicSessions"],
    "courses": ["courses"],
    "classes": ["classes"],
    "users": ["users"],
    "enrollments": ["enrollments"],
}


@contextmanager
def _step() -> Iterator[tuple[District, Run]]:
    """The district and run of the task."""
    with in_plain_words():
        district = context.this_district()
        yield district, context.this_run(district)


@contextmanager
def _opened(*, closes: bool = False) -> Iterator[tuple[District, Run, psycopg.Connection[Any], int]]:
    """As _step, with the directory and the run's number; what goes wrong is written into the run's row as its reason.

    A task of a run that was undone is skipped. A run that was closed is open again while its tasks are done once more down to
    ``notify``, which ``closes`` it; where one task alone is done again, the run is given its verdict anew.
    """
    from include.mingasync.directory import runs, schema

    with _step() as (district, run), context.directory() as connection:
        # A run that waited for an answer may go on with a later release than it began with.
        schema.bring_to_head(connection)
        run_no = runs.run_number(connection, run)
        if run_no is None:
            raise MingaSyncError("The run was never opened; clear the task open_run and everything after it.")
        try:
            if not closes:
                runs.refuse_undone(connection, run_no)
                _take_up(connection, run_no)
            yield district, run, connection, run_no
        except RunUndone as undone:
            raise AirflowSkipException(str(undone)) from None
        except MingaSyncError as error:
            if not runs.has_ended(connection, run_no):
                runs.note(connection, run_no, reason=str(error))
            raise
        if not closes:
            runs.reclose(connection, run_no)


def _take_up(connection: psycopg.Connection[Any], run_no: int) -> None:
    """Open a closed run again when it will be closed again, and may still be loaded."""
    from include.mingasync.directory import runs

    if runs.has_ended(connection, run_no) and _is_closed_later():
        try:
            runs.refuse_outdated(connection, run_no)
        except LoadRefused:
            return
        runs.reopen(connection, run_no)


def _is_closed_later() -> bool:
    """Whether the task that closes the run is still to come, as it is unless a task was cleared alone."""
    return context.states_of_tasks().get("notify") not in ("success", "failed", "skipped", "upstream_failed", "removed")


def open_run() -> dict[str, object]:
    """The run's number, kind and night; its row is made, the schema brought up to date, the settings stored with it.

    A run that has loaded keeps the settings that it loaded with.
    """
    from include.mingasync.directory import runs, schema

    with _step() as (district, run), context.directory() as connection:
        schema.bring_to_head(connection)
        run_no = runs.open_run(connection, run)
        try:
            runs.refuse_undone(connection, run_no)
        except RunUndone as undone:
            raise AirflowSkipException(str(undone)) from None
        _pass_over_outdated(connection, run_no)
        _take_up(connection, run_no)
        if not runs.has_loaded(connection, run_no):
            _read_settings(connection, district, run, run_no)
        log.info("Run %s of %s: kind %s, night %s", run_no, district.slug, run.kind, run.night)
        return {"run_no": run_no, "kind": run.kind, "night": run.night.isoformat()}


def _pass_over_outdated(connection: psycopg.Connection[Any], run_no: int) -> None:
    """Nothing while the run may still be loaded; else skip the task, and say so on the run if it loaded nothing itself."""
    from include.mingasync.directory import runs

    try:
        runs.refuse_outdated(connection, run_no)
    except LoadRefused as refusal:
        if not runs.has_loaded(connection, run_no):
            runs.finish_run(connection, run_no, "superseded", str(refusal))
        raise AirflowSkipException(str(refusal)) from None


def _pass_over_paused(
    connection: psycopg.Connection[Any], district: District, run: Run, run_no: int, read_at: dt.datetime
) -> None:
    """Nothing while data of a moment may be loaded; else skip the task, and say so on the run if it loaded nothing itself.

    A scheduled night that is taken up later meets the SIS of that day, which may be in the middle of its rollover.
    """
    from include.mingasync.directory import runs

    day = read_at.astimezone(ZoneInfo(district.timezone)).date()
    if because := runs.why_paused(run, runs.stored_settings(connection, run_no), day):
        because = f"{because} Nothing was changed."
        if not runs.has_loaded(connection, run_no):
            runs.finish_run(connection, run_no, "skipped", because)
        raise AirflowSkipException(because)


def _read_settings(connection: psycopg.Connection[Any], district: District, run: Run, run_no: int) -> None:
    """Store the settings as they are now with the run; skip it where they leave it nothing to do."""
    from include.mingasync.directory import issues, runs
    from include.mingasync.settings import read_settings, useless_recipients

    at = dt.datetime.now(dt.UTC)
    try:
        context.refuse_unknown_wishes()
        settings = read_settings(context.settings_text(district), district.settings_variable)
        context.sis_access(district)
    except MingaSyncError as error:
        runs.finish_run(connection, run_no, "failed", str(error))
        raise
    stored = settings.model_dump(mode="json", by_alias=True)
    url, accepted = context.snapshot_of(run).url, context.accepted()
    runs.note(connection, run_no, settings=stored, settings_at=at, snapshot_url=url, accepted=accepted)
    issues.of_recipients(connection, run, run_no, keys := useless_recipients(settings))
    if keys:
        log.warning("%s recipients are no addresses and get no mail: %s", len(keys), ", ".join(keys))
    if reason := _reason_to_skip(connection, run, settings):
        runs.finish_run(connection, run_no, "skipped", reason)
        raise AirflowSkipException(reason)


def _reason_to_skip(connection: psycopg.Connection[Any], run: Run, settings: Settings) -> str | None:
    """Why this run has nothing to do; None when it has."""
    from include.mingasync.directory import runs

    because = runs.why_skipped(connection, run, settings)
    return f"{because} Nothing was changed." if because else None


def extract(collections: list[str]) -> dict[str, int]:
    """Rows read per collection, now in the run's snapshot; a backfill replays the snapshot its night left."""
    from include.mingasync.contacts import Contacts, forget_unwanted
    from include.mingasync.directory import issues, runs
    from include.mingasync.oneroster.bases import bases_of
    from include.mingasync.oneroster.read import read_collection

    with _opened() as (district, run, connection, run_no):
        _pass_over_outdated(connection, run_no)
        snapshot = context.snapshot_of(run)
        # Data that stopped their night do so each time: they are replayed by nobody.
        if run.kind == "backfill" and snapshot.is_whole() and not issues.has_critical(connection, run_no):
            log.info("Replaying the snapshot of %s", snapshot.taken_at.isoformat())
            return {name: snapshot.proofs()[name].rows for name in collections}
        now = dt.datetime.now(dt.UTC)
        _pass_over_paused(connection, district, run, run_no, now)
        wanted = Contacts.of(runs.stored_settings(connection, run_no))
        loaded = runs.loaded_runs(connection, run.district, run_no)
        bases = bases_of(context.snapshots_root(), district, loaded, snapshot, wanted=wanted, now=now)
        access = context.sis_access(district)
        rows = {}
        for name in collections:
            proof = read_collection(
                name,
                district,
                access,
                snapshot,
                parents=wanted.any,
                bases=bases,
                # Whoever starts a run by hand wants to be sure: only the scheduled nights ask for changes.
                whole=run.kind != "nightly" or wanted.want_more_than(bases.previous),
            )
            if name == "users":
                # An SIS sends the parents of all or of none: those of a school that does not want them are not kept.
                proof = forget_unwanted(snapshot, wanted) or proof
            log.info("%s: %s rows, %s (%s)", name, proof.rows, proof.state, proof.reason or "proven")
            rows[name] = proof.rows
        return rows


def _planning(district: District, run: Run, connection: psycopg.Connection[Any], run_no: int) -> Planning:
    """The run with its snapshot, its settings, and what a person said with it."""
    from include.mingasync.directory import runs
    from include.mingasync.planning import Planning

    return Planning(
        connection,
        run,
        run_no,
        district,
        context.snapshot_of(run),
        runs.stored_settings(connection, run_no),
        accept_smaller=context.accepts_smaller(),
        accept_district=context.accepted_district(),
    )


def validate() -> dict[str, int]:
    """Issues found, by severity; records set aside are listed beside the snapshot."""
    with _opened() as (district, run, connection, run_no):
        _pass_over_outdated(connection, run_no)
        findings = _planning(district, run, connection, run_no).prove()
        report_issues(findings.issues, len(findings.set_aside))
        findings.refuse_critical(_READ_ANEW)
        return findings.counts


def transform() -> dict[str, int]:
    """Sizes of the people and lists that the snapshot and the settings ask for."""
    with _opened() as (district, run, connection, run_no):
        _pass_over_outdated(connection, run_no)
        sizes = _planning(district, run, connection, run_no).derive(context.snapshots_root())
        log.info("People %s, gone %s, lists %s, memberships %s", sizes.people, sizes.gone, sizes.lists, sizes.members)
        return {"people": sizes.people, "gone": sizes.gone, "lists": sizes.lists, "members": sizes.members}


def load() -> dict[str, object]:
    """The counts of the plan, now carried out (or, in a preview, only stored)."""
    from include.mingasync.directory import runs

    with _opened() as (district, run, connection, run_no):
        planning = _planning(district, run, connection, run_no)
        if planning.snapshot.is_whole():
            _pass_over_paused(connection, district, run, run_no, planning.snapshot.taken_at)
        try:
            counts = planning.load()
        except RunUndone:
            raise
        except LoadRefused as refusal:
            if not runs.has_loaded(connection, run_no):
                runs.finish_run(connection, run_no, "superseded", str(refusal))
            raise AirflowSkipException(str(refusal)) from None
        if run.applies:
            others = set(runs.going_on(connection, run.district)) - {run.run_id}
            context.forget_contacts(connection, run.district, planning.settings, others)
        report_counts(counts)
        return {"people": counts["people"], "lists": counts["lists"], "memberships": counts["memberships"]}


def held_groups() -> list[dict[str, Any]]:
    """What waits for an approval in this run; nothing in a preview, nor once a newer night decides about the same people."""
    from include.mingasync.directory import runs
    from include.mingasync.directory.archive import held

    with _opened() as (_, run, connection, run_no):
        return held(connection, run_no) if run.applies and runs.newer_run(connection, run_no) is None else []


def ask_held() -> list[dict[str, Any]]:
    """As held_groups, now kept as what a person is shown: an approval releases nobody else.

    Whose archive waits for no answer is archived before: an answer may take until the next night.
    """
    from include.mingasync.directory.archive import ask

    archive()
    with _opened() as (_, _, connection, run_no):
        return ask(connection, run_no)


def announce_hold(groups: list[dict[str, Any]], wait: dt.timedelta) -> None:
    """Show the run as held while it waits, and tell the recipients at once that an answer is needed within ``wait``."""
    from include.mingasync.airflow_glue.results_mail import mail_results
    from include.mingasync.directory import runs

    people = sum(group["people"] for group in groups)
    with _opened() as (district, run, connection, run_no):
        until = dt.datetime.now(dt.UTC) + wait
        runs.note(connection, run_no, state="held", reason=runs.waiting(people), answer_until=until)
        if run.send_email:
            try:
                mail_results(connection, district, run, asking=True)
            except MailRefused as refusal:
                # The night goes on waiting; the watchdog sends the mail once the server is back.
                log.warning("%s", refusal)


def approve_held(who: str, groups: Sequence[Group] | None = None) -> None:
    """Release the archives held in this run: all, or those of some schools and roles, while the others are rejected."""
    from include.mingasync.directory.archive import approve

    with _opened() as (_, _, connection, run_no):
        released = approve(connection, run_no, who, groups)
        log.info("%s held archives released", released)
        if not released and groups != []:
            log.warning("Nobody is archived by this approval: it came after another answer, or after a newer night was loaded")


def reject_held(who: str | None) -> None:
    """Write down that the archives held in this run were rejected, or, without ``who``, that nobody answered in time."""
    from include.mingasync.directory.archive import reject

    with _opened() as (_, _, connection, run_no):
        reject(connection, run_no, who)
        log.info("The held archives were %s; nobody was archived by them", "rejected" if who else "not answered in time")


def archive() -> dict[str, object]:
    """The counts of people per role after the planned archives were carried out."""
    from include.mingasync.directory.archive import archive as archive_leavers

    with _opened() as (_, run, connection, run_no):
        counts = archive_leavers(connection, run, run_no)
        log.info("Archived: %s", {role: own["archived"] for role, own in counts["people"].items()})
        return {role: own["archived"] for role, own in counts["people"].items()}


def notify() -> str:
    """The run's verdict, written into its row; the district is mailed once when it wants to be."""
    from include.mingasync.airflow_glue.announcing import announce_night
    from include.mingasync.airflow_glue.connection_mails import confirm
    from include.mingasync.airflow_glue.results_mail import mail_results
    from include.mingasync.results.mail import sentence, verdict
    from include.mingasync.results.night import read_night

    with _opened(closes=True) as (district, run, connection, run_no):
        state = _close(connection, run, run_no)
        # Before the mail, whose server may be down: whoever looks into the log of this task is told of the night first.
        night = read_night(connection, district, run.run_id, context.links(district, run))
        report_night(night, run, _broken())
        context.note(f"{verdict(night)}. {sentence(night)}", night.links)
        try:
            if state != "skipped" and run.send_email:
                mail_results(connection, district, run)
        finally:
            # After the results, which it may not keep from anybody.
            if run.applies and state in ("success", "completed_with_errors"):
                confirm(connection, district.slug)
        if announce_night(connection, district, run, run_no, state):
            log.info("Announced as the Asset %s", district.asset_uri)
        return state


def _close(connection: psycopg.Connection[Any], run: Run, run_no: int) -> str:
    """The state of a run whose tasks are all done; one that is closed already keeps its state."""
    from include.mingasync.directory import counts, runs

    state, reason, has_ended = connection.execute(
        "select state, reason, finished_at is not null or undone_at is not null from directory.sync_runs where run_no = %s",
        (run_no,),
    ).fetchone() or ("running", None, False)
    if has_ended:
        return str(state)
    runs.note(connection, run_no, answer_until=None)
    if broken := _broken():
        runs.note(connection, run_no, counts=counts.count_run(connection, run_no))
        runs.finish_run(connection, run_no, "failed", reason or f"Task {broken} failed; its log says why.")
        return "failed"
    verdict, words = _not_what_was_read(connection, run, run_no) or runs.verdict(connection, run_no)
    runs.finish_run(connection, run_no, verdict, words)
    return verdict


def _not_what_was_read(connection: psycopg.Connection[Any], run: Run, run_no: int) -> tuple[State, str] | None:
    """The verdict of a run that was read once more and loaded no more; None when what it read is what was loaded."""
    (loaded,) = connection.execute("select collections from directory.sync_runs where run_no = %s", (run_no,)).fetchone() or (
        None,
    )
    snapshot = context.snapshot_of(run)
    if not loaded or not snapshot.is_usable():
        return None
    if all(proof.sha256 == loaded.get(name, {}).get("sha256", "") for name, proof in snapshot.proofs().items()):
        return None
    return "failed", (
        "What was read last was never loaded: the task load did not run again, whatever state it has. The directory is as an "
        "earlier attempt of this run left it. Clear the task validate and everything after it."
    )


def _broken() -> str | None:
    """The task that failed, the first of them in the run's order; None when none did."""
    states = context.states_of_tasks()
    return next((task for wanted in ("failed", "upstream_failed") for task, was in states.items() if was == wanted), None)
