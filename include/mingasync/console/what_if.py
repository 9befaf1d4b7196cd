"""*What if* on the review of edited settings: what the next night does with them, found by planning it and taking it all back."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa

from include.mingasync.airflow_glue import context
from include.mingasync.airflow_glue.approval import next_night
from include.mingasync.console.reading import Directory, Row, Unreadable, rehearsing
from include.mingasync.directory.archive import held
from include.mingasync.district import find_district
from include.mingasync.errors import CriticalData, MingaSyncError
from include.mingasync.settings import LIST_KINDS, ROLES, Settings

log = logging.getLogger(__name__)
NAMES_SHOWN = 20
#: It takes a core and the memory of a night; one at a time in each api-server is enough.
_ONE_AT_A_TIME = threading.Lock()
_SECONDS_TO_WAIT = 20
_ROLES = {"student": "Students", "teacher": "Teachers", "staff": "Staff", "admin": "Admins"}
#: The keys of what is counted, and their words.
_HAPPENS = {"created": "created", "updated": "updated", "restored": "restored", "archived": "archived"}
_STAYS = {
    "archive_held": "held by the safety limits",
    "update_suppressed": "held back, not updated",
    "archive_suppressed": "held back, not archived",
}
_OF_LISTS = {
    "made": "made", "renamed": "renamed", "back": "active again", "changed": "changed otherwise", "inactive": "made inactive",
}  # fmt: skip
_OF_MEMBERSHIPS = {"added": "added", "removed": "removed"}
_NAMED = {"created": "Created", "archived": "Archived", "held": "Held by the safety limits"}
_CANNOT_BE_READ = (
    "The snapshot of the last run cannot be read; the api-server's log says why. It is known again after the next run."
)


@dataclass(frozen=True)
class Line:
    """A role, a kind of list or the memberships, and the numbers of it that are not zero, each with its words."""

    name: str
    numbers: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Names:
    """The first by name of whom something happens to, and how many there are in all."""

    title: str
    people: Sequence[Row]
    number: int

    @property
    def more(self) -> int:
        """How many are not named."""
        return self.number - len(self.people)


@dataclass(frozen=True)
class WhatIf:
    """What the next night does with the edited settings; ``unknown`` says why that cannot be said, ``stops`` why it would stop.

    ``changes`` and ``stays`` are what happens to people, lists and memberships, and to whom nothing happens that might.
    ``held``: school, role, people and of how many there. ``skipped``: why the scheduled night does nothing.
    """

    night: dt.date | None = None
    read_at: dt.datetime | None = None
    changes: Sequence[Line] = ()
    stays: Sequence[Line] = ()
    held: Sequence[Row] = ()
    names: Sequence[Names] = ()
    skipped: str | None = None
    contacts_come: bool = False
    stops: str | None = None
    unknown: str | None = None


def what_if(slug: str, content: Mapping[str, Any], now: dt.datetime | None = None) -> WhatIf:
    """What the district's next night after a moment does with these settings. Nothing of it is kept, and nobody else sees it."""
    if not _ONE_AT_A_TIME.acquire(timeout=_SECONDS_TO_WAIT):
        return WhatIf(unknown="Another what if is worked out at this moment. Look once more in a minute.")
    try:
        return _worked_out(slug, Settings.model_validate(content), now or dt.datetime.now(dt.UTC))
    except Unreadable as error:
        return WhatIf(unknown=f"{error.cause} {error.cure}")
    except CriticalData as error:
        return WhatIf(stops=str(error))
    except MingaSyncError as error:
        return WhatIf(unknown=str(error))
    except (OSError, pa.ArrowException, msgspec.MsgspecError, ValueError) as error:
        log.warning("The last snapshot of %s could not be read: %s", slug, type(error).__name__)
        return WhatIf(unknown=_CANNOT_BE_READ)
    finally:
        _ONE_AT_A_TIME.release()


def _worked_out(slug: str, settings: Settings, now: dt.datetime) -> WhatIf:
    # pandas and great-expectations, which no other page needs.
    from include.mingasync.what_if import look_ahead

    district = find_district(slug)
    with rehearsing() as (connection, here):
        if not here.has_runs:
            return WhatIf(unknown="No snapshot yet: run a preview first.")
        ahead = look_ahead(connection, context.snapshots_root(), district, settings, next_night(district, now))
        return WhatIf(
            night=ahead.run.night,
            read_at=ahead.read_at,
            changes=_changes(ahead.counts, here.rows("planned_lists", district=slug, run_id=ahead.run.run_id)),
            stays=_people(ahead.counts, _STAYS),
            held=held(connection, ahead.run_no),
            names=_names(here, slug, ahead.run.run_id),
            skipped=ahead.skipped,
            contacts_come=ahead.contacts_come,
        )


def _people(counts: Mapping[str, Any], words: Mapping[str, str]) -> list[Line]:
    """What is counted of people in these words, a line per role."""
    return _told({_ROLES[role]: counts["people"][role] for role in ROLES}, words)


def _changes(counts: Mapping[str, Any], lists: Sequence[Row]) -> list[Line]:
    """What happens to people, lists and memberships."""
    found = {row["kind"]: row for row in lists}
    of_lists = {f"{kind.capitalize()} lists": found[kind] for kind in LIST_KINDS if kind in found}
    memberships = {"Memberships": counts["memberships"]}
    return [*_people(counts, _HAPPENS), *_told(of_lists, _OF_LISTS), *_told(memberships, _OF_MEMBERSHIPS)]


def _told(counted: Mapping[str, Mapping[str, int]], words: Mapping[str, str]) -> list[Line]:
    """A line for each that has a number which is not zero."""
    lines = [
        Line(name, tuple((numbers[key], said) for key, said in words.items() if numbers[key]))
        for name, numbers in counted.items()
    ]
    return [line for line in lines if line.numbers]


def _names(here: Directory, slug: str, run_id: str) -> list[Names]:
    """Who is made, archived and held."""
    rows = here.rows("planned_people", district=slug, run_id=run_id, most=NAMES_SHOWN)
    groups = ((title, [row for row in rows if row["what"] == what]) for what, title in _NAMED.items())
    return [Names(title, people, people[0]["number"]) for title, people in groups if people]
