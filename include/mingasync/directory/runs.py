"""The OneRoster History: a row per run, from its opening to its verdict."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from include.mingasync.errors import LoadRefused, MingaSyncError, RunUndone
from include.mingasync.run import Run, State
from include.mingasync.settings import Settings

Connection = psycopg.Connection[Any]


def open_run(connection: Connection, run: Run, *, rehearsed: bool = False) -> int:
    """The run's number; its row is made when it is the first attempt, and says running again while it was not closed.

    A run that was closed, or waits for an answer, stays as it is: who opens it anew may have nothing more to do.
    ``rehearsed``: within a transaction that is taken back, which holds what it locks until then; so nobody is waited for.
    """
    with connection.transaction():
        if not rehearsed:
            _wait_for_erasing(connection, run.district)
        row = connection.execute(
            """
            insert into directory.sync_runs (district, run_id, kind, logical_date, night)
            values (%s, %s, %s, %s, %s)
            on conflict (district, run_id) do update set state = 'running', reason = null
                where sync_runs.finished_at is null and sync_runs.state <> 'held'
            returning run_no
            """,
            (run.district, run.run_id, run.kind, run.logical_date, run.night),
        ).fetchone()
    number = int(row[0]) if row else run_number(connection, run)
    assert number is not None, "its row is there, or was there already"
    return number


def _wait_for_erasing(connection: Connection, district: str) -> None:
    """Open no run beside whoever holds the district alone: what a run reads while somebody is erased would bring them back."""
    connection.execute("select directory.lock_district(%s, by_hand => true)", (district,))


def run_number(connection: Connection, run: Run) -> int | None:
    """The number of a run that was opened, None for one that never got so far."""
    row = connection.execute(
        "select run_no from directory.sync_runs where district = %s and run_id = %s", (run.district, run.run_id)
    ).fetchone()
    return int(row[0]) if row else None


def reopen(connection: Connection, run_no: int) -> None:
    """Show a closed run as running, because its tasks are done again down to the one that closes it; its answers stay."""
    with connection.transaction():
        row = connection.execute("select district from directory.sync_runs where run_no = %s", (run_no,)).fetchone()
        assert row is not None, "a run is opened again after it was opened"
        _wait_for_erasing(connection, row[0])
        connection.execute(
            "update directory.sync_runs set state = 'running', reason = null, finished_at = null where run_no = %s", (run_no,)
        )


def reclose(connection: Connection, run_no: int) -> None:
    """Give a closed run the verdict that it has earned by now, after one of its tasks alone was done again.

    A run that is open, that was undone, or that loaded nothing stays as it is.
    """
    row = connection.execute(
        """select finished_at is not null and undone_at is null and state not in ('skipped', 'superseded')
                  and (loaded_at is not null or kind = 'preview' and snapshot_at is not null)
           from directory.sync_runs where run_no = %s""",
        (run_no,),
    ).fetchone()
    if row == (True,):
        state, reason = verdict(connection, run_no)
        note(connection, run_no, state=state, reason=reason)


def has_ended(connection: Connection, run_no: int) -> bool:
    """Whether the run was closed."""
    query = "select finished_at is not null from directory.sync_runs where run_no = %s"
    return connection.execute(query, (run_no,)).fetchone() == (True,)


def has_loaded(connection: Connection, run_no: int) -> bool:
    """Whether the run's snapshot was loaded, in whichever attempt."""
    query = "select loaded_at is not null from directory.sync_runs where run_no = %s"
    return connection.execute(query, (run_no,)).fetchone() == (True,)


def is_undone(connection: Connection, run_no: int) -> bool:
    """Whether the run was taken back; asked under the district's lock by whoever acts."""
    query = "select undone_at is not null from directory.sync_runs where run_no = %s"
    return connection.execute(query, (run_no,)).fetchone() == (True,)


def refuse_undone(connection: Connection, run_no: int) -> None:
    """Nothing while the run stands; RunUndone in words once it was undone."""
    row = connection.execute("select run_id, undone_by from directory.sync_runs where run_no = %s", (run_no,)).fetchone()
    if row and is_undone(connection, run_no):
        raise RunUndone(
            f"The run '{row[0]}' was undone by the run '{row[1]}' and stays so. Start a new run if its data is wanted after all. "
            "Nothing was changed."
        )


