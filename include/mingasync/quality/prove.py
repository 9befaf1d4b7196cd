"""The proof of a night's data: what is wrong with which record, and what is set aside."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from include.mingasync.quality.catalogue import BY_ID, Rule
from include.mingasync.quality.checks import Frames, live, record_checks
from include.mingasync.quality.suites import broken_rules
from include.mingasync.quality.wholes import whole_faults
from include.mingasync.rosters.frames import typed

_ISSUE = ["severity", "resource", "sourced_id", "rule", "message", "fix"]
_ASIDE = ["resource", "sourced_id", "rule"]
Issue = dict[str, object]
#: A warning is told once per cause with this many ids; an error once per record.
_EXAMPLES = 20


@dataclass(frozen=True)
class Findings:
    """What was found, and which records are set aside; columns as in _ISSUE and _ASIDE. ``data_docs``: the pages, as a zip."""

    issues: pd.DataFrame
    set_aside: pd.DataFrame
    data_docs: bytes

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
    known_until: dt.date | None = None,
) -> Findings:
    """What great-expectations finds in a snapshot's collections (frames as in oneroster.records).

    ``previous_rows`` are the sizes of the last good night, ``known_until`` is the end of the latest session known by then.
    """
    frames = {name: typed(frame, name).reset_index(drop=True) for name, frame in frames.items()}
    checks = record_checks(frames, night)
    issues: list[Issue] = []
    for fault in whole_faults(frames, checks, night, previous_rows or {}, known_until):
        told = _issue(BY_ID[fault.rule], None, sis_name)
        issues.append(told | {"message": f"{told['message']} {fault.detail}".rstrip()})
    aside: list[tuple[str, str | None, str]] = []
    broken, data_docs = broken_rules(checks)
    for rule_id in sorted(broken):
        rule = BY_ID[rule_id]
        column = rule_id.split(".", 1)[1]
        ids = _ids(frames[rule.resource].loc[~checks[rule.resource][column], "sourced_id"])
        issues.extend(_issues(rule, ids, sis_name, _waiting(frames, rule, column)))
        # Of records with the same sourcedId the last is taken: the id itself is not out.
        if rule.severity == "error" and column != "id_twice":
            aside.extend((rule.resource, one, rule_id) for one in ids)
    if unreadable is not None:
        for resource, sourced_id, reason in unreadable[["resource", "sourced_id", "reason"]].itertuples(index=False):
            rule = BY_ID[f"{resource}.unreadable"]
            issues.append(_issue(rule, sourced_id, sis_name) | {"message": f"The record could not be read: {reason}."})
            aside.append((resource, sourced_id, rule.id))
    return Findings(
        issues=pd.DataFrame(issues, columns=_ISSUE).astype("string"),
        set_aside=pd.DataFrame(aside, columns=_ASIDE, dtype="string"),
        data_docs=data_docs,
    )


def _ids(ids: pd.Series) -> list[str | None]:
    return list(ids.astype(object).where(ids.notna(), None))


def _waiting(frames: Frames, rule: Rule, column: str) -> Mapping[str, int]:
    """How many enrollments rest on each record of a class or user that the rule sets aside."""
    link = {"classes": "class_id", "users": "user_id"}.get(rule.resource)
    if link is None or rule.severity != "error" or column == "id_twice":
        return {}
    enrollments = frames["enrollments"]
    return dict(enrollments.loc[live(enrollments), link].value_counts())


def _issues(rule: Rule, ids: list[str | None], sis_name: str, waiting: Mapping[str, int]) -> list[Issue]:
    if rule.severity == "error":
        return [_with_waiting(_issue(rule, one, sis_name), waiting.get(one or "", 0)) for one in ids]
    examples = ", ".join(str(one) for one in ids[:_EXAMPLES]) + (" …" if len(ids) > _EXAMPLES else "")
    first = _issue(rule, ids[0] if len(ids) == 1 else None, sis_name)
    number = f"{len(ids)} record{'s' * (len(ids) != 1)}"
    return [first | {"message": f"{number}: {rule.message} ({examples})"}]


def _with_waiting(issue: Issue, number: int) -> Issue:
    if not number:
        return issue
    who = f"{number} {'enrollment waits' if number == 1 else 'enrollments wait'}"
    return issue | {"message": f"{issue['message']} {who} for {issue['sourced_id']}."}


def _issue(rule: Rule, sourced_id: str | None, sis_name: str) -> Issue:
    name = "the SIS" if sis_name.lower() == "generic" else sis_name
    return {
        "severity": rule.severity,
        "resource": rule.resource,
        "sourced_id": sourced_id,
        "rule": rule.id,
        "message": rule.message,
        "fix": rule.fix.format(sis=name),
    }
