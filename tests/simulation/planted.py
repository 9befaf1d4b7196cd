"""Faults put into the product one at a time, to prove that the simulation finds them: each by name, with the text it replaces.

Each is a fault that the product had, or could get by a slip of the hand. A test holds the texts to the code, so that none is
lost unseen; ``python -m tests.simulation.planting`` plays seeds against each until one fails, and writes docs/planted-faults.md.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A fault: what goes wrong, in which file below include/mingasync, and which text becomes which.

    ``also``: more such places, where one guard stands behind another and both have to be gone.
    """

    name: str
    words: str
    path: str
    old: str
    new: str
    also: tuple[tuple[str, str, str], ...] = ()

    @property
    def places(self) -> tuple[tuple[str, str, str], ...]:
        """Every place as path, old and new text."""
        return ((self.path, self.old, self.new), *self.also)


_MATCH, _DECIDE, _LEAVERS = (f"directory/sql/{one}.sql" for one in ("20_match", "30_decide", "40_leavers"))
_LISTS, _APPLY, _MEMBERS = (f"directory/sql/{one}.sql" for one in ("60_lists", "70_apply_lists", "80_members"))
_ARCHIVE, _UNDO = "directory/sql/archive.sql", "directory/sql/undo.sql"
_DERIVE = "rosters/lists.py"

