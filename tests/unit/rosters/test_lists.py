"""Lists against a slow and simple computation, for every combination of switches, terms and grades."""

from __future__ import annotations

import datetime as dt
import json
from itertools import product
from typing import Any

import pandas as pd
import pytest

from include.mingasync.oneroster.decode import rows_of, table_of
from include.mingasync.oneroster.records import COLUMNS
from include.mingasync.rosters.lists import Lists, Rosters, lists_from
from include.mingasync.rosters.people import People, people_from
from include.mingasync.settings import Settings
from include.rehearsal.district import District, build
from tests.unit.rosters.plain_lists import PlainLists, plain_lists
from tests.unit.rosters.random_district import random_district

TODAY = dt.date(2026, 11, 24)


def frames(district: District) -> dict[str, pd.DataFrame]:
    """The district as a snapshot would give it."""
    made = {}
    for name in COLUMNS:
        body = json.dumps({name: getattr(district, name)}).encode()
        made[name] = table_of(rows_of(body, name), name, parents=False)[0].to_pandas()
    return made


def rosters_of(made: dict[str, pd.DataFrame]) -> Rosters:
    return Rosters(made["orgs"], made["academicSessions"], made["courses"], made["classes"], made["enrollments"])


def nothing_kept() -> pd.DataFrame:
    return pd.DataFrame({"class_id": [], "user_id": []}, dtype="string")


def plain_of(district: District, terms: set[str], grades: set[str], auto: dict[str, bool]) -> PlainLists:
    """The lists of a district by the simple computation."""
    schools = {org["sourcedId"] for org in district.orgs if org["type"] == "school"}
    return plain_lists(
        district.users, district.classes, district.enrollments, schools, terms, grades, True, auto, district.courses,
        district.academicSessions, TODAY,
    )  # fmt: skip


def as_plain(lists: Lists, people: People) -> PlainLists:
    """The product's lists in the shape of the simple computation's."""
    ids = people.present.set_index("n")["sourced_id"]
    plain: PlainLists = {(kind, school, source): (set(), set()) for kind, school, source in
                         lists.lists[["kind", "school_id", "source_id"]].itertuples(index=False)}  # fmt: skip
    keys = lists.lists.set_index("k")[["kind", "school_id", "source_id"]].apply(tuple, axis="columns")
    for k, n, manager in lists.members.itertuples(index=False):
        plain[keys[k]][int(manager)].add(ids[n])
    assert len(lists.members.drop_duplicates()) == len(lists.members)
    return plain


@pytest.fixture(scope="module")
def district() -> District:
    return build(students=240, night=2, today=TODAY)


@pytest.fixture(scope="module")
def made(district: District) -> dict[str, pd.DataFrame]:
    return frames(district)


TERMS: tuple[set[str], ...] = (set(), {"fall"}, {"full-year", "spring"})
GRADES: tuple[set[str], ...] = (set(), {"KG", "07", "09"})


@pytest.mark.parametrize("switches", list(product((False, True), repeat=4)), ids=str)
def test_every_list_equals_the_simple_computation(
    switches: tuple[bool, ...], district: District, made: dict[str, pd.DataFrame]
) -> None:
    auto = dict(zip(("role", "grade", "subject", "teacher"), switches, strict=True))
    people = people_from(made["users"], made["orgs"], night=TODAY)
    for terms, grades in product(TERMS, GRADES):
        settings = Settings.model_validate(
            {"class_lists": {"enabled": True, "terms": sorted(terms), "grades": sorted(grades)}, "auto_lists": auto}
        )
        lists = lists_from(rosters_of(made), people, settings, TODAY, nothing_kept())
        expected = plain_of(district, terms, grades, auto)
        assert as_plain(lists, people) == expected


@pytest.mark.parametrize("seed", range(5))
def test_every_list_of_a_random_district_equals_the_simple_computation(seed: int) -> None:
    district = random_district(seed)
    made = frames(district)
    people = people_from(made["users"], made["orgs"], night=TODAY)
    for switches, terms, grades in product(product((False, True), repeat=4), TERMS, GRADES):
        auto = dict(zip(("role", "grade", "subject", "teacher"), switches, strict=True))
        settings = Settings.model_validate(
            {"class_lists": {"enabled": True, "terms": sorted(terms), "grades": sorted(grades)}, "auto_lists": auto}
        )
        lists = lists_from(rosters_of(made), people, settings, TODAY, nothing_kept())
        expected = plain_of(district, terms, grades, auto)
        assert as_plain(lists, people) == expected


def one_class(**more: Any) -> dict[str, Any]:
    klass: dict[str, Any] = {
        "sourcedId": "c1", "status": "active", "title": "Algebra I", "classCode": "A1", "course": {"sourcedId": "co"},
        "school": {"sourcedId": "S1"}, "terms": [{"sourcedId": "fall"}], "grades": [], "subjects": [], "periods": ["3"],
    }  # fmt: skip
    return klass | more


def named(*classes: dict[str, Any]) -> dict[str, str]:
    """Names of the class lists, by class."""
    district = District(
        orgs=[{"sourcedId": s, "status": "active", "type": "school", "name": n} for s, n in (("S1", "Oak"), ("S2", "Elm"))],
        academicSessions=[
            {"sourcedId": t, "status": "active", "title": t.title(), "type": "semester"} for t in ("fall", "spring")
        ],
        courses=[{"sourcedId": "co", "status": "active", "title": "Algebra", "grades": ["09"], "subjects": ["Math"]}],
        classes=list(classes),
    )
    made = frames(district)
    settings = Settings.model_validate({"class_lists": {"enabled": True, "terms": ["fall", "spring"]}})
    lists = lists_from(rosters_of(made), people_from(made["users"], made["orgs"], night=TODAY), settings, TODAY, nothing_kept())
    return dict(zip(lists.lists["source_id"], lists.lists["name"], strict=True))


