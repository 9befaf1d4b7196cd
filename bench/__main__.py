"""``python -m bench [reading] [validation] [people] [lists]``: speed as ratios against the barest way to do the same."""

from __future__ import annotations

import dataclasses
import datetime as dt
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pyarrow as pa

from bench import reading, validation
from bench.big import TODAY, tables
from include.mingasync.directory import runs, schema
from include.mingasync.directory.archive import archive
from include.mingasync.directory.copying import copy_table
from include.mingasync.directory.load import Desired, load
from include.mingasync.directory.undo import undo
from include.mingasync.oneroster.records import COLUMNS
from include.mingasync.rosters.digests import digests
from include.mingasync.rosters.lists import Rosters, lists_from
from include.mingasync.rosters.people import People, people_from
from include.mingasync.run import Kind, Run
from include.mingasync.settings import ROLES, Settings
from stack.postgres import embedded_postgres

_FOLDER = Path(".mingasync") / "bench"
_STUDENTS, _SCHOOLS, _PEOPLE = 100_000, 60, 158_000
_EMPTY = {
    "gone": ("sourced_id", "reason"),
    "set_aside": ("resource", "sourced_id"),
    "unlisted": ("source_id", "reason"),
    "kept": ("class_id", "user_id"),
    "schools": ("school_id", "name", "identifier"),
    "terms": ("term_id", "title"),
}


def say(what: str, value: str) -> None:
    """Print one line of the result."""
    sys.stdout.write(f"{what:<58} {value}\n")


@contextmanager
def database() -> Iterator[psycopg.Connection[Any]]:
    """A connection to a fresh directory in an embedded server."""
    with (
        tempfile.TemporaryDirectory() as folder,
        embedded_postgres(Path(folder)) as server,
        psycopg.connect(server.dsn(), autocommit=True) as connection,
    ):
        schema.bring_to_head(connection)
        yield connection


def seconds(work: Callable[[], Any]) -> float:
    """How long something took."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def settings(lists: bool) -> Settings:
    """Every role on; every list on or off."""
    roles = {role: {"roster": True, "auto_update": True, "archive": True} for role in ROLES}
    content: dict[str, Any] = {"automatic_rostering": True, "roles": roles}
    if lists:
        content["class_lists"] = {"enabled": True, "terms": ["full-year", "fall", "spring"]}
        content["auto_lists"] = dict.fromkeys(("role", "grade", "subject", "teacher"), True)
    return Settings.model_validate(content)


class Nights:
    """Nights of one district in one directory."""

    def __init__(self, connection: psycopg.Connection[Any], wanted: Settings) -> None:
        self.connection, self.wanted, self.number = connection, wanted, 0

    def night(self, desired: Desired) -> tuple[float, float]:
        """Seconds and megabytes of WAL that a night took; the server's tables are settled first, as they are by day."""
        self.connection.execute("vacuum analyze")
        self.connection.execute("checkpoint")
        run, number = self.open("nightly")
        before = self._wal()
        took = seconds(lambda: (load(self.connection, run, number, self.wanted, desired), archive(self.connection, run, number)))
        written = self._wal(before)
        runs.finish_run(self.connection, number, "success", None)
        return took, written

    def open(self, kind: Kind) -> tuple[Run, int]:
        """A run that is open."""
        self.number += 1
        run = Run("bench", f"run-{self.number}", kind, dt.datetime.now(dt.UTC), TODAY)
        return run, runs.open_run(self.connection, run)

    def _wal(self, since: Any = None) -> Any:
        if since is None:
            return self.connection.execute("select pg_current_wal_lsn()").fetchone()[0]  # type: ignore[index]
        query = "select pg_wal_lsn_diff(pg_current_wal_lsn(), %s) / 1e6"
        return float(self.connection.execute(query, (since,)).fetchone()[0])  # type: ignore[index]


def desired(people: pd.DataFrame, lists: pd.DataFrame, members: pd.DataFrame) -> Desired:
    """What a snapshot asks for, with nobody gone and nothing set aside."""
    frames = {name: pd.DataFrame({column: [] for column in columns}, dtype="string") for name, columns in _EMPTY.items()}
    frames |= {"people": people, "lists": lists, "members": members}
    arrow = {name: pa.Table.from_pandas(frame, preserve_index=False) for name, frame in frames.items()}
    return Desired(tables=arrow, snapshot_at=dt.datetime.now(dt.UTC))


def later(one: Desired, people: pd.DataFrame | None = None) -> Desired:
    """The same a moment later, with other people where given."""
    more = {} if people is None else {"people": pa.Table.from_pandas(people, preserve_index=False)}
    return dataclasses.replace(one, snapshot_at=dt.datetime.now(dt.UTC), tables={**one.tables, **more})


