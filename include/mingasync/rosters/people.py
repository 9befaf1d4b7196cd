"""People from users: one human is one person, with one role, at the schools that are rostered."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import pandas as pd

from include.mingasync.oneroster.records import PARENT_ROLES
from include.mingasync.rosters.dates import period
from include.mingasync.rosters.digests import digests
from include.mingasync.rosters.frames import one_each, typed
from include.mingasync.rosters.identity import folded, shared_keys

#: OneRoster's role, folded, -> the role here (docs/behaviours.md, section 1).
ROLE_OF: Mapping[str, str] = {
    "student": "student",
    "teacher": "teacher",
    "administrator": "admin",
    "districtadministrator": "admin",
    "siteadministrator": "admin",
    "systemadministrator": "admin",
    "principal": "admin",
    "aide": "staff",
    "proctor": "staff",
    "counselor": "staff",
    "staff": "staff",
    "employee": "staff",
}
_WINS = ("admin", "teacher", "staff", "student")
_RANK = {role: rank for rank, role in enumerate(_WINS)}

#: Columns of People.present, in the order of the staging table.
COLUMNS = (
    "n",
    "sourced_id",
    "sourced_ids",
    "role",
    "given_name",
    "family_name",
    "preferred_given_name",
    "email",
    "username",
    "identifier",
    "grades",
    "school_ids",
    "unsure_org_ids",
    "maybe_outside",
    "unsure_role",
    "parent_name",
    "parent_email",
    "parent_phone",
    "digest",
    "digest_with_parent",
)
_PARENT = ("parent_name", "parent_email", "parent_phone")
#: What the record does not say is no part of what it says: these make no digest.
_NOT_SAID = ("n", "unsure_org_ids", "maybe_outside", "unsure_role")


@dataclass(frozen=True)
class People:
    """Who the SIS says is here, and who it says is not.

    ``present``: a row a human (COLUMNS; ``n`` numbers them from 0; the digests tell whether a record says what it said before,
    without and with the parent contact). ``school_ids`` are those that are certain; ``unsure_org_ids`` the orgs that a record
    names and the SIS does not list, a blank one where a record names none at all: of those nothing is known, so that whoever is
    here keeps the schools they have. ``maybe_outside``: so little is known that they may be at no rostered school: where only
    some schools are rostered, or for an admin, who sees the lists of all, whose orgs the SIS lists none of.
    ``unsure_role``: another role, at an org that the SIS does not list, would be theirs if that were a rostered school.
    ``gone``: sourced_id and reason, one of ``tobedeleted``, ``inactive``, ``disabled``, ``role_ended``, ``left_school``.
    ``waiting``: who is neither here nor gone: sourced_id, reason, role, school_id (of several the first); the reason is
    ``role_not_begun``, or ``role_unknown`` where the only role that counts is none that OneRoster knows.
    ``ids``: sourced_id -> n for every record of a present human.
    """

    present: pd.DataFrame
    gone: pd.DataFrame
    waiting: pd.DataFrame
    ids: pd.Series


_WAITING = ["sourced_id", "reason", "role", "school_id"]


def people_from(
    users: pd.DataFrame, orgs: pd.DataFrame, rostered: Sequence[str] = (), set_aside: Sequence[str] = (), *, night: dt.date
) -> People:
    """The people in a snapshot's users on a night, without those set aside; ``rostered`` limits them to some schools."""
    users, orgs = typed(users, "users"), typed(orgs, "orgs")
    users = users[~users["sourced_id"].isin(set(set_aside))].reset_index(drop=True)
    users = users.assign(periods=_periods(users, night))
    only_parents = _only_parents(users)
    counts_now = pd.Series(["now" in own for own in users["periods"]], index=users.index, dtype=bool)
    parents = users[only_parents & counts_now & ~users["sourced_id"].duplicated(keep="last")]
    users = users[~only_parents].reset_index(drop=True)
    schools, unsure = _schools(users, orgs, rostered)
    periods_here, open_roles = _here_alone(users, orgs, rostered)
    roles = roles_here(users.assign(periods=periods_here), night)
    unsure_role = np.array(open_roles, dtype=bool)
    unsure_role[unsure_role] = [
        role != other
        for role, other in zip(np.array(roles, dtype=object)[unsure_role], roles_here(users[unsure_role], night), strict=True)
    ]
    users = users.assign(
        role=roles,
        unsure_role=unsure_role,
        counts=no_role_counts(users, night),
        school_ids=schools,
        unsure_org_ids=unsure,
    ).dropna(subset=["role"])
    is_wide = np.array(users["role"].eq("admin"), dtype=bool)
    is_wide[is_wide] = _district_wide(users[is_wide])
    users["is_district_wide"] = is_wide
    users = one_each(users, ~_waits(users) & _gone(users).isna())
    gone = _gone(users)
    waits = gone.isna() & _waits(users)
    here = users[gone.isna() & ~waits]
    present = _one_row_a_human(_with_contacts(trimmed(here), parents))
    columns = ("school_ids", "unsure_org_ids", "role", "is_district_wide")
    present["maybe_outside"] = [
        not at and bool(unknown) and (bool(rostered) or (role == "admin" and unknown != _NO_ORG and not is_wide))
        for at, unknown, role, is_wide in zip(*(present[column] for column in columns), strict=True)
    ]
    said = [column for column in COLUMNS if column in present and column not in _NOT_SAID]
    present = present.assign(
        digest=digests(present, [column for column in said if column not in _PARENT]), digest_with_parent=digests(present, said)
    )
    ids = present[["n", "sourced_ids"]].explode("sourced_ids").set_index("sourced_ids")["n"]
    first = [at[0] if at else None for at in _lists(users["school_ids"])]
    return People(
        present=present[list(COLUMNS)],
        gone=pd.DataFrame({"sourced_id": users["sourced_id"], "reason": gone}).dropna().reset_index(drop=True),
        waiting=users.assign(school_id=first, reason=users["counts"]).loc[waits, _WAITING].reset_index(drop=True),
        ids=ids.astype("int32"),
    )


