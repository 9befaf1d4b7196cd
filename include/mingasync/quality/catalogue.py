"""Every rule the data are held to: its severity, what it says to a person, and the cure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["critical", "error", "warning"]


@dataclass(frozen=True)
class Rule:
    """One rule. ``error`` sets the record aside; ``warning`` only tells; ``critical`` stops the run before any change."""

    id: str
    resource: str
    severity: Severity
    message: str
    fix: str


def _rules(resource: str, *rules: tuple[str, Severity, str, str]) -> list[Rule]:
    return [Rule(f"{resource}.{name}", resource, severity, message, fix) for name, severity, message, fix in rules]


_ID = ("id_missing", "error", "A record has no sourcedId, so nobody can say what it is.", "Have {sis} send every record's sourcedId.")
_TWICE = (
    "id_twice",
    "error",
    "Two different records bear this sourcedId; the last one was taken, this one set aside.",
    "Remove the double record in {sis}.",
)
_STATUS = (
    "status_unknown",
    "error",
    "The status is none of active, inactive, tobedeleted, so it is not known whether the record counts.",
    "Correct the record's status in {sis}.",
)

RULES: tuple[Rule, ...] = (
    *_rules("orgs", _ID, _TWICE, _STATUS, ("none", "critical", "The SIS sent no orgs.", "Share orgs in {sis}.")),
    *_rules(
        "academicSessions",
        _ID,
        _TWICE,
        _STATUS,
        ("dates", "error", "Start or end is no date, or the end lies before the start.", "Correct the term's dates in {sis}."),
        ("over", "warning", "Every session of the SIS lies in the past.", "Share the current school year in {sis}."),
    ),
    *_rules("courses", _ID, _TWICE, _STATUS),
    *_rules(
        "classes",
        _ID,
        _TWICE,
        _STATUS,
        ("school_missing", "error", "The class names no school, or one that the SIS does not share.", "Give the class a school in {sis}, or share it."),
        ("terms_unknown", "warning", "The class lies in a term that the SIS does not share.", "Share all terms in {sis}."),
        ("course_unknown", "warning", "The class's course is not shared; title, grades and subject may be missing.", "Share courses in {sis}."),
    ),
    *_rules(
        "users",
        _ID,
        _TWICE,
        _STATUS,
        ("none", "critical", "The SIS sent no users.", "Share users in {sis}."),
        ("no_roles", "critical", "No user of the SIS has a role.", "Have {sis} send the users' roles."),
        ("role_unknown", "error", "The user's role is none that OneRoster knows.", "Correct the role in {sis}."),
        ("org_missing", "warning", "The user belongs to no school.", "Give the user a school in {sis}."),
        ("email_malformed", "warning", "The user's e-mail address is none.", "Correct the address in {sis}."),
        ("unreadable", "error", "The record could not be read.", "Correct the record in {sis}."),
    ),
    *_rules(
        "enrollments",
        _ID,
        _TWICE,
        _STATUS,
        ("user_unknown", "error", "The enrollment names a user that the SIS does not share.", "Share the user in {sis}, or remove the enrollment."),
        ("class_unknown", "error", "The enrollment names a class that the SIS does not share.", "Share the class in {sis}, or remove the enrollment."),
        ("waits_for_class", "error", "The enrollment waits for its class, which was set aside.", "Correct the class in {sis}."),
        ("waits_for_user", "error", "The enrollment waits for its user, who was set aside.", "Correct the user in {sis}."),
        ("dates", "warning", "Begin or end is no date, or the end lies before the beginning.", "Correct the dates in {sis}."),
    ),
    *[
        Rule(f"{name}.ids_twice_en_masse", name, "critical", f"More than 5 % of the {name} share their sourcedId with another.",
             "Have {sis} repair its OneRoster export; nothing can be told apart.")
        for name in ("orgs", "academicSessions", "courses", "classes", "users", "enrollments")
    ],
)  # fmt: skip

BY_ID: dict[str, Rule] = {rule.id: rule for rule in RULES}