FAULTS = (
    # Who is who.
    Fault("an_id_is_believed", "a sourcedId that was given to another human is believed", _MATCH,
          "            else directory.verdict(known_id, role, given, family, identifier, email, username) end as verdict",
          "            when known_id then 'same'\n"
          "            else directory.verdict(known_id, role, given, family, identifier, email, username) end as verdict"),
    Fault("a_key_is_believed", "whoever has any key of somebody is taken for them", _MATCH,
          "            else directory.verdict(known_id, role, given, family, identifier, email, username) end as verdict",
          "            when not known_id then 'same'\n"
          "            else directory.verdict(known_id, role, given, family, identifier, email, username) end as verdict"),
    Fault("a_refusal_is_forgotten", "a refused question of who is who is asked again each night", _MATCH,
          "case when answer = 'rejected' and (answer_holds or not known_id) then 'refused'", "case when false then 'refused'"),
    # Leaving.
    Fault("nothing_is_asked_again", "whoever archives does not ask again whether they are still gone", _ARCHIVE,
          "case when not %(is_newest)s then 'newer_night'",
          "case when p.status <> 'active' then 'archived_since' when true then null"),
    Fault("no_proof_is_needed", "a pull that proves nothing archives people", _LEAVERS,
          "where %(proven)s and (p.sourced_ids", "where %(proven)s is not null and (p.sourced_ids"),
    Fault("a_bad_record_is_absence", "somebody whose record was set aside is archived", _LEAVERS,
          "join s_set_aside as aside on aside.resource = 'users' and aside.sourced_id = own.sourced_id);",
          "join s_set_aside as aside on aside.resource = 'none' and aside.sourced_id = own.sourced_id);",
          also=(("rosters/carried.py", "if name in COLUMNS}", 'if name in COLUMNS and name != "users"}'),)),
    Fault("one_night_is_enough", "absent_nights is ignored", _LEAVERS, "(l.said_gone or a.nights >= l.absent_nights)", "true"),
    Fault("each_try_is_a_night", "a night of absence counts with every attempt", _LEAVERS,
          "nights = known.nights + (excluded.last_night > known.last_night)::integer", "nights = known.nights + 1"),
    Fault("gone_is_only_absent", "who the SIS says is gone waits like somebody absent", _LEAVERS,
          "coalesce(said.over = cardinality(m.sourced_ids), false) as said_gone", "false as said_gone"),
    Fault("archive_off_is_ignored", "with archive off people are archived", _LEAVERS,
          "where l.archive and not l.quiet and", "where not l.quiet and"),
    Fault("quiet_is_ignored", "a range of additions only archives people", _LEAVERS,
          "where l.archive and not l.quiet and", "where l.archive and"),
    Fault("the_guard_begins_anew", "whom a run archived already does not count with whom it still would", _LEAVERS,
          "from (select person_id, school_id, role from leaving_now union select person_id, school_id, role from left_already) as every",
          "from (select person_id, school_id, role from leaving_now) as every"),
    Fault("the_guard_is_off", "no school's archives are held", _LEAVERS,
          "when (l.school_id, l.role) in (select school_id, role from held_here) then 'held'", ""),
    Fault("all_is_approved", "an approval for one school and role is taken for all", "directory/archive.py",
          "set answer = case when %(all)s or (coalesce(school_id, ''), role) in (",
          "set answer = case when true or %(all)s or (coalesce(school_id, ''), role) in ("),
    Fault("the_archived_stay_listed", "who is archived stays on the lists", _ARCHIVE,
          "from off where m.list_id = off.list_id and m.manager = off.manager\n",
          "from off where m.list_id = off.list_id and m.manager = off.manager and off.list_id < 0\n"),
    # Staying and changing.
    Fault("updates_are_not_held", "with auto_update off people are changed", _DECIDE,
          "r.paused, r.auto_update and not r.quiet as may_update,", "r.paused, true as may_update,"),
    Fault("nobody_comes_back", "who returns is not restored", _DECIDE,
          "where h.speaks and h.included and h.roster and not h.is_apart and h.status = 'archived';",
          "where h.speaks and h.included and h.roster and not h.is_apart and h.status = 'never';"),
    Fault("an_old_role_comes_back", "who returns while updates are off has the role of before", "directory/sql/50_apply_people.sql",
          "role = coalesce(d.role, p.role), school_ids", "role = p.role, school_ids"),
    Fault("a_pin_gives_way", "a pinned family name follows the SIS", _DECIDE,
          "case when 'family_name' = any (pins.fields) then p.family_name", "case when false then p.family_name"),
    Fault("a_blank_stays", "an e-mail that the SIS has no more is kept", _DECIDE,
          "then p.email else s.email end as email", "then p.email else coalesce(s.email, p.email) end as email"),
    Fault("the_excluded_change", "people who are excluded from the sync are changed", _DECIDE,
          "where h.speaks and h.included and h.roster and not h.is_apart\n  and (w.sourced_id",
          "where h.speaks and h.roster and not h.is_apart\n  and (w.sourced_id"),
    Fault("schools_are_one", "what is set for one school is ignored", "settings.py",
          'override = self.schools.get(school_id or "", {})', "override = self.schools.get(None, {})  # type: ignore[call-overload]"),
    # Lists.
    Fault("a_name_by_hand_is_lost", "a list's name that somebody gave it follows the SIS", _LISTS,
          "case when u.name is not distinct from u.synced_name then l.name else u.name end as name", "l.name as name"),
    Fault("a_lost_term_ends_lists", "a selected term that vanishes ends its lists", _LISTS,
          "  and not u.term_ids && %(frozen_terms)s::text[]\n", ""),
    Fault("ended_classes_stay", "the list of an ended class stays active", _DERIVE, 'if status != "active":', "if status is None:"),
    Fault("grades_are_not_selected", "the selected grades are ignored", _DERIVE,
          "elif wanted_grades and wanted_grades.isdisjoint(grades):", "elif wanted_grades is None:"),
    Fault("everything_is_public", "new lists are public", _APPLY, "case when l.public then 'public' else 'private' end", "'public'"),
    Fault("a_hand_is_overruled", "who was put on a list, or taken off, by hand is not kept so", _MEMBERS,
          "where m.leads and not m.frozen and not (o.keep and p.status <> 'active');", "where m.leads and m.list_id < 0;"),
    Fault("nobody_new_joins", "with auto_update off new people join no list", _MEMBERS,
          "who.newcomer or who.may_update or (w.list_id", "who.may_update or (w.list_id"),
    Fault("moves_are_not_held", "with auto_update off people are moved between lists", _MEMBERS,
          "who.newcomer or who.may_update or (w.list_id", "true or (w.list_id"),
    Fault("lists_are_emptied_unproven", "a pull that proves nothing takes people off lists", _MEMBERS,
          "where %(proven)s and m.leads", "where m.leads"),
    Fault("students_manage", "a student enrolled as teacher manages the list", _DERIVE,
          '.to_numpy(dtype=bool) & ~is_student[n]', ".to_numpy(dtype=bool)"),
    # Runs.
    Fault("no_night_loads", "every night is refused by the database", _DECIDE, "analyze new_people (n, person_id);",
          "analyze new_people (n, nobody);"),
    Fault("an_older_run_loads", "an older run is loaded over a newer one", "directory/runs.py",
          "        where own.run_no = %s and other.loaded_at is not null\n          and case",
          "        where own.run_no = %s and other.loaded_at is not null and false\n          and case"),
    Fault("a_third_is_enough", "a collection that shrank to a third is taken for whole", "quality/sizes.py",
          "SHRUNK_BELOW = 0.5", "SHRUNK_BELOW = 0.1"),
    Fault("another_district_is_read", "the data of another district are loaded", "directory/proof.py",
          "    if other is None or not accepted:\n        return other\n",
          "    if other is None or not accepted:\n        return None\n"),
    Fault("an_undo_overrules", "an undo takes back what a hand or a later run decided since", _UNDO,
          "    where c.status = 'applied' or goes_on and c.status in ('planned', 'held')\n".removeprefix("    "),
          "where false\n"),
)  # fmt: skip