_NOW = [("now",) * number for number in range(9)]


def _periods(users: pd.DataFrame, night: dt.date) -> list[Sequence[str]]:
    """Where the night lies to the period of each role of each user: now, over or later."""
    made: list[Sequence[str]] = []
    known: dict[tuple[str | None, str | None], str] = {}
    for roles, begins, ends in zip(
        _lists(users["roles"]), _lists(users["role_begin_dates"]), _lists(users["role_end_dates"]), strict=True
    ):
        number = len(roles)
        if number < len(_NOW) and not any(begins) and not any(ends):
            made.append(_NOW[number])
            continue
        own = []
        for place in range(number):
            dates = (begins[place] if place < len(begins) else None, ends[place] if place < len(ends) else None)
            if dates not in known:
                known[dates] = period(*dates, night)
            own.append(known[dates])
        made.append(own)
    return made


#: Roles whose org is the district, also where the SIS does not list it.
_DISTRICT_WIDE = frozenset({"districtadministrator", "systemadministrator"})


def _district_wide(users: pd.DataFrame) -> list[bool]:
    """Whether a role of each user that counts tonight is one of the whole district."""
    return [
        any(one == "now" and str(role).strip().lower() in _DISTRICT_WIDE for role, one in zip(roles, own, strict=False))
        for roles, own in zip(_lists(users["roles"]), users["periods"], strict=True)
    ]


def _here_alone(
    users: pd.DataFrame, orgs: pd.DataFrame, rostered: Sequence[str]
) -> tuple[Sequence[Sequence[str]], Sequence[bool]]:
    """The periods of each user's roles, with ``elsewhere`` for a role at a school that is not rostered; and whether such a role
    is at an org of which nobody can say whether it is one.

    What somebody is at such a school gives them no right at those that are. The orgs above the schools are no other school.
    A SIS may share the rostered schools alone: an org that it does not list counts as another school, for who has a role at a
    rostered one. It is certain to be one where the district's file names the schools and the SIS lists all of them.
    """
    periods: Sequence[Sequence[str]] = users["periods"].tolist()
    wanted = set(rostered)
    listed, above = known_orgs(orgs)
    others, known = listed - wanted if wanted else set(), {*listed, *above, *wanted}
    certain, is_certain = wanted or listed, bool(wanted) and wanted <= listed
    told: list[Sequence[str]] = []
    open_ones: list[bool] = []
    for roles, by_role, one_by_one in zip(_lists(users["roles"]), _lists(users["role_org_ids"]), periods, strict=True):
        unknown: set[int] = set()
        own = one_by_one
        if len(own) > 1:
            folded_roles = [str(role).strip().lower() for role in roles]
            named = list(zip_longest(folded_roles, by_role[: len(own)], own))
            if any(org in certain and one == "now" and role in ROLE_OF for role, org, one in named):
                unknown = {
                    place for place, (role, org, _) in enumerate(named) if org and org not in known and role not in _DISTRICT_WIDE
                }
            own = ["elsewhere" if org in others or place in unknown else one for place, (_, org, one) in enumerate(named)]
        told.append(own)
        open_ones.append(bool(unknown) and not is_certain)
    return told, open_ones


