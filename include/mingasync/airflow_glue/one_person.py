"""``python -m include.mingasync.airflow_glue.one_person export|erase DISTRICT PERSON``: all that is kept of one person, or its
end.

``export`` prints everything as JSON. ``erase`` says how much of what would go, and with ``--confirm PERSON`` removes it for good.
"""

from __future__ import annotations

import argparse
import getpass
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import psycopg

from include.mingasync.airflow_glue import context
from include.mingasync.directory import one_person, runs, schema
from include.mingasync.directory.locking import lock_district
from include.mingasync.errors import MingaSyncError, SnapshotUnusable
from include.mingasync.one_person import Someone, called_in, finish, ids_in, reading, records_of, without

if TYPE_CHECKING:
    from include.mingasync.snapshot import Snapshot

log = logging.getLogger(__name__)
Connection = psycopg.Connection[Any]
_ON_A_WORKER = (
    "Erase on a machine that reaches them, with the same MINGASYNC_SNAPSHOTS as the workers: "
    "python -m include.mingasync.airflow_glue.one_person erase DISTRICT PERSON."
)
#: So long a statement may take: a large district's history is read through once.
_MINUTES = 10
Connect = Callable[[], AbstractContextManager[Connection]]


@dataclass(frozen=True)
class Kept:
    """Everything that is kept of one person: of the directory and of what the runs read, by kind; ``someone`` is who they are.

    ``unreadable``: how many snapshots cannot be read, so that nobody can say whether they are in them; an erasure removes these.
    """

    someone: Someone
    sections: dict[str, list[Any]]
    unreadable: int = 0
    #: what could not be looked at, in words
    not_included: tuple[str, ...] = ()
    #: the number under which it is kept that they were erased
    erasure: int | None = None

    @property
    def numbers(self) -> dict[str, int]:
        """How much there is of each kind, without the kinds of which there is nothing."""
        found = {name: len(rows) for name, rows in self.sections.items() if rows}
        return found | ({"unreadable_snapshots": self.unreadable} if self.unreadable else {})

    def as_json(self) -> str:
        """All of it as a document that a person can read."""
        content = {"district": self.someone.district, "person_id": self.someone.person_id, **self.sections}
        if self.not_included:
            content["not_included"] = list(self.not_included)
        return json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n"


@dataclass
class _Store:
    """The snapshots of a district, wherever its runs kept them."""

    snapshots: list[Snapshot]
    run_ids: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, connection: Connection, district: str) -> _Store:
        """Those below the folder of today, and those below any that a run had."""
        from include.mingasync.snapshot import Snapshot, folders_of

        rows = connection.execute(
            "select run_id, snapshot_url from directory.sync_runs where district = %s and snapshot_url is not null", (district,)
        ).fetchall()
        roots = {context.snapshots_root().rstrip("/")} | {url.rstrip("/").rsplit("/", 2)[0] for _, url in rows}
        found = {one.url: one for root in sorted(roots) for one in folders_of(root, district)}
        run_ids = {Snapshot.of(root, district, run_id).url: run_id for root in roots for run_id, _ in rows}
        return cls(list(found.values()), run_ids)

    def run_of(self, snapshot: Snapshot) -> str | None:
        """The id of the run that read a snapshot, None where no run of today's directory did."""
        return self.run_ids.get(snapshot.url)


