"""Why: the story of a person or a list, run by run, also of somebody who is not there.

The answers name people and are for staff who may read the district; they never go into a log.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import psycopg

from include.mingasync.directory.why_link import Link, broken, holding, mended_by
from include.mingasync.directory.why_roll import last_loaded, planned, roll, rostered
from include.mingasync.oneroster.records import PARENT_ROLES
from include.mingasync.rosters.people import ROLE_OF, no_role_counts

if TYPE_CHECKING:
    from include.mingasync.snapshot import Snapshot

_RUNS = 30
_LISTS = 10
#: Why something was done, or not, by the reason that a run writes down.
REASONS = {
    "new_in_sis": "the SIS had it, and the directory had not",
    "changed_in_sis": "the SIS changed",
    "back_in_sis": "the SIS has them again",
    "auto_update_off": "auto update is off for the role; turn it on to let changes through",
    "archive_off": "they are gone from the SIS, but archive is off for the role",
    "absent_nights": "they are gone from the SIS, but not for enough proven nights running (setting safety.absent_nights)",
    "archived_since": "it was planned, but they were archived already when it came to it",
    "seen_since": "it was planned, but by then they were known by another record, or not absent any more",
    "newer_night": "a newer night was loaded before, and decides about them",
    "set_aside": "the SIS's record could not be used tonight; what it said before holds on",
    "unproven": "what it rests on did not come whole from the SIS that night, so nothing is known to be gone",
    "term_lost": "a selected term is no longer shared by the SIS",
    "paused": "the school is paused, or its own automatic rostering is off",
    "undecided": "somebody on it waits for an answer, or for a word of the SIS",
    "tried_again": "the run was tried again, and its later attempt took it back",
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
    "school_unknown": "the SIS lists no school that the record names, so theirs may not be rostered; name one, or share it",
    "match_not_unique": "the record fits several people here; say who it is, as the issue shows",
    "match_contradicts": "the record has a key of somebody made by hand or excluded, but another role or name; say who it is",
    "sourced_id_changed": "they seem to have a new sourcedId; confirm or refuse the relink",
    "sourced_id_reissued": "the SIS gives this sourcedId to another human's data now; say whose it is, as the issue shows",
    "two_entries_one_human": "the SIS now says that two entries here are one human; say which one to keep",
    "identifier_shared": "records look like one human by an identifier that others have here; give everybody their own",
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

_ANSWERS = {
    "rejected": "the answer was: rejected",
    "none": "nobody answered in time",
    "partly": "it was not among those that were approved",
    "late": "the approval came after a newer night was loaded",
}


@dataclass(frozen=True)
class Story:
    """Who or what was asked about, and what there is to tell, oldest first, the present state at the head.

    ``school_id``: the school whose settings decide about it, None where it is at none.
    """

    subject: str
    lines: tuple[str, ...]
    school_id: str | None = None


def why_person(connection: psycopg.Connection[Any], district: str, asked: str, snapshot: Snapshot | None = None) -> list[Story]:
    """The stories of everybody whom the question fits: person_id, sourcedId, e-mail, username, identifier or a part of the name.

    Where nobody in the directory fits, what the last snapshot (if given) says of them.
    """
    stories = _people(connection, district, snapshot, asked=asked)
    return stories or list(_not_there(connection, district, asked, snapshot))


def people_who_fit(connection: psycopg.Connection[Any], district: str, asked: str) -> list[tuple[int, str, str, str]]:
    """Whom a question fits: person_id, name, role and status, at most 20."""
    return [(row[0], f"{row[1]} {row[2]}", row[3], row[4]) for row in _rows_of_people(connection, district, asked=asked)]


def lists_that_fit(connection: psycopg.Connection[Any], district: str, asked: str) -> list[tuple[int, str, str, str]]:
    """Which lists a question fits: list_id, name, kind and status, at most 20."""
    return [(row[0], row[1], row[2], row[3]) for row in _rows_of_lists(connection, district, asked=asked)]


def why_this_person(
    connection: psycopg.Connection[Any], district: str, person_id: int, snapshot: Snapshot | None = None
) -> list[Story]:
    """The story of one person, none where there is no such person in the district."""
    return _people(connection, district, snapshot, person_id=person_id)


def why_this_list(
    connection: psycopg.Connection[Any], district: str, list_id: int, snapshot: Snapshot | None = None
) -> list[Story]:
    """The story of one list, none where there is no such list in the district."""
    rows = _rows_of_lists(connection, district, list_id=list_id)
    return [_list(connection, district, row, snapshot) for row in rows]


def _people(
    connection: psycopg.Connection[Any],
    district: str,
    snapshot: Snapshot | None,
    *,
    asked: str | None = None,
    sourced_id: str | None = None,
    person_id: int | None = None,
) -> list[Story]:
    """The stories of whom a question fits, of whom the SIS knows by an id, or of one person."""
    rows = _rows_of_people(connection, district, asked=asked, sourced_id=sourced_id, person_id=person_id)
    is_there = rows and snapshot is not None and snapshot.exists()
    users = _Users.of(snapshot) if is_there and snapshot is not None else None
    return [_person(connection, district, row, users) for row in rows]


@dataclass(frozen=True)
class _Users:
    """The records of users that came last, and whether all came."""

    records: pd.DataFrame
    are_whole: bool

    @classmethod
    def of(cls, snapshot: Snapshot) -> _Users:
        """Those of a snapshot."""
        columns = ["sourced_id", "status", "enabled", "given_name", "family_name", "email", "username", "identifier"]
        return cls(snapshot.frame("users", columns), "users" not in snapshot.incomplete_reasons())


def _rows_of_people(
    connection: psycopg.Connection[Any],
    district: str,
    *,
    asked: str | None = None,
    sourced_id: str | None = None,
    person_id: int | None = None,
) -> list[tuple[Any, ...]]:
    return connection.execute(
        """
        select person_id, given_name, family_name, role, status, include_in_sync, sourced_ids, source, created_at, school_ids,
               sourced_id, email, username, identifier
        from directory.people
        where district = %(district)s and (
            %(id)s::text = any (sourced_ids) or person_id = %(person_id)s
            or person_id::text = %(asked)s or %(asked)s::text = any (sourced_ids)
            or lower(%(asked)s) in (lower(email), lower(username), lower(identifier))
            or position(lower(%(asked)s) in lower(concat_ws(' ', given_name, family_name))) > 0)
        order by family_name, given_name, person_id limit 20
        """,
        {"district": district, "asked": asked, "id": sourced_id, "person_id": person_id},
    ).fetchall()


def _person(connection: psycopg.Connection[Any], district: str, row: tuple[Any, ...], users: _Users | None) -> Story:
    person_id, given, family, role, status, included, sourced_ids, source, created_at, schools, leading, *contact = row
    known_as = ", ".join(sourced_ids) or "nobody"
    now = f"Now: {status}, {role}, at {', '.join(schools) or 'no school'}; known to the SIS as {known_as}."
    lines: list[str] = [
        f"In the directory since {created_at:%Y-%m-%d}, {'made by hand' if source == 'manual' else 'made by the sync'}.",
    ]
    if users is not None and leading is not None:
        lines += _is_sent(users, leading, may_be_missing=_archive_is_open(connection, district, person_id))
    lines += rostered(connection, district, role, schools)
    if included:
        lines.append(holding('"Include user in SIS sync" is on.'))
    else:
        lines.append(broken('"Include user in SIS sync" is off: no sync touches this person.', f"person/{person_id}"))
    lines += _places(connection, district, person_id, role)
    lines += _pins(connection, person_id)
    if users is not None:
        holds = dict(
            zip(("given_name", "family_name", "email", "username", "identifier"), (given, family, *contact), strict=True)
        )
        pinned = connection.execute("select field from directory.field_pins where person_id = %s", (person_id,)).fetchall()
        lines += _differences(
            users.records, leading, holds, {field for (field,) in pinned}, "settings" if included else f"person/{person_id}"
        )
    lines += _changes(connection, district, "person", person_id)
    lines += _issues(connection, district, sourced_ids)
    # Whoever is archived for a reason that is told below is mended there.
    told = any(isinstance(line, Link) and line.holds is False for line in lines)
    head = Link(now, True if status == "active" else None if told else False)
    return Story(f"{given} {family} (person {person_id})", (head, *lines), next(iter(schools), None))


def _archive_is_open(connection: psycopg.Connection[Any], district: str, person_id: int) -> bool:
    """Whether the run that was loaded last found somebody gone and did not archive them."""
    found = connection.execute(
        """select 1 from directory.changes where run_no = %s and entity = 'person' and entity_no = %s
             and action = 'archive' and status in ('suppressed', 'held')""",
        (last_loaded(connection, district)[0], person_id),
    ).fetchone()
    return found is not None


def _is_sent(users: _Users, sourced_id: str, *, may_be_missing: bool) -> Iterator[str]:
    """Whether the SIS sent the record that leads; whoever left is rightly missing, and only their archive is still to come."""
    own = users.records[users.records["sourced_id"].eq(sourced_id)]
    if len(own):
        gone = _gone_as(own.iloc[-1])
        said = f"The SIS sends the record {sourced_id}{f' as {gone}: they have left' if gone else ''}."
        yield holding(said) if gone is None else Link(said, None if may_be_missing else False)
    elif users.are_whole:
        yield Link(f"The SIS did not send the record {sourced_id} when it was read last.", None if may_be_missing else False)
    else:
        yield f"The record {sourced_id} is not among those that came last, and not all came."


def _gone_as(record: pd.Series) -> str | None:
    """In which word a record says that its user is not here; None where it says no such thing."""
    if record["status"] in ("tobedeleted", "inactive"):
        return str(record["status"])
    return "not enabled" if pd.notna(record["enabled"]) and not record["enabled"] else None


def _places(connection: psycopg.Connection[Any], district: str, person_id: int, role: str) -> Iterator[str]:
    """The lists that somebody is on and those that they manage."""
    lists = connection.execute(
        """select l.name, rolls.manager, l.status
           from directory.memberships as rolls join directory.user_lists as l using (list_id)
           where l.district = %s and rolls.people @> array[%s]::integer[] order by l.name, l.list_id""",
        (district, person_id),
    ).fetchall()
    if not lists:
        yield broken("On no list.", "terms") if role in ("student", "teacher") else "On no list."
    for is_manager, what in ((False, "On the lists"), (True, "Manages")):
        names = [name if status == "active" else f"{name} (inactive)" for name, manager, status in lists if manager == is_manager]
        more = f", and {len(names) - _LISTS} more" if len(names) > _LISTS else ""
        if names:
            yield holding(f"{what}: {', '.join(names[:_LISTS])}{more}.")


def _pins(connection: psycopg.Connection[Any], person_id: int) -> Iterator[str]:
    for field, value, sis, reason, until, by, is_over, now in connection.execute(
        """select pin.field, pin.value, pin.sis_value, pin.reason, pin.until, pin.set_by,
                  coalesce(pin.until < current_date, false), to_jsonb(p) ->> pin.field
           from directory.field_pins as pin join directory.people as p using (person_id)
           where person_id = %s order by pin.field""",
        (person_id,),
    ):
        pinned = f"pinned to {_shown(value)}{f' until {until}' if until else ''} by {by} ({reason})"
        if is_over:
            yield f"{field} was {pinned}; that is over."
        elif now != value:
            yield f"{field} was {pinned}, but is {_shown(now)} now."
        else:
            yield f"{field} is {pinned}; the SIS said {_shown(sis)}."


def _differences(
    users: pd.DataFrame, sourced_id: str | None, holds: dict[str, Any], pinned: set[str], control: str
) -> Iterator[str]:
    """Where the SIS's record, as it was read last, says another thing than the directory."""
    for _, record in users[users["sourced_id"].eq(sourced_id)].tail(1).iterrows():
        for field, here in holds.items():
            there = None if pd.isna(record[field]) else str(record[field])
            if (there or None) != (here or None):
                said = f"The SIS sends {field} {_shown(there)}, the directory holds {_shown(here)}."
                yield said if field in pinned else broken(said, control)


