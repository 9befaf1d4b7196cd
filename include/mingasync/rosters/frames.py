"""Frames of collections with the column types that the rosters count on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from include.mingasync.oneroster.records import COLUMNS


def typed(frame: pd.DataFrame, collection: str) -> pd.DataFrame:
    """The frame with text columns as pandas' nullable strings, also where every value is null or there is no row."""
    texts = {column.name: "string" for column in COLUMNS[collection] if pa.types.is_string(column.type)}
    return frame.astype({name: kind for name, kind in texts.items() if name in frame})


def one_each(frame: pd.DataFrame, here: pd.Series | None = None) -> pd.DataFrame:
    """A row per sourcedId, in order: the last of those that are here (None: that are active), else the last.

    Of different records with one sourcedId, one that says that it is over proves nothing while another says that it is not.
    """
    if not frame["sourced_id"].duplicated().any():
        return frame
    sure = (frame["status"].eq("active") if here is None else here).fillna(False).to_numpy(dtype=bool)
    return frame.iloc[np.argsort(sure, kind="stable")].drop_duplicates("sourced_id", keep="last").sort_index()


def sorted_once(numbers: np.ndarray) -> np.ndarray:
    """The distinct numbers in order: by sorting, which is many times quicker than numpy's hashing ``unique`` for millions."""
    ordered = np.sort(numbers)
    once: np.ndarray = ordered[np.diff(ordered, prepend=ordered[:1] - 1) != 0]
    return once
