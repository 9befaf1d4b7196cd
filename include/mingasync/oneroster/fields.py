"""Which field of a OneRoster record each column is read from, and what kind of value it is (1.1 section 4, 1.2 section 5).

Kinds: ``text``; ``texts``, a list of texts; ``link``, a GUIDRef, kept as its sourcedId; ``links``, a list of them; ``yes``, a
yes/no. What users have beside these (roles, orgs, phone, agents) takes more than one field and is put together where it is
read.
"""

from __future__ import annotations

Fields = dict[str, tuple[str, str]]

FIELDS: dict[str, Fields] = {
    "orgs": {
        "name": ("name", "text"),
        "type": ("type", "text"),
        "identifier": ("identifier", "text"),
        "parent_id": ("parent", "link"),
    },
    "academicSessions": {
        "title": ("title", "text"),
        "type": ("type", "text"),
        "start_date": ("startDate", "text"),
        "end_date": ("endDate", "text"),
        "parent_id": ("parent", "link"),
        "school_year": ("schoolYear", "text"),
    },
    "courses": {
        "title": ("title", "text"),
        "course_code": ("courseCode", "text"),
        "org_id": ("org", "link"),
        "grades": ("grades", "texts"),
        "subjects": ("subjects", "texts"),
        "subject_codes": ("subjectCodes", "texts"),
    },
    "classes": {
        "title": ("title", "text"),
        "class_code": ("classCode", "text"),
        "class_type": ("classType", "text"),
        "course_id": ("course", "link"),
        "school_id": ("school", "link"),
        "term_ids": ("terms", "links"),
        "grades": ("grades", "texts"),
        "subjects": ("subjects", "texts"),
        "subject_codes": ("subjectCodes", "texts"),
        "periods": ("periods", "texts"),
    },
    "users": {
        "enabled": ("enabledUser", "yes"),
        "username": ("username", "text"),
        "identifier": ("identifier", "text"),
        "given_name": ("givenName", "text"),
        "family_name": ("familyName", "text"),
        "preferred_given_name": ("preferredFirstName", "text"),
        "email": ("email", "text"),
        "grades": ("grades", "texts"),
    },
    "enrollments": {
        "class_id": ("class", "link"),
        "user_id": ("user", "link"),
        "school_id": ("school", "link"),
        "role": ("role", "text"),
        "primary": ("primary", "yes"),
        "begin_date": ("beginDate", "text"),
        "end_date": ("endDate", "text"),
    },
}
