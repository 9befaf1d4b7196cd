"""Whose parents' contacts are wanted, and the end of those that are not in what the runs read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.mingasync.errors import SnapshotUnusable
from include.mingasync.oneroster.columnar import only_parents

if TYPE_CHECKING:
    from include.mingasync.settings import Settings
    from include.mingasync.snapshot import Proof, Snapshot

_CONTACT = ("parent_name", "parent_email", "parent_phone")


@dataclass(frozen=True)
class Contacts:
    """The schools whose students' primary contact is kept, each with its switch; ``default`` is every other one's."""

    default: bool
    schools: Mapping[str, bool]

    @classmethod
    def of(cls, settings: Settings) -> Contacts:
        """What the settings of a district want."""
        own = {school: settings.for_school(school).include_primary_parent_contact for school in settings.schools}
        return cls(settings.include_primary_parent_contact, own)

    @property
    def any(self) -> bool:
        """Whether any contact is wanted at all."""
        return self.default or any(self.schools.values())

    @property
    def every(self) -> bool:
        """Whether every student's is."""
        return self.default and all(self.schools.values())

    def wants(self, school: str | None) -> bool:
        """Whether the contacts of a school's students are wanted; of those without a school, for none."""
        return self.schools.get(school or "", self.default)

    def as_dict(self) -> dict[str, bool]:
        """As a proof keeps it: the default under the empty name."""
        return {"": self.default, **self.schools}

    def want_more_than(self, base: Snapshot | None) -> bool:
        """Whether contacts are wanted that a snapshot does not keep, so that it cannot be built on."""
        proof = base.proof("users") if base else None
        if proof is None:
            return False
        kept = proof.contacts or {"": bool(proof.parents)}
        return any(self.wants(school) and not kept.get(school, kept[""]) for school in {"", *kept, *self.schools})

    def are_left_out_of(self, snapshot: Snapshot) -> bool:
        """Whether a snapshot was read while contacts that are wanted now were not, so that it says nothing of them."""
        proof = snapshot.proof("users")
        is_told = proof is not None and (proof.contacts is not None or proof.parents is False)
        return is_told and self.want_more_than(snapshot)

    def allow_less_than(self, proof: Proof) -> bool:
        """Whether what a proof speaks of may hold contacts that are not wanted."""
        if proof.parents is False:
            return False
        kept = proof.contacts or {"": True}
        schools = {"", *kept, *self.schools}
        return any(kept.get(school, kept[""]) and not self.wants(school) for school in schools)


def without_unwanted(users: pa.Table, orgs: pa.Table, wanted: Contacts, others: pa.Table | None = None) -> pa.Table:
    """The users without parents of whom no student with a wanted contact is the child, and without what points at them.

    A student at several schools keeps theirs while any of them wants it: which one counts is decided later. ``others`` are users
    kept elsewhere, whose parents may be among these; nothing that they point at is unwanted.
    """
    if not users.num_rows:
        return users
    kinds = pc.utf8_lower(orgs.column("type"))
    above = set(orgs.filter(pc.fill_null(pc.not_equal(kinds, "school"), False)).column("sourced_id").to_pylist())
    is_parent = np.asarray(only_parents(users.column("roles")))
    keeps = [
        not parent and _wants(wanted, own, above)
        for parent, own in zip(is_parent, users.column("org_ids").to_pylist(), strict=True)
    ]
    agents = [own if keep else [] for keep, own in zip(keeps, users.column("agent_ids").to_pylist(), strict=True)]
    needed = {agent for own in agents for agent in own or ()}
    needed |= {agent for own in (others.column("agent_ids").to_pylist() if others else ()) for agent in own or ()}
    stays = ~is_parent | np.array([one in needed for one in users.column("sourced_id").to_pylist()])
    place = users.schema.get_field_index("agent_ids")
    field = users.schema.field(place)
    return users.set_column(place, field, pa.array(agents, field.type)).filter(pa.array(stays))


def _wants(wanted: Contacts, orgs: Sequence[str] | None, above: set[str]) -> bool:
    schools = [org for org in orgs or () if org not in above]
    return any(map(wanted.wants, schools)) if schools else wanted.wants(None)


def only_wanted(people: pa.Table, wanted: Contacts) -> pa.Table:
    """The people of a derived table without contacts that their first school does not want."""
    schools = people.column("school_ids").to_pylist()
    unsure = people.column("unsure_org_ids").to_pylist() if "unsure_org_ids" in people.column_names else [None] * len(schools)
    keeps = pa.array([_wanted_of(wanted, own, open_ones) for own, open_ones in zip(schools, unsure, strict=True)], pa.bool_())
    for name in _CONTACT:
        place = people.schema.get_field_index(name)
        column = people.column(name)
        people = people.set_column(place, people.schema.field(place), pc.if_else(keeps, column, pa.scalar(None, column.type)))
    return people


def _wanted_of(wanted: Contacts, schools: Sequence[str] | None, unsure: Sequence[str] | None) -> bool:
    """Whether the contact of somebody at these schools is wanted, or may be: at which schools they are besides is open."""
    if wanted.wants(schools[0] if schools else None):
        return True
    if not unsure:
        return False
    return wanted.any if not schools or "" in unsure else any(map(wanted.wants, unsure))


def forget_unwanted(snapshot: Snapshot, wanted: Contacts) -> Proof | None:
    """The new proof of a snapshot's users after contacts that are not wanted were taken out of all that it holds; None where
    nothing was to be done.

    Killed at any point it may be run again. A snapshot of a newer version is left to that version.
    """
    try:
        proof = snapshot.proof("users")
    except SnapshotUnusable:
        return None
    if proof is None:
        snapshot.forget("users")
        return None
    if not wanted.allow_less_than(proof):
        return None
    try:
        orgs, before = snapshot.table("orgs"), snapshot.table("users")
    except SnapshotUnusable:
        # An earlier attempt was killed in the middle: nobody can use the file any more.
        snapshot.forget("users")
        return None
    after = without_unwanted(before, orgs, wanted)
    derived: dict[str, Callable[[pa.Table], pa.Table]] = {
        "derived_people": lambda people: only_wanted(people, wanted),
        "derived_carried_users": lambda users: without_unwanted(users, orgs, wanted, after),
    }
    return snapshot.replace(
        msgspec.structs.replace(
            proof,
            parents=wanted.any,
            contacts=wanted.as_dict(),
            left_out_parents=proof.left_out_parents + before.num_rows - after.num_rows,
        ),
        after,
        derived,
    )