def test_a_title_of_its_own_stands_alone() -> None:
    assert named(one_class()) == {"c1": "Algebra I"}


def test_same_titles_stay_apart_by_school_then_period_then_term_then_code() -> None:
    elsewhere = one_class(sourcedId="c2", school={"sourcedId": "S2"})
    assert named(one_class(), elsewhere) == {"c1": "Algebra I · Oak", "c2": "Algebra I · Elm"}
    later = one_class(sourcedId="c2", periods=["5"])
    assert named(one_class(), later) == {"c1": "Algebra I · Period 3", "c2": "Algebra I · Period 5"}
    next_term = one_class(sourcedId="c2", terms=[{"sourcedId": "spring"}])
    assert named(one_class(), next_term) == {"c1": "Algebra I · Fall", "c2": "Algebra I · Spring"}
    other_code = one_class(sourcedId="c2", classCode="A2")
    assert named(one_class(), other_code) == {"c1": "Algebra I · A1", "c2": "Algebra I · A2"}
    twin = one_class(sourcedId="c2")
    assert named(one_class(), twin) == {"c1": "Algebra I · c1", "c2": "Algebra I · c2"}


def test_lists_of_schools_with_one_name_or_none_stay_apart() -> None:
    schools = [{"sourcedId": s, "status": "active", "type": "school", "name": n} for s, n in
               (("S1", "Oak"), ("S2", "Oak"), ("S3", None), ("S4", "Elm"))]  # fmt: skip
    users = [
        {"sourcedId": f"u{at}", "status": "active", "givenName": "", "familyName": "", "identifier": f"u{at}", "grades": ["09"],
         "roles": [{"role": role, "org": {"sourcedId": at}}]}
        for at, role in (("S1", "student"), ("S2", "student"), ("S3", "student"), ("S4", "student"), ("S4", "teacher"))
    ]  # fmt: skip
    users[-1]["sourcedId"] = users[-1]["identifier"] = "t"
    klass = one_class(school={"sourcedId": "S4"}, subjects=["Math"])
    seat = {"sourcedId": "e", "status": "active", "role": "teacher", "class": {"sourcedId": "c1"}, "user": {"sourcedId": "t"}}
    made = frames(District(orgs=schools, users=users, classes=[klass], enrollments=[seat]))
    auto = dict.fromkeys(("role", "grade", "subject", "teacher"), True)
    settings = Settings.model_validate({"class_lists": {"enabled": True, "terms": ["fall"]}, "auto_lists": auto})
    people = people_from(made["users"], made["orgs"], night=TODAY)
    lists = lists_from(rosters_of(made), people, settings, TODAY, nothing_kept()).lists
    assert set(lists["name"]) == {
        "Algebra I", "Students · Oak · S1", "Students · Oak · S2", "Students", "Students · Elm", "Teachers · Elm",
        "Grade 9 · Oak · S1", "Grade 9 · Oak · S2", "Grade 9", "Grade 9 · Elm", "Math · Elm", "Teacher t's students",
    }  # fmt: skip


def test_a_class_without_title_is_named_after_course_and_code() -> None:
    assert named(one_class(title="")) == {"c1": "Algebra (A1)"}
    assert named(one_class(title=None, course={"sourcedId": "lost"})) == {"c1": "Class (A1)"}


def test_grades_of_the_course_count_where_the_class_has_none() -> None:
    made = frames(
        District(
            courses=[{"sourcedId": "co", "status": "active", "title": "Algebra", "grades": ["Ninth grade"]}],
            classes=[one_class(), one_class(sourcedId="c2", grades=["10"])],
        )
    )
    settings = Settings.model_validate({"class_lists": {"enabled": True, "terms": ["fall"], "grades": ["9"]}})
    lists = lists_from(rosters_of(made), people_from(made["users"], made["orgs"], night=TODAY), settings, TODAY, nothing_kept())
    assert list(lists.lists["source_id"]) == ["c1"]
    assert lists.unlisted.to_dict("records") == [{"source_id": "c2", "reason": "grade_not_selected"}]
    assert lists.lost_terms == ("fall",)


def test_who_dropped_a_class_early_is_off_and_a_past_term_keeps_everybody() -> None:
    users = [
        {"sourcedId": u, "status": "active", "givenName": u, "familyName": u, "roles": [{"role": "student"}], "identifier": u}
        for u in ("a", "b")
    ]
    ends = {"a": "2026-10-01", "b": "2026-12-18"}
    seats = [
        {"sourcedId": f"e{u}", "status": "active", "role": "student", "class": {"sourcedId": "c1"}, "user": {"sourcedId": u},
         "endDate": end} for u, end in ends.items()
    ]  # fmt: skip
    made = frames(District(users=users, classes=[one_class()], enrollments=seats))
    settings = Settings.model_validate({"class_lists": {"enabled": True, "terms": ["fall"]}})
    people = people_from(made["users"], made["orgs"], night=TODAY)
    for night, on in ((dt.date(2026, 9, 1), {"a", "b"}), (TODAY, {"b"}), (dt.date(2027, 7, 1), {"b"})):
        lists = lists_from(rosters_of(made), people, settings, night, nothing_kept())
        assert as_plain(lists, people)["class", "S1", "c1"][0] == on
    for seat in seats:
        seat["endDate"] = "2026-10-01"
    made = frames(District(users=users, classes=[one_class()], enrollments=seats))
    lists = lists_from(rosters_of(made), people, settings, TODAY, nothing_kept())
    assert as_plain(lists, people)["class", "S1", "c1"][0] == {"a", "b"}
