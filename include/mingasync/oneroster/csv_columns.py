"""Which columns of a OneRoster CSV file are read, under which headers, and how a cell becomes a value."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.mingasync.errors import SourceError

_SLASHED = re.compile(r"(?<![\d/])([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})(?![\d/])")

#: File -> header -> field of ``decode.Row``. Other columns are passed over unread (privacy).
FIELDS: dict[str, dict[str, str]] = {
    "orgs": {"name": "name", "type": "type", "identifier": "identifier", "parentSourcedId": "parent"},
    "academicSessions": {
        "title": "title",
        "type": "type",
        "startDate": "start_date",
        "endDate": "end_date",
        "parentSourcedId": "parent",
        "schoolYear": "school_year",
    },
    "courses": {
        "title": "title",
        "courseCode": "course_code",
        "grades": "grades",
        "orgSourcedId": "org",
        "subjects": "subjects",
        "subjectCodes": "subject_codes",
    },
    "classes": {
        "title": "title",
        "grades": "grades",
        "courseSourcedId": "course",
        "classCode": "class_code",
        "classType": "class_type",
        "schoolSourcedId": "school",
        "termSourcedIds": "terms",
        "subjects": "subjects",
        "subjectCodes": "subject_codes",
        "periods": "periods",
    },
    "users": {
        "enabledUser": "enabled_user",
        "orgSourcedIds": "orgs",
        "role": "role",
        "username": "username",
        "givenName": "given_name",
        "familyName": "family_name",
        "preferredGivenName": "preferred_first_name",
        "identifier": "identifier",
        "email": "email",
        "sms": "sms",
        "phone": "phone",
        "agentSourcedIds": "agents",
        "grades": "grades",
        "primaryOrgSourcedId": "primary_org",
    },
    "roles": {
        "userSourcedId": "user",
        "roleType": "type",
        "role": "role",
        "orgSourcedId": "org",
        "beginDate": "begin_date",
        "endDate": "end_date",
    },
    "enrollments": {
        "classSourcedId": "class_",
        "schoolSourcedId": "school",
        "userSourcedId": "user",
        "role": "role",
        "primary": "primary",
        "beginDate": "begin_date",
        "endDate": "end_date",
    },
}

#: Without these headers a file cannot be trusted. Users of 1.2 have their roles and orgs in roles.csv.
REQUIRED_HEADERS: dict[str, tuple[str, ...]] = {
    "orgs": ("sourcedId", "name", "type"),
    "academicSessions": ("sourcedId", "title", "type", "startDate", "endDate"),
    "courses": ("sourcedId", "title"),
    "classes": ("sourcedId", "title", "courseSourcedId", "schoolSourcedId", "termSourcedIds"),
    "users": ("sourcedId", "enabledUser", "givenName", "familyName"),
    "roles": ("userSourcedId", "role", "orgSourcedId"),
    "enrollments": ("classSourcedId", "userSourcedId", "role"),
}

_LISTS = frozenset({"grades", "subjects", "subject_codes", "terms", "periods", "orgs", "agents"})
_DATES = frozenset({"start_date", "end_date", "begin_date"})
#: Other names under which a column is really found, and headers that only look like a misspelling of another.
_ALIASES = {
    "preferredfirstname": "preferredGivenName",
    "orgsourcedid": "orgSourcedIds",
    "termsourcedid": "termSourcedIds",
}
_NO_MISSPELLING = frozenset({"schoolyearsourcedid", "usersourcedid", "userids", "userid", "preferredfamilyname"})
_CLOSE = 0.88
#: Headers, folded, whose cells show how an exporter writes dates; some spell the last one so.
_DATED = frozenset({"startdate", "enddate", "begindate", "datelastmodified", "datalastmodified"})


@dataclass(frozen=True)
class Layout:
    """Where each wanted field stands in the rows of one file."""

    width: int
    places: Mapping[str, int]
    readers: Mapping[str, Callable[[str], Any]]

    def read(self, cells: Sequence[str]) -> dict[str, Any]:
        """The fields of a row; a cell that a short row lacks is blank."""
        return {field: self.readers[field](cells[place]) if place < len(cells) else None for field, place in self.places.items()}


def layout(file: str, header: Sequence[str], *, month_first: Callable[[], bool | None]) -> Layout:
    """Where the fields of a file stand, by its header in any case, order and near spelling.

    Raises SourceError naming file and column when a required column is gone or stands there twice.
    """
    wanted = {"sourcedId": "sourced_id", "status": "status"} | FIELDS[file]
    found = _find(file, header, wanted)
    for name in REQUIRED_HEADERS[file]:
        if name not in found:
            raise SourceError(
                f"1 required column is gone: {file}.csv has no column '{name}'. "
                f"Export the bundle again with '{name}' in {file}.csv. Nothing was changed."
            )
    places = {wanted[name]: place for name, place in found.items()}
    return Layout(len(header), places, {field: _reader(file, field, month_first) for field in places})


def _find(file: str, header: Sequence[str], wanted: Mapping[str, str]) -> dict[str, int]:
    folded = {_fold(name): name for name in wanted}
    found: dict[str, int] = {}
    rest: dict[str, int] = {}
    for place, cell in enumerate(header):
        name = folded.get(_fold(cell))
        if name is None:
            rest[_fold(cell)] = place
        elif name in found:
            raise SourceError(
                f"2 columns of {file}.csv are both called '{name}', so which one counts cannot be known. "
                "Export the bundle again with one of them. Nothing was changed."
            )
        else:
            found[name] = place
    for folded_cell, place in rest.items():
        missing = {_fold(name): name for name in wanted if name not in found}
        near = difflib.get_close_matches(folded_cell, missing, n=1, cutoff=_CLOSE)
        name = _ALIASES.get(folded_cell) or (missing[near[0]] if near and folded_cell not in _NO_MISSPELLING else None)
        if name in missing.values():
            found[str(name)] = place
    return found


def _fold(header: str) -> str:
    return re.sub(r"[\s_-]+", "", header.strip("\ufeff \t")).casefold()


def _reader(file: str, field: str, month_first: Callable[[], bool | None]) -> Callable[[str], Any]:
    if field in _LISTS:
        return lambda cell: [one for part in cell.split(",") if (one := part.strip())]
    if field in _DATES:
        return lambda cell: iso_date(cell.strip(), month_first=month_first)
    if file == "academicSessions" and field == "school_year":
        return lambda cell: school_year(cell.strip())
    return lambda cell: cell.strip() or None


def day_order(text: str) -> set[str]:
    """Which orders of day and month the slashed dates of a text prove: ``day``, ``month``, both or none."""
    orders = set()
    for first, second, _ in _SLASHED.findall(text):
        if int(first) > 12:
            orders.add("day")
        elif int(second) > 12:
            orders.add("month")
    return orders


def iso_date(value: str, *, month_first: Callable[[], bool | None]) -> str | None:
    """The date as yyyy-mm-dd; text that is no date, or could be two, stays, so that it can be reported; None for blank.

    ``month_first`` says how the bundle writes slashed dates, None when it does not show it; it is asked only where that matters.
    """
    slashed = _SLASHED.fullmatch(value)
    if not slashed:
        return value or None
    first, second, year = map(int, slashed.groups())
    is_month_first = None if first == second else month_first()
    if is_month_first is None and first != second:
        return value
    month, day = (first, second) if is_month_first else (second, first)
    try:
        return dt.date(year, month, day).isoformat()
    except ValueError:
        return value


def is_dated(header: str) -> bool:
    """Whether the column of this header holds dates."""
    return _fold(header) in _DATED


def school_year(value: str) -> str | None:
    """The year in which a school year ends, as OneRoster counts it, also from 2026-2027 or 2026/27."""
    span = re.fullmatch(r"(\d{4})\s*[-/\u2013]\s*(\d{2}|\d{4})", value)
    if span is None:
        return value or None
    first, last = span.groups()
    return last if len(last) == 4 else first[:2] + last
