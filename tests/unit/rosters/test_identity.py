"""Who is one human in a snapshot: names that agree, values that identify nobody, records that are joined and that are not."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from include.mingasync.oneroster.records import COLUMNS
from include.mingasync.rosters.identity import differ, folded, shared_keys
from include.mingasync.rosters.people import people_from
from tests.integration.directory.world import NIGHT, Row, school, user


def joined(*rows: Row) -> list[list[str]]:
    """The sourcedIds of each person that comes out."""
    users = pa.Table.from_pylist(list(rows), schema=COLUMNS["users"]).to_pandas()
    orgs = pa.Table.from_pylist([school("S1"), school("S2")], schema=COLUMNS["orgs"]).to_pandas()
    return [list(ids) for ids in people_from(users, orgs, night=NIGHT).present["sourced_ids"]]


def same(sourced_id: str, **more: Any) -> Row:
    return user(sourced_id, identifier="77", email="ana@x.org", given_name="Ana", family_name="García") | more


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("García", "garcia"), ("O'Neill", "oneill"), ("O’Neill", "oneill"), ("Smith-Jones", "smithjones"), ("De La Cruz", "delacruz"),
        ("Kaʻahumanu", "kaahumanu"), ("Łukasz", "lukasz"), ("Søren", "soren"), ("Straße", "strasse"), ("Æsa", "aesa"),
        ("Nguyễn", "nguyen"), ("ÉLODIE", "elodie"), ("ﬁona", "fiona"), ("Иван", "иван"), ("王芳", "王芳"), ("-", ""), (" . ", ""),
        ("Anne\u00a0Marie", "annemarie"), ("Cafe\u0301", "cafe"), ("İpek", "ipek"), ("Þór", "thor"), ("III", "iii"),
    ],
)  # fmt: skip
def test_names_are_compared_without_case_accents_spaces_and_punctuation(name: str, plain: str) -> None:
    assert folded(name) == plain


@pytest.mark.parametrize(
    ("names", "several"),
    [
        ([("Ana", "García", None), ("ANA", "Garcia", None)], False),
        ([("Ana", "García", None), ("Luis", "García", None)], True),
        ([("Ana", "García", None), ("Ana", "López", None)], True),
        ([("William", "Hill", "Bill"), ("Bill", "Hill", None)], False),
        ([("William", "Hill", "Bill"), ("Robert", "Hill", "Bob")], True),
        ([("Ana", None, None), ("Ana", "García", None)], False),
        ([(None, None, None), ("Ana", "García", None)], False),
        ([("Ana", "-", None), ("Ana", "García", None)], False),
    ],
)
def test_names_belong_to_several_people_only_where_both_say_so(names: list[Any], several: bool) -> None:
    assert differ(names) is several
    assert differ(names[::-1]) is several


@pytest.mark.parametrize(
    ("second", "is_one"),
    [
        ({}, True),
        ({"given_name": "ANA ", "family_name": "Garcia"}, True),
        ({"given_name": "Ani", "preferred_given_name": "Ana"}, True),
        ({"identifier": " 77", "email": "ANA@x.org"}, True),
        ({"given_name": "Luis"}, False),
        ({"family_name": "López"}, False),
        ({"given_name": None}, False),
        ({"given_name": "-", "family_name": "."}, False),
        ({"roles": ["teacher"]}, False),
        ({"identifier": "78"}, False),
        ({"identifier": None}, False),
        ({"email": "other@x.org"}, False),
        ({"email": None}, False),
    ],
)
def test_two_records_are_one_human_only_with_role_identifier_email_and_names(second: Row, is_one: bool) -> None:
    assert joined(same("a"), same("b") | second) == ([["a", "b"]] if is_one else [["a"], ["b"]])
    assert joined(same("b") | second, same("a")) == ([["a", "b"]] if is_one else [["a"], ["b"]])


def test_without_email_identifier_and_names_make_one_human() -> None:
    assert joined(same("a", email=None), same("b", email=None)) == [["a", "b"]]


def test_an_identifier_that_several_names_share_joins_nobody_not_even_those_of_one_name() -> None:
    rows = [same("a"), same("b"), same("c", given_name="Luis", email="luis@x.org")]
    assert joined(*rows) == [["a"], ["b"], ["c"]]


def test_an_employee_with_a_students_number_parts_nobody() -> None:
    """Numbers of students and of employees are two series, which may overlap."""
    other = user("t", "teacher", identifier="77", given_name="Tom", family_name="Oak")
    assert joined(same("a"), same("b"), other) == [["a", "b"], ["t"]]


def test_brothers_and_sisters_with_one_address_are_themselves_and_their_records_per_school_still_theirs() -> None:
    """The family's address says nothing; the identifier and the names do."""
    luis = {"given_name": "Luis", "identifier": "78"}
    assert joined(same("a"), same("b", org_ids=["S2"]), same("c") | luis, same("d") | luis) == [["a", "b"], ["c", "d"]]


def test_father_and_son_with_one_name_and_one_address_are_two() -> None:
    assert joined(same("a", roles=["teacher"]), same("b")) == [["a"], ["b"]]
    assert joined(same("a"), same("b", identifier="78")) == [["a"], ["b"]]


def test_two_of_one_name_at_one_school_are_two() -> None:
    assert joined(same("a", email=None), same("b", email=None, identifier="78")) == [["a"], ["b"]]
    assert joined(same("a", email=None, identifier=None), same("b", email=None, identifier=None)) == [["a"], ["b"]]


@pytest.mark.parametrize("gone", [{"status": "tobedeleted"}, {"status": "inactive"}, {"enabled": False}])
def test_a_record_that_is_gone_is_not_joined_to_one_that_is_here(gone: Row) -> None:
    assert joined(same("a") | gone, same("b")) == [["b"]]


def test_fifty_with_one_identifier_and_one_address_are_fifty() -> None:
    rows = [user(f"s{n:02d}", identifier="0", email="Office@x.org") for n in range(50)]
    assert joined(*rows) == [[f"s{n:02d}"] for n in range(50)]


def test_shared_values_are_told_with_whose_number_they_are() -> None:
    rows = [user(f"s{n}", identifier="0", username="Guest") for n in range(3)]
    rows += [user(f"t{n}", "teacher", identifier="9", email="OFFICE@x.org ") for n in range(2)]
    users = pd.DataFrame(rows).assign(role=["student"] * 3 + ["teacher"] * 2, preferred_given_name=None)
    assert sorted(shared_keys(users).itertuples(index=False, name=None)) == [
        ("email", "office@x.org"), ("employee_identifier", "9"), ("student_identifier", "0"), ("username", "guest"),
    ]  # fmt: skip


def test_nobody_at_all_is_no_fault() -> None:
    assert joined() == []
