"""What must hold for any district, whatever it lives through: people, proof, hands, switches and lists."""

from __future__ import annotations

from collections.abc import Iterator

from include.mingasync.settings import LIST_KINDS, ROLES
from tests.simulation.judging import Case, invariant, present, values
from tests.simulation.model import ROLE as ROLE_HERE

ANY = ("hand", "runs", "undo", "restore")
SYNC = ("runs", "undo")


@invariant(*SYNC)
def nobody_bears_anothers_data(case: Case) -> Iterator[str]:
    """A person bears names and keys of one human only, whatever the SIS re-issues, swaps or shares."""
    for person_id in case.after:
        human = case.life.world.humans[case.who[person_id]] if person_id in case.who else None
        if human is None or not case.changed(person_id):
            continue
        row = case.after[person_id]
        pinned = {field for one, field in case.fact.after.pins if one == person_id}
        names = [
            one
            for one in ("family_name", "email", "username", "identifier")
            if one not in pinned and one in case.changed(person_id)
        ]
        theirs = human.ever | {"other", f"pinned{0}", "pinned1", "pinned2", "pinned3"}
        if "given_name" in case.changed(person_id) and row["given_name"] != human.given:
            yield f"person {person_id} was {human.given} and is {row['given_name']}"
        for value in values(row, *names):
            if value.lower() not in theirs:
                yield f"person {person_id} is {human.given}, and bears {value}"


@invariant("runs")
def nobody_gets_anothers_id(case: Case) -> Iterator[str]:
    """No run gives a person a sourcedId that is another human's in the snapshot that it loads."""
    if case.job is None:
        return
    owners = {row["sourced_id"]: row["given_name"] for row in case.job.pull.sis.users}
    for person_id, row in case.after.items():
        new = set(row["sourced_ids"]) - set(case.before.get(person_id, {}).get("sourced_ids", ()))
        for sourced_id in sorted(new):
            if person_id in case.who and owners.get(sourced_id, "") != case.life.world.humans[case.who[person_id]].given:
                yield f"person {person_id} ({row['given_name']}) got {sourced_id}, which is {owners.get(sourced_id)}'s"


@invariant(*ANY)
def an_id_has_one_owner(case: Case) -> Iterator[str]:
    """No sourcedId belongs to two active people of a district."""
    seen: dict[str, int] = {}
    for person_id, row in case.after.items():
        for sourced_id in row["sourced_ids"] if row["status"] == "active" else ():
            if sourced_id in seen:
                yield f"{sourced_id} belongs to the people {seen[sourced_id]} and {person_id}"
            seen[sourced_id] = person_id


@invariant("runs")
def nobody_is_made_twice(case: Case) -> Iterator[str]:
    """Nobody is created while somebody active bears one of the record's sourcedIds, or its very name and own number."""
    for person_id, row in case.after.items():
        if person_id in case.before or row["source"] != "sis":
            continue
        for other, theirs in case.before.items():
            if theirs["status"] != "active" or other not in case.after or other in case.life.hands.answered:
                continue
            known = set(theirs["sourced_ids"]) & set(row["sourced_ids"])
            alike = (
                all(
                    (theirs[name] or "").lower() == (row[name] or "").lower() != ""
                    for name in ("given_name", "family_name", "email")
                )
                and theirs["role"] == row["role"]
                and (theirs["identifier"] or "") == (row["identifier"] or "") not in ("", "0")
            )
            if known or (alike and other in case.after and theirs["email"] not in _shared(case)):
                yield f"person {person_id} ({row['given_name']}) was made beside person {other} ({theirs['given_name']})"


def _shared(case: Case) -> set[str]:
    mails = [row["email"] for row in case.after.values() if row["email"]]
    return {one for one in mails if mails.count(one) > 1}


@invariant("runs", "undo")
def nobody_here_is_archived(case: Case) -> Iterator[str]:
    """Nobody is archived, by a run or an undo, whom the newest loaded snapshot has as somebody who is here, under any of their sourcedIds."""
    newest = case.fact.after.newest_loaded()
    job = next((one for one in reversed(case.life.jobs) if newest and one.run.run_id == newest["run_id"]), None)
    if job is None:
        return
    here = {sourced_id: row["given_name"] for sourced_id, row in present(job).items()}
    for row in case.archived:
        human = case.life.world.humans[case.who[row["person_id"]]] if row["person_id"] in case.who else None
        found = [one for one in row["sourced_ids"] if human and here.get(one) == human.given]
        if found:
            yield f"person {row['person_id']} ({row['given_name']}) is archived, and {found} is in {job.run.run_id}"


