"""The proof of a night's data: what is wrong with which record, and what is set aside."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from include.mingasync.quality.catalogue import BY_ID, Rule
from include.mingasync.quality.checks import record_checks, whole_faults
from include.mingasync.quality.suites import broken_rules
from include.mingasync.rosters.frames import typed

_ISSUE = ["severity", "resource", "sourced_id", "rule", "message", "fix"]
#: A warning is told once per cause with this many ids; an error once per record.
_EXAMPLES = 20


@dataclass(frozen=True)
class Findings:
    """``issues``: severity, resource, sourced_id, rule, message, fix. ``set_aside``: resource, sourced_id, rule."""

    issues: pd.DataFrame
    set_aside: pd.DataFrame

    @property
    def counts(self) -> dict[str, int]:
        """Issues by severity."""
        found = self.issues["severity"].value_counts()
        return {severity: int(found.get(severity, 0)) for severity in ("critical", "error", "warning")}

    @property
    def critical(self) -> list[str]:
        """What makes the data untrustworthy as a whole."""
        return list(self.issues.loc[self.issues["severity"] == "critical", "message"])


def prove(
    frames: Mapping[str, pd.DataFrame],
    *,
    night: dt.date,
    sis_name: str,
    unreadable: pd.DataFrame | None = None,
    previous_rows: Mapping[str, int] | None = None,
) -> Findings:
    """What great-expectations finds in the collections of a snapshot (frames with the columns of oneroster.records)."""
    frames = {name: typed(frame, name).reset_index(drop=True) for name, frame in frames.items()}
    checks = record_checks(frames)
    issues: list[dict[str, object]] = [_issue(BY_ID[fault], None, sis_name) for fault in whole_faults(frames, checks, night)]
    aside: list[tuple[str, str | None, str]] = []
    for rule_id in sorted(broken_rules(checks)):
        rule = BY_ID[rule_id]
        column = rule_id.split(".", 1)[1]
        ids = list(frames[rule.resource].loc[~checks[rule.resource][column], "sourced_id"].astype(object).where(lambda s: s.notna(), None))
        issues.extend(_issues(rule, ids, sis_name))
        # Of records with the same sourcedId the last is taken: the id itself is not out.
        if rule.severity == "error" and column != "id_twice":
            aside.extend((rule.resource, one, rule_id) for one in ids)
    if unreadable is not None:
        for resource, sourced_id, reason in unreadable[["resource", "sourced_id", "reason"]].itertuples(index=False):
            issues.append(_issue(BY_ID["users.unreadable"], sourced_id, sis_name) | {"resource": resource, "message": f"The record could not be read: {reason}."})
            aside.append((resource, sourced_id, "users.unreadable"))
    return Findings(
        issues=pd.DataFrame(issues, columns=_ISSUE).astype("string"),
        set_aside=pd.DataFrame(aside, columns=["resource", "sourced_id", "rule"], dtype="string"),
    )


def _issues(rule: Rule, ids: list[str | None], sis_name: str) -> list[dict[str, object]]:
    if rule.severity == "error":
        return [_issue(rule, one, sis_name) for one in ids]
    examples = ", ".join(str(one) for one in ids[:_EXAMPLES]) + (" …" if len(ids) > _EXAMPLES else "")
    first = _issue(rule, ids[0] if len(ids) == 1 else None, sis_name)
    return [first | {"message": f"{len(ids)} records: {rule.message} ({examples})"}]


def _issue(rule: Rule, sourced_id: str | None, sis_name: str) -> dict[str, object]:
    name = "the SIS" if sis_name.lower() == "generic" else sis_name
    return {
        "severity": rule.severity,
        "resource": rule.resource,
        "sourced_id": sourced_id,
        "rule": rule.id,
        "message": rule.message,
        "fix": rule.fix.format(sis=name),
    }