def _shown(value: object) -> str:
    return "nothing" if value in (None, "") else f"'{value}'"


def _changes(connection: psycopg.Connection[Any], district: str, entity: str, number: int) -> Iterator[str]:
    last, _ = last_loaded(connection, district)
    for run_no, night, run_id, kind, action, status, reason, before, after, answer, has_ended, undone_by in connection.execute(
        """select r.run_no, r.night, r.run_id, r.kind, c.action, c.status, c.reason, c.before, c.after, r.answer,
                  r.finished_at is not null, r.undone_by
           from directory.changes as c join directory.sync_runs as r using (run_no)
           where r.district = %s and c.entity = %s and c.entity_no = %s order by r.run_no desc limit %s""",
        (district, entity, number, _RUNS),
    ).fetchall()[::-1]:
        fields = ", ".join(f"{name}: {(before or {}).get(name)!r} → {(after or {}).get(name)!r}" for name in (after or {}))
        changed = f" ({fields})" if action == "update" and fields else ""
        run = f"run {run_id}, a preview that changed nothing" if kind == "preview" else f"run {run_id}"
        how = _how_it_stands(action, status, answer, has_ended, undone_by)
        said = f"{night}, {run}: {action} {status}, because {REASONS.get(reason, reason)}{changed}{how}."
        # What was done or not before the run that was loaded last is history.
        if run_no != last or status == "undone":
            yield said
        elif status == "applied":
            yield holding(said)
        else:
            waits = status == "held" and not answer and not has_ended
            yield broken(said, "decision" if waits else mended_by(reason, number if entity == "person" else None))


