"""Names of lists that people recognise, apart where titles are the same."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd


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
