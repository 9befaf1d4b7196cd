"""great-expectations over the rules' columns: one suite per collection, one expectation per rule."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pandas as pd

from include.mingasync.quality.catalogue import BY_ID


def broken_rules(checks: Mapping[str, pd.DataFrame]) -> set[str]:
    """The ids of the rules that at least one record breaks, as great-expectations finds them.

    Only booleans reach great-expectations, so that no result of it can hold a pupil's value.
    """
    # Its 200 lines of registration a task, and its progress bar, would bury what matters in the log.
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig
    from great_expectations.expectations.core.expect_column_values_to_be_in_set import ExpectColumnValuesToBeInSet
    from great_expectations.expectations.metadata_types import FailureSeverity

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_pandas("snapshot")
    broken: set[str] = set()
    for resource, frame in checks.items():
        if frame.empty:
            continue
        # A million records break rules in a handful of ways: whether one is broken shows in these as in all.
        ways = frame.drop_duplicates(ignore_index=True)
        suite = gx.ExpectationSuite(name=resource)
        for name in frame:
            rule = BY_ID[f"{resource}.{name}"]
            severity = FailureSeverity.WARNING if rule.severity == "warning" else FailureSeverity.CRITICAL
            suite.add_expectation(ExpectColumnValuesToBeInSet(column=name, value_set=[True], severity=severity))
        batch = source.add_dataframe_asset(resource).add_batch_definition_whole_dataframe("night").get_batch({"dataframe": ways})
        result = batch.validate(suite, result_format="BOOLEAN_ONLY")
        broken |= {f"{resource}.{_column(one)}" for one in result.results if not one.success}
    return broken


def _column(result: Any) -> str:
    return str(result.expectation_config.kwargs["column"])
