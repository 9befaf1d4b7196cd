"""Who would be on which list if their enrollment could be read."""

from __future__ import annotations

import pandas as pd

from include.mingasync.rosters.people import People

_TAUGHT = ("class", "subject", "teacher")


def unread(
    kept: pd.DataFrame,
    classes: pd.DataFrame,
    teachers: pd.DataFrame,
    people: People,
    *,
    lists: pd.DataFrame,
    followed: dict[str, pd.Series],
) -> pd.DataFrame:
    """The memberships (k, n, manager) of tonight's lists that rest on an enrollment of which nobody can say what it was.

    ``kept``: class_id and user_id of such enrollments, either null for any; a null says of no list which it is. ``teachers``: at
    (position of the class) and n, as far as they could be read. ``followed``: which classes the lists of a kind follow.
    """
    pairs = kept.dropna().drop_duplicates()
    at = pd.Index(classes["sourced_id"]).get_indexer(pairs["class_id"])
    n = people.ids.reindex(pairs["user_id"]).to_numpy(dtype="float64", na_value=-1)
    asked = [(int(one), int(who)) for one, who in zip(at, n, strict=True) if one >= 0 and who >= 0]
    found: set[tuple[int, int, bool]] = set()
    if asked:
        student = people.present["role"].eq("student").to_numpy(dtype=bool)
        taught_by: dict[int, set[int]] = {}
        for one, who in [*asked, *teachers[teachers["at"].isin({one for one, _ in asked})].itertuples(index=False, name=None)]:
            if not student[who]:
                taught_by.setdefault(one, set()).add(who)
        of_classes = _lists_of({one for one, _ in asked}, classes, taught_by, lists, followed)
        for one, who in asked:
            for kind, k in of_classes[one]:
                if student[who] or kind == "class":
                    found.add((k, who, not student[who]))
    table = pd.DataFrame(sorted(found), columns=["k", "n", "manager"])
    return table.astype({"k": "int32", "n": "int32", "manager": bool})


def _lists_of(
    places: set[int],
    classes: pd.DataFrame,
    taught_by: dict[int, set[int]],
    lists: pd.DataFrame,
    followed: dict[str, pd.Series],
) -> dict[int, list[tuple[str, int]]]:
    """The kinds and numbers of the lists that are made from each of the classes."""
    known: dict[tuple[str, str | None, object], int] = {}
    rows = lists[lists["kind"].isin(_TAUGHT)]
    for k, kind, school, source, owner in zip(
        rows["k"], rows["kind"], rows["school_id"], rows["source_id"], rows["owner_n"], strict=True
    ):
        known[kind, school, owner if kind == "teacher" else source.casefold() if kind == "subject" else source] = int(k)
    found: dict[int, list[tuple[str, int]]] = {}
    for one in places:
        row = classes.iloc[one]
        keys: list[tuple[str, object]] = [("class", row["sourced_id"])]
        if followed["subject"].iloc[one]:
            keys += [("subject", subject.casefold()) for subject in row["subject_names"]]
        if followed["teacher"].iloc[one]:
            keys += [("teacher", who) for who in taught_by.get(one, ())]
        own = ((kind, known.get((kind, row["school_id"], key))) for kind, key in keys)
        found[one] = [(kind, k) for kind, k in own if k is not None]
    return found