@invariant("runs")
def nobody_leaves_without_proof(case: Case) -> Iterator[str]:
    """A night whose pull proves nothing archives nobody and takes nobody off a list that is not deselected."""
    if case.job is None or case.row["proven"]:
        return
    for row in case.archived:
        yield f"person {row['person_id']} ({row['given_name']}) is archived by {case.job.run.run_id}: {case.job.pull.words}"
    for group, person, _ in sorted(case.off):
        yield f"person {person} left list {group} by {case.job.run.run_id}: {case.job.pull.words}"


@invariant("runs")
def a_record_set_aside_is_not_gone(case: Case) -> Iterator[str]:
    """Nobody is archived on a night on which a record of theirs could not be read or was set aside."""
    if case.job is None:
        return
    bad = {one for resource, one in case.job.pull.unreadable if resource == "users"}
    bad |= {row["sourced_id"] for row in case.job.pull.sis.users if row["status"] == "perhaps"}
    for row in case.archived:
        if bad & set(row["sourced_ids"]):
            yield f"person {row['person_id']} ({row['given_name']}) is archived for a bad row"


@invariant(*SYNC)
def who_is_excluded_is_untouched(case: Case) -> Iterator[str]:
    """Nobody whose switch is off is changed, archived or restored by a run or an undo, nor moved on a list."""
    for person_id, row in case.before.items():
        if row["include_in_sync"]:
            continue
        if case.after.get(person_id, {}).get("xmin") != row["xmin"]:
            yield f"person {person_id} is excluded, and is written by a run: {case.changed(person_id)}"
    moved = case.fact.before.places ^ case.fact.after.places
    for group, person, _ in sorted(moved):
        off = case.before.get(person, {}).get("include_in_sync") is False
        if off and group in case.fact.after.lists and group in case.fact.before.lists:
            yield f"person {person} is excluded, and is moved on list {group}"


@invariant(*ANY)
def a_pin_holds(case: Case) -> Iterator[str]:
    """A field pinned by hand keeps its value until the pin is taken off."""
    for (person_id, field), value in case.life.hands.pinned.items():
        now = case.after.get(person_id)
        if now is None:
            yield f"person {person_id}, whose {field} is pinned, is not there any more"
        elif now[field] != value or (person_id, field) not in case.fact.after.pins:
            yield f"{field} of person {person_id} is pinned to {value} and is {now[field]}"


@invariant(*ANY)
def a_place_by_hand_holds(case: Case) -> Iterator[str]:
    """Who was put on a list by hand is on it while active, and who was taken off stays off."""
    for (group, person, manager), keep in case.life.hands.placed.items():
        there = (group, person, manager) in case.fact.after.places
        row = case.after.get(person)
        if group not in case.fact.after.lists or row is None:
            yield f"list {group} or person {person}, joined by a hand, is not there any more"
        elif there != keep and (not keep or (row["status"] == "active" and (group, person, manager) in case.fact.before.places)):
            yield f"person {person} was {'put on' if keep else 'taken off'} list {group} by hand, and is {'' if there else 'not '}there"


@invariant(*ANY)
def a_name_by_hand_holds(case: Case) -> Iterator[str]:
    """A list keeps the name that somebody gave it."""
    for group, name in case.life.hands.named.items():
        if case.fact.after.lists.get(group, {}).get("name") != name:
            yield f"list {group} was named {name}, and is {case.fact.after.lists.get(group, {}).get('name')}"


@invariant(*ANY)
def a_visibility_by_hand_holds(case: Case) -> Iterator[str]:
    """A list keeps the visibility that somebody gave it."""
    for group, wanted in case.life.hands.visible.items():
        if case.fact.after.lists.get(group, {}).get("visibility") != wanted:
            yield f"list {group} was made {wanted}, and is {case.fact.after.lists.get(group, {}).get('visibility')}"


@invariant(*ANY)
def a_switch_by_hand_holds(case: Case) -> Iterator[str]:
    """Include user in SIS sync is what somebody set it to."""
    for person_id, included in case.life.hands.included.items():
        if case.after.get(person_id, {}).get("include_in_sync") is not included:
            yield f"the switch of person {person_id} was set to {included}"


@invariant("runs")
def what_is_off_rests(case: Case) -> Iterator[str]:
    """Where a role is not rostered nobody of it is created, changed, archived or restored."""
    if case.job is None:
        return
    for person_id, row in case.after.items():
        was = case.before.get(person_id)
        if was is None and row["source"] == "sis" and not getattr(case.of(row).roles, row["role"]).roster:
            yield f"person {person_id} ({row['role']}) is created, and the role is off at {row['school_ids']}"
        if (
            was
            and row["status"] != was["status"]
            and not getattr(case.of(was).roles, was["role"]).roster
            and not getattr(case.of(row).roles, row["role"]).roster
        ):
            yield f"person {person_id} ({row['role']}) is {row['status']} now, and the role is off"


