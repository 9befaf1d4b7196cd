"""What an undo would do, found by doing it: the undo itself is carried out and then taken back as a whole."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass, field
from typing import Any

from include.mingasync.console.places import Place
from include.mingasync.console.reading import Row, Unreadable, rehearsing
from include.mingasync.directory import runs
from include.mingasync.directory.undo import undo
from include.mingasync.errors import MingaSyncError
from include.mingasync.run import Run


@dataclass(frozen=True)
class Foresight:
    """What would be as it was before, which later edits stay, why it would be refused, or why none of that is known now."""

    back: dict[str, int] = field(default_factory=dict)
    stays: list[Row] = field(default_factory=list)
    people: list[int] = field(default_factory=list)
    lists: list[int] = field(default_factory=list)
    refused: str | None = None
    unknown: str | None = None


def foresee(its_place: Place, run_id: str) -> Foresight:
    """What the undo of a run would do if it began now. Nothing of it is kept."""
    now = dt.datetime.now(dt.UTC)
    run = Run(its_place.slug, f"foresight__{uuid.uuid4()}", "undo", now, now.astimezone(its_place.zone).date())
    try:
        with rehearsing() as (connection, here):
            run_no = runs.open_run(connection, run)
            counts: dict[str, Any] = undo(connection, run, run_no, run_id)
            stays = [row for row in here.rows("changes", district=run.district, run_id=run.run_id) if row["status"] == "conflict"]
            ids = here.rows("conflicts", district=run.district, run_id=run.run_id)[0]
    except Unreadable as error:
        return Foresight(unknown=f"{error.cause} {error.cure}")
    except MingaSyncError as error:
        return Foresight(refused=str(error))
    return Foresight(counts["reversed"], stays, ids["people"], ids["lists"])
