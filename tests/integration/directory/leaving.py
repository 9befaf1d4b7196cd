"""The decision table of leaving: who is archived, waits or is held, worked out the simple way, and tried on a real directory."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from itertools import product
from typing import Any

from include.mingasync.directory.archive import approve, archive, ask, reject
from include.mingasync.directory.load import load
from include.mingasync.settings import Settings
from tests.integration.directory.decisions import print_from_a_server
from tests.integration.directory.world import NIGHT, Directory, Row, Sis, everything_on, school, user

EVIDENCE = ("absent", "left_school", "tobedeleted", "disabled", "set_aside")
LIMITS = ("none", "school", "district")
ANSWERS = ("none", "approved", "rejected")
DAY = dt.timedelta(days=1)
#: People of each school who stay.
_STAYING = 20

HEAD = """# The decision table of leaving

Written by `python -m tests.integration.directory.leaving > docs/decision-table-leaving.md` from a real directory; a test compares every cell
with values worked out by a separate, simple program. Somebody active, of a role that is rostered and archived. *absent_nights* is the setting;
*before* is for how many proven nights running they were absent before this one; *limit* is the safety limit that the night's archives exceed:
the school's, or only the district's; *answer* is what a person answered to that. *waits* and *rests*: they stay active, and a row says why.

"""


@dataclass(frozen=True, order=True)
class Case:
    """One row of the table."""

    proven: bool
    limit: str
    answer: str
    absent_nights: int
    before: int
    evidence: str


def all_cases() -> list[Case]:
    """Every combination that can be: an answer needs a limit that is exceeded, and an unproven pull exceeds none."""
    nights = list(product((1, 2), (0, 1), EVIDENCE))
    return [
        Case(proven, limit, answer, *row)
        for proven, limit, answer in product((True, False), LIMITS, ANSWERS)
        if (proven or limit == "none") and (answer == "none" or limit != "none")
        for row in nights
    ]


def expected(case: Case) -> tuple[str, str]:
    """The outcome and its reason, by hand."""
    if case.evidence == "set_aside":
        return "rests", "set_aside"
    is_told = case.evidence in ("tobedeleted", "disabled")
    if not case.proven:
        return "rests", "unproven"
    if not is_told and case.before + 1 < case.absent_nights:
        return "waits", "absent_nights"
    if case.limit != "none" and case.answer != "approved":
        return "held", case.evidence
    return "archived", case.evidence


def tried(directory: Directory) -> dict[Case, tuple[str, str]]:
    """The outcome and its reason of every case; those of one night in one district, a school for each ``absent_nights``."""
    outcomes = {}
    for night in dict.fromkeys((case.proven, case.limit, case.answer) for case in all_cases()):
        outcomes |= _one_night(directory, [case for case in all_cases() if (case.proven, case.limit, case.answer) == night])
    return outcomes


def _one_night(directory: Directory, cases: list[Case]) -> dict[Case, tuple[str, str]]:
    directory.do("truncate directory.people, directory.user_lists, directory.sync_runs, directory.absences cascade")
    first, orgs = cases[0], [school(one) for one in ("S1", "S2", "elsewhere")]
    directory.rostered = ("S1", "S2")
    names = {case: f"u{number}" for number, case in enumerate(cases)}
    staying = [user(f"{at}-{n}", schools=[at]) for at in directory.rostered for n in range(_STAYING)]
    everybody = [user(name, schools=[_at(case)]) for case, name in names.items()]
    directory.settings = everything_on()
    directory.night(Sis(users=[*staying, *everybody], orgs=orgs), night=NIGHT - 2 * DAY)
    directory.settings = everything_on(safety={"archive_percent": 100, "archive_minimum": 0, "absent_nights": 9})
    there = [user(name, schools=[_at(case)]) for case, name in names.items() if not case.before]
    away = [user(n, schools=["elsewhere"]) for case, n in names.items() if case.before and case.evidence == "left_school"]
    directory.night(Sis(users=[*staying, *there, *away], orgs=orgs), night=NIGHT - DAY)

    directory.settings = _limits(first.limit)
    tonight = [row for case, name in names.items() if (row := _tonight(case, name)) is not None]
    run, run_no = directory.open(night=NIGHT, run_id="tonight")
    desired = directory.desired(
        Sis(users=[*staying, *tonight], orgs=orgs),
        [name for case, name in names.items() if case.evidence == "set_aside"],
        unproven=None if first.proven else "It moved.",
    )
    load(directory.connection, run, run_no, Settings.model_validate(directory.settings), desired)
    if first.limit != "none":
        ask(directory.connection, run_no)
    if first.answer == "approved":
        approve(directory.connection, run_no, "pat")
    elif first.answer == "rejected":
        reject(directory.connection, run_no, "pat")
    archive(directory.connection, run, run_no)
    return {case: _outcome(directory, name) for case, name in names.items()}


def _at(case: Case) -> str:
    return f"S{case.absent_nights}"


def _limits(exceeded: str) -> dict[str, Any]:
    """Settings under which the night's leavers are too many for this limit and for no other."""
    wide, narrow = {"archive_percent": 100, "archive_minimum": 0}, {"archive_percent": 5, "archive_minimum": 2}
    own = narrow if exceeded == "school" else wide
    return everything_on(
        safety=narrow if exceeded == "district" else wide,
        schools={f"S{nights}": {"safety": own | {"absent_nights": nights}} for nights in (1, 2)},
    )


def _tonight(case: Case, name: str) -> Row | None:
    changes: dict[str, Row | None] = {
        "absent": None,
        "left_school": {"org_ids": ["elsewhere"]},
        "tobedeleted": {"status": "tobedeleted"},
        "disabled": {"enabled": False},
        "set_aside": {"family_name": "Broken"},
    }
    change = changes[case.evidence]
    return None if change is None else user(name, schools=[_at(case)]) | change


def _outcome(directory: Directory, name: str) -> tuple[str, str]:
    """What the run's row says of somebody, if the directory has them so."""
    person, status, family = directory.rows(
        "select person_id, status, family_name from directory.people where sourced_id = %s", name
    )[0]
    rows = directory.rows(
        "select action, status, reason from directory.sync_changes where run_id = 'tonight' and entity = 'person' and person_id = %s",
        person,
    )
    words = {
        ("archive", "applied"): "archived",
        ("archive", "held"): "held",
        ("archive", "suppressed"): "waits",
        ("rest", "suppressed"): "rests",
    }
    if len(rows) != 1:
        return "?", str(rows)
    outcome = words.get((rows[0][0], rows[0][1]), "?")
    is_so = family == f"Family{name}" and status == ("archived" if outcome == "archived" else "active")
    return (outcome, rows[0][2]) if is_so else ("?", f"{rows[0]} but {status}")


def as_markdown(table: dict[Case, tuple[str, str]]) -> str:
    """The table for people."""
    lines = [
        "| pull | limit | answer | absent_nights | before | evidence | outcome | reason |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for case in all_cases():
        cells = ["proven" if case.proven else "unproven", case.limit, case.answer, str(case.absent_nights), str(case.before)]
        lines.append(f"| {' | '.join([*cells, case.evidence, *table[case]])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print_from_a_server(lambda directory: HEAD + as_markdown(tried(directory)) + "\n")
