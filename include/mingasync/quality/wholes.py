"""The rules about whole collections: what no single record can show."""

from __future__ import annotations

import datetime as dt
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from include.mingasync.quality.checks import Frames, day, lists, live
from include.mingasync.quality.sizes import sizes_of, smaller
from include.mingasync.rosters.grades import known_grade
from include.mingasync.rosters.people import ROLE_OF, any_parent, known_orgs

#: What every record must have; one record may lack it, all of them may not.
_NEEDED = {
    "orgs": ("sourced_id", "name", "type"),
    "academicSessions": ("sourced_id", "start_date", "end_date"),
    "courses": ("sourced_id",),
    "classes": ("sourced_id", "school_id"),
    "users": ("sourced_id", "given_name", "family_name"),
    "enrollments": ("sourced_id", "class_id", "user_id", "role"),
}
#: Fewer records than this prove nothing about a column, or about a collection that shrank.
_ENOUGH = 5
#: Days after the last session within which the next year's may still be missing.
_LONGEST_HOLIDAYS = 120


@dataclass(frozen=True)
class Fault:
    """A broken rule of a whole collection; ``detail`` adds numbers to the catalogue's sentence."""

    rule: str
    detail: str = ""


def whole_faults(
    frames: Frames,
    checks: Mapping[str, pd.DataFrame],
    night: dt.date,
    previous_rows: Mapping[str, int],
    *,
    known_until: dt.date | None = None,
    open_ids: Container[str] = (),
    contacts: bool = False,
) -> list[Fault]:
    """The rules about whole collections that are broken.

    ``open_ids``: the collections of which a part did not come or could not be read, so that what they are as wholes is open.
    ``contacts``: parents' contacts are wanted.
    """
    faults = [Fault(f"{name}.none") for name in ("orgs", "users") if frames[name].empty]
    for name, frame in frames.items():
        faults += _empty_columns(name, frame)
        twice = len(frame) - int(checks[name]["id_twice"].sum())
        if twice > 1 and twice > 0.05 * len(frame):
            faults.append(Fault(f"{name}.ids_twice_en_masse", f"{twice} of {len(frame)}."))
        now = sizes_of(name, frame) if f"{name}.here" in previous_rows else {}
        fewer = smaller(name, len(frame), now, previous_rows)
        if fewer and fewer.then >= _ENOUGH:
            what = "" if fewer.what == name else f"{fewer.what} "
            faults.append(Fault(f"{name}.halved", f"{fewer.now} {what}now, {fewer.then} then."))
    if contacts and "users" not in open_ids and len(frames["users"]) and not any_parent(frames["users"]):
        faults.append(Fault("users.parents_not_shared"))
    if "orgs" not in open_ids:
        faults += _places(frames)
    if "academicSessions" not in open_ids:
        faults += _year(frames["academicSessions"], night, known_until)
    return [*faults, *_roles(frames["users"], checks["users"]), *_grades(frames)]


def _places(frames: Frames) -> Iterator[Fault]:
    """Whether anybody can be at a school at all."""
    orgs, users = frames["orgs"], frames["users"]
    schools, _ = known_orgs(orgs)
    if len(orgs) and not schools:
        yield Fault("orgs.no_schools", f"{len(orgs)} org{'s' if len(orgs) > 1 else ''}.")
    here = users[live(users)]
    named = [*lists(here["org_ids"]), *lists(here["role_org_ids"])]
    if schools and len(here) and schools.isdisjoint(org for own in named for org in own):
        yield Fault("users.no_school", f"{len(here)} user{'s' if len(here) > 1 else ''}.")


def _empty_columns(name: str, frame: pd.DataFrame) -> Iterator[Fault]:
    here = frame[live(frame)]
    for column in _NEEDED[name]:
        if len(here) >= _ENOUGH and here[column].fillna("").str.strip().eq("").all():
            yield Fault(f"{name}.column_empty", f"Column {column}, {len(here)} records.")


def _roles(users: pd.DataFrame, checks: pd.DataFrame) -> Iterator[Fault]:
    if len(users) and not any(any(roles) for roles in lists(users["roles"])):
        yield Fault("users.no_roles")
    folded = [{str(role).strip().lower() for role in own} for own in lists(users["roles"])]
    rostered = pd.Series([not ROLE_OF.keys().isdisjoint(own) for own in folded], index=users.index, dtype=bool)
    here = int((rostered & live(users) & ~users["enabled"].eq(False).fillna(False).astype(bool)).sum())
    ended = int((~checks["role_ended"]).sum())
    if ended >= _ENOUGH and ended == here:
        yield Fault("users.roles_all_ended", f"{ended} users.")


def _year(sessions: pd.DataFrame, night: dt.date, known_until: dt.date | None) -> Iterator[Fault]:
    """Sessions that are all over: a warning, for a district may read old data on purpose, unless a later year was here before;
    after the longest holidays it is an error, so that no run on such data counts as good."""
    ends = day(sessions.loc[live(sessions), "end_date"])
    # The session whose end is no date may be the one that is going on.
    if ends.empty or ends.isna().any():
        return
    ago = (pd.Timestamp(night, tz="UTC") - ends.max()).days
    if known_until is not None and ago > 0 and ends.max().date() < known_until:
        yield Fault("academicSessions.wrong_year", f"The last one ended {ago} days ago.")
    elif ago > 0:
        yield Fault("academicSessions.over")
        if ago > _LONGEST_HOLIDAYS:
            yield Fault("academicSessions.long_over", f"The last one ended {ago} days ago.")


def _grades(frames: Frames) -> Iterator[Fault]:
    for name in ("courses", "classes", "users"):
        codes = pd.Series(lists(frames[name].loc[live(frames[name]), "grades"]), dtype=object).explode().dropna()
        for code, number in codes.astype(str).str.strip().value_counts().sort_index().items():
            if code and not known_grade(str(code)):
                yield Fault(
                    f"{name}.grade_unknown",
                    f"{number} {'record' if number == 1 else 'records'} with '{code}'.",
                )
