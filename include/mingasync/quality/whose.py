"""Whose a pull is: the district orgs and schools that it names, against those of the last good night."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import msgspec
import pandas as pd

#: So many names of orgs are told at most.
_EXAMPLES = 3


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What a district is known by: its district orgs and its schools, sourcedId -> name."""

    districts: Mapping[str, str] = {}
    schools: Mapping[str, str] = {}

    @property
    def orgs(self) -> Mapping[str, str]:
        """All of them."""
        return {**self.schools, **self.districts}

    @property
    def told(self) -> str:
        """Whose it seems to be, in words: the names of its district orgs, else of some schools. No personal data."""
        of = self.districts or self.schools
        named = [f"{name} ({sourced_id})" for sourced_id, name in sorted(of.items())[:_EXAMPLES]]
        return ", ".join(named) + (" …" if len(of) > _EXAMPLES else "") if named else "nobody known"

    def as_json(self) -> dict[str, Any]:
        """For the run's row."""
        return {"districts": dict(self.districts), "schools": dict(self.schools)}


def identity_of(orgs: pd.DataFrame) -> Identity:
    """What the orgs of a snapshot say whose it is; records that are only leaving, or bad, count as well as others."""
    kind = orgs["type"].astype("string").str.strip().str.lower()
    names = orgs["name"].astype("string").fillna("").str.strip()

    def of(wanted: str) -> dict[str, str]:
        chosen = kind.eq(wanted).fillna(False).to_numpy(dtype=bool) & orgs["sourced_id"].notna().to_numpy(dtype=bool)
        return dict(zip(orgs.loc[chosen, "sourced_id"], names[chosen], strict=True))

    return Identity(districts=of("district"), schools=of("school"))


def another_district(tonight: Identity, known: Identity, org_ids: Collection[str]) -> str | None:
    """Why the pull seems to be another district's than the last good night's, None when it does not.

    ``org_ids``: every org that came tonight, whatever its type, and those that could not be read.
    """
    theirs = f"These seem to be the orgs of {tonight.told}, where {known.told} was before"
    if known.schools and not set(known.schools).intersection(org_ids):
        number = len(known.schools)
        return f"{theirs}: none of the {number} school{'s' if number > 1 else ''} of the last good night is among them."
    if known.districts and tonight.districts and not set(known.districts).intersection(org_ids):
        return f"{theirs}: the district org is another."
    both = set(known.orgs).intersection(tonight.orgs)
    if len(both) > 1 and not any(_same(known.orgs[one], tonight.orgs[one]) for one in both):
        return f"{theirs}: the sourcedIds are the same, and not one of {len(both)} orgs has its name."
    return None


def _same(one: str, other: str) -> bool:
    """Whether two names may be the same org's: the one in the other, whatever the case and signs; blanks tell nothing."""
    first, second = (re.sub(r"\W+", "", name.casefold()) for name in (one, other))
    return first in second or second in first


def is_right(tonight: Identity, accepted: str) -> bool:
    """Whether the org that a person named with the run is tonight's district org, or a school where no district org is shared."""
    return accepted in (tonight.districts or tonight.schools)
