"""The approval of a mass archive in Airflow's Required Actions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk.exceptions import AirflowFailException

from include.mingasync.airflow_glue import nightly
from include.mingasync.airflow_glue.context import decision_page, nobody_can_answer, this_district
from include.mingasync.district import District
from include.mingasync.errors import DirectoryRefused

APPROVE, REJECT = "Approve", "Reject"
#: Beside Approve, the keys of the schools and roles that it is given for; without it, it is given for all.
GROUPS = "groups"
#: The wait ends this long before the next night, so that the run is closed when that one starts.
_MARGIN = dt.timedelta(minutes=10)


class ApproveArchive(HITLOperator):
    """Waits for a person when archives are held, else passes straight through.

    Everybody else who is to be archived in this run is archived before somebody is asked.
    An approval releases exactly the people that were held in this run; no answer by the next night means rejected.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            subject="Archive more people than the safety limits allow?",
            body="",
            options=[APPROVE, REJECT],
            defaults=REJECT,
            **kwargs,
        )

    def execute(self, context: Any) -> Any:
        """Park the task with what would be archived, or None when nothing is held."""
        groups = nightly.held_groups()
        if not groups:
            return None
        people = sum(group["people"] for group in groups)
        if nobody_can_answer():
            self.log.info("%s archives are held; this run cannot wait for an approval, so they stay held.", people)
            return None
        groups = nightly.ask_held()
        people = sum(group["people"] for group in groups)
        self.subject = f"{people} people would be archived in {this_district().name}, more than the safety limits allow"
        self.body = _body(groups, decision_page())
        self.response_timeout = until_next_night(this_district(), dt.datetime.now(dt.UTC))
        nightly.announce_hold(groups, self.response_timeout)
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Release the held archives when the answer was Approve, for all or for some groups; write down who answered what."""
        answer = super().execute_complete(context, event)
        # Airflow's own default, taken when the time is over, comes from nobody.
        who = (answer.get("responded_by_user") or {}).get("name")
        try:
            if APPROVE in answer["chosen_options"]:
                nightly.approve_held(who or "unknown", approved_groups(answer["params_input"]))
            else:
                nightly.reject_held(who)
        except DirectoryRefused as refusal:
            # Tried again, the task would ask anew and nobody would know that the first answer was lost: so it fails, loudly.
            raise AirflowFailException(
                "The answer was not kept: the directory's database refused it. Nobody was archived by it. "
                "Once the database is well, clear this task and everything after it: it asks once more."
            ) from refusal
        return None


def approved_groups(given: Mapping[str, Any]) -> list[tuple[str | None, str]] | None:
    """The schools and roles that an approval is given for, None for all; an answer that cannot be read approves nobody."""
    from include.mingasync.directory.archive import group_of

    if GROUPS not in given:
        return None
    keys = given[GROUPS]
    return [group_of(key) for key in keys if isinstance(key, str)] if isinstance(keys, list | tuple) else []


def until_next_night(district: District, now: dt.datetime) -> dt.timedelta:
    """How long an answer may take: until shortly before the district's next night."""
    return max(next_night(district, now) - now - _MARGIN, dt.timedelta(minutes=1))


def next_night(district: District, now: dt.datetime) -> dt.datetime:
    """When Airflow starts the district's next night after ``now``, in UTC, worked out by Airflow's own timetable."""
    import pendulum
    from airflow.timetables.base import TimeRestriction
    from airflow.timetables.trigger import CronTriggerTimetable

    timetable = CronTriggerTimetable(district.schedule, timezone=district.timezone)
    # From before the hour that the autumn gives twice: a timetable goes on from the night before, never from within it.
    restriction = TimeRestriction(earliest=pendulum.instance(now - dt.timedelta(hours=3)), latest=None, catchup=True)
    upcoming = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    while upcoming and upcoming.run_after <= now:
        upcoming = timetable.next_dagrun_info(last_automated_data_interval=upcoming.data_interval, restriction=restriction)
    # A plain moment: what Airflow hands from a task to its supervisor may hold none of pendulum's durations.
    return dt.datetime.fromtimestamp(upcoming.run_after.timestamp(), dt.UTC) if upcoming else now + dt.timedelta(days=1)


def _body(groups: list[dict[str, Any]], page: str) -> str:
    rows = [f"| {g['school']} | {g['role']} | {g['people']} | {g['of']} |" for g in groups]
    return "\n".join(
        [
            "Everything else of this night is done and visible. These people stay active until you approve:",
            "",
            "| School | Role | Would be archived | Of |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            "**Approve** archives exactly these people. **Reject**, or no answer by the next night, archives none of them.",
            "",
            f"Who they are, the likely cause, and answers for some schools and roles only: [the decision page]({page}).",
        ]
    )
