"""Whose a pull is: the district orgs and schools that it names, against those of the last good night."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

import msgspec
import pandas as pd

#: So many names of orgs are told at most.
_EXAMPLES = 3
#: So many schools of ours are told in a cure.
_OWN = 20


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


def identity_of(orgs: pd.DataFrame, rostered: Collection[str] = ()) -> Identity:
    """What the orgs of a snapshot say whose it is; records that are only leaving, or bad, count as well as others.

    ``rostered``: the schools that the district's file names; others are not the district's. None for all.
    """
    kind = orgs["type"].astype("string").str.strip().str.lower()
    names = orgs["name"].astype("string").fillna("").str.strip()

    def of(wanted: str) -> dict[str, str]:
        chosen = kind.eq(wanted).fillna(False).to_numpy(dtype=bool) & orgs["sourced_id"].notna().to_numpy(dtype=bool)
        return dict(zip(orgs.loc[chosen, "sourced_id"], names[chosen], strict=True))

    schools = {one: name for one, name in of("school").items() if not rostered or one in rostered}
    return Identity(districts=of("district"), schools=schools)


class OtherDistrict(msgspec.Struct, frozen=True, kw_only=True):
    """Why a pull seems to be another district's, in part or whole, and how a person says that it is ours all the same."""

    why: str
    #: The orgs of which a person names one as ``accept_district`` with the run.
    answers: tuple[str, ...]
    #: Our own schools, where only a part of the pull seems to be another's; none where all of it does.
    ours: tuple[str, ...] = ()

    @property
    def fix(self) -> str:
        """The cure, with the answer as it is typed."""
        org = min(self.answers, default="<sourcedId of the org>")
        if not self.ours:
            answer = json.dumps({"accept_district": org, "accept_smaller": True})
            return (
                "Correct the address or the credentials in the Connection. If it is this district all the same, such as after "
                f"its SIS gave every org a new sourcedId, run once with {answer}."
            )
        named = ", ".join(self.ours[:_OWN]) + (f" … (all {len(self.ours)} of yours)" if len(self.ours) > _OWN else "")
        return (
            "Ask the SIS to share only this district with this client, or name its schools in the district file "
            f"(schools: [{named}]). If the new schools are this district's, such as after two districts became one, run once "
            f"with {json.dumps({'accept_district': org})}."
        )


def another_district(
    orgs: pd.DataFrame, known: Identity, org_ids: Collection[str], rostered: Collection[str]
) -> OtherDistrict | None:
    """Why the pull seems to be another district's than the last good night's, None when it does not.

    ``org_ids``: every org that came tonight, whatever its type, and those that could not be read. ``rostered``: the schools that
    the district's file names, none for all of them.
    """
    tonight = identity_of(orgs)
    theirs = f"These seem to be the orgs of {tonight.told}, where {known.told} was before"
    why = None
    both = set(known.orgs).intersection(tonight.orgs)
    if known.schools and not set(known.schools).intersection(org_ids):
        number = len(known.schools)
        why = f"{theirs}: none of the {number} school{'s' if number > 1 else ''} of the last good night is among them."
    elif known.districts and tonight.districts and not set(known.districts).intersection(org_ids):
        why = f"{theirs}: the district org is another."
    elif len(both) > 1 and not any(_same(known.orgs[one], tonight.orgs[one]) for one in both):
        why = f"{theirs}: the sourcedIds are the same, and not one of {len(both)} orgs has its name."
    return OtherDistrict(why=why, answers=answers_of(tonight)) if why else _beside_ours(orgs, tonight, known, rostered)


def answers_of(tonight: Identity) -> tuple[str, ...]:
    """The orgs of which one stands for the whole of tonight's orgs: its district orgs, or its schools where none is shared."""
    return tuple(sorted(tonight.districts or tonight.schools))


def _beside_ours(orgs: pd.DataFrame, tonight: Identity, known: Identity, rostered: Collection[str]) -> OtherDistrict | None:
    """Why some schools seem to be another district's: they are new, and no district org above them is above a school of ours."""
    parents = dict(zip(orgs["sourced_id"], orgs["parent_id"].astype("string"), strict=True))
    above = {one: _districts_above(one, parents, tonight.districts) for one in tonight.schools}
    ours = set().union(*(above[one] for one in above if one in known.schools))
    strange = {
        one
        for one, districts in above.items()
        if one not in known.schools and (not rostered or one in rostered) and districts and not districts.intersection(ours)
    }
    if not ours or not strange:
        return None
    theirs = set().union(*(above[one] for one in strange))
    number = len(strange)
    whose = Identity(districts={one: tonight.districts[one] for one in theirs}).told
    of = Identity(districts={one: tonight.districts[one] for one in ours}).told
    return OtherDistrict(
        why=f"{number} new school{'s' if number > 1 else ''} seem{'' if number > 1 else 's'} to be of another district: "
        f"{whose}, where the schools of the last good night are of {of}.",
        answers=tuple(sorted(theirs)),
        ours=tuple(sorted(set(known.schools).intersection(above))),
    )


def _districts_above(org: str, parents: Mapping[str, Any], districts: Collection[str]) -> set[str]:
    """The district orgs on the way from an org to the top; a circle ends where it began."""
    seen: list[str] = []
    while (above := parents.get(org)) is not None and not pd.isna(above) and above not in seen:
        seen.append(org := above)
    return {one for one in seen if one in districts}


def _same(one: str, other: str) -> bool:
    """Whether two names may be the same org's: the one in the other, whatever the case and signs; blanks tell nothing."""
    first, second = (re.sub(r"\W+", "", name.casefold()) for name in (one, other))
    return first in second or second in first
