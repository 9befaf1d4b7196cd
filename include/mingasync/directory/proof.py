"""What a pull is held to: the last complete sizes of its collections, and the schools that the directory knows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
import pandas as pd
import psycopg

from include.mingasync.quality.whose import Identity, OtherDistrict, another_district, answers_of, identity_of
from include.mingasync.snapshot import Snapshot

#: Of fewer people all may have left in one night.
FEW_PEOPLE = 10
_KEYS = ("sourced_id", "identifier", "email", "username")
_PEOPLE = """
select lower(family_name), array(select lower(one) from unnest(sourced_ids) as one), array_remove(array[lower(identifier)], null),
       array_remove(array[lower(email)], null), array_remove(array[lower(username)], null)
from directory.people where district = %s and status = 'active' and include_in_sync and cardinality(sourced_ids) > 0
"""


def last_complete_sizes(connection: psycopg.Connection[Any], district: str, but: int | None) -> dict[str, int]:
    """How many rows each collection had when a loaded night last proved it complete; ``but`` leaves out one run.

    Behind its name stand the numbers that count, as ``users.student.here``, unless that night's version did not keep them.
    """
    rows = connection.execute(
        """
        select distinct on (one.key) one.key, (one.value ->> 'rows')::integer, coalesce(one.value -> 'sizes', '{}')
        from directory.sync_runs as r
        cross join lateral jsonb_each(r.collections) as one
        where r.district = %s and r.run_no is distinct from %s and r.loaded_at is not null
          and one.value ->> 'state' in ('complete', 'changes')
          -- Nights before it was kept per collection were proven as a whole or not at all.
          and case when one.value ? 'unproven' then one.value ->> 'unproven' is null else r.proven end
        order by one.key, r.snapshot_at desc
        """,
        (district, but),
    ).fetchall()
    return {name: number for name, number, _ in rows} | {
        f"{name}.{part}": number for name, _, sizes in rows for part, number in sizes.items()
    }


def known_schools(connection: psycopg.Connection[Any], district: str) -> list[str]:
    """The schools that the directory knows, of which none may be gone unnoticed."""
    rows = connection.execute("select school_id from directory.schools where district = %s order by 1", (district,))
    return [row[0] for row in rows]


def whose(
    connection: psycopg.Connection[Any],
    district: str,
    but: int,
    snapshot: Snapshot,
    *,
    accepted: str | None,
    rostered: Sequence[str] = (),
) -> OtherDistrict | None:
    """Why the snapshot seems to be another district's than that of the night loaded before it; None when it does not.

    ``accepted``: the org of which a person says with the run that it is the district now. ``rostered``: the schools that the
    district's file names, none for all.
    """
    orgs = snapshot.frame("orgs", ["sourced_id", "name", "type", "parent_id"])
    ids = {*orgs["sourced_id"].dropna(), *snapshot.unreadable("orgs")["sourced_id"]}
    known = _known_identity(connection, district, but, snapshot.taken_at)
    other = another_district(orgs, known, ids, rostered) or _other_people(connection, district, snapshot, orgs)
    if other is None or not accepted:
        return other
    if accepted in other.answers:
        return None
    wrong = "is not that org" if other.ours else "is not among its district orgs or schools"
    return msgspec.structs.replace(other, why=f"{other.why} {accepted}, which this run accepts, {wrong}.")


def _other_people(
    connection: psycopg.Connection[Any], district: str, snapshot: Snapshot, orgs: pd.DataFrame
) -> OtherDistrict | None:
    """Why the people seem to be another district's: not one whom the directory has from the SIS came with their family name,
    under whichever of their keys. A key alone says little: two districts count their users from 1."""
    proof = snapshot.proof("users")
    if proof is None or proof.state not in ("complete", "changes") or not proof.rows:
        return None  # what came in part, or not at all, is told as that
    users = snapshot.frame("users", ["family_name", *_KEYS])
    unread, number = {one.lower() for one in snapshot.unreadable("users")["sourced_id"]}, 0
    with connection.transaction(), connection.cursor("known_people") as cursor:
        cursor.execute(_PEOPLE, (district,))
        # Some of the first few are found on any night but another district's.
        while rows := cursor.fetchmany(500):
            if unread.intersection(one for _, ids, *_ in rows for one in ids) or _any_among(users, rows):
                return None
            number += len(rows)
    if number < FEW_PEOPLE:
        return None
    return OtherDistrict(
        why=f"These seem to be the people of another district: of {number} people who are here from the SIS none is among its "
        f"{proof.rows} users, by family name with sourcedId, identifier, e-mail or username.",
        answers=answers_of(identity_of(orgs)),
    )


def _any_among(users: pd.DataFrame, rows: Sequence[tuple[Any, ...]]) -> bool:
    """Whether one of some people is among the users, by family name and a key, whatever the case."""
    named = {f"{one}|{family}" for family, *keys in rows for own in keys for one in own}
    for name in _KEYS:
        texts = users[name].astype("string").str.lower()
        likely = texts.isin({one.rsplit("|", 1)[0] for one in named})
        found = texts[likely].str.cat(users.loc[likely, "family_name"].astype("string").str.strip().str.lower(), sep="|")
        if found.isin(named).any():
            return True
    return False


def _known_identity(connection: psycopg.Connection[Any], district: str, but: int, before: dt.datetime) -> Identity:
    """Whose the newest night was that was loaded before a moment, so that an older night replayed is held to its own past."""
    row = connection.execute(
        """select identity from directory.sync_runs
           where district = %s and run_no <> %s and loaded_at is not null and snapshot_at < %s
           order by snapshot_at desc limit 1""",
        (district, but, before),
    ).fetchone()
    if row is None:
        return Identity()
    if row[0] is not None:
        return msgspec.convert(row[0], Identity)
    # A night of a version that did not keep it: the schools are known all the same.
    known = connection.execute("select school_id, name from directory.schools where district = %s", (district,)).fetchall()
    return Identity(schools=dict(known))
