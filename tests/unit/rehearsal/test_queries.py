"""Filters, sorting and selected fields of a request."""

from __future__ import annotations

import pytest

from include.rehearsal.queries import Query, QueryError
from include.rehearsal.records import Record

RECORDS: list[Record] = [
    {"sourcedId": "a", "status": "active", "dateLastModified": "2026-07-01", "roles": [{"role": "student"}]},
    {
        "sourcedId": "b",
        "status": "tobedeleted",
        "dateLastModified": "2026-09-01",
        "roles": [{"role": "aide"}],
    },
    {"sourcedId": "c", "status": "active", "dateLastModified": "2026-09-02", "school": {"sourcedId": "s1"}},
]
KNOWN = {"sourcedId", "status", "dateLastModified", "roles", "school"}


def answered(**parameters: str) -> list[str]:
    return [record["sourcedId"] for record in Query.of(parameters).answer(RECORDS, KNOWN)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("status='active'", "ac"),
        ("status!='active'", "b"),
        ("dateLastModified>'2026-09-01'", "c"),
        ("dateLastModified>='2026-09-01'", "bc"),
        ("dateLastModified<'2026-09-01'", "a"),
        ("dateLastModified<='2026-09-01'", "ab"),
        ("sourcedId~'b'", "b"),
        ("status='active' AND dateLastModified>'2026-08-01'", "c"),
        ("status='tobedeleted' OR sourcedId='a'", "ab"),
        ("roles.role='aide'", "b"),
        ("school.sourcedId='s1'", "c"),
        ("sourcedId='x AND y'", ""),
    ],
)
def test_a_filter_keeps_what_it_says(text: str, expected: str) -> None:
    assert "".join(answered(filter=text)) == expected


@pytest.mark.parametrize("text", ["nonsense", "shoe='1'", "status='a' AND status='b' OR status='c'", "status=active"])
def test_a_filter_that_cannot_be_answered_is_an_error(text: str) -> None:
    with pytest.raises(QueryError) as error:
        answered(filter=text)
    assert error.value.minor == "invalid_filter_field"


def test_records_are_sorted_either_way() -> None:
    assert answered(sort="dateLastModified", orderBy="DESC") == ["c", "b", "a"]
    assert answered(sort="status") == ["a", "c", "b"]


def test_only_selected_fields_are_sent() -> None:
    found = Query.of({"fields": "sourcedId, school"}).answer(RECORDS, KNOWN)
    assert found == [
        {"sourcedId": "a"},
        {"sourcedId": "b"},
        {"sourcedId": "c", "school": {"sourcedId": "s1"}},
    ]
    with pytest.raises(QueryError) as error:
        answered(fields="shoe")
    assert error.value.minor == "invalid_selection_field"