@invariant("runs")
def who_is_not_updated_stays(case: Case) -> Iterator[str]:
    """With auto_update off people who are there are left as they are, but for archive, restore, and a parent's contact."""
    if case.job is None:
        return
    told = {"status", "archived_at", "parent_name", "parent_email", "parent_phone"}
    for person_id, was in case.before.items():
        now = case.after.get(person_id)
        fields = sorted(case.updated(person_id) - told)
        if now and fields and was["include_in_sync"]:
            own = case.settings.for_school((now["school_ids"] or [None])[0])
            if not getattr(own.roles, now["role"]).auto_update:
                yield f"{fields} of person {person_id} changed, and auto_update is off"


@invariant("runs")
def a_role_is_one_that_is_known_here(case: Case) -> Iterator[str]:
    """Whoever has several roles gets none that they have only at a school that is not rostered, or that nobody knows."""
    if case.job is None:
        return
    listed = {row["sourced_id"] for row in case.job.pull.sis.orgs if row["type"] == "school"}
    certain = {"D1"} | (listed & set(case.job.rostered) if case.job.rostered else listed)
    for person_id, row in case.after.items():
        was = case.before.get(person_id)
        human = case.life.world.humans[case.who[person_id]] if person_id in case.who else None
        if human is None or not human.extra or not human.records or (was is not None and "role" not in case.changed(person_id)):
            continue
        every = [*((human.role, org) for org in human.records[0].schools), human.extra[:2]]
        known = {ROLE_HERE[role] for role, org in every if role in ROLE_HERE and org in certain}
        if row["source"] == "sis" and row["role"] not in known and (known or row["role"] == "admin"):
            yield f"person {person_id} ({row['given_name']}) is {row['role']}, and is that only where nobody knows: {every}"


@invariant("runs")
def archive_off_archives_nobody(case: Case) -> Iterator[str]:
    """With archive off nobody of the role is archived."""
    if case.job is None:
        return
    for row in case.archived:
        if not getattr(case.of(row).roles, row["role"]).archive:
            yield f"person {row['person_id']} ({row['role']}) is archived, and archive is off"


@invariant("runs")
def quiet_nights_only_add(case: Case) -> Iterator[str]:
    """In a range of additions only nobody is updated or archived; a paused or switched-off night changes nothing."""
    for job in case.fact.jobs:
        row = case.fact.after.runs.get(job.run.run_id, {})
        if row.get("state") == "skipped" and case.loaded_now(job):
            yield f"{job.run.run_id} was skipped and loaded"
    if case.job is None:
        return
    night = case.job.run.night
    for row in case.archived:
        if (quiet := case.of(row).quiet_on(night)) and quiet.mode == "additions_only":
            yield f"person {row['person_id']} is archived in a quiet range"
    for person_id, was in case.before.items():
        now = case.after.get(person_id)
        quiet = case.of(now).quiet_on(night) if now else None
        fields = case.updated(person_id) - {"status", "archived_at"}
        if quiet and quiet.mode == "additions_only" and fields and was["include_in_sync"]:
            yield f"{sorted(fields)} of person {person_id} changed in a quiet range"


@invariant("runs")
def no_mass_archive_without_an_answer(case: Case) -> Iterator[str]:
    """Without an approval no run archives more of a school's role than archive_percent and archive_minimum allow."""
    if case.job is None or case.job.answer in ("approve", "some") or case.row["answer"] in ("approved", "partly"):
        return
    guard = case.row["guard"] or {}
    for school in {(row["school_ids"] or [""])[0] for row in case.archived}:
        for role in ROLES:
            own = case.settings.for_school(school or None).safety
            gone = [row for row in case.archived if row["role"] == role and (row["school_ids"] or [""])[0] == school]
            there = guard.get(f"{school}|{role}", 0)
            if gone and len(gone) >= own.archive_minimum and len(gone) * 100 > own.archive_percent * there:
                yield f"{len(gone)} of {there} {role}s of {school or 'no school'} are archived without an answer"


@invariant("runs")
def nobody_is_archived_too_early(case: Case) -> Iterator[str]:
    """Somebody who is only absent is archived after as many proven nights of absence as are set, and not before."""
    if case.job is None:
        return
    said = {row["sourced_id"] for row in case.job.pull.sis.users}
    for row in case.archived:
        nights = case.of(row).safety.absent_nights
        known = case.fact.before.absences.get(row["person_id"])
        if nights > 1 and not said & set(row["sourced_ids"]) and (known["nights"] if known else 0) + 1 < nights:
            yield f"person {row['person_id']} is archived after {(known or {}).get('nights', 0)} nights of {nights}"


