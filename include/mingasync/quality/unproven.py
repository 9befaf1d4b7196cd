"""Which collections of a pull prove that somebody or something is gone, why the others do not, and what follows from that."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from include.mingasync.contacts import Contacts
from include.mingasync.quality.sizes import SIZE_COLUMNS, Smaller, sizes_of, smaller
from include.mingasync.rosters.basis import borrowing, made_from, needed
from include.mingasync.settings import ListKind, Settings

if TYPE_CHECKING:
    import pandas as pd

    from include.mingasync.snapshot import Proof, Snapshot

_SMALLER = 'If it is right that there are fewer, run once with {"accept_smaller": true}.'
NONE_IS_RIGHT = 'If it is right that there are none, run once with {"accept_smaller": true}.'
_AGAIN = "Run it once more; if that ends the same, tell the SIS's support what the message says."
_NAMES = "Have the SIS send a sourcedId with every record."
_FILE = "Correct `schools` in the district file: it holds the sourcedIds of schools that the SIS shares."
NOBODY = "Nobody was archived or taken off a list."


@dataclass(frozen=True)
class Unproven:
    """Why a collection proves nothing to be gone.

    ``state``: ``absent`` (refused, or it never came), ``incomplete``, ``nameless`` (whole, but with rows that have no
    sourcedId), ``empty``, ``shrunken``, ``school_gone`` or ``misnamed`` (whole, but the district's file names schools that the
    SIS does not have, and whose people those are is not known).
    """

    state: str
    reason: str

    @property
    def rests(self) -> bool:
        """Whether all that is made from the collection rests; rows without a name, and schools that are none, leave open only
        who is gone."""
        return self.state not in ("nameless", "misnamed")

    @property
    def can_be_accepted(self) -> bool:
        """Whether a person can know better: that fewer are right. What was refused is not smaller but unknown."""
        return self.state in ("empty", "shrunken", "school_gone")

    @property
    def is_told(self) -> bool:
        """Whether the data proof tells of it already, as a collection that is needed and did not come."""
        return self.state in ("absent", "empty")

    @property
    def fix(self) -> str:
        """What to do about it."""
        return {"incomplete": _AGAIN, "nameless": _NAMES, "misnamed": _FILE}.get(self.state, _SMALLER)


@dataclass(frozen=True)
class Standing:
    """How far a pull can be relied on: why a collection proves nothing to be gone; which collections something switched on is
    made from, with the switches; how many classes need a course that did not come; whether parents' contacts are wanted; and
    whether a person said that the smaller numbers are right."""

    unproven: Mapping[str, Unproven] = field(default_factory=dict)
    needed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    borrowing: int = 0
    contacts: bool = False
    accepts_smaller: bool = False


def standing_of(
    snapshot: Snapshot,
    frames: Mapping[str, pd.DataFrame],
    sizes: Mapping[str, int],
    settings: Settings,
    *,
    accept_smaller: bool,
) -> Standing:
    """How far a snapshot can be relied on before anything was made from it; schools that are gone show only later."""
    need = needed(settings, frames["classes"], frames["courses"])
    unproven = unproven_collections(snapshot, sizes, need, now=sizes_in(snapshot), accept_smaller=accept_smaller)
    borrowed = borrowing(settings, frames["classes"], frames["courses"])
    return Standing(unproven, need, borrowed, Contacts.of(settings).any, accept_smaller)


def unproven_collections(
    snapshot: Snapshot,
    sizes: Mapping[str, int],
    needed: Container[str],
    *,
    now: Mapping[str, Mapping[str, int]] | None = None,
    nameless: Mapping[str, int] | None = None,
    gone_schools: Sequence[str] = (),
    misnamed: Sequence[str] = (),
    accept_smaller: bool = False,
) -> dict[str, Unproven]:
    """Why each collection that proves nothing to be gone does not.

    ``sizes`` as from ``last_complete_sizes``; ``needed``: the collections that something switched on is made from; ``now`` as
    from ``sizes_in``, without which only numbers of rows are compared; ``nameless``: how many records
    the data proof found without a sourcedId, beside those that the reading set aside; ``misnamed``: the schools of the district's
    file that the SIS does not have; ``accept_smaller``: a person says that the
    smaller numbers are right.
    """
    moved = snapshot.incomplete_reasons()
    found = {}
    for name, read in snapshot.proofs().items():
        proof = msgspec.structs.replace(read, nameless=read.nameless + (nameless or {}).get(name, 0))
        fewer = smaller(name, proof.rows, (now or {}).get(name, {}), sizes)
        every = _doubts(
            proof,
            moved.get(name),
            fewer,
            is_needed=name in needed,
            was_none=sizes.get(name) == 0,
            gone_schools=gone_schools if name == "orgs" else (),
            misnamed=misnamed if name == "orgs" else (),
        )
        open_ones = (why for why in every if not (accept_smaller and why.can_be_accepted))
        if why := next(open_ones, None):
            found[name] = why
    return found


def _doubts(
    proof: Proof,
    moved: str | None,
    fewer: Smaller | None,
    *,
    is_needed: bool,
    was_none: bool,
    gone_schools: Sequence[str],
    misnamed: Sequence[str],
) -> Iterator[Unproven]:
    """Every reason, the gravest first."""
    name = proof.collection
    if proof.state == "absent":
        # What nothing is made from is not missed.
        if is_needed:
            yield Unproven("absent", f"{name}: {proof.reason}.")
        return
    if moved is not None:
        yield Unproven("incomplete", f"{name}: {moved.rstrip('.')}.")
    if not proof.rows and is_needed and not was_none:
        yield Unproven("empty", f"{name}: the SIS's answer was empty.")
    elif fewer:
        words = f"The SIS sent {fewer.now} {fewer.what}, under half of the {fewer.then} of the last complete night."
        yield Unproven("shrunken", words)
    if gone_schools:
        schools = "1 school is" if len(gone_schools) == 1 else f"{len(gone_schools)} schools are"
        yield Unproven("school_gone", f"{schools} gone from the SIS's orgs: {', '.join(gone_schools)}.")
    if misnamed:
        schools = "1 school" if len(misnamed) == 1 else f"{len(misnamed)} schools"
        yield Unproven("misnamed", f"The district file names {schools} that the SIS does not have: {', '.join(misnamed)}.")
    if proof.nameless:
        rows = "1 row has" if proof.nameless == 1 else f"{proof.nameless} rows have"
        yield Unproven("nameless", f"{name}: {rows} no readable sourcedId, so whose they are is not known.")


def sizes_in(snapshot: Snapshot) -> dict[str, dict[str, int]]:
    """How much of each collection that was read counts, as from ``sizes_of``."""
    read = [name for name, proof in snapshot.proofs().items() if proof.state != "absent"]
    return {name: sizes_of(name, snapshot.frame(name, SIZE_COLUMNS.get(name, ["status"]))) for name in read}


def why_unproven(unproven: Mapping[str, Unproven]) -> str | None:
    """The causes in sentences, None when everything is proven."""
    return " ".join(why.reason for _, why in sorted(unproven.items())) or None


def resting_kinds(unproven: Mapping[str, Unproven]) -> tuple[ListKind, ...]:
    """The kinds of list that rest because something they are made from is not proven."""
    return made_from(name for name, why in unproven.items() if why.rests)


def consequence(kinds: tuple[str, ...]) -> str:
    """What follows for people and lists, in a sentence."""
    if not kinds:
        return NOBODY
    *most, last = kinds
    words = f"{', '.join(most)} and {last}" if most else last
    return f"{NOBODY} Lists of kind {words} stay as they are, and no new ones are made."