def kept_of(connection: Connection, district: str, person: int | str) -> Kept:
    """Everything that is kept of one person, by their number or by a sourcedId of theirs.

    Raises MingaSyncError where the district has none.
    """
    store = _Store.of(connection, district)
    someone = _known(connection, store, _whom(connection, store, district, person))
    read, unreadable, enrollments = [], 0, set()
    for snapshot in store.snapshots:
        try:
            records = records_of(snapshot, someone)
        except SnapshotUnusable:
            unreadable += 1
            continue
        enrollments |= {one["sourced_id"] for one in records.enrollments if one["sourced_id"]}
        if records.users or records.enrollments:
            run_id = store.run_of(snapshot)
            read.append({"run_id": run_id, "users": records.users, "enrollments": records.enrollments})
    sections = one_person.everything(connection, someone, enrollments) | {"snapshots": read}
    left_out = [f"{unreadable} snapshots that cannot be read"] if unreadable else []
    if runs.loaded_runs(connection, district) and not store.snapshots:
        left_out.append("what the runs read: no snapshot can be reached from here")
    if not any(sections.values()):
        raise MingaSyncError(f"The district {district} has no person and no record with this sourcedId. Nothing was changed.")
    return Kept(someone, sections, unreadable, tuple(left_out))


def _whom(connection: Connection, store: _Store, district: str, person: int | str) -> Someone:
    if isinstance(person, int):
        return one_person.find(connection, district, person)
    someone = one_person.find_record(connection, district, person)
    if someone.person_id != one_person.NOBODY:
        return someone
    for snapshot in store.snapshots:
        someone = called_in(snapshot, someone)
    return one_person.with_own_values(connection, someone)


def _known(connection: Connection, store: _Store, someone: Someone) -> Someone:
    """The person as known by the records, too, that are theirs by name and key."""
    found: set[str] = set()
    for snapshot in store.snapshots:
        found |= ids_in(snapshot, someone)
    return one_person.known_by(connection, someone, found)


def erase(connect: Connect, district: str, person: int | str, by: str, *, without_snapshots: bool = False) -> Kept:
    """What was removed for good of one person, from the directory and from every snapshot.

    Holds the district from beginning to end, so that no run is opened meanwhile. Killed at any point it is run again and goes on;
    the person's row goes last. ``without_snapshots`` is said by whoever knows that the snapshots are not there any more.
    Raises MingaSyncError with nothing changed where a run goes on, or where there is no such person.
    """
    with connect() as holding, connect() as noting:
        schema.bring_to_head(holding)
        with holding.transaction():
            holding.execute(f"set local statement_timeout = '{_MINUTES}min'")
            with holding.cursor() as cursor:
                lock_district(cursor, district)
            one_person.refuse_while_running(holding, district)
            store = _Store.of(holding, district)
            if not without_snapshots:
                _refuse_out_of_reach(holding, store, district)
            try:
                _finish(noting, store, _whom(holding, store, district, person))
            except OSError as error:
                raise _cannot_be_rewritten(district, error) from error
            kept = kept_of(holding, district, person)
            enrollments: set[str] = set()
            someone = kept.someone
            try:
                for snapshot in store.snapshots:
                    enrollments |= _forget(noting, snapshot, someone, store.run_of(snapshot))
            except OSError as error:
                raise _cannot_be_rewritten(district, error) from error
            erasure = one_person.erase(holding, someone, enrollments, kept.numbers, by)
    log.info("%s: one person was erased: %s", district, kept.numbers)
    return replace(kept, erasure=erasure)


def _cannot_be_rewritten(district: str, error: OSError) -> one_person.ErasingRefused:
    return one_person.ErasingRefused(
        f"A snapshot of {district} cannot be rewritten from here ({type(error).__name__}). {_ON_A_WORKER} The person "
        "is still there; snapshots that were rewritten before do not hold them any more."
    )


def _finish(noting: Connection, store: _Store, someone: Someone) -> None:
    """Go on where an erasure was killed: between a file and its proof the snapshot would count as spoilt, and go whole."""
    for snapshot in store.snapshots:
        if (run_id := store.run_of(snapshot)) is not None:
            loaded = _loaded(noting, someone.district, run_id)
            finish(snapshot, someone.sourced_ids, {name: one["sha256"] for name, one in loaded.items() if one.get("sha256")})


def _loaded(noting: Connection, district: str, run_id: str) -> dict[str, Any]:
    """What a run loaded of each collection."""
    row = noting.execute(
        "select coalesce(collections, '{}') from directory.sync_runs where district = %s and run_id = %s", (district, run_id)
    ).fetchone()
    return row[0] if row else {}