def any_parent(users: pd.DataFrame) -> bool:
    """Whether anybody came who is only a parent: without one the SIS does not share the contacts of students."""
    return bool(_only_parents(users).any())


def _only_parents(users: pd.DataFrame) -> pd.Series:
    return pd.Series(
        [len(roles) > 0 and all(str(role).lower() in PARENT_ROLES for role in roles) for roles in _lists(users["roles"])],
        index=users.index,
        dtype=bool,
    )


def _lists(column: pd.Series) -> list[Sequence[str]]:
    """The lists in a column, an empty one for null."""
    return [value if value is not None and not _is_nan(value) else () for value in column]


def _is_nan(value: object) -> bool:
    return isinstance(value, float) or value is pd.NA


def roles_here(users: pd.DataFrame, night: dt.date) -> list[str | None]:
    """The role of each user here, of those whose period the night lies in; None for who has none that counts anywhere.

    Where no role's period does, the role is that of all: the record is of somebody who was, or will be, here.
    """
    periods = users["periods"] if "periods" in users else _periods(users, night)
    return [
        _role(roles, types, own)
        for roles, types, own in zip(_lists(users["roles"]), _lists(users["role_types"]), periods, strict=True)
    ]


def roles_of(users: pd.DataFrame) -> list[str | None]:
    """The role of each user here whatever its dates, None for who has none; of the columns roles and role_types alone."""
    known: dict[tuple[tuple[str, ...], tuple[str, ...]], str | None] = {}
    found: list[str | None] = []
    for own in zip(_lists(users["roles"]), _lists(users["role_types"]), strict=True):
        roles, types = key = (tuple(own[0]), tuple(own[1]))
        if key not in known:
            known[key] = _role(roles, types, ("now",) * len(roles))
        found.append(known[key])
    return found


def _role(roles: Sequence[str], types: Sequence[str], periods: Sequence[str]) -> str | None:
    """The role here: the primary one, else the weightiest; being a parent as well changes nothing."""
    if len(roles) == 1:
        return ROLE_OF.get(roles[0].strip().lower()) if roles[0] else None
    mapped = [(ROLE_OF.get(str(role).strip().lower()), place) for place, role in enumerate(roles)]
    known = [(role, place) for role, place in mapped if role]
    known = [(role, place) for role, place in known if periods[place] == "now"] or known
    primary = [(role, place) for role, place in known if place < len(types) and str(types[place]).lower() == "primary"]
    return min((role for role, _ in primary or known), key=_RANK.__getitem__, default=None)


def no_role_counts(users: pd.DataFrame, night: dt.date) -> list[str | None]:
    """Why no role of each user counts on a night: ``role_ended``, ``role_not_begun``, ``role_unknown``; None where one does."""
    why: list[str | None] = []
    periods_of = users["periods"] if "periods" in users else _periods(users, night)
    for roles, periods in zip(_lists(users["roles"]), periods_of, strict=True):
        if "over" not in periods and "later" not in periods:
            why.append(None)
            continue
        folded = [str(role).strip().lower() for role in roles]
        own = {one for role, one in zip(folded, periods, strict=True) if role in ROLE_OF}
        others = {one for role, one in zip(folded, periods, strict=True) if role not in ROLE_OF and role not in PARENT_ROLES}
        if "now" in own or not own:
            why.append(None)
        elif "now" in others:
            why.append("role_unknown")
        else:
            why.append("role_not_begun" if "later" in own else "role_ended")
    return why


def known_orgs(orgs: pd.DataFrame) -> tuple[set[str], set[str]]:
    """The schools that the SIS lists, and the orgs above them, such as the district; an org of no type is neither."""
    kind = orgs["type"].str.strip().str.lower()
    active = orgs["status"].eq("active").fillna(False).to_numpy(dtype=bool)
    is_school = kind.eq("school").fillna(False).to_numpy(dtype=bool)
    is_other = kind.ne("school").fillna(False).to_numpy(dtype=bool) & kind.ne("").fillna(False).to_numpy(dtype=bool)
    ids = orgs["sourced_id"]
    return set(ids[active & is_school]), set(ids[is_other])


