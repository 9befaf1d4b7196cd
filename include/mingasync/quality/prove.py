"""The proof of a night's data: what is wrong with which record, and what is set aside."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from include.mingasync.errors import CriticalData
from include.mingasync.expectations import Expectation
from include.mingasync.oneroster.quirks import quirks_of
from include.mingasync.quality.catalogue import BY_ID, Rule
from include.mingasync.quality.checks import Frames, live, record_checks
from include.mingasync.quality.own_rules import own_rules
from include.mingasync.quality.suites import broken_rules
from include.mingasync.quality.unproven import NONE_IS_RIGHT, Standing, Unproven, consequence, resting_kinds
from include.mingasync.quality.wholes import whole_faults
from include.mingasync.quality.whose import OtherDistrict
from include.mingasync.rosters.frames import typed

_ISSUE = ["severity", "resource", "sourced_id", "rule", "message", "fix"]
_ASIDE = ["resource", "sourced_id", "rule"]
Issue = dict[str, object]
#: Without any of these there is no night, whatever is switched on and whatever a person says of smaller numbers.
_ALWAYS = ("orgs", "users")
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

    def refuse_critical(self, cure: str = "") -> None:
        """Nothing while the data may be used; CriticalData in words where they may not, with what a person does then."""
        if self.critical:
            raise CriticalData(
                f"{len(self.critical)} fault(s) make the data untrustworthy: {' '.join(self.critical)} {cure}Nothing was changed."
            )


def prove(
    frames: Mapping[str, pd.DataFrame],
    *,
    night: dt.date,
    sis_name: str,
    unreadable: pd.DataFrame | None = None,
    previous_rows: Mapping[str, int] | None = None,
    known_until: dt.date | None = None,
    standing: Standing | None = None,
    another_district: OtherDistrict | None = None,
    expectations: Sequence[Expectation] = (),
) -> Findings:
    """What great-expectations finds in a snapshot's collections (frames as in oneroster.records).

    ``previous_rows`` are the last complete sizes, ``known_until`` is the end of the latest session known by then;
    ``standing`` says how far the pull can be relied on, ``another_district`` why it seems to be somebody else's;
    ``expectations`` are the district's own rules.
    """
    frames = {name: typed(frame, name).reset_index(drop=True) for name, frame in frames.items()}
    standing = standing or Standing()
    unproven = standing.unproven
    bad = {} if unreadable is None else {name: set(own) for name, own in unreadable.groupby("resource")["sourced_id"]}
    own = own_rules(frames, expectations, night)
    rules = own.rules
    checks = record_checks(frames, night, bad, [name for name, why in unproven.items() if why.rests], own)
    issues = [_not_shared(name, standing, frames, sis_name) for name, why in unproven.items() if why.is_told]
    if another_district:
        issues.append(
            _issue(BY_ID["orgs.other_district"], None, sis_name) | {"message": another_district.why, "fix": another_district.fix}
        )
    # What came only in part, or is refused, is told as that and not as smaller; what a person said is right is not told.
    before = {} if standing.accepts_smaller else previous_rows or {}
    sizes = {name: rows for name, rows in before.items() if not _came_in_part(unproven.get(name.split(".")[0]))}
    open_ids = {name for name, why in unproven.items() if _came_in_part(why)} | set(bad)
    for fault in whole_faults(
        frames, checks, night, sizes, known_until=known_until, open_ids=open_ids, contacts=standing.contacts
    ):
        told = _issue(BY_ID[fault.rule], None, sis_name)
        issues.append(told | {"message": f"{told['message']} {fault.detail}".rstrip()})
    issues.extend(_issue(rules[rule_id], None, sis_name) for rule_id in own.broken_wholes)
    aside: list[tuple[str, str | None, str]] = []
    broken, data_docs = broken_rules(checks, rules, {str(one["rule"]) for one in issues})
    for rule_id in sorted(broken):
        rule = rules[rule_id]
        column = rule_id.split(".", 1)[1]
        ids = _ids(frames[rule.resource].loc[~checks[rule.resource][column], "sourced_id"])
        if column == "id_missing":
            issues.extend(_nameless(rule, checks[rule.resource][column], sis_name))
        else:
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


def _came_in_part(why: Unproven | None) -> bool:
    return why is not None and why.state != "shrunken"


def _not_shared(name: str, standing: Standing, frames: Mapping[str, pd.DataFrame], sis_name: str) -> Issue:
    """The one issue of a collection that is needed and did not come, with how much waits for it."""
    why, waits = standing.unproven[name], ""
    if name == "classes" and (number := int(live(frames["enrollments"]).sum())):
        waits = f" {number} {'enrollment waits' if number == 1 else 'enrollments wait'} for them."
    if name == "courses" and (number := standing.borrowing):
        waits = f" {number} {'class needs' if number == 1 else 'classes need'} something of them."
    switches = ", ".join(standing.needed.get(name, ()))
    otherwise = NONE_IS_RIGHT if why.can_be_accepted else f"Or turn off what needs them: {switches}."
    return _issue(BY_ID[f"{name}.not_shared"], None, sis_name) | {
        "message": f"{why.reason}{waits} {consequence(resting_kinds({name: why}))}",
        "fix": f"{quirks_of(sis_name).cure(name)} {'' if name in _ALWAYS else otherwise}".rstrip(),
    }


def _ids(ids: pd.Series) -> list[str | None]:
    return list(ids.astype(object).where(ids.notna(), None))


def _waiting(frames: Frames, rule: Rule, column: str) -> Mapping[str, int]:
    """How many enrollments rest on each record of a class or user that the rule sets aside."""
    link = {"classes": "class_id", "users": "user_id"}.get(rule.resource)
    if link is None or rule.severity != "error" or column == "id_twice":
        return {}
    enrollments = frames["enrollments"]
    return dict(enrollments.loc[live(enrollments), link].value_counts())


def _nameless(rule: Rule, keeps: pd.Series, sis_name: str) -> list[Issue]:
    """One issue per record without a sourcedId, named by its place among those that came."""
    issue = _issue(rule, None, sis_name)
    places = [place for place, good in enumerate(keeps, start=1) if not good]
    return [issue | {"message": f"{issue['message']} It is number {place} of {len(keeps)}."} for place in places]


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
