"""The decision table: what becomes of somebody, worked out the slow and simple way, and tried on a real directory."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import psycopg

from include.mingasync.directory import schema
from stack.postgres import embedded_postgres
from tests.integration.directory.world import NIGHT, Directory, Sis, everything_on, school, user

PRESENCES = (
    "present", "changed", "absent", "tobedeleted", "disabled", "other_school", "set_aside", "no_school", "unlisted_school",
    "role_ended", "role_to_begin", "role_off_there", "renumbered", "another_human", "namesake", "placeholder",
)  # fmt: skip
#: In the SIS without a word about where: nothing follows from it.
_OPEN = ("no_school", "unlisted_school")
#: Under a sourcedId of its own, or with data of somebody else: who it is has to be asked, or is plain.
_ASKED = ("renumbered", "another_human", "namesake", "placeholder")
_LEFT_AS_THEY_ARE = {"role_to_begin": "role_not_begun", "role_off_there": "roster_off"}
ORIGINS = ("sis", "manual", "linked")

HEAD = """# The decision table

Written by `python -m tests.integration.directory.decisions > docs/decision-table.md` from a real directory; a test compares every cell
with values worked out by a separate, simple program. *untouched*: no row, nothing changed. *rests*: nothing changed, and a
row says why. *linked*: made by hand, then found in the SIS. *no_school*: the record names no org; *unlisted_school*: one that the SIS does not list; *role_off_there*: they moved to a school where
their role is off; *renumbered*: a new sourcedId, all else as it was; *another_human*: the sourcedId comes with the name and keys of somebody else;
*namesake*: somebody new has their identifier, and another name; *placeholder*: a new sourcedId and an identifier that everybody has. The safety limits are out of the way here.

