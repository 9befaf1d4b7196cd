"""The columns kept of each OneRoster collection, whatever version or binding they came in.

Only what the product uses is here (privacy): no demographics, no passwords, no metadata. Values stay as
the SIS sent them, except: ``status`` is lower-case and ``active`` where it was blank, yes/no fields are
booleans, and links are the bare sourcedId that they point at. Dates stay text, so that a bad one can be
reported instead of lost. Version 1.1's single role becomes a list of one.
"""

from __future__ import annotations

import pyarrow as pa

_TEXT = pa.string()
_TEXTS = pa.list_(pa.string())


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema([("sourced_id", _TEXT), ("status", _TEXT), *columns.items()])


#: Collection -> columns of its Parquet file. The keys are OneRoster's collection names.
COLUMNS: dict[str, pa.Schema] = {
    "orgs": _schema(name=_TEXT, type=_TEXT, identifier=_TEXT, parent_id=_TEXT),
    "academicSessions": _schema(title=_TEXT, type=_TEXT, start_date=_TEXT, end_date=_TEXT, parent_id=_TEXT, school_year=_TEXT),
    "courses": _schema(title=_TEXT, course_code=_TEXT, org_id=_TEXT, grades=_TEXTS, subjects=_TEXTS, subject_codes=_TEXTS),
    "classes": _schema(
        title=_TEXT,
        class_code=_TEXT,
        class_type=_TEXT,
        course_id=_TEXT,
        school_id=_TEXT,
        term_ids=_TEXTS,
        grades=_TEXTS,
        subjects=_TEXTS,
        subject_codes=_TEXTS,
        periods=_TEXTS,
    ),
    # roles and the five role_… columns run in parallel, one entry per role. role_ids are those of roles.csv, by which a delta
    # says which role it is about; REST's roles have none. org_ids are all orgs, the primary first.
    # agent_ids and phone are filled only when parent contacts are wanted; users whose every role is a
    # parent's are left out altogether when they are not.
    "users": _schema(
        enabled=pa.bool_(),
        username=_TEXT,
        identifier=_TEXT,
        given_name=_TEXT,
        family_name=_TEXT,
        preferred_given_name=_TEXT,
        email=_TEXT,
        phone=_TEXT,
        roles=_TEXTS,
        role_types=_TEXTS,
        role_org_ids=_TEXTS,
        role_begin_dates=_TEXTS,
        role_end_dates=_TEXTS,
        role_ids=_TEXTS,
        org_ids=_TEXTS,
        grades=_TEXTS,
        agent_ids=_TEXTS,
    ),
    "enrollments": _schema(
        class_id=_TEXT,
        user_id=_TEXT,
        school_id=_TEXT,
        role=_TEXT,
        primary=pa.bool_(),
        begin_date=_TEXT,
        end_date=_TEXT,
    ),
}

#: The order in which collections are read: what others point at comes first.
READING_ORDER: tuple[str, ...] = tuple(COLUMNS)

#: Without these no run makes sense; the others are needed for class lists only.
REQUIRED: frozenset[str] = frozenset({"orgs", "users"})

#: What some servers serve in place of a collection. Together students and teachers are not all users, nor are schools all orgs.
PARTS: dict[str, tuple[str, ...]] = {
    "orgs": ("schools",),
    "academicSessions": ("terms", "gradingPeriods"),
    "users": ("students", "teachers"),
}

#: OneRoster's roles of somebody who is only a student's contact.
PARENT_ROLES: frozenset[str] = frozenset({"parent", "guardian", "relative"})
