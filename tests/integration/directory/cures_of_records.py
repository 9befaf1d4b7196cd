"""The cures of what is wrong with single records."""

from __future__ import annotations

from tests.integration.directory.cures import (
    C0,
    EVERYBODY,
    OF_CLASSES,
    STUDENTS,
    Cure,
    back,
    both,
    every,
    first,
    gone,
    more,
    put,
    readable,
    record,
    unreadable,
    without,
)
from tests.integration.directory.world import enrollment, klass, school, term, user

_LAST = {"orgs": "S5", "academicSessions": "T4", "courses": "K5", "classes": "C5", "users": "u5", "enrollments": "C5/u5"}

_DISTRICT = school("D1") | {"type": "district"}


def _of_every_collection() -> list[Cure]:
    """The cures that each collection has for one of its records."""
    found = []
    for name, one in _LAST.items():
        twin = record(name, one, status="tobedeleted")
        double = "Give every enrollment a sourcedId of its own" if name == "enrollments" else "Remove the double record"
        found += [
            Cure(f"{name}.unreadable", "Correct the record", both(without(name, one), unreadable(name, one)), readable(name)),
            Cure(f"{name}.id_twice", double, first(name, twin), back(name)),
            Cure(f"{name}.id_twice_same", "send each record once", more(name, record(name, one)), back(name)),
            Cure(f"{name}.status_unknown", "Correct the record's status", put(name, one, status="odd"), back(name)),
        ]
    return found


