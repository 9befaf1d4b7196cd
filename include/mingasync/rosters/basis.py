"""What each kind of list is made from, and so which collections are needed and what rests while one is not proven."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from include.mingasync.settings import LIST_KINDS, ListKind, SchoolSettings, Settings

_ALL = ("orgs", "users")
_OF_CLASSES = (*_ALL, "academicSessions", "classes", "enrollments")

#: Kind of list -> the collections that it is made from: its names, schools, grades, terms and members.
BASIS: Mapping[ListKind, tuple[str, ...]] = {
    "class": (*_OF_CLASSES, "courses"),
    "subject": (*_OF_CLASSES, "courses"),
    "teacher": _OF_CLASSES,
    "role": _ALL,
    "grade": _ALL,
}

_SWITCH: Mapping[ListKind, str] = {
    "class": "class_lists.enabled",
    **{kind: f"auto_lists.{kind}" for kind in LIST_KINDS if kind != "class"},
}


def made_from(collections: Iterable[str]) -> tuple[ListKind, ...]:
    """The kinds of list that are made from any of the collections."""
    some = set(collections)
    return tuple(kind for kind in LIST_KINDS if some.intersection(BASIS[kind]))


def needed(settings: Settings, classes: pd.DataFrame, courses: pd.DataFrame) -> dict[str, list[str]]:
    """The collections that what is switched on is made from, at the district or any of its schools, each with its switches.

    Courses are needed only by a class that takes something from one that is not there: not every SIS has courses.
    """
    found: dict[str, list[str]] = {"orgs": [], "users": []}
    for kind in _switched_on(settings):
        for collection in BASIS[kind]:
            if collection != "courses" or _lacking(settings, classes, courses, kind).any():
                found.setdefault(collection, []).append(_SWITCH[kind])
    return found


def borrowing(settings: Settings, classes: pd.DataFrame, courses: pd.DataFrame) -> int:
    """How many active classes need something of a course that is not there."""
    lacking = pd.Series(False, index=classes.index)
    for kind in _switched_on(settings):
        if "courses" in BASIS[kind]:
            lacking |= _lacking(settings, classes, courses, kind)
    return int(lacking.sum())


def _every(settings: Settings) -> list[SchoolSettings]:
    return [settings, *(settings.for_school(school) for school in settings.schools)]


def _switched_on(settings: Settings) -> list[ListKind]:
    return [kind for kind in LIST_KINDS if any(_is_on(own, kind) for own in _every(settings))]


def _is_on(own: SchoolSettings, kind: ListKind) -> bool:
    return own.class_lists.enabled if kind == "class" else bool(getattr(own.auto_lists, kind))


def _lacking(settings: Settings, classes: pd.DataFrame, courses: pd.DataFrame, kind: ListKind) -> pd.Series:
    """Which active classes would take from a course that is not there what this kind of list needs of them: a class list the
    title, and the grades where the district selects by them; a subject list the subjects."""
    here = classes["status"].eq("active") & classes["course_id"].notna() & ~classes["course_id"].isin(set(courses["sourced_id"]))
    if kind == "subject":
        lacking = _empty(classes["subjects"]) & _empty(classes["subject_codes"])
    else:
        lacking = classes["title"].astype("string").str.strip().fillna("").eq("")
        if any(own.class_lists.enabled and own.class_lists.grades for own in _every(settings)):
            lacking |= _empty(classes["grades"])
    return (here & lacking).fillna(False).astype(bool)


def _empty(lists: pd.Series) -> pd.Series:
    return pd.Series([one is None or one is pd.NA or isinstance(one, float) or len(one) == 0 for one in lists], lists.index, bool)