"""


@dataclass(frozen=True, order=True)
class Case:
    """One row of the table."""

    by_override: bool
    roster: bool
    auto_update: bool
    archive: bool
    include: bool
    origin: str
    presence: str


def all_cases() -> list[Case]:
    """Every combination."""
    switch = (True, False)
    return [Case(*row) for row in product((False, True), switch, switch, switch, switch, ORIGINS, PRESENCES)]


def _expected_of_asked(case: Case) -> tuple[str, str]:  # noqa: PLR0911 (one line per reason)
    """The outcome where the record is not evidently the person, and has a key of them, or their sourcedId, or their name alone."""
    by_hand, untouched = case.origin == "manual", ("untouched", "-")
    if case.presence == "another_human":
        return ("skipped", "sourced_id_reissued") if case.roster and not by_hand else untouched
    # Nothing but the name: asked of whom the SIS lost, and not of people made by hand.
    if case.presence == "placeholder" and by_hand:
        return untouched
    if not case.include:
        return "skipped", "excluded"
    if not case.roster:
        return untouched
    if by_hand:
        return expected(replace(case, presence="changed" if case.presence == "namesake" else "present"))
    if case.presence != "namesake":
        return "skipped", "sourced_id_changed"
    return ("archived", "absent") if case.archive else ("archive_suppressed", "archive_off")


def expected(case: Case) -> tuple[str, str]:  # noqa: PLR0911 (one line per reason)
    """The outcome and its reason, by hand."""
    if case.presence in _ASKED:
        return _expected_of_asked(case)
    here = case.presence in ("present", "changed", *_OPEN, "role_off_there")
    if case.presence == "set_aside":
        return ("rests", "set_aside") if case.include and case.roster and case.origin != "manual" else ("untouched", "-")
    if not here and case.origin == "manual":
        return "untouched", "-"
    if not case.include:
        return ("skipped", "excluded") if here else ("untouched", "-")
    if not case.roster or case.presence in _LEFT_AS_THEY_ARE:
        return ("skipped", _LEFT_AS_THEY_ARE[case.presence]) if case.roster else ("untouched", "-")
    if case.origin == "manual" and case.presence == "changed":
        # One key, and another family name.
        return "skipped", "match_contradicts"
    if here:
        # Somebody made by hand who was never linked gets the SIS's id: that is a change too.
        if case.presence in ("present", *_OPEN) and case.origin != "manual":
            return "unchanged", "-"
        return ("updated", "changed_in_sis") if case.auto_update else ("update_suppressed", "auto_update_off")
    reason = {"other_school": "left_school"}.get(case.presence, case.presence)
    return ("archived", reason) if case.archive else ("archive_suppressed", "archive_off")


def tried(directory: Directory) -> dict[Case, tuple[str, str]]:
    """The outcome and its reason of every case, from two nights of one district with a school per set of switches."""
    cases = all_cases()
    where = {case: _school_of(case) for case in cases}
    overridden = {s for case, s in where.items() if case.by_override}
    settings = everything_on()
    settings["schools"] = {name: {"roles": {"student": _toggles(name)}} for name in sorted(overridden | set(where.values()))}
    settings["schools"]["off"] = {"roles": {"student": {"roster": False}}}
    directory.settings = everything_on(safety={"archive_percent": 100, "archive_minimum": 0})
    directory.rostered = (*sorted(set(where.values())), "off")
    orgs = [school(name) for name in (*directory.rostered, "elsewhere")]
    names = {case: f"u{number}" for number, case in enumerate(cases)}
    directory.night(Sis(users=[user(names[c], schools=[where[c]]) for c in cases if c.origin == "sis"], orgs=orgs))
    for case in cases:
        if case.origin != "sis":
            directory.do(
                "select directory.add_person(%s, 'student', %s, %s, identifier => %s, school_ids => %s)",
                "oak", f"Given{names[case]}", f"Family{names[case]}", f"ID-{names[case]}", [where[case]],
            )  # fmt: skip
    directory.do("update directory.people set include_in_sync = true")
    directory.night(Sis(users=[user(names[c], schools=[where[c]]) for c in cases if c.origin != "manual"], orgs=orgs))
    for case in cases:
        if not case.include:
            directory.do(
                "select directory.set_include_in_sync(person_id, false) from directory.people where lower(identifier) = %s",
                f"id-{names[case]}",
            )
    numbers = {
        case: directory.value("select person_id from directory.people where lower(identifier) = %s", f"id-{names[case]}")
        for case in cases
    }
    directory.settings = settings
    tonight = [row for case in cases if (row := _tonight(case, names[case], where[case]))]
    aside = [names[case] for case in cases if case.presence == "set_aside"]
    directory.night(Sis(users=tonight, orgs=orgs), set_aside=aside, run_id="tonight", night=NIGHT)
    return {case: _outcome(directory, numbers[case], names[case], case) for case in cases}


def _school_of(case: Case) -> str:
    flags = "".join("yn"[not flag] for flag in (case.roster, case.auto_update, case.archive))
    return f"{'own' if case.by_override else 'all'}-{flags}"


def _toggles(name: str) -> dict[str, bool]:
    roster, auto_update, archive = (flag == "y" for flag in name[-3:])
    return {"roster": roster, "auto_update": auto_update, "archive": archive}


def _tonight(case: Case, name: str, at: str) -> dict[str, Any] | None:
    row = user(name, schools=[at])
    changes: dict[str, dict[str, Any] | None] = {
        "present": {},
        "changed": {"family_name": "Changed"},
        "absent": None,
        "tobedeleted": {"status": "tobedeleted"},
        "disabled": {"enabled": False},
        "other_school": {"org_ids": ["elsewhere"]},
        "set_aside": {"family_name": "Broken"},
        "no_school": {"org_ids": []},
        "unlisted_school": {"org_ids": ["nowhere"]},
        "role_ended": {"role_end_dates": ["2026-11-23"]},
        "role_to_begin": {"role_begin_dates": ["2026-11-25"]},
        "role_off_there": {"org_ids": ["off"]},
        "renumbered": {"sourced_id": f"new-{name}"},
        "another_human": {
            "given_name": "Some", "family_name": "Body", "identifier": f"2-{name}", "email": f"2{name}@x.org", "username": f"2{name}",
        },
        "namesake": {
            "sourced_id": f"new-{name}", "given_name": "Some", "family_name": "Body", "email": f"2{name}@x.org", "username": f"2{name}",
        },
        "placeholder": {"sourced_id": f"new-{name}", "identifier": "0", "email": None, "username": None},
    }  # fmt: skip
    change = changes[case.presence]
    return None if change is None else row | change


def _outcome(directory: Directory, person_id: int, name: str, case: Case) -> tuple[str, str]:
    status, family = directory.rows("select status, family_name from directory.people where person_id = %s", person_id)[0]
    rows = directory.rows(
        "select action, status, reason from directory.sync_changes where run_id = 'tonight' and entity = 'person'"
        " and person_id = %s",
        person_id,
    )
    if not rows:
        calm = status == "active" and family == f"Family{name}"
        known = _is_rostered(directory, person_id, case)
        return ("unchanged" if case.presence in ("present", *_OPEN) and known else "untouched", "-") if calm else ("?", "?")
    ((action, done, reason),) = rows
    outcome = {
        ("update", "applied"): "updated",
        ("update", "suppressed"): "update_suppressed",
        ("archive", "applied"): "archived",
        ("archive", "suppressed"): "archive_suppressed",
        ("skip", "suppressed"): "skipped",
        ("rest", "suppressed"): "rests",
    }[action, done]
    rests = status == "active" and family == f"Family{name}"
    really = {"archived": status == "archived", "rests": rests}.get(outcome, status == "active")
    return (outcome, reason) if really else ("?", f"{outcome} but {status}")


def _is_rostered(directory: Directory, person_id: int, case: Case) -> bool:
    """Whether the run counted the person among the unchanged: here, included, of a role that is on."""
    return case.roster and directory.value(
        "select include_in_sync and sourced_id is not null from directory.people where person_id = %s", person_id
    )


def as_markdown(table: dict[Case, tuple[str, str]]) -> str:
    """The table for people, the cases that share outcome and reason in one row each."""
    lines = [
        "| switches from | roster | auto update | archive | included | origin | in the SIS | outcome | reason |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for case in sorted(table, key=lambda c: (c.by_override, not c.roster, not c.auto_update, not c.archive, not c.include,
                                             ORIGINS.index(c.origin), PRESENCES.index(c.presence))):  # fmt: skip
        flags = ["on" if flag else "off" for flag in (case.roster, case.auto_update, case.archive, case.include)]
        cells = ["school" if case.by_override else "district", *flags, case.origin, case.presence, *table[case]]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def print_from_a_server(page: Callable[[Directory], str]) -> None:
    """Print a page that is made on a directory of its own."""
    with (
        tempfile.TemporaryDirectory() as folder,
        embedded_postgres(Path(folder)) as server,
        psycopg.connect(server.dsn(), autocommit=True) as connection,
    ):
        schema.bring_to_head(connection)
        sys.stdout.write(page(Directory(connection)))


if __name__ == "__main__":
    print_from_a_server(lambda directory: HEAD + as_markdown(tried(directory)) + "\n")