def _forget(noting: Connection, snapshot: Snapshot, someone: Someone, run_id: str | None) -> set[str]:
    """The sourcedIds of the enrollments that went from a snapshot; one that cannot be read goes whole.

    What the files will be is written down first: killed before they are, the same is done again.
    """
    try:
        with reading():
            snapshot.remove_strays()
        found = without(snapshot, someone)
    except SnapshotUnusable:
        snapshot.delete()
        return set()
    if found is None:
        return set()
    if run_id is not None:
        _note(noting, snapshot, someone.district, run_id, found.digests(snapshot))
    found.keep(snapshot)
    snapshot.remove_strays()
    return set(found.enrollments)


def _note(noting: Connection, snapshot: Snapshot, district: str, run_id: str, digests: dict[str, str]) -> None:
    """Write down the digests of the collections that are as the run loaded them; what was read again since never was."""
    loaded, proofs = _loaded(noting, district, run_id), snapshot.proofs()
    as_loaded = {name: one for name, one in digests.items() if loaded.get(name, {}).get("sha256") == proofs[name].sha256}
    runs.note_digests(noting, district, run_id, as_loaded)


def _refuse_out_of_reach(connection: Connection, store: _Store, district: str) -> None:
    """Nothing where the district's snapshots can be reached; in another place they would go on holding whoever is erased."""
    loaded = runs.loaded_runs(connection, district)
    if loaded and not store.snapshots:
        raise one_person.ErasingRefused(
            f"Of {len(loaded)} loaded runs of {district} no snapshot can be reached from here, below {context.snapshots_root()}. "
            f"{_ON_A_WORKER} If they are not there any more, say so with --without-snapshots. Nothing was changed."
        )


def main() -> None:
    """Print everything that is kept of one person, or remove it."""
    parser = argparse.ArgumentParser(prog="python -m include.mingasync.airflow_glue.one_person", description=__doc__)
    parser.add_argument("what", choices=["export", "erase"])
    parser.add_argument("district")
    parser.add_argument("person", help="the person_id")
    parser.add_argument("--sourced-id", action="store_true", help="PERSON is a sourcedId, also of somebody who has no entry here")
    parser.add_argument("--confirm", metavar="PERSON", help="PERSON once more; without it nothing is erased")
    parser.add_argument("--without-snapshots", action="store_true", help="the district's snapshots are not there any more")
    asked = parser.parse_args()
    if not asked.sourced_id and not asked.person.isdecimal():
        parser.error("PERSON is a person_id, a number; say --sourced-id where it is a sourcedId")
    try:
        for line in _answers(asked):
            print(line)  # noqa: T201 - the answer is what the program is for
    except MingaSyncError as error:
        parser.exit(1, f"{error}\n")


def _answers(asked: argparse.Namespace) -> Iterator[str]:
    person = asked.person if asked.sourced_id else int(asked.person)
    if asked.what == "erase" and asked.confirm == asked.person:
        kept = erase(context.directory, asked.district, person, getpass.getuser(), without_snapshots=asked.without_snapshots)
        yield f"Person {asked.person} of {asked.district} was erased for good:"
        yield from lines_of(kept)
        return
    with context.directory() as connection:
        schema.bring_to_head(connection)
        kept = kept_of(connection, asked.district, person)
    if asked.what == "export":
        yield kept.as_json().rstrip("\n")
        return
    yield f"Erasing person {asked.person} of {asked.district} would remove for good:"
    yield from lines_of(kept)
    yield f"Nothing was changed. To do it: the same with --confirm {asked.person}"


def lines_of(kept: Kept) -> list[str]:
    """How much of what, in lines for people."""
    return [f"  {number:6} {name.replace('_', ' ')}" for name, number in kept.numbers.items()]


if __name__ == "__main__":
    context.as_a_command()
    main()