def _how_it_stands(action: str, status: str, answer: str | None, has_ended: bool, undone_by: str | None) -> str:
    """What became of it since it was planned."""
    if status == "undone":
        return f"; it was taken back by the run {undone_by}" if undone_by else "; it was taken back"
    if status == "conflict" and action == "archive":
        return "; nobody was archived"
    if status != "held":
        return ""
    if answer:
        return f"; {_ANSWERS.get(answer, answer)}"
    return "; nobody could be asked" if has_ended else "; it waits for an answer"


def _issues(connection: psycopg.Connection[Any], district: str, sourced_ids: list[str]) -> Iterator[str]:
    last, _ = last_loaded(connection, district)
    for run_no, night, severity, message, fix in connection.execute(
        """select r.run_no, r.night, i.severity, i.message, i.fix
           from directory.sync_issues as i join directory.sync_runs as r using (run_no)
           where i.district = %s and i.sourced_id = any (%s) order by r.run_no desc limit 5""",
        (district, sourced_ids),
    ).fetchall()[::-1]:
        said = f"{night}, {severity}: {message} {fix}"
        yield broken(said, "run") if run_no == last and severity != "warning" else said


def _not_there(connection: psycopg.Connection[Any], district: str, asked: str, snapshot: Snapshot | None) -> Iterator[Story]:
    if snapshot is None or not snapshot.exists():
        yield Story(asked, (broken("Nobody in the directory fits, and there is no snapshot to look into."),))
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
                broken(
                    "Nobody in the directory fits, and the SIS did not send anybody like this "
                    f"on {snapshot.taken_at:%Y-%m-%d %H:%M} UTC."
                ),
                "Check in the SIS that the record exists and that its school is shared. Parents are not people here.",
            ),
        )
    for (_, user), full in zip(users[fits].head(20).iterrows(), name[fits].head(20), strict=True):
        # The directory may hold somebody under other words than the SIS sends by now.
        known = _people(connection, district, snapshot, sourced_id=user["sourced_id"])
        yield from known or [
            Story(
                f"{full.strip()} (SIS {user['sourced_id']})",
                tuple(_absence(connection, district, user, snapshot)),
                next(iter(user["org_ids"]), None),
            )
        ]


