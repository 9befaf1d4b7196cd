"""The query parameters filter, sort, orderBy and fields (OneRoster 1.1 section 3.4, 1.2 section 4)."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from include.rehearsal.records import Record

_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "~": lambda value, wanted: wanted in value,
}
_CLAUSE = re.compile(r"\s*([A-Za-z][\w.]*)\s*(!=|>=|<=|=|>|<|~)\s*'([^']*)'\s*")
_JOIN = re.compile(r"(?<=')\s+(AND|OR)\s+", re.IGNORECASE)


class QueryError(ValueError):
    """A query that cannot be answered; ``minor`` is OneRoster's code for why."""

    def __init__(self, minor: str, message: str) -> None:
        super().__init__(message)
        self.minor = minor


class Query(msgspec.Struct, frozen=True):
    """What a request asks of a collection beside the page."""

    filter: str = ""
    sort: str = ""
    order: str = "asc"
    fields: str = ""

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> Query:
        """The query of a request's parameters."""
        return cls(
            parameters.get("filter", ""),
            parameters.get("sort", ""),
            parameters.get("orderBy", "asc").lower(),
            parameters.get("fields", ""),
        )

    def asks(self) -> bool:
        """Whether it asks for anything but the whole collection in its own order."""
        return bool(self.filter or self.sort or self.fields)

    def answer(self, records: list[Record], known: set[str]) -> list[Record]:
        """The records that it asks for; raises QueryError for a field that is not ``known``."""
        fits = _fits(self.filter, known)
        found = [record for record in records if fits(record)]
        if self.sort:
            _refuse_unknown(self.sort, known, "invalid_selection_field")
            found.sort(key=lambda record: _values(record, self.sort), reverse=self.order == "desc")
        if self.fields:
            names = [name.strip() for name in self.fields.split(",")]
            for name in names:
                _refuse_unknown(name, known, "invalid_selection_field")
            found = [{key: record[key] for key in names if key in record} for record in found]
        return found


def _fits(text: str, known: set[str]) -> Callable[[Record], bool]:
    """Whether a record passes a filter; at most one AND or OR joins two clauses."""
    if not text:
        return lambda record: True
    first, *rest = _JOIN.split(text)
    if len(rest) > 2:
        raise QueryError("invalid_filter_field", "A filter joins at most two clauses.")
    tests = [_clause(one, known) for one in (first, *rest[1:])]
    together = any if rest and rest[0].upper() == "OR" else all
    return lambda record: together(test(record) for test in tests)


def _clause(text: str, known: set[str]) -> Callable[[Record], bool]:
    match = _CLAUSE.fullmatch(text)
    if match is None:
        raise QueryError("invalid_filter_field", f"The filter clause {text!r} is not understood.")
    name, sign, wanted = match.groups()
    _refuse_unknown(name.split(".")[0], known, "invalid_filter_field")
    compare = _OPERATORS[sign]
    return lambda record: any(compare(value, wanted) for value in _values(record, name))


def _refuse_unknown(name: str, known: set[str], minor: str) -> None:
    if name not in known:
        raise QueryError(minor, f"There is no field {name!r}.")


def _values(record: Record, name: str) -> list[str]:
    """The values of a field as texts; a dotted name leads into GUIDRefs and lists."""
    values: list[Any] = [record]
    for part in name.split("."):
        found = [value.get(part) for value in values if isinstance(value, dict)]
        values = [one for value in found for one in (value if isinstance(value, list) else [value])]
    return [str(value) for value in values if value is not None]
