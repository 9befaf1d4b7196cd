"""A page read as columns says the same as the same page read record by record."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.mingasync.oneroster.columnar import Columnar, NotPlain
from include.mingasync.oneroster.decode import Pages, rows_of, table_of
from include.mingasync.oneroster.records import COLUMNS

_text = st.sampled_from(["", "a", "B c", " x ", "é", "Grade 9", "true", "no", 'q"uote', "line\nbreak", "\u2028"]) | st.none()
_ref = st.none() | st.fixed_dictionaries({}, optional={"sourcedId": _text, "href": _text, "type": _text})
_refs = st.none() | st.lists(_ref | st.none(), max_size=3)
_texts = st.none() | st.lists(_text, max_size=3)
_yes = {"1.1": st.sampled_from(["true", "false", "True", " no ", "maybe", "", None]), "1.2": st.booleans() | st.none()}
_role = st.fixed_dictionaries(
    {}, optional={"role": st.sampled_from(["student", "Parent", "guardian ", None, ""]), "roleType": _text, "org": _ref,
                  "beginDate": _text, "endDate": _text},
)  # fmt: skip


def _records(version: str) -> dict[str, st.SearchStrategy[Any]]:
    common = {"sourcedId": _text, "status": st.sampled_from(["active", "tobedeleted", "", " Active ", None]), "metadata": _ref}
    fields: dict[str, dict[str, Any]] = {
        "orgs": {"name": _text, "type": _text, "identifier": _text, "parent": _ref, "children": _refs},
        "academicSessions": {"title": _text, "startDate": _text, "parent": _ref, "schoolYear": _text},
        "courses": {"title": _text, "courseCode": _text, "org": _ref, "grades": _texts, "subjects": _texts},
        "classes": {"title": _text, "course": _ref, "school": _ref, "terms": _refs, "grades": _texts, "periods": _texts},
        "enrollments": {"class": _ref, "user": _ref, "school": _ref, "role": _text, "primary": _yes[version], "endDate": _text},
        "users": {
            "enabledUser": _yes[version], "username": _text, "givenName": _text, "phone": _text, "sms": _text, "email": _text,
            "agents": _refs, "grades": _texts, "orgs": _refs, "userIds": st.just([{"type": "x", "identifier": "y"}]),
        } | ({"role": _text | st.sampled_from(["parent", "student"])} if version == "1.1" else {"roles": st.lists(_role, max_size=3), "primaryOrg": _ref}),
    }  # fmt: skip
    return {name: st.lists(st.fixed_dictionaries({}, optional=common | own), max_size=5) for name, own in fields.items()}


@pytest.mark.parametrize("parents", [False, True])
@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize("collection", COLUMNS)
def test_columns_say_what_records_say(collection: str, version: str, parents: bool) -> None:
    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(_records(version)[collection])
    def same(records: list[dict[str, Any]]) -> None:
        for body in (
            json.dumps({collection: records}),
            json.dumps(records),
            json.dumps({"statusInfoSet": [], collection: records}),
        ):
            quick = Columnar(collection, parents=parents).table(body.encode())
            rows = rows_of(body.encode(), collection)
            slow, _ = table_of(rows, collection, parents=True)
            if not parents:
                slow = _without_what_is_private(slow, collection)
            assert quick.to_pylist() == slow.to_pylist()

    same()


def _without_what_is_private(table: Any, collection: str) -> Any:
    if collection != "users":
        return table
    none = [None] * table.num_rows
    table = table.set_column(table.column_names.index("phone"), "phone", [none])
    return table.set_column(table.column_names.index("agent_ids"), "agent_ids", [[[] for _ in none]])


@pytest.mark.parametrize(
    "records",
    [
        [{"sourcedId": 7}],
        [{"sourcedId": "a", "grades": "09"}],
        [{"sourcedId": "a", "orgs": ["S1"]}],
        [{"sourcedId": "a", "role": {"name": "student"}}],
        ["a"],
        [{"sourcedId": "a", "enabledUser": True}, {"sourcedId": "b", "enabledUser": "false"}],
        [{"sourcedId": "a", "role": "student"}, {"sourcedId": "b", "roles": [{"role": "teacher"}]}],
    ],
)
def test_what_is_not_plain_is_read_record_by_record(records: list[Any]) -> None:
    body = json.dumps({"users": records}).encode()
    with pytest.raises(NotPlain):
        Columnar("users", parents=False).table(body)
    assert Pages("users", parents=False).table(body).num_rows == len(records)


def test_a_page_in_windows_1252_is_read() -> None:
    body = b'{"users": [{"sourcedId": "a", "givenName": "Zo\xeb"}]}'
    assert Pages("users", parents=False).table(body).column("given_name").to_pylist() == ["Zoë"]


def test_a_page_under_another_key_is_read() -> None:
    assert Pages("users", parents=False).table(b'{"students": [{"sourcedId": "a"}]}').num_rows == 1
