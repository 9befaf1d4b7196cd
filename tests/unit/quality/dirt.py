"""A small clean district, and forty kinds of dirt to throw at it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from include.mingasync.oneroster.records import COLUMNS
from tests.integration.directory.world import enrollment, klass, school, term, user

Rows = dict[str, list[dict[str, Any]]]


def clean() -> Rows:
    """A district in which nothing is wrong: two schools, a year with a term, eight people, six classes."""
    year = term("Y", type="schoolYear", start_date="2026-08-01", end_date="2027-06-30")
    classes = [klass(f"C{one}", course_id="K1", grades=["09"]) for one in range(6)]
    people = [user(f"u{one}") for one in range(6)] + [user("t1", "teacher"), user("t2", "teacher", ("S2",))]
    rolls = [enrollment(f"C{one}", f"u{two}") for one in range(6) for two in range(6)] + [enrollment("C0", "t1", "teacher")]
    return {
        "orgs": [school("S1"), school("S2"), school("S3") | {"parent_id": "S1"}],
        "academicSessions": [year, term("T1", parent_id="Y")],
        "courses": [{"sourced_id": "K1", "status": "active", "title": "Algebra", "org_id": "S1", "grades": ["9"]}],
        "classes": classes,
        "users": people,
        "enrollments": rolls,
    }


def frames(rows: Rows) -> dict[str, pd.DataFrame]:
    """The collections as a snapshot gives them."""
    return {name: pa.Table.from_pylist(rows[name], schema=schema).to_pandas() for name, schema in COLUMNS.items()}


@dataclass(frozen=True)
class Dirt:
    """One kind: what it does to a clean district, and the issue that must tell of it."""

    name: str
    throw: Callable[[Rows], Any]
    rule: str
    severity: str
    sourced_id: str | None = None
    says: str = ""
    #: the users of whom the dirt really says that they are gone
    gone: tuple[str, ...] = ()


def change(collection: str, place: int, **values: Any) -> Callable[[Rows], Any]:
    """Changes one record."""
    return lambda rows: rows[collection][place].update(values)


def change_all(collection: str, **values: Any) -> Callable[[Rows], Any]:
    """Changes every record."""
    return lambda rows: [row.update(values) for row in rows[collection]]


def add(collection: str, *more: dict[str, Any]) -> Callable[[Rows], Any]:
    """Adds records."""
    return lambda rows: rows[collection].extend(more)


def _same_ids(rows: Rows) -> None:
    for place, row in enumerate(rows["users"]):
        row["sourced_id"] = f"u{place % 3}"


E, W, C = "error", "warning", "critical"
# fmt: off
FORTY = [
    Dirt("user without id", change("users", 5, sourced_id=None), "users.id_missing", E),
    Dirt("user with a blank id", change("users", 5, sourced_id="  "), "users.id_missing", E),
    Dirt("two users, one id", add("users", user("u1", given_name="Else")), "users.id_twice", E, "u1"),
    Dirt("a user sent twice", add("users", user("u1")), "users.id_twice_same", W, "u1", "1 record: "),
    Dirt("ids twice en masse", _same_ids, "users.ids_twice_en_masse", C, says="5 of 8."),
    Dirt("odd status of a user", change("users", 0, status="enrolled"), "users.status_unknown", E, "u0", "6 enrollments wait for u0."),
    Dirt("no users", lambda rows: rows["users"].clear(), "users.none", C),
    Dirt("no roles at all", change_all("users", roles=[]), "users.no_roles", C),
    Dirt("a role of its own making", change("users", 0, roles=["wizard"]), "users.role_unknown", E, "u0"),
    Dirt("a user without role", change("users", 0, roles=None), "users.role_unknown", E, "u0"),
    Dirt("one of two roles odd", change("users", 0, roles=["student", "wizard"]), "users.role_partly_unknown", W, "u0"),
    Dirt("user without school", change("users", 0, org_ids=[]), "users.org_missing", W, "u0"),
    Dirt("user at an org that is not listed", change("users", 0, org_ids=["S1", "S9"]), "users.org_unknown", W, "u0"),
    Dirt("a role with bad dates", change("users", 0, role_end_dates=["soon"]), "users.role_dates", W, "u0"),
    Dirt("a role that ends before it begins", change("users", 0, role_begin_dates=["2026-11-01"], role_end_dates=["2026-10-01"]),
         "users.role_dates", W, "u0"),
    Dirt("a role that has ended", change("users", 0, role_end_dates=["2026-11-23"]), "users.role_ended", W, "u0", gone=("u0",)),
    Dirt("a role that is still to begin", change("users", 0, role_begin_dates=["2026-11-25"]), "users.role_not_begun", W, "u0"),
    Dirt("all roles have ended", change_all("users", role_end_dates=["2026-06-30"]), "users.roles_all_ended", C, says="8 users."),
    Dirt("malformed e-mail", change("users", 0, email="not an address"), "users.email_malformed", W, "u0"),
    Dirt("one e-mail for two", change("users", 0, email="U1@example.org"), "users.email_shared", W, says="2 records: "),
    Dirt("one identifier for two", change("users", 0, identifier=" ID-U1"), "users.identifier_shared", W, says="2 records: "),
    Dirt("one username for two", change("users", 0, username="USER.u1"), "users.username_shared", W, says="(u0, u1)"),
    Dirt("a blank name", change("users", 0, family_name=" "), "users.name_blank", W, "u0"),
    Dirt("all names gone", change_all("users", given_name=None), "users.column_empty", C, says="Column given_name, 8 records."),
    Dirt("an unknown grade", lambda rows: [row.update(grades=["Blue"]) for row in rows["users"][:3]],
         "users.grade_unknown", W, says="3 records with 'Blue'."),
    Dirt("a parent not shared", change("users", 0, agent_ids=["p9"]), "users.agents_unknown", W, "u0"),
    Dirt("no orgs", lambda rows: rows["orgs"].clear(), "orgs.none", C),
    Dirt("orgs of type department only", change_all("orgs", type="department"), "orgs.no_schools", W, says="3 orgs."),
    Dirt("nobody at a school", lambda rows: (rows["orgs"].append({**rows["orgs"][0], "sourced_id": "D1", "type": "district"}),
                                             change_all("users", org_ids=["D1"])(rows)), "users.no_school", W, says="8 users."),
    Dirt("org with unknown parent", change("orgs", 2, parent_id="S9"), "orgs.parent_unknown", W, "S3"),
    Dirt("org with odd status", change("orgs", 2, status="?"), "orgs.status_unknown", E, "S3"),
    Dirt("term with bad dates", change("academicSessions", 1, end_date="31/12/2026"), "academicSessions.dates", E, "T1"),
    Dirt("term that ends before it begins", change("academicSessions", 1, end_date="2026-01-01"), "academicSessions.dates", E, "T1"),
    Dirt("term with unknown parent", change("academicSessions", 1, parent_id="Y9"), "academicSessions.parent_unknown", W, "T1"),
    Dirt("terms all past", change_all("academicSessions", start_date="2026-01-01", end_date="2026-10-30"), "academicSessions.over", W),
    Dirt("last year's terms", change_all("academicSessions", start_date="2025-08-01", end_date="2026-06-01"),
         "academicSessions.wrong_year", C, says="176 days ago."),
    Dirt("term that is no longer active", change("academicSessions", 1, status="inactive"), "academicSessions.not_active", W, "T1"),
    Dirt("course with unknown org", change("courses", 0, org_id="S9"), "courses.org_unknown", W, "K1"),
    Dirt("course with unknown grade", change("courses", 0, grades=["Upper"]), "courses.grade_unknown", W, says="1 record with 'Upper'."),
    Dirt("class without school", change("classes", 0, school_id=None), "classes.school_missing", E, "C0", "7 enrollments wait for C0."),
    Dirt("class of an unknown school", change("classes", 0, school_id="S9"), "classes.school_missing", E, "C0"),
    Dirt("class at an org that is no school", lambda rows: (change("orgs", 2, type="district")(rows), change("classes", 0, school_id="S3")(rows)),
         "classes.org_no_school", W, "C0"),
    Dirt("class in an unknown term", change("classes", 0, term_ids=["T1", "T9"]), "classes.terms_unknown", W, "C0"),
    Dirt("class without term", change("classes", 0, term_ids=None), "classes.terms_none", W, "C0"),
    Dirt("class of an unknown course", change("classes", 0, course_id="K9"), "classes.course_unknown", W, "C0"),
    Dirt("no class has a school", change_all("classes", school_id=None), "classes.column_empty", C, says="Column school_id"),
    Dirt("enrollment of nobody", add("enrollments", enrollment("C0", "u99")), "enrollments.user_unknown", E, "C0/u99"),
    Dirt("enrollment without user", add("enrollments", enrollment("C0", "x") | {"user_id": None}), "enrollments.user_unknown", E, "C0/x"),
    Dirt("enrollment in no class", add("enrollments", enrollment("C99", "u0")), "enrollments.class_unknown", E, "C99/u0"),
    Dirt("enrollment of a bad class", change("classes", 0, status="odd"), "enrollments.waits_for_class", E, "C0/u0"),
    Dirt("enrollment of a bad user", change("users", 0, status="odd"), "enrollments.waits_for_user", E, "C0/u0"),
    Dirt("enrollment with bad dates", change("enrollments", 0, begin_date="soon"), "enrollments.dates", W, "C0/u0"),
    Dirt("enrollment outside its terms", change("enrollments", 0, begin_date="2027-03-01"), "enrollments.outside_terms", W, "C0/u0"),
    Dirt("enrollment with odd role", change("enrollments", 0, role="owner"), "enrollments.role_unknown", W, "C0/u0"),
    Dirt("enrollment that is still to begin", change("enrollments", 0, begin_date="2026-12-01"), "enrollments.not_begun", W, "C0/u0"),
    Dirt("a teacher enrolled as student", add("enrollments", enrollment("C1", "t1")), "enrollments.teacher_as_student", W, "C1/t1"),
    Dirt("a student enrolled as teacher", change("enrollments", 0, role="teacher"), "enrollments.student_as_teacher", W, "C0/u0"),
    Dirt("no enrollment has a user", change_all("enrollments", user_id=None), "enrollments.column_empty", C, says="Column user_id"),
    Dirt("most users gone", lambda rows: rows["users"].__delitem__(slice(2, None)), "users.halved", W, says="2 now, 8 then."),
]
# fmt: on
