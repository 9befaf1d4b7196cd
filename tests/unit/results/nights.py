"""Nights as the mail knows them, made by hand."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from include.mingasync.directory.counts import empty_counts
from include.mingasync.results.night import Cause, Night

LINKS = {
    "run": "https://air.example.org/dags/mingasync_oak/runs/r1",
    "results": "https://air.example.org/plugin/rostering/rostering/districts/oak/runs/r1",
    "required_actions": "https://air.example.org/required_actions",
}


def night(state: str, reason: str | None = None, people: dict[str, int] | None = None, **more: Any) -> Night:
    """A night in a state; ``people`` are counts of the students, ``lists`` of the class lists, ``moves`` of memberships."""
    counts = empty_counts()
    counts["lists"]["class"] |= more.pop("lists", {})
    counts["memberships"] |= more.pop("moves", {})
    counts["people"]["student"] |= people or {}
    at = dt.datetime(2026, 11, 24, 2, 0, tzinfo=dt.UTC)
    values: dict[str, Any] = {
        "district": "Oak Valley", "slug": "oak", "sis": "PowerSchool", "night": at.date(), "kind": "nightly",
        "state": state, "reason": reason, "counts": counts, "causes": (), "held": (), "started_at": at,
        "finished_at": at + dt.timedelta(minutes=4), "links": LINKS,
    }  # fmt: skip
    return Night(**(values | more))


BAD_CLASS = Cause(
    "error",
    "classes.school_missing",
    3,
    "The class names no school.",
    "Give the class a school.",
    ("C1", "C2", "C3"),
)
HELD = ({"school_id": "S1", "school": "North High", "role": "student", "people": 112, "of": 400},)

MANY_CAUSES = tuple(
    Cause(
        "error" if one < 6 else "warning",
        f"users.rule_{one}",
        48,
        "Person 4711 seems to have the new sourcedId 0f8fad5b-d9cb-469f-a165-70867728950e; nothing was created, changed or archived for them.",
        "Confirm: select directory.relink(4711, '0f8fad5b-d9cb-469f-a165-70867728950e'). Somebody else: select "
        "directory.refuse_relink(4711, '0f8fad5b-d9cb-469f-a165-70867728950e').",
        ("0f8fad5b-d9cb-469f-a165-70867728950e",),
        is_one_of=True,
    )
    for one in range(9)
)

ODD_YEAR = Cause(
    "warning",
    "academicSessions.over",
    1,
    "Every session of the SIS lies in the past.",
    "Have the new school year's sessions shared.",
    (),
)

NIGHTS: dict[str, Night] = {
    "first": night("success", people={"created": 5210}, kind="manual"),
    "ordinary": night("success", people={"created": 4, "restored": 1, "archived": 7, "updated": 31, "unchanged": 5000}),
    "nothing changed": night("success", people={"unchanged": 5044}),
    "only class moves": night("success", people={"unchanged": 5044}, moves={"added": 12, "removed": 4}),
    "with a warning": night("success", people={"unchanged": 5044}, causes=(ODD_YEAR,)),
    "held": night(
        "held",
        "112 archives wait for an approval in Required Actions.",
        people={"created": 2, "archive_held": 112},
        held=HELD,
        finished_at=None,
        answer_until=dt.datetime(2026, 11, 25, 1, 50, tzinfo=ZoneInfo("America/Chicago")),
    ),
    "rejected": night(
        "held",
        "112 archives were rejected; these people stay active.",
        answered_by="kim",
        answer="rejected",
        people={"archive_held": 112},
        held=HELD,
    ),
    "approved": night("success", answered_by="kim", answer="approved", people={"created": 2, "archived": 112}),
    "undone": night("success", people={"archived": 112}, undone_by="manual__2026-11-24T09:00:00+00:00"),
    "completed with errors": night(
        "completed_with_errors",
        "3 records were set aside or could not be used. See the issues.",
        people={"created": 4, "update_suppressed": 6, "archive_suppressed": 2, "skipped": 1},
        causes=(BAD_CLASS,),
    ),
    "many issues": night(
        "completed_with_errors",
        "61 records were set aside or could not be used. See the issues.",
        people={"created": 1204, "updated": 12031, "archived": 310, "update_suppressed": 1006, "skipped": 61},
        lists={"created": 1210, "updated": 4410, "deactivated": 1021, "unchanged": 20345},
        moves={"added": 120_331, "removed": 4_120},
        causes=(BAD_CLASS, *MANY_CAUSES, ODD_YEAR),
        trend={"new": 12, "still": 49, "fixed": 3},
        left_alone={
            ("update_suppressed", "auto_update_off"): 1006,
            ("skipped", "excluded"): 12,
            ("skipped", "sourced_id_changed"): 48,
            ("skipped", "match_contradicts"): 1,
        },
    ),
    "absent nights": night("success", people={"archive_suppressed": 3}, left_alone={("archive_suppressed", "absent_nights"): 3}),
    "additions only": night(
        "success",
        people={"created": 2, "update_suppressed": 40, "archive_suppressed": 1},
        left_alone={("update_suppressed", "quiet"): 40, ("archive_suppressed", "quiet"): 1},
    ),
    "partly approved": night(
        "held",
        "12 archives were rejected; these people stay active.",
        answered_by="kim",
        answer="partly",
        people={"archived": 112, "archive_held": 12},
        held=({"school_id": "S2", "school": "South High", "role": "teacher", "people": 12, "of": 40},),
    ),
    "failed at extraction": night("failed", "The SIS refused the request for users (HTTP 403).", finished_at=None),
    "superseded": night("superseded", "The night of 2026-11-25 was loaded already.", kind="backfill"),
}
