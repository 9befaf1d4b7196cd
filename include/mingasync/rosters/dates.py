"""Dates as OneRoster writes them; what is none is unknown, and never earlier or later than anything."""

from __future__ import annotations

import datetime as dt
import re

import numpy as np
import pandas as pd

_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ].*)?")


def day_of(text: str | None) -> dt.date | None:
    """The day that a text names as yyyy-mm-dd, with or without a time behind it; None for any other."""
    found = _DATE.fullmatch(text.strip()) if isinstance(text, str) else None
    try:
        return dt.date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None


def days(column: pd.Series) -> pd.Series:
    """The days of a column of texts as datetime64, NaT where day_of knows none; each text is looked at once."""
    place, texts = pd.factorize(column)
    known = np.array([day_of(str(text)) for text in texts] + [None], dtype="datetime64[s]")
    return pd.Series(known[place], index=column.index)


def in_order(begin: str | None, end: str | None) -> bool:
    """Whether begin and end are dates or blank, and the end does not lie before the begin."""
    first, last = day_of(begin), day_of(end)
    readable = (first or not (begin or "").strip()) and (last or not (end or "").strip())
    return bool(readable) and not (first and last and last < first)


def period(begin: str | None, end: str | None, night: dt.date) -> str:
    """Where a night lies to a role's period: ``now`` in it, ``over`` when it has ended, ``later`` when it is still to begin.

    A role counts through the night of its end date: the specification ends it that morning, but many an SIS writes the last day.
    A date that is none, or an end before its beginning, is no limit.
    """
    first, last = day_of(begin), day_of(end)
    if first and last and last < first:
        return "now"
    if last and last < night:
        return "over"
    return "later" if first and first > night else "now"
