"""The cures of what is wrong with whole collections, and of what the settings and the SIS do not agree about."""

from __future__ import annotations

from tests.integration.directory.cures import (
    C0,
    COLLECTIONS,
    EVERYBODY,
    OF_CLASSES,
    ON,
    STUDENTS,
    Cure,
    back,
    both,
    clean,
    conf,
    every,
    more,
    nothing,
    put,
    readable,
    refused,
    settings,
    shared,
    unreadable,
    without,
)
from tests.integration.directory.world import school

_OLD = {"start_date": "2025-08-18", "end_date": "2026-06-11"}
_OVER = {"start_date": "2026-01-01", "end_date": "2026-10-30"}
_LONG_OVER = {"start_date": "2026-01-01", "end_date": "2026-07-26"}
_FEW_USERS = both(
    without("users", *STUDENTS[1:], "t2", "p1"),
    put("users", "u0", agent_ids=[]),
    without("enrollments", *(f"{one}/{who}" for one in OF_CLASSES for who in STUDENTS[1:])),
    settings(include_primary_parent_contact=False),
)
_FEW_ENROLLMENTS = without("enrollments", *(f"{one}/{who}" for one in OF_CLASSES[1:] for who in STUDENTS))
#: the last record of each collection, and a column that each of its records must have
_LAST = dict(zip(COLLECTIONS, ("S5", "T4", "K5", "C5", "u5", "C5/u5"), strict=True))
_NEEDED = dict(zip(COLLECTIONS, ("type", "end_date", None, "school_id", "given_name", "user_id"), strict=True))


def _of_every_collection() -> list[Cure]:
    """The cures that each collection has; those of one name are carried out in the same nights, of all collections."""
    found = []
    for name, one in _LAST.items():
        three = [row["sourced_id"] for row in clean().rows[name][:3]]
        mass = both(*(put(name, which, sourced_id=one, status="inactive") for which in three))
        nameless = both(without(name, one), unreadable(name, ""))
        half = without(name, *(row["sourced_id"] for row in clean().rows[name][2:]))
        found += [
            Cure(f"{name}.unreadable", "Correct the record", nameless, readable(name), night="nameless"),
            Cure(f"{name}.ids_twice_en_masse", "repair its OneRoster export", mass, back(name), night="en masse"),
            Cure(f"{name}.halved", "check its sharing", half, back(name), night="halved"),
        ]
        if column := _NEEDED[name]:
            empty = every(name, **{column: None})
            found.append(Cure(f"{name}.column_empty", "Share the column", empty, back(name), night="columns"))
    return found


# fmt: off
CURES = [
    *_of_every_collection(),
    *(Cure(f"{name}.not_shared", f"turn on {name}", refused(name), shared(name), night="refused")
      for name in ("academicSessions", "classes", "enrollments")),
    Cure("courses.not_shared", "turn on courses", both(refused("courses"), put("classes", "C0", title=None)),
         both(shared("courses"), back("classes")), night="courses refused"),
    *(Cure(f"{name}.not_shared", f"turn on {name}", without(name), back(name), night="nobody") for name in ("orgs", "users")),
    *(Cure(f"{name}.none", f"Share {name}", without(name), back(name), night="nobody") for name in ("orgs", "users")),
    Cure("enrollments.not_shared", "Or turn off what needs them: class_lists.enabled, auto_lists.subject, auto_lists.teacher.",
         refused("enrollments"), settings(class_lists={"enabled": False}, auto_lists={"role": True, "grade": True}),
         lambda look: look.people() == EVERYBODY and look.lists() == dict.fromkeys(OF_CLASSES, ("active", C0)), night="turned off"),
    Cure("users.halved", "run once with accept_smaller", _FEW_USERS, conf(accept_smaller=True),
         lambda look: [who for who, status in look.people().items() if status == "active"] == ["t1", "u0"], night="few users"),
    Cure("enrollments.halved", "run once with accept_smaller", _FEW_ENROLLMENTS, conf(accept_smaller=True),
         lambda look: look.lists()["C0"] == ("active", C0) and look.lists()["C1"] == ("active", ["t1*"]), night="few enrollments"),
    Cure("enrollments.not_shared", '{"accept_smaller": true}', without("enrollments"), conf(accept_smaller=True),
         lambda look: look.people() == EVERYBODY and look.lists() == dict.fromkeys(OF_CLASSES, ("active", [])), night="no enrollments"),
    Cure("orgs.no_schools", "Share the schools", every("orgs", type="department"), back("orgs"), night="no schools"),
    Cure("academicSessions.wrong_year", "Share the current school year", every("academicSessions", **_OLD), back("academicSessions"),
         night="old year"),
    Cure("academicSessions.over", "Share the current school year", nothing, back("academicSessions"),
         lambda look: look.people() == EVERYBODY, first=every("academicSessions", **_OVER), night="over"),
    Cure("academicSessions.long_over", "Share the current school year", nothing, back("academicSessions"),
         lambda look: look.people() == EVERYBODY, first=every("academicSessions", **_LONG_OVER), night="long over"),
    Cure("users.parents_not_shared", "Share parents and guardians", both(without("users", "p1"), put("users", "u0", agent_ids=[])),
         back("users"), night="no parents"),
    Cure("users.parents_not_shared", "turn off include_primary_parent_contact", without("users", "p1"),
         settings(include_primary_parent_contact=False),
         lambda look: {*look.people("parent_email").values()} == {None}, night="parents off"),
    Cure("users.no_school", "Give the users their schools",
         both(more("orgs", school("D1") | {"type": "district"}), every("users", org_ids=["D1"])), both(back("users"), back("orgs")),
         night="no school"),
    Cure("users.no_roles", "send the users' roles", every("users", roles=[]), back("users"), night="no roles"),
    Cure("users.roles_all_ended", "Share the current school year", every("users", role_end_dates=["2026-06-30"]), back("users"),
         night="ended"),
    Cure("users.roles_all_ended", "correct the ends of the roles", every("users", role_end_dates=["2026-06-30"]),
         every("users", role_end_dates=["2027-06-30"]), night="ends corrected"),
    Cure("terms.selected_lost", "Share the term again", without("academicSessions", "T1"), back("academicSessions"), night="lost"),
    Cure("terms.selected_lost", "or select another", without("academicSessions", "T1"), settings(class_lists=ON | {"terms": ["T2"]}),
         lambda look: look.lists() == dict.fromkeys(OF_CLASSES, ("inactive", C0)), night="another term"),
    Cure("terms.ending", "Select the next one too: Term T2 (T2)", put("academicSessions", "T1", end_date="2026-12-01"),
         settings(class_lists=ON | {"terms": ["T1", "T2"]}), lambda look: look.lists()["C0"] == ("active", C0), night="ending"),
    Cure("terms.near_miss", "Select Term Y (Y) as well", put("classes", "C0", term_ids=["Y"]),
         settings(class_lists=ON | {"terms": ["T1", "Y"]}), lambda look: look.lists()["C0"] == ("active", C0), night="near miss"),
    Cure("settings.school_unknown", "Correct the id", settings(schools={"nowhere": {"roles": {"student": {"roster": False}}}}),
         settings(schools={"S1": {}}), night="mistyped school"),
    Cure("settings.school_unknown", "or take the school away", settings(schools={"nowhere": {"roles": {"student": {"roster": False}}}}),
         settings(schools={}), night="no such school"),
    Cure("settings.recipient", "Correct it", settings(results_email={"enabled": True, "recipients": ["nobody"]}),
         settings(results_email={"enabled": True, "recipients": ["sam@example.org"]}), night="recipient"),
]
# fmt: on
