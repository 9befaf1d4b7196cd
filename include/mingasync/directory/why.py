"""Why: the story of a person or a list, run by run, also of somebody who is not there.

The answers name people and are for staff who may read the district; they never go into a log.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import psycopg

from include.mingasync.oneroster.records import PARENT_ROLES
from include.mingasync.rosters.people import ROLE_OF, no_role_counts

if TYPE_CHECKING:
    from include.mingasync.snapshot import Snapshot

_RUNS = 30
_REASONS = {
    "new_in_sis": "the SIS had them for the first time",
    "changed_in_sis": "the SIS changed",
    "back_in_sis": "the SIS has them again",
    "auto_update_off": "auto update is off for the role; turn it on to let changes through",
    "archive_off": "they are gone from the SIS, but archive is off for the role",
    "absent_nights": "they are gone from the SIS, but not for enough proven nights running (setting safety.absent_nights)",
    "newer_night": "a newer night was loaded before, and decides about them",
    "absent": "the SIS no longer sends them, and the pull was proven complete",
    "tobedeleted": "the SIS marks them tobedeleted",
    "inactive": "the SIS marks them inactive",
    "disabled": "the SIS marks them as not enabled",
    "role_ended": "every role that the SIS gives them has ended",
    "role_not_begun": "the SIS says that their role begins later; until then nothing changes",
    "role_unknown": "their known roles have ended, and the one that counts is none that OneRoster knows; correct it in the SIS",
    "left_school": "they are at no rostered school any more",
    "excluded": '"Include user in SIS sync" is off; turn it on for the sync to touch them',
    "roster_off": "the role is not rostered at this school; turn its roster switch on",
    "name_missing": "the SIS sends no name; enter it there",
    "school_unknown": "the record names no school, and only some schools are rostered; give them a school in the SIS",
    "match_not_unique": "the record fits several people here; give them different identifiers, e-mails and usernames",
    "sourced_id_changed": "they seem to have a new sourcedId; confirm or refuse the relink",
    "sourced_id_reissued": "the SIS gives this sourcedId to another human now; check it there",
    "quiet": "the night lay in a range of additions only",
    "parent_contact_off": "parent contacts are switched off",
    "term_not_selected": "none of the class's terms is selected (setting class_lists.terms)",
    "grade_not_selected": "the class's grades are not among the selected (setting class_lists.grades; empty means all)",
    "class_lists_off": "class lists are off (setting class_lists.enabled)",
    "ended": "the SIS marks the class as ended",
    "gone": "the SIS no longer sends it",
    "enrollment_ended": "the SIS ended the enrollment",
    "undo": "a run was undone",
    "changed_since": "it was changed since, so the undo left it alone",
}


@dataclass(frozen=True)
class Story:
    """Who or what was asked about, and what there is to tell, oldest first, the present state at the head."""

    subject: str
    lines: tuple[str, ...]


def why_person(connection: psycopg.Connection[Any], district: str, asked: str, snapshot: Snapshot | None = None) -> list[Story]:
    """The stories of everybody whom the question fits: person_id, sourcedId, e-mail, username, identifier or a part of the name.

    Where nobody in the directory fits, what the last snapshot (if given) says of them.
    """
    rows = connection.execute(
        """
        select person_id, given_name, family_name, role, status, include_in_sync, sourced_ids, source, created_at, school_ids
        from directory.people
        where district = %(district)s and (
            person_id::text = %(asked)s or %(asked)s = any (sourced_ids)
            or lower(%(asked)s) in (lower(email), lower(username), lower(identifier))
            or position(lower(%(asked)s) in lower(concat_ws(' ', given_name, family_name))) > 0)
        order by family_name, given_name, person_id limit 20
        """,
        {"district": district, "asked": asked},
    ).fetchall()
    stories = [_person(connection, row) for row in rows]
    return stories or list(_not_there(connection, district, asked, snapshot))


def _person(connection: psycopg.Connection[Any], row: tuple[Any, ...]) -> Story:
    person_id, given, family, role, status, included, sourced_ids, source, created_at, schools = row
    lines = [
        f"Now: {status}, {role}, at {', '.join(schools) or 'no school'}; "
        f"known to the SIS as {', '.join(sourced_ids) or 'nobody'}.",
        f"In the directory since {created_at:%Y-%m-%d}, {'made by hand' if source == 'manual' else 'made by the sync'}.",
    ]
    if not included:
        lines.append('"Include user in SIS sync" is off: no sync touches this person.')
    lines += _pins(connection, person_id)
    lines += _changes(connection, "person", person_id)
    lines += _issues(connection, sourced_ids)
    return Story(f"{given} {family} (person {person_id})", tuple(lines))


def _pins(connection: psycopg.Connection[Any], person_id: int) -> Iterator[str]:
    for field, value, sis, reason, until, by in connection.execute(
        "select field, value, sis_value, reason, until, set_by from directory.field_pins where person_id = %s", (person_id,)
    ):
        end = f" until {until}" if until else ""
        yield f"{field} is pinned to '{value}'{end} by {by} ({reason}); the SIS says '{sis}'."


def _changes(connection: psycopg.Connection[Any], entity: str, number: int) -> Iterator[str]:
    for night, run_id, action, status, reason, before, after in connection.execute(
        """select r.night, r.run_id, c.action, c.status, c.reason, c.before, c.after
           from directory.changes as c join directory.sync_runs as r using (run_no)
           where c.entity = %s and c.entity_no = %s order by r.run_no desc limit %s""",
        (entity, number, _RUNS),
    ).fetchall()[::-1]:
        fields = ", ".join(f"{name}: {(before or {}).get(name)!r} → {(after or {}).get(name)!r}" for name in (after or {}))
        changed = f" ({fields})" if action == "update" and fields else ""
        yield f"{night}, run {run_id}: {action} {status}, because {_REASONS.get(reason, reason)}{changed}."


def _issues(connection: psycopg.Connection[Any], sourced_ids: list[str]) -> Iterator[str]:
    for night, severity, message, fix in connection.execute(
        """select r.night, i.severity, i.message, i.fix
           from directory.sync_issues as i join directory.sync_runs as r using (run_no)
           where i.sourced_id = any (%s) order by r.run_no desc limit 5""",
        (sourced_ids,),
    ).fetchall()[::-1]:
        yield f"{night}, {severity}: {message} {fix}"


def _not_there(connection: psycopg.Connection[Any], district: str, asked: str, snapshot: Snapshot | None) -> Iterator[Story]:
    if snapshot is None or not snapshot.exists():
        yield Story(asked, ("Nobody in the directory fits, and there is no snapshot to look into.",))
        return
    users = snapshot.frame("users")
    name = users["given_name"].fillna("").astype(str) + " " + users["family_name"].fillna("").astype(str)
    text = asked.casefold()
    fits = name.str.casefold().str.contains(text, regex=False)
    for column in ("sourced_id", "email", "username", "identifier"):
        fits |= users[column].fillna("").astype(str).str.casefold().eq(text)
    if not fits.any():
        yield Story(
            asked,
            (
                "Nobody in the directory fits, and the SIS did not send anybody like this "
                f"on {snapshot.taken_at:%Y-%m-%d %H:%M} UTC.",
                "Check in the SIS that the record exists and that its school is shared. Parents are not people here.",
            ),
        )
    aside = snapshot.read_frame("set_aside")
    for (_, user), full in zip(users[fits].head(20).iterrows(), name[fits].head(20), strict=True):
        lines = _absence(connection, district, user, aside, snapshot.taken_at.date())
        yield Story(f"{full.strip()} (SIS {user['sourced_id']})", tuple(lines))


def _absence(
    connection: psycopg.Connection[Any], district: str, user: pd.Series, aside: pd.DataFrame, night: dt.date
) -> Iterator[str]:
    yield "The SIS sends this record, but there is no entry in the directory."
    sourced_id = user["sourced_id"]
    roles = [str(role).strip().lower() for role in user["roles"]]
    rule = aside.loc[(aside["resource"] == "users") & (aside["sourced_id"] == sourced_id), "rule"]
    planned = connection.execute(
        """select c.reason from directory.changes as c join directory.sync_runs as r using (run_no)
           where r.district = %s and c.entity = 'person' and c.after ->> 'sourced_id' = %s
           order by r.run_no desc limit 1""",
        (district, sourced_id),
    ).fetchone()
    if len(rule):
        yield f"The record was set aside ({rule.iloc[0]})."
        yield from _issues(connection, [sourced_id])
    elif roles and all(role in PARENT_ROLES for role in roles):
        yield "Parents and guardians are not people here, only a student's contact."
    elif not any(role in ROLE_OF for role in roles):
        yield f"The role '{', '.join(roles)}' is none that is rostered."
    elif user["status"] != "active" or user["enabled"] is False:
        yield f"The record is {user['status'] if user['status'] != 'active' else 'not enabled'} in the SIS."
    elif planned:
        yield f"The last plan says: {_REASONS.get(planned[0], planned[0])}."
    elif no_role := no_role_counts(pd.DataFrame([user]), night)[0]:
        yield f"Nobody is made for it: {_REASONS[no_role]}."
    else:
        yield "No run has loaded this record yet, or its school is not among the district's rostered schools."


def why_list(connection: psycopg.Connection[Any], district: str, asked: str, snapshot: Snapshot | None = None) -> list[Story]:
    """The stories of every list that fits: by list_id, source_id, or a part of the name; also of a class without a list."""
    rows = connection.execute(
        """
        select list_id, name, kind, status, visibility, source_id, term_ids, school_id
        from directory.user_lists
        where district = %(district)s and (list_id::text = %(asked)s or lower(source_id) = lower(%(asked)s)
                                           or position(lower(%(asked)s) in lower(name)) > 0)
        order by name limit 20
        """,
        {"district": district, "asked": asked},
    ).fetchall()
    stories = [_list(connection, row, snapshot) for row in rows]
    return stories or list(_no_list(asked, snapshot))


def _list(connection: psycopg.Connection[Any], row: tuple[Any, ...], snapshot: Snapshot | None) -> Story:
    list_id, name, kind, status, visibility, source_id, terms, _ = row
    members, managers = connection.execute(
        """select count(*) filter (where member_role = 'member'), count(*) filter (where member_role = 'manager')
           from directory.list_members where list_id = %s""",
        (list_id,),
    ).fetchone() or (0, 0)
    lines = [f"Now: {status}, {visibility}, {members} members, {managers} managers."]
    if visibility == "private":
        lines.append("Private: only its managers and admins see it. Set it public for all staff to find it.")
    if terms:
        lines.append(f"It follows the terms {', '.join(terms)}.")
    if kind == "class" and snapshot is not None and snapshot.exists():
        lines += _roll(connection, source_id, snapshot, members)
    lines += _changes(connection, "list", list_id)
    return Story(f"{name} (list {list_id})", tuple(lines))


def _roll(connection: psycopg.Connection[Any], class_id: str, snapshot: Snapshot, members: int) -> Iterator[str]:
    enrollments = snapshot.frame("enrollments")
    own = enrollments[enrollments["class_id"] == class_id]
    role = own["role"].astype(str).str.lower()
    students = int((role == "student").sum())
    yield f"The SIS enrolls {students} students and {int((role == 'teacher').sum())} teachers in it."
    if members == 0 and students == 0:
        yield "It is empty because the SIS sends no student enrollments for it: check that section rosters are shared."
    for teacher in own.loc[role == "teacher", "user_id"]:
        known = connection.execute(
            "select include_in_sync, status from directory.people where %s = any (sourced_ids)", (teacher,)
        ).fetchone()
        if known is None:
            yield f"Its teacher {teacher} is not in the directory: is the teacher's role rostered?"
        elif not known[0]:
            yield f'Its teacher {teacher} is not its manager: "Include user in SIS sync" is off for them.'


def _no_list(asked: str, snapshot: Snapshot | None) -> Iterator[Story]:
    if snapshot is None or not snapshot.exists():
        yield Story(asked, ("No list fits, and there is no snapshot to look into.",))
        return
    classes = snapshot.frame("classes")
    title = classes["title"].fillna("").astype(str).str.casefold()
    fits = classes["sourced_id"].eq(asked) | title.str.contains(asked.casefold(), regex=False)
    if not fits.any():
        yield Story(asked, ("No list fits, and the SIS sends no class like this: check that classes are shared.",))
    reasons = snapshot.read_frame("derived_unlisted").set_index("source_id")["reason"]
    for _, klass in classes[fits].head(20).iterrows():
        sourced_id, terms = klass["sourced_id"], ", ".join(klass["term_ids"])
        reason = str(reasons.get(sourced_id, "the class was set aside by the data proof"))
        yield Story(
            f"{klass['title'] or 'Class'} (SIS {sourced_id})",
            (f"There is no list, because {_REASONS.get(reason, reason)}.", f"The class lies in the terms {terms or 'none'}."),
        )