def note(connection: Connection, run_no: int, **values: Any) -> None:
    """Write columns of a run's row; mappings and lists are stored as JSON."""
    allowed = {
        "settings", "counts", "snapshot_at", "snapshot_url", "collections", "proven", "unproven_because", "accepted",
        "state", "reason", "finished_at", "loaded_at", "answer_until", "settings_at",
    }  # fmt: skip
    unknown = set(values) - allowed
    if unknown:
        raise ValueError(f"sync_runs has no such columns to note: {sorted(unknown)}")
    assignments = psycopg.sql.SQL(", ").join(
        psycopg.sql.SQL("{} = {}").format(psycopg.sql.Identifier(name), psycopg.sql.Placeholder()) for name in values
    )
    statement = psycopg.sql.SQL("update directory.sync_runs set {} where run_no = {}").format(
        assignments, psycopg.sql.Placeholder()
    )
    cells = [Jsonb(value) if isinstance(value, (Mapping, list)) else value for value in values.values()]
    with connection.transaction():
        connection.execute(statement, (*cells, run_no))


def finish_run(connection: Connection, run_no: int, state: State, reason: str | None) -> None:
    """Close a run with its verdict."""
    note(connection, run_no, state=state, reason=reason, finished_at=dt.datetime.now(dt.UTC))


def stored_settings(connection: Connection, run_no: int) -> Settings:
    """The settings that the run started with, so that an edit at night cannot split it in two."""
    row = connection.execute("select settings from directory.sync_runs where run_no = %s", (run_no,)).fetchone()
    if row is None or row[0] is None:
        raise MingaSyncError("The run has no settings stored; clear the task open_run and everything after it.")
    return Settings.model_validate(row[0])


def why_skipped(connection: Connection, run: Run, settings: Settings) -> str | None:
    """Why a run has nothing to do with these settings; None when it has. Only scheduled nights are skipped."""
    if run.kind != "nightly":
        return None
    if not settings.automatic_rostering:
        return "Automatic rostering is off (setting automatic_rostering)."
    if paused := why_paused(run, settings, run.night):
        return paused
    if last_loaded(connection, run.district) is None:
        return "The first sync is started by a person: trigger this DAG by hand once."
    return None


def why_paused(run: Run, settings: Settings, day: dt.date) -> str | None:
    """Why a run does nothing with data of a day, a local date; None where it may. Only scheduled nights are paused."""
    quiet = settings.quiet_on(day) if run.kind == "nightly" else None
    if quiet is None or quiet.mode != "pause":
        return None
    whose = "" if day == run.night else f"The data of this night would be those of {day}. "
    return f"{whose}The sync is paused from {quiet.first} to {quiet.last} (setting quiet)."


def last_loaded(connection: Connection, district: str, before_run: int | None = None) -> dict[str, Any] | None:
    """The run whose snapshot is in the directory now: run_id, night, snapshot_at, collections; None before the first."""
    row = connection.execute(
        """
        select run_id, night, snapshot_at, collections, run_no from directory.sync_runs
        where district = %s and loaded_at is not null and run_no is distinct from %s
        order by snapshot_at desc limit 1
        """,
        (district, before_run),
    ).fetchone()
    return dict(zip(("run_id", "night", "snapshot_at", "collections", "run_no"), row, strict=True)) if row else None


def loaded_runs(connection: Connection, district: str, but: int = 0) -> list[tuple[str, dict[str, Any]]]:
    """Run id and collections of every run, maybe but one, whose snapshot was loaded, the newest snapshot first."""
    rows = connection.execute(
        """
        select run_id, coalesce(collections, '{}') from directory.sync_runs
        where district = %s and loaded_at is not null and run_no <> %s
        order by snapshot_at desc limit 100
        """,
        (district, but),
    )
    return [(run_id, collections) for run_id, collections in rows]


def previewed_runs(connection: Connection, district: str) -> list[tuple[str, dict[str, Any]]]:
    """As loaded_runs, of every preview that came to its plan."""
    rows = connection.execute(
        """
        select run_id, coalesce(collections, '{}') from directory.sync_runs
        where district = %s and kind = 'preview' and snapshot_at is not null
        order by snapshot_at desc limit 100
        """,
        (district,),
    )
    return [(run_id, collections) for run_id, collections in rows]


def newer_run(connection: Connection, run_no: int) -> str | None:
    """The run_id of a run whose snapshot was loaded after this one's, or is newer; None while this run's is the newest."""
    row = connection.execute(
        """
        select other.run_id
        from directory.sync_runs as own
        join directory.sync_runs as other on other.district = own.district and other.run_no <> own.run_no
        where own.run_no = %s and other.loaded_at is not null
          and (own.loaded_at is null or other.snapshot_at > own.snapshot_at or other.loaded_at > own.loaded_at)
        order by other.snapshot_at desc limit 1
        """,
        (run_no,),
    ).fetchone()
    return row[0] if row else None


def note_digests(connection: Connection, district: str, run_id: str, digests: Mapping[str, str]) -> None:
    """Write down what the collections of a run's snapshot are after records were taken out of them; its numbers stay."""
    with connection.transaction():
        for name, digest in digests.items():
            connection.execute(
                """update directory.sync_runs
                   set collections = jsonb_set(collections, array[%(name)s, 'sha256'], to_jsonb(%(digest)s::text))
                   where district = %(district)s and run_id = %(run_id)s and collections ? %(name)s""",
                {"name": name, "digest": digest, "district": district, "run_id": run_id},
            )


