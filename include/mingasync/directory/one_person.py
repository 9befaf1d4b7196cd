"""One person in the directory: who they are by all that is kept, everything that is kept, and the end of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from include.mingasync.directory.counts import added, count_run
from include.mingasync.errors import MingaSyncError
from include.mingasync.one_person import Someone, without_recipient
from include.mingasync.rosters.identity import KEYS

_SQL = Path(__file__).parent / "sql"
_NEVER = "(?!)"
#: What stands where the name of somebody who was erased stood, and something has to stand.
ERASED = "erased"
#: The number of somebody who is no entry of the directory.
NOBODY = 0
Connection = psycopg.Connection[Any]


class ErasingRefused(MingaSyncError):
    """Somebody cannot be erased now; nothing was changed."""


def find(connection: Connection, district: str, person_id: int) -> Someone:
    """One person by all that the directory keeps of them. Raises MingaSyncError where there is none of this number."""
    one = {"district": district, "person_id": person_id}
    said = dict(connection.execute((_SQL / "someone.sql").read_bytes(), one).fetchall())
    if not said:
        raise MingaSyncError(f"The district {district} has no person {person_id}. Nothing was changed.")
    (role,) = connection.execute("select role from directory.people where person_id = %s", (person_id,)).fetchone() or ("",)
    someone = Someone(
        district=district,
        person_id=person_id,
        role=role,
        sourced_ids=frozenset(said.get("sourced_id", ())),
        given_names=frozenset([*said.get("given_name", ()), *said.get("preferred_given_name", ())]),
        family_names=frozenset(said.get("family_name", ())),
        keys={key: frozenset(value.strip().lower() for value in said.get(key, ())) for key in KEYS},
    )
    return known_by(connection, with_own_values(connection, someone), someone.sourced_ids)


def find_record(connection: Connection, district: str, sourced_id: str) -> Someone:
    """Whoever has a sourcedId in the directory; where nobody has, somebody of whom only records were read, without a number."""
    row = connection.execute(
        "select min(person_id) from directory.people where district = %s and %s = any (sourced_ids)", (district, sourced_id)
    ).fetchone()
    if row and row[0]:
        return find(connection, district, row[0])
    return Someone(district=district, person_id=NOBODY, role="student", sourced_ids=frozenset({sourced_id}))


def with_own_values(connection: Connection, someone: Someone) -> Someone:
    """The person with the addresses, names and signatures that nobody else of the district has.

    A student's address is often the family's, and nobody here writes to it.
    """
    addresses = set(someone.keys["email"]) if someone.role != "student" else set()
    names = {*someone.given_names, *someone.family_names}
    wanted = {"names": [name.lower() for name in names], "addresses": sorted(addresses), "signatures": sorted(someone.named_as)}
    rows = connection.execute(
        (_SQL / "values_of_others.sql").read_bytes(), wanted | {"district": someone.district, "person_id": someone.person_id}
    ).fetchall()
    shared = {kind: {value for at, value in rows if at == kind} for kind in ("name", "address", "signature")}
    own = {name for name in names if name.lower() not in shared["name"]}
    return replace(
        someone,
        addresses=frozenset(addresses - shared["address"]),
        own_names=frozenset(own),
        shared_signatures=frozenset(shared["signature"]),
    )


def known_by(connection: Connection, someone: Someone, sourced_ids: Iterable[str]) -> Someone:
    """The person as known by these sourcedIds as well, but for those that somebody else has by now."""
    every = {*someone.sourced_ids, *sourced_ids}
    rows = connection.execute(
        (_SQL / "others_with_ids.sql").read_bytes(),
        {"district": someone.district, "person_id": someone.person_id, "sourced_ids": sorted(every)},
    )
    others = {**someone.others, **{sourced_id: (frozenset(given), frozenset(family)) for sourced_id, given, family in rows}}
    return replace(someone, sourced_ids=frozenset(every - set(others)), others=others)


def everything(connection: Connection, someone: Someone, enrollments: Iterable[str] = ()) -> dict[str, list[Any]]:
    """All that the directory keeps about one person, by kind; the values are as JSON has them."""
    rows = connection.execute((_SQL / "person_export.sql").read_bytes(), _parameters(someone, enrollments))
    return {section: list(content) for section, content in rows}


def refuse_while_running(connection: Connection, district: str) -> None:
    """Nothing while no run of the district goes on; ErasingRefused names the one that does. For whoever holds the district.

    A run that waits for an answer about archives has read and loaded, and does not read what it read again.
    """
    row = connection.execute(
        """select run_id from directory.sync_runs
           where district = %s and finished_at is null and undone_at is null and (state <> 'held' or answer_until is null)
           order by run_no limit 1""",
        (district,),
    ).fetchone()
    if row:
        raise ErasingRefused(
            f"The run '{row[0]}' of {district} is going on, and would bring back whom it has read already. Erase once it has "
            "ended. If no task of it is going on any more, clear its task notify, which closes it. Nothing was changed."
        )


def erase(connection: Connection, someone: Someone, enrollments: Iterable[str], removed: Mapping[str, int], by: str) -> int:
    """The number of the erasure, after one person and all that is kept of them was removed from every table.

    Within the transaction of the caller, who holds the district.

    ``enrollments``: the sourcedIds of their enrollments; ``removed``: how much of each kind goes, kept with ``by`` whom.
    What runs that have ended counted of them stays counted.
    """
    parameters = _parameters(someone, enrollments)
    runs = [row[0] for row in connection.execute((_SQL / "runs_with_person.sql").read_bytes(), parameters)]
    before = {run_no: count_run(connection, run_no) for run_no in runs}
    _forget_recipient(connection, someone)
    with psycopg.ClientCursor(connection) as cursor:
        cursor.execute((_SQL / "erase.sql").read_bytes(), parameters)
    for run_no, counts in before.items():
        _keep_counted(connection, run_no, counts)
    row = connection.execute(
        "insert into directory.erasures (district, erased_by, removed) values (%s, %s, %s) returning erasure_no",
        (someone.district, ERASED if by.strip().lower() in someone.signatures else by, Jsonb(dict(removed))),
    ).fetchone()
    assert row is not None, "what is inserted is returned"
    return int(row[0])


def _keep_counted(connection: Connection, run_no: int, before: Mapping[str, Any]) -> None:
    """Write down what a run counted and its rows do not tell any more."""
    now = count_run(connection, run_no)
    missing = {
        key: added(before[key], now[key], -1) for key in ("people", "lists", "memberships", "issues") if before[key] != now[key]
    }
    (known,) = connection.execute(
        "select coalesce(erased, '{}') from directory.sync_runs where run_no = %s", (run_no,)
    ).fetchone() or ({},)
    connection.execute("update directory.sync_runs set erased = %s where run_no = %s", (Jsonb(added(known, missing)), run_no))


def _forget_recipient(connection: Connection, someone: Someone) -> None:
    """Take their addresses out of the settings that the runs had, and out of the history of the settings."""
    for address in sorted(someone.addresses):
        for table, columns in (("sync_runs", ("settings",)), ("settings_history", ("before", "after"))):
            for column in columns:
                _forget_in(connection, table, column, address, someone)


def _forget_in(connection: Connection, table: str, column: str, address: str, someone: Someone) -> None:
    place = psycopg.sql.Identifier("directory", table), psycopg.sql.Identifier(column)
    found = connection.execute(
        psycopg.sql.SQL("select distinct {1} from {0} where district = %s and position(%s in lower({1}::text)) > 0").format(
            *place
        ),
        (someone.district, address),
    ).fetchall()
    for (settings,) in found:
        connection.execute(
            psycopg.sql.SQL("update {0} set {1} = %s where district = %s and {1} = %s").format(*place),
            (Jsonb(without_recipient(settings, someone.addresses)), someone.district, Jsonb(settings)),
        )


def _parameters(someone: Someone, enrollments: Iterable[str]) -> dict[str, Any]:
    # A list bears the name of its teacher, never of a student.
    families, number = _any_of(someone.family_names if someone.role != "student" else ()), someone.person_id
    names = _any_of(name for name in {*someone.own_names, *someone.full_names} if len(name) > 1)
    ids = _any_of({*someone.sourced_ids, *enrollments})
    return {
        "district": someone.district,
        "person_id": number,
        "sourced_ids": sorted(someone.sourced_ids),
        "enrollments": sorted(enrollments),
        "addresses": sorted(someone.addresses),
        "family_names": sorted(someone.family_names),
        "full_names": sorted(someone.full_names) if someone.addresses else [],
        "called": _called(someone),
        "contact_addresses": sorted(someone.keys.get("email", ())) if someone.role != "student" else [],
        "contact_names": sorted(name.lower() for name in someone.full_names),
        "signatures": someone.signatures,
        "erased": ERASED,
        # Regular expressions: a name as a word, a family name behind a list's name, their number in a question, an id among
        # examples.
        "names": rf"(?<!\w)(?:{names})(?!\w)" if names else _NEVER,
        "behind": rf" · (?:{families})(?= · |$)" if families else _NEVER,
        "their_number": rf"person (?:\d+, )*{number}(?!\d)|relink\({number},",
        "examples": rf"(\(|, )(?:{ids})(?=\)|, | …)" if ids else _NEVER,
    }


def _called(someone: Someone) -> str:
    """A regular expression for the name of a contact with their address that may be their own; an office's is many people's."""
    given = _any_of(name for name in someone.given_names if len(name) > 1)
    family = _any_of(someone.family_names)
    own = [rf"(?<!\w)(?:{given})(?!\w)"] if given else []
    own += [rf"^\s*(?:(?:mrs?|ms|miss|dr|prof)\.?\s+)?(?:{family})\s*$"] if family else []
    return "|".join(own) or _NEVER


def _any_of(texts: Iterable[str]) -> str:
    """A regular expression, PostgreSQL's and Python's alike, for any of these texts as they are."""
    longest_first: Sequence[str] = sorted(filter(None, texts), key=lambda text: (-len(text), text))
    return "|".join(re.sub(r"([^\w\s])", r"\\\1", text) for text in longest_first)
