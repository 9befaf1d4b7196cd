"""A district as plain OneRoster records, its own counts, and the two versions' shapes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Record = dict[str, Any]

#: OneRoster's collections, those first that others point at.
COLLECTIONS = ("orgs", "academicSessions", "courses", "classes", "users", "enrollments")

_PATHS = {"class": "classes"}
_ADMINS = {"administrator", "districtadministrator", "siteadministrator", "systemadministrator", "principal"}
_CONTACTS = {"parent", "guardian", "relative"}
#: Where no role is marked primary, the first of these wins.
_RANK = ("admin", "teacher", "staff", "student", "contact")
_ROLE_1P1 = {
    "principal": "administrator",
    "districtAdministrator": "administrator",
    "siteAdministrator": "administrator",
    "systemAdministrator": "administrator",
    "counselor": "aide",
}


def ref(kind: str, sourced_id: str) -> Record:
    """A GUIDRef (OneRoster 1.2 section 4.9); its href is relative, as some providers' are."""
    return {"href": f"/{_PATHS.get(kind, f'{kind}s')}/{sourced_id}", "sourcedId": sourced_id, "type": kind}


@dataclass
class District:
    """All collections of a district, each a list of records in the shape of ``version``.

    ``changes`` counts what happened in the last night; on the first, or in a district that was read, nothing.
    """

    orgs: list[Record] = field(default_factory=list)
    academicSessions: list[Record] = field(default_factory=list)  # noqa: N815 - OneRoster's name
    courses: list[Record] = field(default_factory=list)
    classes: list[Record] = field(default_factory=list)
    users: list[Record] = field(default_factory=list)
    enrollments: list[Record] = field(default_factory=list)
    changes: Counter[str] = field(default_factory=Counter)
    version: str = "1.2"

    def numbers(self) -> dict[str, Any]:
        """The district's own plain counts of what is active, and what its last night changed.

        ``users`` counts records by OneRoster role, ``people`` humans by mapped role, ``at_schools`` them at
        each school, ``contacts`` parents, guardians and relatives, ``classes`` by term, ``enrollments`` by
        role. Bad records that were put in on purpose are left out.
        """
        users, classes, seats = (
            [one for one in records if is_active(one) and not is_bad(one)]
            for records in (self.users, self.classes, self.enrollments)
        )
        schools = [one["sourcedId"] for one in self.orgs if one.get("type") == "school"]
        return {
            "records": {name: len(getattr(self, name)) for name in COLLECTIONS},
            "users": _counted(str(leading_role(user)["role"]) for user in users),
            "people": _counted(role for role, *_ in _humans(users) if role != "contact"),
            "contacts": sum(mapped_role(user) == "contact" for user in users),
            "at_schools": {school: dict(roles) for school, roles in _at_schools(users, schools).items()},
            "classes": _counted(link(term) for one in classes for term in one.get("terms") or ()),
            "active_classes": len(classes),
            "enrollments": _counted(seat["role"] for seat in seats),
            "changes": dict(self.changes),
        }


def link(value: Any) -> str:
    """The sourcedId that a GUIDRef, or a provider's bare id, points at."""
    return str(value["sourcedId"] if isinstance(value, dict) else value)


def is_active(record: Record) -> bool:
    """Whether a record is neither to be deleted nor a user who is not enabled."""
    deleted = str(record.get("status") or "active").lower() == "tobedeleted"
    return not deleted and str(record.get("enabledUser", "true")).lower() != "false"


def is_bad(record: Record) -> bool:
    """Whether a record is a deliberately bad one (dirt.py)."""
    return str(record["sourcedId"]).startswith("bad-")


def roles_of(user: Record) -> list[Record]:
    """The user's roles, those of version 1.1 in the shape of 1.2."""
    if user.get("roles"):
        return list(user["roles"])
    orgs = user.get("orgs") or [None]
    return [{"roleType": "primary", "role": user.get("role") or "", "org": org} for org in orgs[:1]]


def mapped_role(user: Record) -> str:
    """Which of student, teacher, staff, admin the user is here, or contact for whom is only a student's."""
    return _mapped(leading_role(user)["role"])


def leading_role(user: Record) -> Record:
    """The user's primary role; with none marked the one of highest rank."""
    roles = roles_of(user)
    marked = [role for role in roles if str(role.get("roleType") or "").lower() == "primary"]
    return min(marked or roles, key=lambda role: _RANK.index(_mapped(role["role"])))


def org_ids(user: Record) -> list[str]:
    """All orgs of a user, the primary first."""
    refs = [user.get("primaryOrg"), *(user.get("orgs") or ()), *(role.get("org") for role in roles_of(user))]
    return list(dict.fromkeys(link(org) for org in refs if org))


def as_1p1(collection: str, record: Record) -> Record:
    """A record of 1.2 in the shape of OneRoster 1.1: one role and a list of orgs instead of roles."""
    if collection != "users" or "roles" not in record:
        return record
    gone = ("roles", "primaryOrg", "userMasterIdentifier", "preferredFirstName")
    role = str(leading_role(record)["role"])
    orgs = [ref("org", org) for org in org_ids(record)]
    old = {key: value for key, value in record.items() if key not in gone}
    return old | {"role": _ROLE_1P1.get(role, role), "orgs": orgs}


def as_1p2(collection: str, record: Record) -> Record:
    """A record of 1.1 in the shape of OneRoster 1.2: a role at each org instead of one role."""
    if collection != "users" or "role" not in record:
        return record
    role = "siteAdministrator" if record["role"] == "administrator" else record["role"]
    new = {key: value for key, value in record.items() if key not in ("role", "orgs")}
    roles = [{"roleType": "primary", "role": role, "org": org} for org in record.get("orgs") or ()]
    return new | {"roles": [one | {"roleType": "secondary"} if n else one for n, one in enumerate(roles)]}


def in_version(version: str, district: District, collection: str, record: Record) -> Record:
    """A district's record in the shape of a version."""
    if version == district.version:
        return record
    return as_1p1(collection, record) if version == "1.1" else as_1p2(collection, record)


def _mapped(role: str) -> str:
    folded = str(role).lower()
    if folded in ("student", "teacher"):
        return folded
    return "admin" if folded in _ADMINS else "contact" if folded in _CONTACTS else "staff"


def _humans(users: list[Record]) -> set[tuple[str, str, str]]:
    """Whoever has the same role, identifier and e-mail in several records is one human."""
    humans = set()
    for user in users:
        identifier, email = str(user.get("identifier") or ""), str(user.get("email") or "").lower()
        known = identifier and email
        humans.add((mapped_role(user), identifier if known else str(user["sourcedId"]), email if known else ""))
    return humans


def _at_schools(users: list[Record], schools: Iterable[str]) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {school: Counter() for school in schools}
    at = defaultdict(list)
    for user in users:
        for org in org_ids(user):
            at[org].append(user)
    for school, count in counts.items():
        count.update(sorted(role for role, *_ in _humans(at[school]) if role != "contact"))
    return counts


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