def note_users(connection: Connection, district: str, run_id: str, rows: int, sha256: str) -> None:
    """Write down what a loaded run's users are after parents' contacts were taken out of its snapshot."""
    with connection.transaction():
        connection.execute(
            """update directory.sync_runs
               set collections = jsonb_set(collections, '{users}', collections -> 'users' || %s)
               where district = %s and run_id = %s and collections ? 'users'""",
            (Jsonb({"rows": rows, "sha256": sha256}), district, run_id),
        )


def every_run(connection: Connection, district: str) -> list[str]:
    """The ids of all runs of a district."""
    return [row[0] for row in connection.execute("select run_id from directory.sync_runs where district = %s", (district,))]


def districts(connection: Connection) -> list[str]:
    """Every district that ever had a run or asked to be connected."""
    query = "select district from directory.sync_runs union select district from directory.connection_requests order by 1"
    return [row[0] for row in connection.execute(query)]


def going_on(connection: Connection, district: str) -> list[str]:
    """The ids of the runs that have not ended or wait for an answer."""
    query = """select run_id from directory.sync_runs
               where district = %s and (finished_at is null or answer_until > now())"""
    return [row[0] for row in connection.execute(query, (district,))]


def still_open(connection: Connection, district: str) -> list[Run]:
    """The district's runs that nobody has closed, the oldest first; who is mailed of a night is mailed of these too."""
    rows = connection.execute(
        """select run_id, kind, logical_date, night from directory.sync_runs
           where district = %s and finished_at is null and undone_at is null order by run_no""",
        (district,),
    )
    return [Run(district, run_id, kind, at, night, kind in ("nightly", "backfill")) for run_id, kind, at, night in rows]


def close_ended(connection: Connection, run: Run, is_over: Callable[[], bool], *, loaded: str, not_loaded: str) -> bool:
    """Whether the run was still open, and is closed as failed now, with its counts and the reason that fits.

    ``is_over`` is asked while nobody else can open or close the run.
    """
    from include.mingasync.directory.counts import count_run

    with connection.transaction():
        row = connection.execute(
            """select run_no, loaded_at is not null from directory.sync_runs
               where district = %s and run_id = %s and finished_at is null for update""",
            (run.district, run.run_id),
        ).fetchone()
        if row is None or not is_over():
            return False
        number, has_loaded = row
        note(connection, number, counts=count_run(connection, number), answer_until=None)
        finish_run(connection, number, "failed", loaded if has_loaded else not_loaded)
    return True


def refuse_outdated(connection: Connection, run_no: int) -> None:
    """Nothing while the run may still be loaded; LoadRefused in words once a run was loaded that its data would undo.

    That is any run loaded since this one was, and, for one that never was, any of a later night.
    """
    row = connection.execute(
        """
        select other.run_id, other.night, own.loaded_at is not null
        from directory.sync_runs as own
        join directory.sync_runs as other on other.district = own.district and other.run_no <> own.run_no
        where own.run_no = %s and other.loaded_at is not null
          and case when own.loaded_at is null then other.night > own.night
                   else other.loaded_at > own.loaded_at or other.snapshot_at > own.snapshot_at end
        order by other.snapshot_at desc limit 1
        """,
        (run_no,),
    ).fetchone()
    if row:
        other, night, was_loaded = row
        words = (
            f"Run {other} was loaded after this one, whose data is kept as it was and would undo it."
            if was_loaded
            else f"The later night of {night} was loaded already by run {other}; this one would undo it."
        )
        raise LoadRefused(f"{words} Nothing was changed and nothing needs to be done.")


def known_until(connection: Connection, district: str) -> dt.date | None:
    """The end of the latest academic session that a night brought so far, None before the first."""
    row = connection.execute("select max(end_date) from directory.terms where district = %s", (district,)).fetchone()
    return row[0] if row else None


def verdict(connection: Connection, run_no: int) -> tuple[State, str | None]:
    """The state that a run has earned once all its tasks are done, with its reason in plain words."""
    is_loaded, unproven = connection.execute(
        """
        select case when kind = 'preview' then snapshot_at is not null else loaded_at is not null end, unproven_because
        from directory.sync_runs where run_no = %s
        """,
        (run_no,),
    ).fetchone() or (False, None)
    if not is_loaded:
        return "failed", (
            "Nothing of this run was loaded: its task load did not run, whatever state it has. Nothing was changed. "
            "Clear the task load and everything after it, or start a new run."
        )
    if archives := _on_archives(connection, run_no):
        return archives
    left = _left_alone(connection, run_no)
    if unproven:
        return "completed_with_errors", _joined(unproven, left)
    if errors := _on_errors(connection, run_no):
        return "completed_with_errors", _joined(f"{errors} See the issues.", left)
    return "success", left


