"""Names of lists that people recognise, apart where titles are the same."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

#: What a name is made of beside the source_id, kept with each list: so that it can be made again with what people are called in
#: the directory, which is known only when it is loaded. ``teacher_n`` (of People.present) is the teacher in it.
NAMING = ("title", "parts", "teacher_n")
#: The parts of a class list's name are school, period, teacher, term and code.
_TEACHER = 2


def apart(titles: pd.Series, parts: Sequence[pd.Series], last: pd.Series) -> pd.Series:
    """The titles, with as many parts behind a shared one as it takes to tell its bearers apart.

    A part (school, period, teacher, code) is added only where it differs among those that share the name so far; what
    is still the same then gets ``last``, which is never the same.
    """
    names = titles.astype("string").copy()
    for part in [*parts, last]:
        shared = names.str.casefold().duplicated(keep=False)
        if not shared.any():
            break
        text = part.astype("string").fillna("")
        differs = text[shared].groupby(names[shared].str.casefold()).transform("nunique") > 1
        add = differs & (text[shared] != "")
        chosen = add[add].index
        names.loc[chosen] = names.loc[chosen] + " · " + text.loc[chosen]
    return names


def students_of(teachers: pd.Series) -> pd.Series:
    """The titles of teachers' lists, by their full names."""
    return teachers + "'s students"


def named_here(lists: pd.DataFrame, called: pd.DataFrame) -> pd.DataFrame:
    """The lists (k, name) that have another name once the teachers in ``called`` are called as the directory calls them.

    ``lists``: k, kind, source_id, name and NAMING of every list, for a name depends on the others. ``called``: n, family_name,
    full_name of the teachers whom the SIS calls otherwise.
    """
    by_n = called.set_index("n")
    changed = [pd.DataFrame({"k": [], "name": []}).astype({"k": "int32", "name": "string"})]
    for kind in ("class", "teacher"):
        own = lists[lists["kind"].eq(kind)]
        teacher = own["teacher_n"].astype("Int64")
        if not teacher.isin(by_n.index).any():
            continue
        titles = own["title"].astype("string")
        parts = pd.DataFrame([list(one) for one in own["parts"]], index=own.index, dtype="string")
        if kind == "class":
            here = teacher.map(by_n["family_name"]).astype("string")
            parts[_TEACHER] = here.fillna(parts[_TEACHER])
        else:
            titles = students_of(teacher.map(by_n["full_name"]).astype("string")).fillna(titles)
        names = apart(titles, [parts[one] for one in parts], own["source_id"])
        differs = names.ne(own["name"]).to_numpy(dtype=bool)
        changed.append(pd.DataFrame({"k": own["k"][differs].astype("int32"), "name": names[differs]}))
    return pd.concat(changed, ignore_index=True)
