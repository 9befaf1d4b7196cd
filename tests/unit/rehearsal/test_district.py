"""The synthetic district: the same for the same seed, whole, and as large as it says."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import pytest

from include.rehearsal.district import District, build
from include.rehearsal.records import COLLECTIONS, as_1p1, as_1p2, leading_role, mapped_role

TODAY = dt.date(2026, 11, 24)


@pytest.fixture(scope="module")
def district() -> District:
    return build(today=TODAY)


def ids(district: District, collection: str) -> set[str]:
    return {record["sourcedId"] for record in getattr(district, collection)}


def test_the_same_seed_gives_the_same_district_and_another_gives_another() -> None:
    first, again, other = (build(300, seed=seed, night=2, today=TODAY) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_the_default_district_has_the_size_that_it_promises(district: District) -> None:
    numbers = district.numbers()
    assert numbers["people"] == {"admin": 14, "staff": 78, "student": 2400, "teacher": 240}
    assert numbers["contacts"] == 1020
    assert numbers["records"] == {
        "orgs": 4, "academicSessions": 4, "courses": 104,
        "classes": 1048, "users": 3752, "enrollments": 20457,
    }  # fmt: skip
    assert numbers["classes"] == {"fall": 190, "full-year": 655, "spring": 203}
    assert numbers["enrollments"] == {"student": 19200, "teacher": 1257}
    assert numbers["at_schools"]["school-2"] == {"admin": 4, "staff": 26, "student": 800, "teacher": 80}
    assert numbers["changes"] == {}


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_no_sourced_id_comes_twice(collection: str, district: District) -> None:
    assert len(ids(district, collection)) == len(getattr(district, collection))


def test_every_reference_leads_somewhere(district: District) -> None:
    users, classes, orgs, sessions = (ids(district, name) for name in ("users", "classes", "orgs", "academicSessions"))
    for seat in district.enrollments:
        assert seat["user"]["sourcedId"] in users
        assert seat["class"]["sourcedId"] in classes
        assert seat["school"]["sourcedId"] in orgs
    for klass in district.classes:
        assert klass["course"]["sourcedId"] in ids(district, "courses")
        assert {term["sourcedId"] for term in klass["terms"]} <= sessions
    for user in district.users:
        assert user["primaryOrg"]["sourcedId"] in orgs
        assert {agent["sourcedId"] for agent in user["agents"]} <= users


def test_every_class_has_one_leading_teacher_and_some_have_a_co_teacher(district: District) -> None:
    leading, helping = Counter(), Counter()  # type: ignore[var-annotated]
    for seat in district.enrollments:
        if seat["role"] == "teacher":
            (leading if seat["primary"] == "true" else helping)[seat["class"]["sourcedId"]] += 1
    assert set(leading) == ids(district, "classes")
    assert set(leading.values()) == {1}
    assert 100 < len(helping) < len(leading) // 2


def test_students_sit_in_eight_classes_of_their_own_grade_and_school(district: District) -> None:
    classes = {one["sourcedId"]: one for one in district.classes}
    users = {one["sourcedId"]: one for one in district.users}
    seats = Counter(seat["user"]["sourcedId"] for seat in district.enrollments if seat["role"] == "student")
    assert set(seats.values()) == {8}
    for seat in district.enrollments:
        if seat["role"] == "student":
            klass, user = classes[seat["class"]["sourcedId"]], users[seat["user"]["sourcedId"]]
            assert user["grades"] == klass["grades"]
            assert user["primaryOrg"]["sourcedId"] == klass["school"]["sourcedId"]


def test_titles_repeat_but_class_codes_do_not_within_a_school(district: District) -> None:
    titles = Counter(one["title"] for one in district.classes)
    codes = Counter((one["school"]["sourcedId"], one["classCode"]) for one in district.classes)
    assert max(titles.values()) > 10
    assert set(codes.values()) == {1}


@pytest.mark.parametrize("day", range(0, 366, 7))
def test_today_lies_in_the_school_year_all_year_round(day: int) -> None:
    today = dt.date(2027, 1, 1) + dt.timedelta(days=day)
    sessions = {one["sourcedId"]: one for one in build(12, today=today).academicSessions}
    year = sessions["year"]
    assert year["startDate"] <= str(today) <= year["endDate"]
    assert year["startDate"][:4] == str(int(year["schoolYear"]) - 1)
    within = [one for one in sessions.values() if one["startDate"] <= str(today) <= one["endDate"]]
    assert {one["sourcedId"] for one in within} - {"year", "full-year"} in ({"fall"}, {"spring"})


def test_mail_addresses_are_of_reserved_domains_and_usernames_are_ascii(district: District) -> None:
    for user in district.users:
        assert user["email"].endswith("example.org")
        assert user["username"].isascii()
        assert "'" not in user["username"]
    assert len({user["username"] for user in district.users}) == len(district.users)


def test_some_people_have_two_roles_of_which_the_primary_leads(district: District) -> None:
    several = [user for user in district.users if len(user["roles"]) > 1]
    assert {leading_role(user)["role"] for user in several} == {"principal", "aide"}
    turned = several[0] | {"roles": several[0]["roles"][::-1]}
    assert leading_role(turned) == leading_role(several[0])


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        (["student"], "student"), (["Teacher"], "teacher"), (["systemAdministrator"], "admin"),
        (["proctor"], "staff"), (["ext:nurse"], "staff"), (["guardian"], "contact"),
        (["student", "aide", "principal"], "admin"),
    ],
)  # fmt: skip
def test_roles_map_to_the_roles_of_the_directory(roles: list[str], expected: str) -> None:
    assert mapped_role({"roles": [{"role": role} for role in roles]}) == expected
    assert len(roles) > 1 or mapped_role({"role": roles[0]}) == expected


def test_version_1p1_has_one_role_and_all_orgs(district: District) -> None:
    principal = next(user for user in district.users if user["roles"][0]["role"] == "principal")
    old = as_1p1("users", principal)
    assert old["role"] == "administrator"
    assert [org["sourcedId"] for org in old["orgs"]] == ["school-1"]
    assert not {"roles", "primaryOrg"} & set(old)
    assert as_1p2("users", old)["roles"] == [{"roleType": "primary", "role": "siteAdministrator", "org": old["orgs"][0]}]


def test_dirt_is_found_by_its_ids_and_not_counted() -> None:
    clean, dirty = build(240, today=TODAY), build(240, today=TODAY, dirt=True)
    added = {name: ids(dirty, name) - ids(clean, name) for name in COLLECTIONS}
    assert all(one.startswith("bad-") for found in added.values() for one in found)
    assert len(added["users"]) == 7
    assert len(added["enrollments"]) == 5
    assert not any("bad-" in str(getattr(clean, name)) for name in COLLECTIONS)
    unspoilt = dirty.numbers() | {"records": None}
    assert unspoilt == clean.numbers() | {"records": None}


def test_a_district_of_every_size_can_be_built() -> None:
    for students, schools in ((1, 1), (7, 3), (40, 5), (500, 20)):
        district = build(students, schools, night=3, today=TODAY)
        assert sum(one["type"] == "school" for one in district.orgs) == schools
        assert len({one["name"] for one in district.orgs}) == schools + 1