def _absence(connection: psycopg.Connection[Any], district: str, user: pd.Series, snapshot: Snapshot) -> Iterator[str]:
    yield "The SIS sends this record, but there is no entry in the directory."
    sourced_id = user["sourced_id"]
    roles = [str(role).strip().lower() for role in user["roles"]]
    if rule := _set_aside(snapshot, "users", sourced_id):
        yield broken(f"The record was set aside ({rule}).", "run")
        yield from _issues(connection, district, [sourced_id])
    elif roles and all(role in PARENT_ROLES for role in roles):
        yield broken("Parents and guardians are not people here, only a student's contact.")
    elif not any(role in ROLE_OF for role in roles):
        yield broken(f"The role '{', '.join(roles)}' is none that is rostered.")
    elif gone := _gone_as(user):
        yield broken(f"The record is {gone} in the SIS.")
    elif reason := planned(connection, district, sourced_id):
        yield broken(f"The last loaded night says: {REASONS.get(reason, reason)}.", mended_by(reason))
    elif no_role := no_role_counts(pd.DataFrame([user]), snapshot.taken_at.date())[0]:
        yield broken(f"Nobody is made for it: {REASONS[no_role]}.", mended_by(no_role))
    elif _is_gone(snapshot, sourced_id):
        yield broken("The record is at no rostered school (schools in the district's file).")
    else:
        yield broken("No run has loaded this record yet.")


def _set_aside(snapshot: Snapshot, resource: str, sourced_id: str) -> str | None:
    """The rule by which a record was set aside, None when it was not."""
    aside = snapshot.read_frame("set_aside")
    rule = aside.loc[aside["resource"].eq(resource) & aside["sourced_id"].eq(sourced_id), "rule"]
    return str(rule.iloc[0]) if len(rule) else None


def _is_gone(snapshot: Snapshot, sourced_id: str) -> bool:
    return bool(snapshot.read_frame("derived_gone")["sourced_id"].eq(sourced_id).any())