_NO_ORG = [""]


def _counts(role: object, period: str) -> bool:
    """Whether a role makes its org one of the user's own tonight: to be a parent there does not."""
    return period == "now" and str(role).strip().lower() not in PARENT_ROLES


def _is_admin(role: object) -> bool:
    return ROLE_OF.get(str(role).strip().lower()) == "admin"


def _schools(
    users: pd.DataFrame, orgs: pd.DataFrame, rostered: Sequence[str]
) -> tuple[list[list[str] | None], list[Sequence[str]]]:
    """The certain schools of each user, the primary first, None for who is certainly at none that is rostered; and the orgs of
    which nothing is known, a blank one where none is named.

    A school that the district's file names is one, whether the SIS lists it or not. A user of the whole district has no
    school of their own and is never outside, nor is an admin of the district whose other role is at a school. A school at
    which somebody is a parent, and nothing else, is not theirs.
    """
    listed, above = known_orgs(orgs)
    wanted = set(rostered)
    certain = wanted - above if wanted else listed
    schools: list[list[str] | None] = []
    unsure: list[Sequence[str]] = []
    for own, by_role, roles, periods in zip(
        _lists(users["org_ids"]), _lists(users["role_org_ids"]), _lists(users["roles"]), users["periods"], strict=True
    ):
        every = dict.fromkeys(org for org in (*own, *by_role) if org)
        counting = [_counts(*one) for one in zip(roles, periods, strict=True)] if len(periods) > 1 else ()
        if any(counting) and not all(counting):
            # An org at which no role counts tonight does not either.
            now = {org for org, counts in zip(by_role, counting, strict=False) if counts}
            for org in {*by_role} - now:
                every.pop(org, None)
        at = [org for org in every if org in certain]
        unknown: Sequence[str] = () if every else _NO_ORG
        elsewhere = False
        if len(at) < len(every):
            unknown = [org for org in every if org not in listed and org not in above and org not in wanted]
            elsewhere = bool(wanted) and not at and not unknown and any(org in listed for org in every)
            if elsewhere and len(periods) > 1:
                works = zip(roles, by_role, periods, strict=False)
                elsewhere = not any(org in above and _counts(role, one) and _is_admin(role) for role, org, one in works)
        schools.append(None if elsewhere else at)
        unsure.append(unknown)
    return schools, unsure


def _waits(users: pd.DataFrame) -> pd.Series:
    """Who is neither here nor gone, unless something else says that they are gone."""
    return users["counts"].isin(["role_not_begun", "role_unknown"]).fillna(False).astype(bool)


def _gone(users: pd.DataFrame) -> pd.Series:
    """Why each user is not here, null for who is."""
    reason = pd.Series(pd.NA, index=users.index, dtype="string")
    reason = reason.mask(users["school_ids"].isna(), "left_school")
    reason = reason.mask(users["counts"].eq("role_ended").fillna(False).astype(bool), "role_ended")
    reason = reason.mask(users["enabled"].eq(False).fillna(False).astype(bool), "disabled")
    reason = reason.mask(users["status"].eq("inactive").fillna(False).astype(bool), "inactive")
    return reason.mask(users["status"].eq("tobedeleted").fillna(False).astype(bool), "tobedeleted")


def trimmed(users: pd.DataFrame) -> pd.DataFrame:
    """The users with spaces around texts gone and blanks as nulls; PostgreSQL takes no NUL character."""
    texts = ("given_name", "family_name", "preferred_given_name", "email", "username", "identifier")
    clean = {
        column: users[column].astype("string").str.replace("\x00", "", regex=False).str.strip().replace("", pd.NA)
        for column in texts
    }
    return users.assign(**clean)