def bench_people(frames: dict[str, pd.DataFrame]) -> None:
    """Plan and apply for 158,000 people, against COPY of the same rows into one indexed table."""
    people = people_from(frames["users"], frames["orgs"], night=TODAY).present
    more = people.head(_PEOPLE - len(people)).copy()
    for column in ("sourced_id", "identifier", "email", "username"):
        more[column] = "x" + more[column]
    more["sourced_ids"] = [[one] for one in more["sourced_id"]]
    people = pd.concat([people, more], ignore_index=True)
    people["n"] = range(len(people))
    said = [column for column in people if column not in ("n", "digest", "digest_with_parent")]
    people = people.assign(digest=digests(people, said), digest_with_parent=digests(people, said))
    no_lists = pd.DataFrame(columns=["k"], dtype="int32")
    nobody = pd.DataFrame({"k": [], "n": [], "manager": []}, dtype="int32")
    changed = people.copy()
    changed.loc[changed.index % 100 == 0, "family_name"] = "Changed"
    changed = changed.assign(digest=digests(changed, said))
    with database() as connection:
        nights = Nights(connection, settings(lists=False))
        connection.execute("create table bare (like directory.people including defaults)")
        connection.execute("create unique index on bare (person_id)")
        connection.execute("create index on bare (district, sourced_id)")
        connection.execute(
            "alter table bare alter person_id drop not null, alter district set default 'bench',"
            " alter source set default 'sis', alter include_in_sync set default true"
        )
        kept = {column.name for column in connection.execute("select * from bare").description or []}
        named = people.rename(columns={"n": "person_id"})
        rows = pa.Table.from_pandas(named[[column for column in named if column in kept]], preserve_index=False)
        bare = min(
            seconds(lambda: (connection.execute("truncate bare"), copy_table(connection.cursor(), "bare", rows)))
            for _ in range(3)
        )
        one = desired(people, no_lists, nobody)
        first, _ = nights.night(one)
        same, same_wal = nights.night(later(one))
        few, few_wal = nights.night(later(one, changed))
        say(f"{len(people):,} people, bare COPY into one indexed table", f"{bare:.2f} s")
        say("first night / bare COPY (at most 6)", f"{first / bare:.2f}")
        say("unchanged night / first (at most 0.35)", f"{same / first:.2f}   WAL {same_wal:.1f} MB")
        say("night with 1 % changed / first", f"{few / first:.2f}   WAL {few_wal:.1f} MB")
        fresh, number = nights.open("undo")
        back = seconds(lambda: undo(connection, fresh, number, "run-3"))
        say("undo of the night with 1 % changed / first", f"{back / first:.2f}")
        fresh, number = nights.open("undo")
        back = seconds(lambda: undo(connection, fresh, number, "run-1"))
        say("undo of the first night / first night (at most 2)", f"{back / first:.2f}")


def bench_lists(frames: dict[str, pd.DataFrame]) -> None:
    """Making and loading every list, against reading the files and a bare COPY of the memberships."""
    read = min(seconds(lambda: [pd.read_parquet(_FOLDER / f"{name}.parquet") for name in COLUMNS]) for _ in range(3))
    made: dict[str, Any] = {}

    def make() -> None:
        people: People = people_from(frames["users"], frames["orgs"], night=TODAY)
        rosters = Rosters(frames["orgs"], frames["academicSessions"], frames["courses"], frames["classes"], frames["enrollments"])
        kept = pd.DataFrame({"class_id": [], "user_id": []}, dtype="string")
        made.update(people=people.present, lists=lists_from(rosters, people, settings(lists=True), TODAY, kept))

    making = seconds(make)
    lists, members = made["lists"].lists, made["lists"].members
    say(f"{len(lists):,} lists, {len(members):,} memberships; making / reading (at most 20)", f"{making / read:.2f}")
    with database() as connection:
        nights = Nights(connection, settings(lists=True))
        connection.execute("create table bare (k integer, n integer, manager boolean)")
        rows = pa.Table.from_pandas(members, preserve_index=False)
        bare = min(
            seconds(lambda: (connection.execute("truncate bare"), copy_table(connection.cursor(), "bare", rows)))
            for _ in range(3)
        )
        nights.night(desired(made["people"], lists.iloc[:0], members.iloc[:0]))
        one = desired(made["people"], lists, members)
        first, _ = nights.night(one)
        same, wal = nights.night(later(one))
        say("bare COPY of the memberships", f"{bare:.2f} s")
        say("loading lists and memberships / bare COPY (at most 4)", f"{first / bare:.2f}")
        say("unchanged night / bare COPY", f"{same / bare:.2f}   WAL {wal:.1f} MB")


def bench_reading() -> None:
    """Extraction over REST, against fetching the same bytes only and against the server's own delay."""
    found = reading.measure(_FOLDER, _STUDENTS, _SCHOOLS)
    say(
        f"{found['rows']:,} rows, {found['megabytes']:,.0f} MB in {found['pages']:,} pages, only fetched",
        f"{found['fetch']:.2f} s",
    )
    say("the same without requests, by http.client", f"{found['sockets']:.2f} s")
    say("extraction / fetching (at most 3)", f"{found['extract'] / found['fetch']:.2f}")
    say("with 200 ms of delay a page / ideal (at most 1.3)", f"{found['delayed'] / found['ideal']:.2f}")
    say("peak memory of extraction (at most 1,000 MB)", f"{found['peak']:,.0f} MB")


def bench_validation() -> None:
    """Validating a million enrollments with their references, against pandas alone."""
    tables(_FOLDER, _STUDENTS, _SCHOOLS)
    found = validation.measure(_FOLDER)
    say(f"{found['faults']:,} faults among 1,000,000 enrollments, by pandas alone", f"{found['plain']:.2f} s")
    say("validation / pandas alone, imports counted (at most 6)", f"{found['product'] / found['plain']:.2f}")
    say("peak memory of validation (at most 2,000 MB)", f"{found['peak']:,.0f} MB")


def main() -> None:
    """Run what is named, or everything."""
    alone = {"reading": bench_reading, "validation": bench_validation}
    on_frames = {"people": bench_people, "lists": bench_lists}
    names = sys.argv[1:] or [*alone, *on_frames]
    for name in names:
        if name in alone:
            alone[name]()
    if set(names) & set(on_frames):
        frames = {name: table.to_pandas() for name, table in tables(_FOLDER, _STUDENTS, _SCHOOLS).items()}
        for name in names:
            if name in on_frames:
                on_frames[name](frames)
        say("peak memory of this process", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


if __name__ == "__main__":
    main()
