"""The rules as columns: per collection a frame of booleans, true where a record keeps the rule."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import pandas as pd

from include.mingasync.oneroster.records import PARENT_ROLES
from include.mingasync.rosters.people import ROLE_OF

Frames = Mapping[str, pd.DataFrame]
_STATUSES = ("active", "inactive", "tobedeleted")
_EMAIL = r"[^@\s]+@[^@\s]+\.[^@\s]+"
_KNOWN_ROLES = frozenset(ROLE_OF) | PARENT_ROLES


def record_checks(frames: Frames) -> dict[str, pd.DataFrame]:
    """Per collection, a boolean column per rule of single records, named as in the catalogue, in the records' order."""
    checks = {name: _common(frame) for name, frame in frames.items()}
    checks["academicSessions"]["dates"] = _in_order(frames["academicSessions"], "start_date", "end_date", required=True)
    _check_classes(frames, checks["classes"])
    _check_users(frames["users"], checks["users"])
    _check_enrollments(frames, checks)
    return checks


def _common(frame: pd.DataFrame) -> pd.DataFrame:
    ids = frame["sourced_id"]
    return pd.DataFrame(
        {
            "id_missing": ids.notna() & (ids != ""),
            "id_twice": ~ids.duplicated(keep="last") | ids.isna(),
            "status_unknown": frame["status"].isin(_STATUSES),
        },
        index=frame.index,
    ).fillna(False).astype(bool)


def _in_order(frame: pd.DataFrame, first: str, last: str, required: bool) -> pd.Series:
    start = pd.to_datetime(frame[first], errors="coerce", format="ISO8601", utc=True)
    end = pd.to_datetime(frame[last], errors="coerce", format="ISO8601", utc=True)
    readable = (start.notna() | (frame[first].isna() & (not required))) & (end.notna() | (frame[last].isna() & (not required)))
    return readable & ~(end < start)


def _check_classes(frames: Frames, checks: pd.DataFrame) -> None:
    classes = frames["classes"]
    live = classes["status"].eq("active").fillna(False).astype(bool)
    terms = set(frames["academicSessions"]["sourced_id"].dropna())
    courses = set(frames["courses"]["sourced_id"].dropna())
    checks["school_missing"] = classes["school_id"].isin(set(frames["orgs"]["sourced_id"].dropna())) | ~live
    checks["terms_unknown"] = pd.Series([terms.issuperset(own) for own in classes["term_ids"]], index=classes.index, dtype=bool) | ~live
    checks["course_unknown"] = classes["course_id"].isin(courses) | classes["course_id"].isna() | ~live


def _check_users(users: pd.DataFrame, checks: pd.DataFrame) -> None:
    # Who only leaves needs no content.
    leaving = ~users["status"].eq("active").fillna(False).astype(bool) | users["enabled"].eq(False).fillna(False).astype(bool)
    known = [any(str(role).strip().lower() in _KNOWN_ROLES for role in roles) for roles in users["roles"]]
    checks["role_unknown"] = pd.Series(known, index=users.index, dtype=bool) | leaving
    checks["org_missing"] = pd.Series([len(orgs) > 0 for orgs in users["org_ids"]], index=users.index, dtype=bool) | leaving
    email = users["email"].astype("string")
    checks["email_malformed"] = email.str.fullmatch(_EMAIL).fillna(True).astype(bool) | leaving


def _check_enrollments(frames: Frames, checks: dict[str, pd.DataFrame]) -> None:
    enrollments, own = frames["enrollments"], checks["enrollments"]
    live = enrollments["status"].eq("active").fillna(False).astype(bool)
    for link, resource, name in (("user_id", "users", "user"), ("class_id", "classes", "class")):
        shared = frames[resource]["sourced_id"]
        aside = set(shared[~_kept(checks[resource], resource)].dropna())
        own[f"{name}_unknown"] = enrollments[link].isin(set(shared.dropna())) | ~live
        own[f"waits_for_{name}"] = ~enrollments[link].isin(aside) | ~live
    own["dates"] = _in_order(enrollments, "begin_date", "end_date", required=False) | ~live


def _kept(checks: pd.DataFrame, resource: str) -> pd.Series:
    """Which records are not set aside: those that keep every rule of severity error."""
    from include.mingasync.quality.catalogue import BY_ID

    errors = [name for name in checks if BY_ID[f"{resource}.{name}"].severity == "error" and name != "id_twice"]
    return checks[errors].all(axis="columns") if errors else pd.Series(True, index=checks.index)


def whole_faults(frames: Frames, checks: Mapping[str, pd.DataFrame], night: dt.date) -> list[str]:
    """The rules about whole collections that are broken."""
    faults = [f"{name}.none" for name in ("orgs", "users") if frames[name].empty]
    users = frames["users"]
    if len(users) and not any(len(roles) and any(roles) for roles in users["roles"]):
        faults.append("users.no_roles")
    for name, frame in frames.items():
        twice = len(frame) - int(checks[name]["id_twice"].sum())
        if twice > 1 and twice > 0.05 * len(frame):
            faults.append(f"{name}.ids_twice_en_masse")
    ends = frames["academicSessions"]["end_date"].dropna()
    if len(ends) and (ends < night.isoformat()).all():
        faults.append("academicSessions.over")
    return faults