# fmt: off
CURES = [
    *_of_every_collection(),
    Cure("orgs.parent_unknown", "Share the parent org", put("orgs", "S3", parent_id="S9"), more("orgs", school("S9"))),
    Cure("orgs.parent_unknown", "or remove the link", put("orgs", "S3", parent_id="S9"), put("orgs", "S3", parent_id=None)),
    Cure("academicSessions.dates", "Correct the term's dates", put("academicSessions", "T1", end_date="soon"), back("academicSessions")),
    Cure("academicSessions.parent_unknown", "Share the school year above it", without("academicSessions", "Y"), back("academicSessions")),
    Cure("academicSessions.not_active", "Correct the session's status", put("academicSessions", "T1", status="inactive"),
         put("academicSessions", "T1", status="active")),
    Cure("academicSessions.not_active", "or end its classes there", put("academicSessions", "T1", status="tobedeleted"),
         every("classes", status="inactive"), lambda look: [one[0] for one in look.lists().values()] == ["inactive"] * 6),
    Cure("courses.org_unknown", "Share the org", put("courses", "K1", org_id="S9"), more("orgs", school("S9"))),
    Cure("courses.org_unknown", "or remove the link", put("courses", "K1", org_id="S9"), put("courses", "K1", org_id=None)),
    Cure("classes.school_missing", "Give the class a school", put("classes", "C0", school_id=None), back("classes")),
    Cure("classes.school_missing", "or share it", put("classes", "C0", school_id="S9"), more("orgs", school("S9")),
         lambda look: look.lists()["C0"] == ("active", C0)),
    Cure("classes.org_no_school", "Give the class its school", both(more("orgs", _DISTRICT), put("classes", "C0", school_id="D1")),
         back("classes"), lambda look: look.people() == EVERYBODY and look.lists() == dict.fromkeys(OF_CLASSES, ("active", C0))),
    Cure("classes.org_no_school", "or mark the org as a school", both(more("orgs", _DISTRICT), put("classes", "C0", school_id="D1")),
         put("orgs", "D1", type="school"), lambda look: look.lists()["C0"] == ("active", C0)),
    Cure("classes.terms_unknown", "Share all terms", put("classes", "C0", term_ids=["T9"]), more("academicSessions", term("T9", parent_id="Y")),
         lambda look: look.lists()["C0"] == ("inactive", C0)),
    Cure("classes.terms_none", "Give the class a term", put("classes", "C0", term_ids=None), back("classes")),
    Cure("classes.course_unknown", "Share courses", put("classes", "C0", course_id="K9"),
         more("courses", record("courses", "K1", sourced_id="K9"))),
    Cure("users.role_unknown", "Correct the role", put("users", "u0", roles=["wizard"]), back("users")),
    Cure("users.role_partly_unknown", "Correct the role", put("users", "u0", roles=["student", "wizard"]), back("users")),
    Cure("users.name_blank", "Enter the name", put("users", "u0", family_name=" "), back("users")),
    Cure("users.required_blank", "Enter the name", put("users", "u0", family_name=" "), back("users")),
    Cure("users.name_missing", "Enter the name", more("users", user("n", given_name=None)), put("users", "n", given_name="Nia"),
         lambda look: look.people() == EVERYBODY | {"n": "active"} and look.people("given_name")["n"] == "Nia"),
    Cure("users.identifier_shared", "Give everybody their own identifier", put("users", "u0", identifier="ID-u1"), back("users")),
    Cure("users.identifier_shared", "or leave it blank", put("users", "u0", identifier="ID-u1"),
         both(put("users", "u0", identifier=None), put("users", "u1", identifier=None)),
         lambda look: look.people("identifier")["u0"] is None and look.people() == EVERYBODY),
    Cure("users.email_shared", "Give everybody their own address", put("users", "u0", email="u1@example.org"), back("users")),
    Cure("users.email_shared", "or leave it blank", put("users", "u0", email="u1@example.org"),
         put("users", "u0", email=None), lambda look: look.people("email")["u0"] is None and look.people() == EVERYBODY),
    Cure("users.username_shared", "Give everybody their own username", put("users", "u0", username="user.u1"), back("users")),
    Cure("users.username_shared", "or leave it blank", put("users", "u0", username="user.u1"),
         put("users", "u0", username=None), lambda look: look.people("username")["u0"] is None and look.people() == EVERYBODY),
    Cure("users.agents_unknown", "Share parents", put("users", "u0", agent_ids=["p1", "p9"]), more("users", user("p9", "parent"))),
    Cure("users.agents_unknown", "or remove the link", put("users", "u0", agent_ids=["p1", "p9"]), back("users")),
    Cure("users.org_missing", "Give the user a school", put("users", "u0", org_ids=[]), back("users")),
    Cure("users.org_unknown", "Share the org", put("users", "u0", org_ids=["S1", "S9"]), more("orgs", school("S9")),
         lambda look: look.people("school_ids")["u0"] == ["S1", "S9"]),
    Cure("users.org_unknown", "or correct the user's org", put("users", "u0", org_ids=["S9"]), back("users")),
    Cure("users.role_dates", "Correct the dates of the role", put("users", "u0", role_end_dates=["soon"]),
         put("users", "u0", role_end_dates=["2027-06-11"])),
    Cure("users.role_ended", "correct the end of their role", put("users", "u0", role_end_dates=["2026-11-23"]),
         put("users", "u0", role_end_dates=["2027-06-11"])),
    Cure("users.role_ended", "disable", put("users", "u0", role_end_dates=["2026-11-23"]), put("users", "u0", enabled=False),
         lambda look: look.people() == gone("u0") and "u0" not in look.lists()["C0"][1]),
    Cure("users.role_ended", "remove the user", put("users", "u0", role_end_dates=["2026-11-23"]),
         both(without("users", "u0"), without("enrollments", *(f"{one}/u0" for one in OF_CLASSES))),
         lambda look: look.people() == gone("u0") and "u0" not in look.lists()["C0"][1]),
    Cure("users.role_not_begun", "correct the begin of the role", put("users", "u0", role_begin_dates=["2026-12-01"]),
         put("users", "u0", role_begin_dates=["2026-08-17"])),
    Cure("users.email_malformed", "Correct the address", put("users", "u0", email="not an address"), back("users")),
    Cure("enrollments.user_unknown", "Share the user", more("enrollments", enrollment("C0", "n")), more("users", user("n")),
         lambda look: look.lists()["C0"] == ("active", sorted([*C0, "n"]))),
    Cure("enrollments.user_unknown", "or remove the enrollment", more("enrollments", enrollment("C0", "n")), back("enrollments")),
    Cure("enrollments.class_unknown", "Share the class", more("enrollments", enrollment("C9", "u0")), more("classes", klass("C9")),
         lambda look: look.lists()["C9"] == ("active", ["u0"])),
    Cure("enrollments.class_unknown", "or remove the enrollment", more("enrollments", enrollment("C9", "u0")), back("enrollments")),
    Cure("enrollments.waits_for_class", "Correct the class", put("classes", "C0", status="odd"), back("classes")),
    Cure("enrollments.waits_for_user", "Correct the user", put("users", "u0", status="odd"), back("users")),
    Cure("enrollments.role_unknown", "Correct the role", put("enrollments", "C0/u0", role="owner"), back("enrollments")),
    Cure("enrollments.outside_terms", "Correct the enrollment's dates", put("enrollments", "C0/u0", begin_date="2027-03-01"),
         put("enrollments", "C0/u0", begin_date="2026-08-17")),
    Cure("enrollments.outside_terms", "or the class's terms", put("enrollments", "C0/u0", begin_date="2026-12-20"),
         put("classes", "C0", term_ids=["T1", "Y"]), lambda look: look.lists()["C0"] == ("active", [one for one in C0 if one != "u0"])),
    Cure("enrollments.dates", "Correct the dates", put("enrollments", "C0/u0", begin_date="soon"),
         put("enrollments", "C0/u0", begin_date="2026-08-17")),
    Cure("enrollments.not_begun", "correct the begin of the enrollment", put("enrollments", "C0/u0", begin_date="2026-12-01"),
         put("enrollments", "C0/u0", begin_date="2026-08-17")),
    Cure("enrollments.teacher_as_student", "correct the role of the enrollment", put("enrollments", "C0/t1", role="student"),
         put("enrollments", "C0/t1", role="teacher")),
    Cure("enrollments.student_as_teacher", "Correct the role of the enrollment", put("enrollments", "C0/u0", role="teacher"),
         put("enrollments", "C0/u0", role="student")),
    Cure("enrollments.student_as_teacher", "or of the user", put("enrollments", "C0/u0", role="teacher"),
         put("users", "u0", roles=["teacher"]), lambda look: "u0*" in look.lists()["C0"][1] and look.people("role")["u0"] == "teacher"),
    *(Cure(f"{one}.grade_unknown", "Correct the grade", put(one, which, grades=["Blue"]), back(one),
             lambda look: ("inactive", ["u0"]) in look.lists("grade").values() and ("active", STUDENTS) in look.lists("grade").values(), night="grades")
      for one, which in (("courses", "K1"), ("classes", "C0"), ("users", "u0"))),
]
# fmt: on
