"""What a snapshot asks of the directory, with the proof that decides whether anybody may leave."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import psycopg

from include.mingasync.directory.load import Desired
from include.mingasync.directory.proof import known_schools, last_complete_sizes, whose
from include.mingasync.errors import CriticalData
from include.mingasync.quality.unproven import sizes_in, unproven_collections
from include.mingasync.quality.whose import identity_of
from include.mingasync.rosters.derive import DERIVED

if TYPE_CHECKING:
    from include.mingasync.snapshot import Snapshot


def desired_from(
    connection: psycopg.Connection[Any],
    snapshot: Snapshot,
    district: str,
    run_no: int,
    *,
    accept_smaller: bool = False,
    accept_district: str | None = None,
    rostered: Sequence[str] = (),
    read_on: dt.date | None = None,
) -> Desired:
    """The staging tables of a derived snapshot, and why which of its collections proves nothing to be gone.

    ``accept_smaller``: a person says that the smaller numbers are right, such as after a school closed. ``accept_district``: the
    org that a person says is the district now. ``rostered``: the schools that the district's file names, none for all.
    ``read_on``: the local date on which the snapshot was read. Raises CriticalData for another district's snapshot.
    """
    # validate has asked this; whoever loads asks again.
    if other := whose(connection, district, run_no, snapshot, accepted=accept_district, rostered=rostered):
        raise CriticalData(f"{other.why} Nothing was changed.")
    derived = snapshot.read_json("derived")
    shared, sizes = set(derived["shared_schools"]), sizes_in(snapshot)
    known = known_schools(connection, district)
    unproven = unproven_collections(
        snapshot,
        last_complete_sizes(connection, district, run_no),
        derived["needed"],
        now=sizes,
        nameless=_nameless(snapshot),
        gone_schools=[one for one in known if one not in shared],
        # One that was known until tonight is gone, and told as that. A snapshot of an older version does not say.
        misnamed=[one for one in derived.get("misnamed", ()) if one not in known],
        accept_smaller=accept_smaller,
    )
    # Of terms that did not come, or only in part, none is lost: all that is made from them rests.
    sessions = unproven.get("academicSessions")
    lost_terms = () if sessions and sessions.rests else tuple(derived["lost_terms"])
    return Desired(
        tables={name: snapshot.read_table(f"derived_{name}") for name in DERIVED},
        snapshot_at=snapshot.taken_at,
        lost_terms=lost_terms,
        resting_terms=tuple(derived["unknown_terms"]),
        resting_schools=tuple(derived["unknown_schools"]),
        unproven=unproven,
        contacts_rest=derived["contacts_rest"],
        only_changes=snapshot.has_only_changes(),
        read_on=read_on,
        identity=identity_of(snapshot.frame("orgs"), rostered).as_json(),
        collections={
            name: {
                "rows": proof.rows,
                "sizes": sizes.get(name, {}),
                "state": proof.state,
                "sha256": proof.sha256,
                "unproven": unproven[name].state if name in unproven else None,
            }
            for name, proof in snapshot.proofs().items()
        },
    )


def _nameless(snapshot: Snapshot) -> dict[str, int]:
    """How many records of each collection the data proof set aside for want of a sourcedId."""
    rules = Counter(snapshot.read_table("set_aside").column("rule").to_pylist())
    return {rule.split(".")[0]: number for rule, number in rules.items() if str(rule).endswith(".id_missing")}
