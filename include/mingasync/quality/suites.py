"""great-expectations over the rules' columns: one suite per collection, one expectation per rule, and its Data Docs."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from include.mingasync.quality.catalogue import BY_ID, Rule
from include.mingasync.quality.data_docs import Checked, zipped

if TYPE_CHECKING:
    from great_expectations.data_context.data_context.ephemeral_data_context import EphemeralDataContext

_Broken = tuple[str, str, int | None, str]


def broken_rules(
    checks: Mapping[str, pd.DataFrame], rules: Mapping[str, Rule] = BY_ID, wholes: Collection[str] = ()
) -> tuple[set[str], bytes]:
    """The ids of the rules that at least one record breaks, as great-expectations finds them, and its Data Docs as a zip.

    ``wholes``: the ids of the broken rules that are about a collection as a whole; the index tells of them too.

    Only booleans and numbers reach great-expectations, so that no result and no page of it can hold a pupil's value.
    """
    # Its 200 lines of registration a task, and its progress bar, would bury what matters in the log.
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_pandas("snapshot")
    broken: set[str] = set()
    checked: list[Checked] = []
    with tempfile.TemporaryDirectory() as folder:
        _add_site(context, folder)
        for resource, frame in checks.items():
            if frame.empty:
                if told := _wholes(resource, rules, wholes):
                    checked.append(Checked(resource, 0, 0, told))
                continue
            suite = context.suites.add(gx.ExpectationSuite(name=resource, expectations=_expectations(resource, frame, rules)))
            batch = source.add_dataframe_asset(resource).add_batch_definition_whole_dataframe("night")
            definition = context.validation_definitions.add(gx.ValidationDefinition(name=resource, data=batch, suite=suite))
            # A million records break rules in a handful of ways: whether one is broken shows in these as in all.
            ways = {"dataframe": frame.drop_duplicates(ignore_index=True)}
            result = definition.run(batch_parameters=ways, result_format="BOOLEAN_ONLY")
            found = {_column(one) for one in result.results if not one.success}
            broken |= {f"{resource}.{name}" for name in found}
            checked.append(_checked(resource, frame, found, rules, _wholes(resource, rules, wholes)))
        context.build_data_docs()
        return broken, zipped(Path(folder), checked)


def _expectations(resource: str, frame: pd.DataFrame, rules: Mapping[str, Rule]) -> list[Any]:
    """One per rule, described by how many records break it and what the rule says."""
    from great_expectations.expectations.core.expect_column_values_to_be_in_set import ExpectColumnValuesToBeInSet
    from great_expectations.expectations.metadata_types import FailureSeverity

    made = []
    for name in frame:
        rule, breaking = rules[f"{resource}.{name}"], _breaking(frame, name)
        made.append(
            ExpectColumnValuesToBeInSet(
                column=name,
                value_set=[True],
                severity=FailureSeverity.WARNING if rule.severity == "warning" else FailureSeverity.CRITICAL,
                description=f"{breaking} of {len(frame)} records break {rule.id} ({rule.severity}): {rule.message}",
            )
        )
    return made


def _checked(
    resource: str, frame: pd.DataFrame, found: Collection[str], known: Mapping[str, Rule], wholes: Sequence[_Broken]
) -> Checked:
    rules = [known[f"{resource}.{name}"] for name in frame if name in found]
    broken = [(rule.id, rule.severity, _breaking(frame, rule.id.split(".", 1)[1]), rule.message) for rule in rules]
    in_order = sorted(broken, key=lambda one: (one[1] == "warning", one[0]))
    return Checked(resource, len(frame), len(frame.columns), [*wholes, *in_order])


def _wholes(resource: str, rules: Mapping[str, Rule], broken: Collection[str]) -> list[_Broken]:
    """What the index tells of a collection as a whole."""
    own = [rules[one] for one in sorted(broken) if rules[one].resource == resource]
    return [(rule.id, rule.severity, None, rule.message) for rule in own]


def _breaking(frame: pd.DataFrame, rule: str) -> int:
    return len(frame) - int(frame[rule].sum())


def _add_site(context: EphemeralDataContext, folder: str) -> None:
    for name in list(context.variables.data_docs_sites or {}):
        context.delete_data_docs_site(name)
    store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": folder}
    index = {"class_name": "DefaultSiteIndexBuilder"}
    context.add_data_docs_site("run", {"class_name": "SiteBuilder", "store_backend": store, "site_index_builder": index})


def _column(result: Any) -> str:
    return str(result.expectation_config.kwargs["column"])