def why_list(connection: psycopg.Connection[Any], district: str, asked: str, snapshot: Snapshot | None = None) -> list[Story]:
    """The stories of every list that fits: by list_id, source_id, or a part of the name; also of a class without a list."""
    stories = _lists(connection, district, snapshot, asked=asked)
    return stories or list(_no_list(connection, district, asked, snapshot))


def _lists(
    connection: psycopg.Connection[Any],
    district: str,
    snapshot: Snapshot | None,
    *,
    asked: str | None = None,
    class_id: str | None = None,
) -> list[Story]:
    """The stories of what a question fits, or of a class's list."""
    rows = _rows_of_lists(connection, district, asked=asked, class_id=class_id)
    return [_list(connection, district, row, snapshot) for row in rows]


def _rows_of_lists(
    connection: psycopg.Connection[Any],
    district: str,
    *,
    asked: str | None = None,
    class_id: str | None = None,
    list_id: int | None = None,
) -> list[tuple[Any, ...]]:
    return connection.execute(
        """
        select list_id, name, kind, status, visibility, term_ids, school_id from directory.user_lists
        where district = %(district)s and (
            kind = 'class' and source_id = %(class)s or list_id = %(list_id)s
            or list_id::text = %(asked)s or lower(source_id) = lower(%(asked)s)
            or position(lower(%(asked)s) in lower(name)) > 0)
        order by name, list_id limit 20
        """,
        {"district": district, "asked": asked, "class": class_id, "list_id": list_id},
    ).fetchall()


def _list(connection: psycopg.Connection[Any], district: str, row: tuple[Any, ...], snapshot: Snapshot | None) -> Story:
    list_id, name, kind, status, visibility, terms, school_id = row
    members, managers = connection.execute(
        """select count(*) filter (where member_role = 'member'), count(*) filter (where member_role = 'manager')
           from directory.list_members where list_id = %s""",
        (list_id,),
    ).fetchone() or (0, 0)
    lines: list[str] = [Link(f"Now: {status}, {visibility}, {members} members, {managers} managers.", status == "active")]
    if terms:
        follows = f"It follows the terms {', '.join(terms)}."
        lines.append(holding(follows) if status == "active" else follows)
    if status == "inactive":
        lines.append("An inactive list keeps who was on it; only whoever is archived leaves it.")
    elif kind == "class" and snapshot is not None and snapshot.exists():
        lines += roll(connection, district, list_id, snapshot, REASONS)
    if visibility == "private":
        said = "Private: only its managers and admins see it. Set it public for all staff to find it."
        lines.append(broken(said, f"list/{list_id}"))
    else:
        lines.append(holding("Public: all staff find it."))
    lines += _changes(connection, district, "list", list_id)
    return Story(f"{name} (list {list_id})", tuple(lines), school_id)


def _no_list(connection: psycopg.Connection[Any], district: str, asked: str, snapshot: Snapshot | None) -> Iterator[Story]:
    if snapshot is None or not snapshot.exists():
        yield Story(asked, (broken("No list fits, and there is no snapshot to look into."),))
        return
    classes = snapshot.frame("classes")
    title = classes["title"].fillna("").astype(str).str.casefold()
    fits = classes["sourced_id"].eq(asked) | title.str.contains(asked.casefold(), regex=False)
    if not fits.any():
        yield Story(asked, (broken("No list fits, and the SIS sends no class like this: check that classes are shared."),))
    unlisted = snapshot.read_frame("derived_unlisted").set_index("source_id")["reason"]
    for _, klass in classes[fits].head(20).iterrows():
        sourced_id, terms = klass["sourced_id"], ", ".join(klass["term_ids"])
        # Its list may bear another name by now.
        if known := _lists(connection, district, snapshot, class_id=sourced_id):
            yield from known
            continue
        if rule := _set_aside(snapshot, "classes", sourced_id):
            because = broken(f"There is no list, because the class was set aside by the data proof ({rule}).", "run")
        elif sourced_id in unlisted:
            reason = unlisted[sourced_id]
            because = broken(f"There is no list, because {REASONS.get(reason, reason)}.", mended_by(reason))
        else:
            because = broken(
                "There is no list. No run has loaded it yet, or its school is none of those that the district's file names."
            )
        yield Story(
            f"{klass['title'] or 'Class'} (SIS {sourced_id})",
            (because, f"The class lies in the terms {terms or 'none'}."),
            klass["school_id"],
        )
