"""What a task's log tells the person on call: the number first, details folded away, the next command last."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from include.mingasync.run import Run

if TYPE_CHECKING:
    import pandas as pd

    from include.mingasync.results.night import Night

log = logging.getLogger(__name__)


def folded(title: str, lines: Iterable[str]) -> None:
    """Log lines under a title that Airflow's log shows folded."""
    log.info("::group::%s", title)
    for line in lines:
        log.info("%s", line)
    log.info("::endgroup::")


def report_issues(issues: pd.DataFrame, set_aside: int) -> None:
    """Log what validation found, by cause; rules, numbers, sourcedIds and cures only."""
    severities = issues["severity"].value_counts()
    told = ", ".join(f"{severities.get(one, 0)} {one}" for one in ("critical", "error", "warning"))
    log.info("%s issues (%s); %s records set aside, which archives nobody", len(issues), told, set_aside)
    causes = issues.groupby(["severity", "rule"], sort=True)
    if len(issues):
        folded(
            f"{causes.ngroups} causes and their cures",
            (
                f"{len(own)} x {rule} ({severity}): {own['message'].iloc[0]} {own['fix'].iloc[0]}"
                for (severity, rule), own in causes
            ),
        )


def report_counts(counts: Mapping[str, Any]) -> None:
    """Log what a load did per role and kind of list; keys that counted nothing are left out."""
    moved = counts["memberships"]
    people = {role: _some(own) for role, own in counts["people"].items()}
    changed = sum(number for own in people.values() for key, number in own.items() if key in ("created", "updated", "restored"))
    lists = sum(own[key] for own in counts["lists"].values() for key in ("created", "updated", "deactivated"))
    log.info(
        "%s people and %s lists changed; memberships: %s added, %s removed", changed, lists, moved["added"], moved["removed"]
    )
    of_lists = {f"{kind} lists": _some(own) for kind, own in counts["lists"].items()}
    folded(
        "People and lists",
        (
            f"{name}: {', '.join(f'{number} {key}' for key, number in own.items()) or 'none'}"
            for name, own in (people | of_lists).items()
        ),
    )


def _some(counts: Mapping[str, int]) -> dict[str, int]:
    return {key.replace("_", " "): number for key, number in counts.items() if number}


def report_night(night: Night, run: Run, broken: str | None) -> None:
    """Log how a night ended: the verdict, the whole report as the mail has it, what was not changed, the next command."""
    from include.mingasync.results.mail import compose, sentence, verdict, what_was_not_changed

    night = replace(night, answered_by=None)
    log.info("%s: %s", verdict(night), sentence(night))
    folded("The whole report", compose(night).text.splitlines())
    for line in what_was_not_changed(night):
        log.info("Not changed: %s", line)
    # What is proven again as it was read is untrustworthy again.
    untrustworthy = broken == "validate" and any(cause.severity == "critical" for cause in night.causes)
    if command := next_command(night.state, run, "extract.orgs" if untrustworthy else broken):
        log.info("Next: %s", command)


def next_command(state: str, run: Run, broken: str | None) -> str | None:
    """What to run once the cause is mended; None when there is nothing to do."""
    if state == "failed" and run.kind not in ("nightly", "backfill"):
        return f"mend the cause, then start it once more: airflow dags trigger mingasync_{run.district}{_wishes(run)}"
    if state == "failed" and broken:
        at = run.logical_date.isoformat()
        return (
            f"mend the cause, then: airflow tasks clear mingasync_{run.district} --task-regex {broken} --downstream "
            f"--start-date {at} --end-date {at} --yes"
        )
    if state == "held" and run.kind != "preview":
        return (
            "look whether these people really left; the next night asks again. "
            f'To see it before: airflow dags trigger mingasync_{run.district} --conf \'{{"mode": "preview"}}\''
        )
    return None


def _wishes(run: Run) -> str:
    """What a run was started with, as the command says it; never that other or smaller data are right: these may be others."""
    wishes = ({"mode": "preview"} if run.kind == "preview" else {}) | ({"send_email": True} if run.send_email else {})
    return f" --conf '{json.dumps(wishes)}'" if wishes else ""
