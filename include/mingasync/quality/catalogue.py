"""Every rule the data are held to: its severity, what it says to a person, and the cure."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal

Severity = Literal["critical", "error", "warning"]
#: The end of a rule's id, its severity, message and cure.
Sentence = tuple[str, Severity, str, str]


@dataclass(frozen=True)
class Rule:
    """One rule: ``error`` sets the record aside, ``warning`` only tells, ``critical`` stops the run."""

    id: str
    resource: str
    severity: Severity
    message: str
    fix: str


def _rules(resource: str, *rules: Sentence) -> list[Rule]:
    return [Rule(f"{resource}.{name}", resource, severity, message, fix) for name, severity, message, fix in rules]


_ID: Sentence = (
    "id_missing",
    "error",
    "A record has no sourcedId, so nobody can say what it is.",
    "Have {sis} send every record's sourcedId.",
)
_TWICE: Sentence = (
    "id_twice",
    "error",
    "Different records bear this sourcedId; the last one that is active was taken, and what the others say set aside.",
    "Remove the double record in {sis}.",
)
_BOTH: Sentence = (
    "id_twice",
    "error",
    "Different enrollments bear this sourcedId; each of them counts.",
    "Give every enrollment a sourcedId of its own in {sis}, or remove the double one.",
)
_SAME: Sentence = (
    "id_twice_same",
    "warning",
    "Sent more than once, word for word the same; one was taken.",
    "Nothing is wrong with the data; have {sis} send each record once.",
)
_STATUS: Sentence = (
    "status_unknown",
    "error",
    "The status is none of active, inactive, tobedeleted, so it is not known whether the record counts.",
    "Correct the record's status in {sis}.",
)

RULES: tuple[Rule, ...] = (
    *_rules(
        "orgs",
        _ID,
        _TWICE,
        _SAME,
        _STATUS,
        ("none", "critical", "The SIS sent no orgs.", "Share orgs in {sis}."),
        (
            "other_district",
            "critical",
            "None of the schools of the last good night is there, or the district org is another, or nobody comes who is here, "
            "or new schools are of another district: these seem to be another district's data.",
            "Correct the Connection; if it is this district all the same, run once with accept_district (the issue says how).",
        ),
        (
            "no_schools",
            "warning",
            "No org is a school, so nobody is at one: role and grade lists cannot be made, and what is set for single "
            "schools reaches nobody.",
            "Share the schools in {sis}, as orgs of type school.",
        ),
        (
            "parent_unknown",
            "warning",
            "The org's parent is not shared.",
            "Share the parent org in {sis}, or remove the link.",
        ),
    ),
    *_rules(
        "academicSessions",
        _ID,
        _TWICE,
        _SAME,
        _STATUS,
        (
            "dates",
            "error",
            "Start or end is no date, or the end lies before the start.",
            "Correct the term's dates in {sis}.",
        ),
        (
            "parent_unknown",
            "warning",
            "The session's parent is not shared.",
            "Share the school year above it in {sis}.",
        ),
        (
            "wrong_year",
            "critical",
            "Every session of the SIS is over, and a later one was here before: this is last year's data.",
            "Share the current school year in {sis}.",
        ),
        (
            "over",
            "warning",
            "Every session of the SIS lies in the past.",
            "Share the current school year in {sis}.",
        ),
        (
            "long_over",
            "error",
            "Every session of the SIS has been over for longer than any holidays: these are the data of another year.",
            "Share the current school year in {sis}.",
        ),
        (
            "not_active",
            "warning",
            "The session is marked inactive or tobedeleted, and active classes lie in it; they keep their lists.",
            "Correct the session's status in {sis}, or end its classes there.",
        ),
    ),
    *_rules(
        "courses",
        _ID,
        _TWICE,
        _SAME,
        _STATUS,
        (
            "org_unknown",
            "warning",
            "The course's org is not shared.",
            "Share the org in {sis}, or remove the link.",
        ),
    ),
    *_rules(
        "classes",
        _ID,
        _TWICE,
        _SAME,
        _STATUS,
        (
            "school_missing",
            "error",
            "The class names no school, or one that the SIS does not share.",
            "Give the class a school in {sis}, or share it.",
        ),
        (
            "org_no_school",
            "warning",
            "The class stands at an org that is no school, such as the district: its lists are made there and at no school.",
            "Give the class its school in {sis}, or mark the org as a school; nothing, if it is meant.",
        ),
        (
            "terms_unknown",
            "warning",
            "The class lies in a term that the SIS does not share.",
            "Share all terms in {sis}.",
        ),
        (
            "terms_none",
            "warning",
            "The class lies in no term, so it becomes no list.",
            "Give the class a term in {sis}.",
        ),
        (
            "course_unknown",
            "warning",
            "The class's course is not shared; title, grades and subject may be missing.",
            "Share courses in {sis}.",
        ),
    ),
    *_rules(
        "users",
        _ID,
        _TWICE,
        _SAME,
        _STATUS,
        ("none", "critical", "The SIS sent no users.", "Share users in {sis}."),
        (
            "parents_not_shared",
            "error",
            "Parents' contacts are switched on, and not one parent came: those that are here stay as they are.",
            "Share parents and guardians in {sis}, with the students' agents, or turn off include_primary_parent_contact.",
        ),
        (
            "no_school",
            "warning",
            "No user is at a school: role and grade lists cannot be made, and what is set for single schools reaches nobody.",
            "Give the users their schools in {sis}.",
        ),
        ("no_roles", "critical", "No user of the SIS has a role.", "Have {sis} send the users' roles."),
        (
            "role_unknown",
            "error",
            "The user's role is none that OneRoster knows.",
            "Correct the role in {sis}.",
        ),
        (
            "role_partly_unknown",
            "warning",
            "One of the user's roles is none that OneRoster knows; the others count.",
            "Correct the role in {sis}.",
        ),
        ("name_blank", "warning", "The given or family name is blank.", "Enter the name in {sis}."),
        (
            "identifier_shared",
            "warning",
            "People with different names have the same identifier; it identifies nobody, and no records are joined by it.",
            "Give everybody their own identifier in {sis}, or leave it blank.",
        ),
        (
            "email_shared",
            "warning",
            "Different people have the same e-mail address; where their names differ, it identifies nobody.",
            "Give everybody their own address in {sis}, or leave it blank; for families that share one there is nothing to do.",
        ),
        (
            "username_shared",
            "warning",
            "Different people have the same username; where their names differ, it identifies nobody.",
            "Give everybody their own username in {sis}, or leave it blank.",
        ),
        (
            "agents_unknown",
            "warning",
            "A parent or guardian named by the user is not shared.",
            "Share parents in {sis}, or remove the link.",
        ),
        (
            "org_missing",
            "warning",
            "The record names no org, so at which school the user is is not known: whoever is here keeps their schools.",
            "Give the user a school in {sis}.",
        ),
        (
            "org_unknown",
            "warning",
            "The user is at an org that the SIS does not list: it becomes no school, and whoever is here keeps their schools.",
            "Share the org in {sis}, or correct the user's org.",
        ),
        (
            "role_dates",
            "warning",
            "A role's begin or end is no date, or it ends before it begins; it counts as a role without limit.",
            "Correct the dates of the role in {sis}.",
        ),
        (
            "role_ended",
            "warning",
            "Every role of the user has ended, so they count as gone.",
            "If they still belong there, correct the end of their role in {sis}; else disable or remove the user.",
        ),
        (
            "role_not_begun",
            "warning",
            "The user's role begins later: nobody is created or restored for it until then, and whoever is here stays.",
            "Nothing, if it is meant; else correct the begin of the role in {sis}.",
        ),
        (
            "roles_all_ended",
            "critical",
            "The roles of all users have ended: these are the data of a year that is over.",
            "Share the current school year in {sis}, or correct the ends of the roles.",
        ),
        ("email_malformed", "warning", "The user's e-mail address is none.", "Correct the address in {sis}."),
    ),
    *_rules(
        "enrollments",
        _ID,
        _BOTH,
        _SAME,
        _STATUS,
        (
            "user_unknown",
            "error",
            "The enrollment names a user that the SIS does not share.",
            "Share the user in {sis}, or remove the enrollment.",
        ),
        (
            "class_unknown",
            "error",
            "The enrollment names a class that the SIS does not share.",
            "Share the class in {sis}, or remove the enrollment.",
        ),
        (
            "waits_for_class",
            "error",
            "The enrollment waits for its class, which was set aside.",
            "Correct the class in {sis}.",
        ),
        (
            "waits_for_user",
            "error",
            "The enrollment waits for its user, who was set aside.",
            "Correct the user in {sis}.",
        ),
        (
            "role_unknown",
            "warning",
            "The role in the class is neither student nor teacher nor another that OneRoster knows.",
            "Correct the role in {sis}.",
        ),
        (
            "outside_terms",
            "warning",
            "The enrollment begins after all terms of its class, or ends before them.",
            "Correct the enrollment's dates or the class's terms in {sis}.",
        ),
        (
            "dates",
            "warning",
            "Begin or end is no date, or the end lies before the beginning.",
            "Correct the dates in {sis}.",
        ),
        (
            "not_begun",
            "warning",
            "The enrollment begins later, though its class has begun: they join its lists on that day.",
            "Nothing, if it is meant; else correct the begin of the enrollment in {sis}.",
        ),
        (
            "teacher_as_student",
            "warning",
            "Somebody who is no student is enrolled as one; they are a member of the class's lists like any other.",
            "If they teach the class, correct the role of the enrollment in {sis}.",
        ),
        (
            "student_as_teacher",
            "warning",
            "A student is enrolled as teacher; a student manages no list, so the lists are made without them.",
            "Correct the role of the enrollment, or of the user, in {sis}.",
        ),
    ),
    *[
        rule
        for name in ("orgs", "academicSessions", "courses", "classes", "users", "enrollments")
        for rule in _rules(
            name,
            ("unreadable", "error", "The record could not be read.", "Correct the record in {sis}."),
            (
                "ids_twice_en_masse",
                "critical",
                f"More than 5 % of the {name} share their sourcedId with another.",
                "Have {sis} repair its OneRoster export; nothing can be told apart.",
            ),
            (
                "column_empty",
                "critical",
                f"A column that every one of the {name} needs is entirely empty.",
                "Share the column in {sis}: its export or the permissions of the key leave it out.",
            ),
            (
                "halved",
                "warning",
                f"Fewer than half of the {name} of the last complete night were sent.",
                "If this is not so in {sis}, check its sharing and permissions; if it is, run once with accept_smaller.",
            ),
            (
                "not_shared",
                "error",
                f"The {name} are needed for what is switched on, and were refused, or never came, or came empty.",
                "Share them in {sis}, or turn off what needs them (the issue names the switches).",
            ),
        )
    ],
    *[
        rule
        for name in ("courses", "classes", "users")
        for rule in _rules(
            name,
            (
                "grade_unknown",
                "warning",
                "The grade is none that CEDS knows; it counts as a grade of the district's own.",
                "Correct the grade in {sis}, or leave it if it is meant.",
            ),
        )
    ],
)

BY_ID: dict[str, Rule] = {rule.id: rule for rule in RULES}


def as_table() -> str:
    """The rules as a table in Markdown, for docs/data-quality.md."""
    order = {"critical": 0, "error": 1, "warning": 2}
    rows = sorted(RULES, key=lambda rule: (order[rule.severity], rule.id))
    lines = [f"| `{rule.id}` | {rule.severity} | {rule.message} | {rule.fix.format(sis='the SIS')} |" for rule in rows]
    return "\n".join(["| rule | severity | what is wrong | cure |", "| --- | --- | --- | --- |", *lines]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(as_table())