@invariant("runs")
def a_returner_is_restored(case: Case) -> Iterator[str]:
    """Who is back under the same sourcedId and says the same is the same person, active again."""
    if case.job is None or not case.row["proven"]:
        return
    here = present(case.job)
    for person_id, was in case.before.items():
        record = here.get(was["sourced_id"] or "")
        if (
            was["status"] != "archived"
            or not was["include_in_sync"]
            or record is None
            or record["given_name"] != was["given_name"]
        ):
            continue
        now = case.after.get(person_id)
        same = record["family_name"] == was["family_name"] and record["org_ids"] == was["school_ids"]
        taken = any(one != person_id and was["sourced_id"] in row["sourced_ids"] for one, row in case.after.items())
        is_on = getattr(case.of(was).roles, was["role"]).roster
        if same and is_on and not taken and (now is None or now["status"] != "active"):
            yield f"person {person_id} ({was['given_name']}) is back and was not restored"


@invariant(*SYNC)
def archived_people_are_on_no_list(case: Case) -> Iterator[str]:
    """Whoever is archived is off every list that the sync makes."""
    gone = {row["person_id"] for row in case.archived}
    for group, person, _ in sorted(case.fact.after.places):
        if person in gone and case.fact.after.lists[group]["kind"] != "manual":
            yield f"person {person} is archived and on list {group}"


@invariant("runs")
def students_manage_nothing(case: Case) -> Iterator[str]:
    """No run makes a student the manager of a list."""
    for group, person, manager in sorted(case.fact.after.places - case.fact.before.places):
        if (
            manager
            and case.after.get(person, {}).get("role") == "student"
            and not case.life.hands.placed.get((group, person, True))
        ):
            yield f"person {person} is a student and manages list {group}"


@invariant("runs")
def nobody_is_put_on_a_class_they_are_not_in(case: Case) -> Iterator[str]:
    """A run puts nobody on a class list whom the SIS, as loaded or as it was last good, does not enroll there."""
    if case.job is None:
        return
    owners = {row["sourced_id"]: row["given_name"] for row in case.job.pull.sis.users}
    enrolled = {(row["class_id"], owners.get(row["user_id"])) for row in case.job.pull.sis.enrollments}
    if case.job.pull.words != "whole":
        return
    for group, person, manager in sorted(case.fact.after.places - case.fact.before.places):
        row = case.fact.after.lists[group]
        given = case.life.world.humans[case.who[person]].given if person in case.who else None
        if (
            row["kind"] == "class"
            and (row["source_id"], given) not in enrolled
            and not case.life.hands.placed.get((group, person, manager))
        ):
            yield f"person {person} ({given}) was put on the list of class {row['source_id']}"


@invariant(*ANY)
def lists_are_made_once(case: Case) -> Iterator[str]:
    """There is one list for each class, and one of each other source at a school."""
    seen: dict[tuple[str, str, str], int] = {}
    for group, row in case.fact.after.lists.items():
        if row["kind"] in LIST_KINDS:
            key = (row["kind"], "" if row["kind"] == "class" else row["school_id"] or "", (row["source_id"] or "").lower())
            if key in seen:
                yield f"lists {seen[key]} and {group} are both of {key}"
            seen[key] = group


@invariant("runs")
def a_lost_term_freezes_its_lists(case: Case) -> Iterator[str]:
    """No class list of a selected term that the SIS does not share any more ends, or loses anybody who is not archived."""
    if case.job is None:
        return
    shared = {row["sourced_id"] for row in case.job.pull.sis.terms}
    for group, row in case.fact.before.lists.items():
        own = case.settings.for_school(row["school_id"])
        lost = {one for one in own.class_lists.terms if one not in shared}
        if row["kind"] != "class" or not own.class_lists.enabled or not lost & set(row["term_ids"]):
            continue
        now = case.fact.after.lists.get(group)
        if now is None or (row["status"] == "active" and now["status"] != "active"):
            yield f"list {group} of {row['term_ids']} ended, and the term is lost"
        for _, person, _ in (place for place in case.off if place[0] == group):
            if case.after[person]["status"] == "active":
                yield f"person {person} left list {group}, whose term is lost"


@invariant("runs")
def a_refusal_holds(case: Case) -> Iterator[str]:
    """Whoever was refused as the human of a record is not asked about it again, while the person does not have its sourcedId."""
    for (person_id, sourced_id), row in case.fact.before.relinks.items():
        now = case.fact.after.relinks.get((person_id, sourced_id))
        is_theirs = sourced_id in case.before.get(person_id, {}).get("sourced_ids", (sourced_id,))
        if row["state"] == "rejected" and not is_theirs and (now is None or now["state"] == "proposed"):
            yield f"person {person_id} and record {sourced_id}, which was refused, is {now and now['state']}"
