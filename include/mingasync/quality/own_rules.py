"""A district's own expectations, held to the real columns by great-expectations; what comes out are booleans and numbers."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from include.mingasync.errors import DistrictFileError
from include.mingasync.expectations import Expectation
from include.mingasync.quality.catalogue import BY_ID, Rule
from include.mingasync.rosters.people import roles_here

_ROW = "row"


@dataclass(frozen=True)
class OwnRules:
    """What a district's own expectations found; without any there is nothing.

    ``rules``: the product's and the district's, by id. ``checks``: per collection a column per rule of single records, true where
    the record keeps it. ``broken_wholes``: the ids of the broken ones that are about a collection as a whole.
    """

    rules: Mapping[str, Rule] = field(default_factory=lambda: BY_ID)
    checks: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    broken_wholes: Sequence[str] = ()


def own_rules(frames: Mapping[str, pd.DataFrame], expectations: Sequence[Expectation], night: dt.date) -> OwnRules:
    """What the expectations say of a snapshot's collections.

    A record that only leaves needs no content and is not looked at. Of values that great-expectations sees none is kept.
    Raises DistrictFileError naming the expectation that it cannot carry out.
    """
    if not expectations:
        return OwnRules()
    rules = {**BY_ID, **{one.rule_id: _rule(one) for one in expectations}}
    found: dict[str, pd.DataFrame] = {}
    broken_wholes: list[str] = []
    for resource in dict.fromkeys(one.meta.resource for one in expectations):
        own = [one for one in expectations if one.meta.resource == resource]
        frame, columns = frames[resource], {}
        for one, rows in zip(own, _unexpected(_looked_at(frame, resource, night), own), strict=True):
            if rows is None:
                broken_wholes.append(one.rule_id)
            else:
                columns[one.name] = pd.Series(~frame.index.isin(rows), index=frame.index)
        found[resource] = pd.DataFrame(columns, index=frame.index)
    return OwnRules(rules, found, broken_wholes)


def _rule(one: Expectation) -> Rule:
    # A cure of the product names the SIS where it says {sis}; what a district writes is taken as it stands.
    cure = one.meta.cure.replace("{", "{{").replace("}", "}}")
    return Rule(one.rule_id, one.meta.resource, one.meta.severity, one.meta.message, cure)


def _looked_at(frame: pd.DataFrame, resource: str, night: dt.date) -> pd.DataFrame:
    """The records that are here, with their place, and of users with their role here."""
    here = frame["status"].eq("active").fillna(False).astype(bool)
    if resource == "users":
        here &= ~frame["enabled"].eq(False).fillna(False).astype(bool)
        frame = frame.assign(role=pd.Series(roles_here(frame, night), index=frame.index, dtype="string"))
    # As plain Python text: expectations of great-expectations compare with it.
    texts = {name: frame[name].astype(object).where(frame[name].notna(), None) for name in frame}
    return pd.DataFrame(texts, index=frame.index).assign(**{_ROW: frame.index})[here]


def _unexpected(frame: pd.DataFrame, own: Sequence[Expectation]) -> list[list[int] | None]:
    """For each expectation the places of the records that break it, none where it is met; None where the whole breaks it."""
    with _silence():
        return list(_broken_places(frame, own))


def _broken_places(frame: pd.DataFrame, own: Sequence[Expectation]) -> Iterator[list[int] | None]:
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("own").add_dataframe_asset("own")
    batch = asset.add_batch_definition_whole_dataframe("night")
    asked = {"result_format": "COMPLETE", "unexpected_index_column_names": [_ROW], "return_unexpected_index_query": False}
    for one in own:
        suite = context.suites.add(gx.ExpectationSuite(name=one.rule_id, expectations=[_made(one)]))
        definition = context.validation_definitions.add(gx.ValidationDefinition(name=one.rule_id, data=batch, suite=suite))
        try:
            (result,) = definition.run(batch_parameters={"dataframe": frame}, result_format=asked).results
        except Exception as error:
            # Its words may quote a value.
            raise _refused(one, type(error).__name__) from None
        if any(info.get("raised_exception") for info in _exceptions(result.exception_info)):
            raise _refused(one, "its arguments do not fit the column")
        listed = result.result.get("unexpected_index_list")
        if result.success:
            yield []
        else:
            yield None if listed is None else [row[_ROW] for row in listed]


def _made(one: Expectation) -> Any:
    from great_expectations.expectations.registry import get_expectation_impl

    try:
        return get_expectation_impl(one.type)(**one.arguments)
    except Exception as error:
        raise _refused(one, f"{type(error).__name__} of its arguments") from None


def _refused(one: Expectation, why: str) -> DistrictFileError:
    return DistrictFileError(
        f"The district's own rule {one.rule_id} ({one.type}) cannot be carried out: {why}. "
        "Correct it in the district's expectations.json. Nothing was changed."
    )


@contextmanager
def _silence() -> Iterator[None]:
    """Without the words of great-expectations: 200 lines when it is imported, and values where an expectation does not fit."""
    words = logging.getLogger("great_expectations")
    level = words.level
    words.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        words.setLevel(level)


def _exceptions(info: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The exceptions of a result: one, or one for each metric."""
    return [info] if "raised_exception" in info else list(info.values())