def _with_contacts(users: pd.DataFrame, parents: pd.DataFrame) -> pd.DataFrame:
    """The users with one parent contact a student: the first agent that the SIS shares and has not deleted."""
    blank = {"parent_name": pd.NA, "parent_email": pd.NA, "parent_phone": pd.NA}
    parents = parents[parents["status"].eq("active").fillna(False).astype(bool)]
    if parents.empty:
        return users.assign(**blank)
    parents = trimmed(parents).set_index("sourced_id")
    known = set(parents.index)
    first = pd.Series(
        [
            next((agent for agent in agents if agent in known), None) if role == "student" else None
            for agents, role in zip(_lists(users["agent_ids"]), users["role"], strict=True)
        ],
        index=users.index,
        dtype="string",
    )
    name = (parents["given_name"].fillna("") + " " + parents["family_name"].fillna("")).str.strip().replace("", pd.NA)
    return users.assign(
        parent_name=first.map(name), parent_email=first.map(parents["email"]), parent_phone=first.map(parents["phone"])
    )


def human_of(users: pd.DataFrame, shared: pd.DataFrame) -> pd.Series:
    """A text per record that is the same for the records of one human: same role, identifier and e-mail, and names that agree.

    ``users``: trimmed, with their role here; ``shared``: what shared_keys says of them. An identifier that several names share
    joins nobody, nor does a record without names; an e-mail that several names share counts like none.
    """
    common = shared.groupby("field")["value"].agg(set)
    identifier, email = users["identifier"].str.lower(), users["email"].str.lower()
    student = users["role"].eq("student").to_numpy()
    identifier = identifier.mask(identifier.isin(common.get("student_identifier", set())) & student)
    identifier = identifier.mask(identifier.isin(common.get("employee_identifier", set())) & ~student)
    email = email.mask(email.isin(common.get("email", set())), "")
    key = users["role"].astype("string") + "\x1f" + identifier + "\x1f" + email.fillna("")
    alike = users[key.notna() & key.duplicated(keep=False)]
    nameless = [
        not (_names(given) and _names(family)) for given, family in zip(alike["given_name"], alike["family_name"], strict=True)
    ]
    key = key.mask(key.index.isin(alike.index[nameless]))
    # Whoever has no identifier that is theirs alone is somebody of their own.
    return key.fillna("\x1e" + users["sourced_id"].astype("string"))


def _one_row_a_human(users: pd.DataFrame) -> pd.DataFrame:
    """The users with the several records of one human joined.

    The record with the lowest sourcedId leads; the contact is that of the first record that has one.
    """
    users = users.sort_values("sourced_id", kind="stable").reset_index(drop=True)
    group = human_of(users, shared_keys(users))
    users["n"], _ = pd.factorize(group)
    users["n"] = users["n"].astype("int32")
    lead = users.drop_duplicates("n").copy()
    lead["sourced_ids"] = [[one] for one in lead["sourced_id"]]
    twins = users[users["n"].duplicated(keep=False)]
    if not twins.empty:
        at = pd.Series(np.arange(len(lead)), index=lead["n"])
        for column, values in {
            "sourced_ids": [[one] for one in twins["sourced_id"]],
            "school_ids": _lists(twins["school_ids"]),
            "unsure_org_ids": _lists(twins["unsure_org_ids"]),
            "grades": _lists(twins["grades"]),
        }.items():
            joined = pd.Series(values, index=twins["n"]).groupby(level=0).agg(_in_order)
            cells = list(lead[column])
            for n, value in joined.items():
                cells[at[n]] = value
            lead[column] = cells
    lead = _with_any_contact(lead, twins)
    lead["grades"] = [
        [str(grade).strip() for grade in grades if grade and str(grade).strip()] for grades in _lists(lead["grades"])
    ]
    for column in ("school_ids", "unsure_org_ids"):
        lead[column] = [list(ids) for ids in _lists(lead[column])]
    return lead.reset_index(drop=True)


def _with_any_contact(lead: pd.DataFrame, twins: pd.DataFrame) -> pd.DataFrame:
    """The leading records with a contact of another record of the same human, the first that has one, where they have none."""
    parent = list(_PARENT)
    having = twins[twins[parent].notna().any(axis="columns")].drop_duplicates("n").set_index("n")
    lacking = lead["n"].isin(having.index) & lead[parent].isna().all(axis="columns")
    if lacking.any():
        for name in parent:
            lead[name] = lead[name].astype("string").mask(lacking, lead["n"].map(having[name].astype("string")))
    return lead


def _names(name: object) -> bool:
    """Whether there is a letter in a name that might name somebody."""
    return isinstance(name, str) and folded(name) != ""


def _in_order(lists: pd.Series) -> list[str]:
    return list(dict.fromkeys(value for values in lists for value in values))