def _joined(words: str, more: str | None) -> str:
    return f"{words} {more}" if more else words


def _left_alone(connection: Connection, run_no: int) -> str | None:
    """That people whose archive was planned or approved were left alone, because of what happened since; None if none."""
    reasons = dict(
        connection.execute(
            """select reason, count(*) from directory.changes
               where run_no = %s and entity = 'person' and action = 'archive' and status = 'conflict' and reason <> 'newer_night'
               group by 1""",
            (run_no,),
        ).fetchall()
    )
    if not reasons:
        return None
    causes = [f"{number} {_SINCE.get(reason, 'changed by hand')}" for reason, number in sorted(reasons.items())]
    return f"{_archives(sum(reasons.values()))} not carried out, because of what happened since the plan: {', '.join(causes)}."


def _on_errors(connection: Connection, run_no: int) -> str | None:
    """What the errors of a run are, in plain words: of whole collections and terms their own, of records their number."""
    records, wholes = connection.execute(
        """
        select count(*) filter (where not is_whole), array_agg(distinct message) filter (where is_whole)
        from (
            select message,
                   rule = 'terms.selected_lost' or sourced_id is null and rule !~ '[.](id_missing|unreadable)$' as is_whole
            from directory.sync_issues where run_no = %s and severity in ('error', 'critical')
        ) as errors
        """,
        (run_no,),
    ).fetchone() or (0, None)
    said = list(wholes or ())
    if records:
        said.append(f"{'1 record was' if records == 1 else f'{records} records were'} set aside or could not be used.")
    return " ".join(said) or None


def _on_archives(connection: Connection, run_no: int) -> tuple[State, str] | None:
    """The verdict of a run whose archives were not all carried out; None when they were, or there were none."""
    planned, passed, held, answer, is_asked = connection.execute(
        """
        select count(*) filter (where c.status = 'planned' and r.kind <> 'preview'),
               count(*) filter (where c.status = 'conflict' and c.reason = 'newer_night'),
               count(*) filter (where c.status = 'held'), r.answer, r.answer_until > now()
        from directory.sync_runs as r
        left join directory.changes as c on c.run_no = r.run_no and c.entity = 'person' and c.action = 'archive'
        where r.run_no = %s
        group by r.run_no
        """,
        (run_no,),
    ).fetchone() or (0, 0, 0, None, None)
    newer = newer_run(connection, run_no) if planned or passed else None
    if planned and newer is None:
        return "failed", (
            f"{_archives(planned)} planned and never carried out: the task archive did not run, whatever state it has; "
            f"{_stay(planned)} active. Clear the task archive and everything after it."
        )
    if held:
        return "held", why_held(held, answer, is_asked)
    if planned or passed:
        return "completed_with_errors", (
            f"{_archives(planned + passed)} not carried out, because the run {newer} was loaded before that and decides about "
            "the same people. Nothing needs to be done."
        )
    return None


#: What happened to somebody between plan and archive.
_SINCE = {
    "archived_since": "archived already",
    "excluded": "not included in the sync any more",
    "seen_since": "linked to another record, or not absent any more",
}


def _archives(people: int) -> str:
    return "1 archive was" if people == 1 else f"{people} archives were"


def _stay(people: int) -> str:
    return "this person stays" if people == 1 else "these people stay"


def why_held(people: int, answer: str | None, is_asked: bool | None = False) -> str:
    """Why so many archives were not carried out, given ``sync_runs.answer``; it names nobody, as logs repeat it.

    ``is_asked`` while the time for an answer runs.
    """
    stay = _stay(people)
    if answer in ("rejected", "partly"):
        return f"{_archives(people)} rejected; {stay} active."
    if answer == "none":
        got = "1 archive" if people == 1 else f"{people} archives"
        return f"{got} got no answer in time, which counts as rejected; {stay} active. The next night asks again."
    if answer == "late":
        return f"{_archives(people)} approved after a newer night was loaded, which decides about them now; {stay} active."
    if answer == "approved":
        return (
            f"{_archives(people)} held after the approval, which holds for the people that it showed; {stay} active. "
            "Clear the task approve and everything after it to be asked about them."
        )
    if is_asked:
        return waiting(people)
    return f"{_archives(people)} held, more than the safety limits allow, and this run could ask nobody; {stay} active."


def waiting(people: int) -> str:
    """That so many archives wait for an answer."""
    return f"{'1 archive waits' if people == 1 else f'{people} archives wait'} for an approval in Required Actions."
