"""Who is who: evidence that agrees, evidence that contradicts, values that identify nobody, and what a person decides then."""

from __future__ import annotations

import re
import time
from itertools import product
from typing import Any

import psycopg
import pytest

from include.mingasync.rosters.identity import folded
from tests.integration.directory.world import DISTRICT, Directory, Row, Sis, enrollment, everything_on, klass, school, user


def people(directory: Directory, columns: str = "sourced_id") -> list[tuple[Any, ...]]:
    return directory.rows(f"select {columns} from directory.people order by sourced_id nulls last, person_id")


def issues(directory: Directory) -> list[tuple[str, str | None]]:
    """Rule and record of the newest run's issues."""
    return directory.rows(
        "select rule, sourced_id from directory.sync_issues"
        " where run_no = (select max(run_no) from directory.sync_runs) order by 1, 2"
    )


def outcomes(directory: Directory) -> dict[str, tuple[str, str]]:
    """Of the newest run, what became of each record that came to nothing: sourcedId -> status and reason."""
    return {
        sourced_id: (action, reason)
        for sourced_id, action, reason in directory.rows(
            "select after ->> 'sourced_id', action, reason from directory.changes"
            " where run_no = (select max(run_no) from directory.sync_runs) and entity = 'person' and status = 'suppressed'"
        )
    }


def person(directory: Directory, sourced_id: str) -> int:
    number: int = directory.value("select person_id from directory.people where %s = any (sourced_ids)", sourced_id)
    return number


def ana(sourced_id: str = "a", **more: Any) -> Row:
    return (
        user(sourced_id, given_name="Ana", family_name="García", identifier="1001", email="ana@school.org", username="agarcia")
        | more
    )


def luis(sourced_id: str = "b", **more: Any) -> Row:
    return (
        user(sourced_id, given_name="Luis", family_name="García", identifier="2002", email="luis@school.org", username="lgarcia")
        | more
    )


# -- A value that several names share identifies nobody --------------------------------------------------------------------------


def test_fifty_students_with_one_identifier_and_one_office_address_are_fifty_people(directory: Directory) -> None:
    directory.night(Sis(users=[user(f"s{n:02d}", identifier="0", email="office@school.org") for n in range(50)]))
    assert directory.value("select count(*) from directory.people where cardinality(sourced_ids) = 1") == 50


def test_a_returning_sourced_id_that_shares_only_a_family_name_is_another_human(directory: Directory) -> None:
    directory.night(Sis(users=[ana()]))
    before = directory.state()
    directory.night(Sis(users=[luis("a")]))
    assert directory.state() == before
    assert issues(directory) == [("users.sourced_id_reissued", "a")]


def test_a_returning_sourced_id_that_shares_only_a_given_name_is_another_human_of_another_role(directory: Directory) -> None:
    directory.night(Sis(users=[user("t", "teacher", given_name="Mary", family_name="Jones")]))
    before = directory.state()
    okafor = user("t", given_name="Mary", family_name="Okafor", identifier="9", email="mary.okafor@x.org", username="mokafor")
    directory.night(Sis(users=[okafor]))
    assert directory.state() == before
    assert issues(directory) == [("users.sourced_id_reissued", "t")]


def by_hand(directory: Directory, row: Row, role: str | None = None, include: bool = True, **more: Any) -> int:
    """A person made by hand with a record's data."""
    row = row | more
    number: int = directory.value(
        "select directory.add_person('oak', %s, %s, %s, %s, %s, %s, '{S1}')",
        role or row["roles"][0], row["given_name"], row["family_name"], row["email"], row["username"], row["identifier"],
    )  # fmt: skip
    if include:
        directory.do("select directory.set_include_in_sync(%s, true)", number)
    return number


@pytest.mark.parametrize("contradiction", ["role", "name"])
def test_a_person_made_by_hand_is_not_taken_over_for_one_key(directory: Directory, contradiction: str) -> None:
    others: dict[str, Row] = {"role": {"roles": ["teacher"]}, "name": {"given_name": "Bo", "family_name": "Other"}}
    by_hand(directory, ana(email=None, username=None))
    before = directory.state()
    directory.night(Sis(users=[ana() | others[contradiction]]))
    assert directory.state() == before
    assert issues(directory) == [("users.match_contradicts", "a")]
    assert outcomes(directory) == {"a": ("skip", "match_contradicts")}


def test_somebody_excluded_who_returns_under_a_new_sourced_id_is_not_made_again(directory: Directory) -> None:
    directory.night(Sis(users=[ana()]))
    directory.do("select directory.set_include_in_sync(person_id, false) from directory.people")
    before = directory.state()
    directory.night(Sis(users=[ana("new")]))
    assert directory.state() == before
    assert outcomes(directory) == {"new": ("skip", "excluded")}


def test_a_relink_is_refused_once_the_sourced_id_is_somebody_elses(directory: Directory) -> None:
    directory.night(Sis(users=[ana()]))
    directory.night(Sis(users=[ana("new")]))
    directory.do(
        "insert into directory.people (district, source, sourced_id, sourced_ids, role, given_name, family_name, include_in_sync, status)"
        " values ('oak', 'sis', 'new', '{new}', 'student', 'Other', 'Owner', true, 'archived')"
    )
    before = directory.state()
    with pytest.raises(psycopg.errors.RaiseException, match="belongs to person"):
        directory.do("select directory.relink(%s, 'new')", person(directory, "a"))
    assert directory.state() == before


def test_sixteen_thousand_new_sourced_ids_are_proposed_in_a_second(directory: Directory) -> None:
    users = [user(f"u{n:05d}") for n in range(16_000)]
    directory.night(Sis(users=users))
    directory.night(Sis(users=users))
    began = time.perf_counter()
    directory.night(Sis(users=users))
    unchanged = time.perf_counter() - began
    renumbered = [row | {"sourced_id": f"new-{row['sourced_id']}"} for row in users]
    began = time.perf_counter()
    counts = directory.night(Sis(users=renumbered))["people"]["student"]
    assert (counts["skipped"], counts["created"], counts["archived"]) == (16_000, 0, 0)
    # As a ratio: a join that is not quadratic stays within a few unchanged nights on any machine.
    assert time.perf_counter() - began < 6 * unchanged


# -- The truth table of evidence ------------------------------------------------------------------------------------------------


STATES = ("same", "other", None)


def verdict(known_id: bool, role: str, given: str | None, family: str | None, *keys: str | None) -> str:  # noqa: PLR0911
    """What the evidence says, worked out by counting (docs/outcomes.md): independent of the database's own."""
    names = {given, family}
    another_name, same_name = "other" in names, names == {"same"}
    agreeing, number, differing = keys.count("same"), keys[0], keys.count("other")
    inherited = given == "other" and number == "other"
    if known_id:
        if same_name:
            return "same"
        if not agreeing:
            return "other" if another_name or differing else "same"
        if not another_name:
            return "same"
        weak = role != "same" and agreeing == 1 and number != "same"
        return "other" if inherited or weak else "same"
    if not agreeing:
        return "likely" if same_name and role == "same" and not differing else "none"
    if role == "other":
        return "other"
    if role == "related":
        return "likely" if same_name and number == "same" else "other"
    if same_name:
        return "likely" if number == "other" and agreeing == 1 else "same"
    if not another_name:
        return "same" if agreeing > 1 else "likely"
    if inherited:
        return "other"
    if agreeing > 1:
        return "same"
    return "likely" if number == "same" and "same" in names else "other"


def test_every_cell_of_the_table_of_evidence(directory: Directory) -> None:
    cells: list[tuple[Any, ...]] = list(product((True, False), ("same", "related", "other"), *[STATES] * 5))
    found = directory.rows(
        "select directory.verdict(known, role, given, family, number, email, username) from unnest(%s::boolean[], %s::text[], %s::text[],"
        " %s::text[], %s::text[], %s::text[], %s::text[]) with ordinality"
        " as cell (known, role, given, family, number, email, username, place) order by place",
        *[list(column) for column in zip(*cells, strict=True)],
    )
    wrong = {cell: got for cell, (got,) in zip(cells, found, strict=True) if got != verdict(*cell)}
    assert len(cells) == 2 * 3 * 3**5 and not wrong


def test_names_are_folded_in_the_database_as_in_a_snapshot(directory: Directory) -> None:
    names = [
        "García", "O'Neill", "O’Neill", "Smith-Jones", "Kaʻahumanu", "Łukasz", "Søren", "Straße", "Æsa", "Nguyễn", "ÉLODIE", "ﬁona",
        "Иван", "王芳", "-", " . ", "Anne\u00a0Marie", "Cafe\u0301", "İpek", "Þór", "ĐURO", "Œuvre", "a\tb", "Jr.", "ｆｕｌｌ", "가나", "हिन्दी", "",
    ]  # fmt: skip
    folded_there = directory.rows(
        "select directory.folded(name) from unnest(%s::text[]) with ordinality as one (name, n) order by n", names
    )
    assert [one or "" for (one,) in folded_there] == [folded(name) for name in names]


# -- The same sourcedId ----------------------------------------------------------------------------------------------------------


NEW_KEYS: Row = {"identifier": "9999", "email": "new@school.org", "username": "new"}
NO_KEYS: Row = {"identifier": None, "email": None, "username": None}


@pytest.mark.parametrize(
    ("was", "now_is"),
    [
        ({}, {"family_name": "López", "email": "ana.lopez@school.org", "username": "alopez"}),  # married: the number stays
        ({}, {"family_name": "López", "identifier": "9999", "username": "alopez"}),  # the address stays
        ({}, {"given_name": "Anita", "family_name": "Lopez"}),  # another name altogether, every key stays
        ({}, {"given_name": "ANA", "family_name": "Garcia", **NEW_KEYS}),  # every key new, the name folded the same
        ({}, {"given_name": "Anuschka", "preferred_given_name": "Ana", **NEW_KEYS}),
        ({"preferred_given_name": "Anni"}, {"given_name": "Anni", **NEW_KEYS}),
        ({}, {"roles": ["teacher"]}),
        ({}, {"roles": ["teacher"], "family_name": "López", "email": "a.lopez@staff.org"}),  # username and given name, but the role: below
        (NO_KEYS, {}),
        ({}, NO_KEYS),
    ],
)  # fmt: skip
def test_evidence_that_agrees_keeps_somebody_themselves(directory: Directory, was: Row, now_is: Row) -> None:
    if now_is.get("roles") and "email" in now_is:
        now_is = now_is | {"identifier": "1001"}
        was = {"roles": ["aide"]}
    directory.night(Sis(users=[ana() | was]))
    before = person(directory, "a")
    directory.night(Sis(users=[ana() | was | now_is]))
    assert person(directory, "a") == before and len(people(directory)) == 1
    assert not [rule for rule, _ in issues(directory) if rule.startswith("users.sourced_id")]


@pytest.mark.parametrize(
    ("was", "now_is"),
    [
        ({}, {"given_name": "Luis", **NEW_KEYS}),
        ({}, {"family_name": "López", **NEW_KEYS}),
        ({}, {"given_name": "Luis", "family_name": "López", **NEW_KEYS}),
        # Keys made from one's name or inherited with it prove nothing against another number and another given name.
        ({}, {"given_name": "Alba", "identifier": "9999"}),
        # Nothing can be compared but the names, and they differ.
        (NO_KEYS, {"given_name": "Luis"}),
        (NO_KEYS, {"family_name": "López"}),
        # The record has no name, and every key of somebody else.
        ({}, {"given_name": None, "family_name": None, **NEW_KEYS}),
        # The student's number is not the teacher's.
        ({}, {"roles": ["teacher"], "family_name": "Okafor", "email": "o@x.org", "username": "o"}),
        ({"identifier": None}, {"roles": ["teacher"], "identifier": None, "family_name": "Okafor", "email": "o@x.org"}),
    ],
)  # fmt: skip
def test_evidence_that_contradicts_touches_neither(directory: Directory, was: Row, now_is: Row) -> None:
    directory.settings = everything_on(auto_lists={"role": True, "grade": True})
    head = user("h", "teacher", given_name="Head", family_name="Teacher")
    directory.night(Sis(users=[ana() | was, luis(), head]))
    number = person(directory, "a")
    directory.do("select directory.pin_field(%s, 'username', 'pinned', 'test')", number)
    before = directory.state()
    for _ in range(2):
        directory.night(Sis(users=[ana() | was | now_is, luis(), head]))
        assert directory.state() == before
        assert issues(directory) == [("users.sourced_id_reissued", "a")]
        assert outcomes(directory) == {"a": ("skip", "sourced_id_reissued")}


def test_a_value_that_identifies_nobody_confirms_no_sourced_id(directory: Directory) -> None:
    office = {"identifier": "0", "email": "office@school.org"}
    directory.night(Sis(users=[ana(**office), luis(**office)]))
    before = directory.state()
    directory.night(Sis(users=[luis("a", given_name="Eva", username="eva", **office), luis(**office)]))
    assert directory.state() == before and issues(directory) == [("users.sourced_id_reissued", "a")]
    # Nor one that several people have here, though tonight's snapshot has it once.
    directory.night(Sis(users=[luis("a", given_name="Eva", username="eva", **office), luis(username="lgarcia")]))
    assert ("users.sourced_id_reissued", "a") in issues(directory)
    assert people(directory, "sourced_id, given_name") == [("a", "Ana"), ("b", "Luis")]


def test_two_who_exchange_their_sourced_ids_stay_who_they_are(directory: Directory) -> None:
    directory.night(Sis(users=[ana("a"), luis("b")]))
    before = directory.state()
    directory.night(Sis(users=[ana("b"), luis("a")]))
    assert directory.state() == before
    assert {rule for rule, _ in issues(directory)} == {"users.sourced_id_reissued", "users.sourced_id_changed"}


def test_sourced_ids_that_all_moved_by_one_archive_and_make_nobody(directory: Directory) -> None:
    people_of = [user(f"{n:03d}", identifier=f"id-{n}", email=f"{n}@x.org", username=f"u{n}", given_name=f"G{n}", family_name=f"F{n}")
                 for n in range(30)]  # fmt: skip
    directory.night(Sis(users=people_of))
    before = directory.state()
    directory.night(Sis(users=[row | {"sourced_id": f"{n + 1:03d}"} for n, row in enumerate(people_of)]))
    assert directory.state() == before


def test_exchanged_addresses_and_used_again_usernames_make_no_duplicates_and_swap_nobody(directory: Directory) -> None:
    directory.night(Sis(users=[ana(), luis()]))
    numbers = {one: person(directory, one) for one in "ab"}
    directory.night(
        Sis(users=[ana(email="luis@school.org", username="lgarcia"), luis(email="ana@school.org", username="agarcia")])
    )
    assert people(directory, "person_id, given_name, email") == [
        (numbers["a"], "Ana", "luis@school.org"), (numbers["b"], "Luis", "ana@school.org"),
    ]  # fmt: skip
    # Luis leaves; a new student gets his username.
    directory.night(Sis(users=[ana(), user("c", username="lgarcia", given_name="Leo", family_name="Garza")]))
    assert people(directory, "sourced_id, given_name, status") == [
        ("a", "Ana", "active"),
        ("b", "Luis", "archived"),
        ("c", "Leo", "active"),
    ]
    assert issues(directory) == []


def test_a_name_that_was_pinned_does_not_make_its_bearer_another_human(directory: Directory) -> None:
    directory.night(Sis(users=[ana()]))
    directory.do("select directory.pin_field(%s, 'given_name', 'Sunny', 'asked for it')", person(directory, "a"))
    directory.night(Sis(users=[ana(**NEW_KEYS)]))
    assert people(directory, "given_name, identifier") == [("Sunny", "9999")] and issues(directory) == []


def test_who_is_apart_keeps_lists_and_the_teachers_lists_rest(directory: Directory) -> None:
    directory.settings = everything_on(
        class_lists={"enabled": True, "terms": ["T1"]}, auto_lists={"role": True, "subject": True, "teacher": True}
    )
    jones = user("t", "teacher", given_name="Mary", family_name="Jones")
    rolls = [enrollment("C1", "t", "teacher"), enrollment("C1", "a"), enrollment("C1", "b")]
    directory.night(Sis(users=[jones, ana(), luis()], classes=[klass("C1", subjects=["Art"])], enrollments=rolls))
    before = directory.state()
    okafor = user("t", given_name="Mary", family_name="Okafor", identifier="9", email="o@x.org", username="o")
    strangers = [okafor, luis("a", **NEW_KEYS), luis()]
    directory.night(Sis(users=strangers, classes=[klass("C1", subjects=["Art"])], enrollments=rolls[2:]))
    assert directory.state() == before


# -- Several records of one human ------------------------------------------------------------------------------------------------


def per_school(sourced_id: str, at: str, **more: Any) -> Row:
    return ana(sourced_id, org_ids=[at]) | more


TWO_SCHOOLS = [school("S1"), school("S2")]


@pytest.mark.parametrize("gone", [{"status": "tobedeleted"}, {"enabled": False}, {"status": "inactive"}, None])
def test_a_human_with_a_record_that_is_gone_stays_and_is_found_by_those_that_are_left(
    directory: Directory, gone: Row | None
) -> None:
    both = [per_school("a", "S1"), per_school("b", "S2")]
    directory.night(Sis(users=both, orgs=TWO_SCHOOLS))
    number = person(directory, "a")
    left = [both[0] | gone] if gone else []
    directory.night(Sis(users=[*left, both[1]], orgs=TWO_SCHOOLS))
    # A record that is only disabled may come back; one that is deleted or not sent gives its id up.
    ids = ["b"] if gone in (None, {"status": "tobedeleted"}) else ["a", "b"]
    assert people(directory, "person_id, status, sourced_id, sourced_ids, school_ids") == [(number, "active", "b", ids, ["S2"])]
    directory.night(Sis(users=both, orgs=TWO_SCHOOLS))
    assert people(directory, "person_id, status, sourced_ids, school_ids") == [(number, "active", ["a", "b"], ["S1", "S2"])]


def test_records_that_drifted_apart_are_one_person_at_both_schools(directory: Directory) -> None:
    directory.settings = everything_on(auto_lists={"role": True})
    directory.night(Sis(users=[per_school("a", "S1"), per_school("b", "S2")], orgs=TWO_SCHOOLS))
    before = directory.state()
    drifted = Sis(users=[per_school("a", "S1"), per_school("b", "S2", email="other@x.org")], orgs=TWO_SCHOOLS)
    directory.night(drifted)
    assert directory.state() == before
    # Also when somebody else gets the same number by mistake.
    directory.night(Sis(users=[per_school("a", "S1"), per_school("b", "S2"), luis("c", identifier="1001")], orgs=TWO_SCHOOLS))
    assert directory.state()[0][0] == before[0][0]


def test_records_of_one_person_that_agree_in_nothing_any_more_are_asked_about(directory: Directory) -> None:
    """Two who were taken for one while both had the office's data: with data of their own they must not stay one."""
    directory.night(Sis(users=[per_school("a", "S1"), per_school("b", "S2")], orgs=TWO_SCHOOLS))
    before = directory.state()
    own = Sis(
        users=[per_school("a", "S1", **NEW_KEYS), per_school("b", "S2", identifier="7", email="7@x.org", username="7")],
        orgs=TWO_SCHOOLS,
    )
    directory.night(own)
    assert directory.state() == before and issues(directory) == [("users.sourced_id_reissued", "b")]
    (fix,) = directory.rows("select fix from directory.sync_issues where rule = 'users.sourced_id_reissued'")[0]
    assert "stays, with the other record that the SIS has of them. No task needs to be cleared for it." in fix
    answer(directory, "users.sourced_id_reissued", "refuse_relink")
    directory.night(own)
    assert people(directory, "sourced_ids, identifier, status") == [(["a"], "9999", "active"), (["b"], "7", "active")]


def answer(directory: Directory, rule: str, function: str) -> None:
    """Do what the newest run's issues of a rule say, word for word: the statement of one of the two answers."""
    fixes = directory.rows(
        "select fix from directory.sync_issues where rule = %s and run_no = (select max(run_no) from directory.sync_runs)", rule
    )
    assert fixes
    for (fix,) in fixes:
        for statement in re.findall(rf"directory\.{function}\(\d+, '(?:[^']|'')*'\)", fix):
            directory.do("select " + statement)


def test_two_students_who_were_one_by_an_older_version_are_parted_by_the_cure(directory: Directory) -> None:
    directory.night(Sis(users=[ana()]))
    directory.do("update directory.people set sourced_ids = '{a,b}', identifier = '0', email = 'office@x.org', digest = null")
    office = {"identifier": "0", "email": "office@x.org"}
    tonight = Sis(users=[ana(**office), luis(**office)])
    before = directory.state()
    directory.night(tonight)
    assert directory.state() == before and issues(directory) == [("users.sourced_id_reissued", "b")]
    answer(directory, "users.sourced_id_reissued", "refuse_relink")
    directory.night(tonight)
    assert people(directory, "sourced_ids, given_name") == [(["a"], "Ana"), (["b"], "Luis")]
    assert issues(directory) == []


def test_two_people_whom_the_sis_now_says_to_be_one_are_not_joined_by_themselves(directory: Directory) -> None:
    directory.night(Sis(users=[per_school("a", "S1"), per_school("b", "S2", email="other@x.org")], orgs=TWO_SCHOOLS))
    before = directory.state()
    assert len(before[0]) == 2
    tonight = Sis(users=[per_school("a", "S1"), per_school("b", "S2")], orgs=TWO_SCHOOLS)
    directory.night(tonight)
    assert directory.state() == before and issues(directory) == [("users.two_entries_one_human", "a")]
    first, second = person(directory, "a"), person(directory, "b")
    answer(directory, "users.two_entries_one_human", "refuse_relink")
    directory.night(tonight)
    assert people(directory, "person_id, sourced_ids, status") == [(first, ["a", "b"], "active"), (second, [], "archived")]
    assert issues(directory) == []


def test_records_are_not_joined_by_a_number_that_others_have_here(directory: Directory) -> None:
    directory.night(Sis(users=[luis(identifier="1001")]))
    before = directory.state()
    tonight = Sis(users=[luis(), per_school("x", "S1"), per_school("y", "S2")], orgs=TWO_SCHOOLS)
    directory.settings["roles"]["student"] = {"roster": True, "auto_update": False, "archive": True}
    directory.do("insert into directory.people (district, source, sourced_id, sourced_ids, role, given_name, family_name, identifier,"
                 " include_in_sync, status) values ('oak', 'sis', 'old', '{old}', 'student', 'Old', 'Timer', '1001', true, 'archived')")  # fmt: skip
    directory.night(tonight)
    assert directory.state()[0][0] == before[0][0] and len(people(directory)) == 2
    assert issues(directory) == [("users.identifier_shared_here", "x")]
    # The cure: a number of their own.
    own = {"identifier": "3003"}
    directory.night(Sis(users=[luis(), per_school("x", "S1", **own), per_school("y", "S2", **own)], orgs=TWO_SCHOOLS))
    assert people(directory, "sourced_ids") == [(["b"],), (["old"],), (["x", "y"],)] and issues(directory) == []


# -- By hand, and left alone -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("theirs", "linked"),
    [
        ({"email": None, "username": None}, True),
        ({"identifier": None, "username": None}, True),
        ({"identifier": None, "email": None}, True),
        ({"identifier": "1001", "family_name": "GARCIA", "email": None, "username": None}, True),
        # Another name, but a second key agrees.
        ({"family_name": "López", "username": None}, True),
        ({"given_name": "Anita", "family_name": "López", "identifier": None}, True),
        # Another number and the name alike: a father and his son, perhaps.
        ({"identifier": "5", "username": None}, False),
        ({"given_name": "Luis", "identifier": "5"}, False),
        ({"family_name": "López", "email": None, "username": None}, False),
    ],
)
@pytest.mark.parametrize("include", [True, False])
def test_somebody_made_by_hand_is_found_by_agreement_and_never_made_again(
    directory: Directory, theirs: Row, linked: bool, include: bool
) -> None:
    number = by_hand(directory, ana() | theirs, include=include)
    before = directory.state()
    directory.night(Sis(users=[ana()]))
    if linked and include:
        assert people(directory, "person_id, source, sourced_ids, family_name") == [(number, "manual", ["a"], "García")]
    else:
        assert directory.state() == before
        assert outcomes(directory) == {"a": ("skip", "excluded" if not include else "match_contradicts")}
        assert issues(directory) == ([] if linked else [("users.match_contradicts", "a")])


@pytest.mark.parametrize("tonight", [luis("a"), ana("new"), ana("new", family_name="López", email=None, username=None)])
@pytest.mark.parametrize("origin", ["sis", "hand"])
def test_a_role_that_is_off_is_not_asked_about(directory: Directory, tonight: Row, origin: str) -> None:
    if origin == "hand":
        by_hand(directory, ana(email=None, username=None))
    else:
        directory.night(Sis(users=[ana()]))
    directory.settings["roles"] = {}
    before = directory.state()
    directory.night(Sis(users=[tonight]))
    assert directory.state() == before and issues(directory) == []


@pytest.mark.parametrize("include", [True, False])
def test_a_contradiction_is_answered_by_its_cures(directory: Directory, include: bool) -> None:
    number = by_hand(directory, ana(email=None, username=None, given_name="Bo"), include=include)
    directory.night(Sis(users=[ana()]))
    answer(directory, "users.match_contradicts", "relink")
    directory.night(Sis(users=[ana()]))
    assert people(directory, "person_id, sourced_ids, given_name") == [(number, ["a"], "Ana" if include else "Bo")]
    assert issues(directory) == []


def test_a_contradiction_that_is_refused_makes_somebody_new_and_is_asked_once(directory: Directory) -> None:
    number = by_hand(directory, ana(email=None, username=None, given_name="Bo"))
    directory.night(Sis(users=[ana()]))
    answer(directory, "users.match_contradicts", "refuse_relink")
    for _ in range(2):
        directory.night(Sis(users=[ana()]))
        assert people(directory, "given_name, sourced_ids, status") == [("Ana", ["a"], "active"), ("Bo", [], "active")]
        assert issues(directory) == []
    assert directory.value("select given_name from directory.people where person_id = %s", number) == "Bo"


def test_father_and_son_with_one_name_and_address_are_not_each_other(directory: Directory) -> None:
    father = by_hand(directory, ana(), role="teacher")
    records = [ana("f", roles=["teacher"]), ana("s", identifier="3003", username="son")]
    directory.night(Sis(users=records))
    assert directory.value("select sourced_ids from directory.people where person_id = %s", father) == ["f"]
    assert people(directory, "sourced_id, role") == [("f", "teacher"), ("s", "student")] and issues(directory) == []


def test_values_that_identify_nobody_match_nobody_made_by_hand(directory: Directory) -> None:
    by_hand(directory, luis(identifier="0", email="office@x.org", username=None))
    directory.night(
        Sis(users=[ana(f"s{n}", given_name=f"G{n}", identifier="0", email="office@x.org", username=f"u{n}") for n in range(5)])
    )
    assert directory.value("select count(*) from directory.people where source = 'sis'") == 5
    assert directory.value("select sourced_ids from directory.people where source = 'manual'") == []


def test_a_match_that_is_not_unique_is_answered_by_its_cure(directory: Directory) -> None:
    first, second = by_hand(directory, ana(email=None)), by_hand(directory, ana(username=None))
    before = directory.state()
    directory.night(Sis(users=[ana()]))
    assert directory.state() == before and issues(directory) == [("users.match_not_unique", "a")]
    answer(directory, "users.match_not_unique", "relink")
    directory.night(Sis(users=[ana()]))
    assert directory.rows("select person_id, sourced_ids from directory.people order by 1") == [(first, ["a"]), (second, [])]
    assert issues(directory) == []


@pytest.mark.parametrize("status", ["active", "archived"])
@pytest.mark.parametrize("how", ["evidence", "contradiction"])
def test_somebody_excluded_is_never_made_a_second_time(directory: Directory, status: str, how: str) -> None:
    directory.night(Sis(users=[ana()]))
    directory.do("update directory.people set include_in_sync = false, status = %s", status)
    before = directory.state()
    record = ana("new") if how == "evidence" else luis("new", username="agarcia")
    for _ in range(2):
        directory.night(Sis(users=[record]))
        assert directory.state() == before
    assert outcomes(directory)["new"] == ("skip", "excluded")
    assert issues(directory) == ([] if how == "evidence" else [("users.match_contradicts", "new")])


def test_somebody_excluded_without_any_key_is_not_made_again_either(directory: Directory) -> None:
    directory.night(Sis(users=[ana(**NO_KEYS)]))
    directory.do("update directory.people set include_in_sync = false")
    before = directory.state()
    directory.night(Sis(users=[ana("new", **NO_KEYS)]))
    assert directory.state() == before and issues(directory) == [("users.match_contradicts", "new")]


# -- New sourcedIds: proposals and their answers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["identifier", "email", "username", None])
def test_a_whole_district_that_is_renumbered_is_proposed_whatever_key_is_left(directory: Directory, key: str | None) -> None:
    users = [user(f"u{n:02d}") | {k: None for k in NO_KEYS if k != key} for n in range(20)]
    directory.night(Sis(users=users))
    before = directory.state()
    renumbered = [row | {"sourced_id": f"n{n:02d}"} for n, row in enumerate(users)]
    counts = directory.night(Sis(users=renumbered))["people"]["student"]
    assert directory.state() == before and (counts["created"], counts["archived"], counts["skipped"]) == (0, 0, 20)
    answer(directory, "users.sourced_id_changed", "relink")
    directory.night(Sis(users=renumbered))
    assert people(directory) == [(f"n{n:02d}",) for n in range(20)] and issues(directory) == []
    assert directory.value("select count(*) from directory.people where status = 'active'") == 20


def test_a_renumbered_aide_who_became_a_teacher_is_proposed(directory: Directory) -> None:
    directory.night(Sis(users=[ana(roles=["aide"])]))
    before = directory.state()
    directory.night(Sis(users=[ana("new", roles=["teacher"], email=None)]))
    assert directory.state() == before and issues(directory) == [("users.sourced_id_changed", "new")]


def test_somebody_new_with_a_leavers_name_or_number_is_new(directory: Directory) -> None:
    directory.night(Sis(users=[ana(), luis()]))
    directory.night(Sis(users=[ana("c", **NEW_KEYS), user("d", identifier="2002")]))
    assert people(directory, "sourced_id, status") == [("a", "archived"), ("b", "archived"), ("c", "active"), ("d", "active")]


def test_somebody_archived_comes_back_under_a_new_sourced_id_once_confirmed(directory: Directory) -> None:
    directory.night(Sis(users=[ana(), luis()]))
    directory.night(Sis(users=[luis()]))
    number = person(directory, "a")
    assert people(directory, "status") == [("archived",), ("active",)]
    tonight = Sis(users=[ana("new"), luis()])
    directory.night(tonight)
    assert people(directory, "sourced_id, status") == [("a", "archived"), ("b", "active")]
    answer(directory, "users.sourced_id_changed", "relink")
    counts = directory.night(tonight)
    assert people(directory, "person_id, sourced_id, status")[1] == (number, "new", "active")
    assert counts["people"]["student"]["restored"] == 1


def test_a_refused_proposal_makes_one_and_archives_the_other(directory: Directory) -> None:
    directory.night(Sis(users=[ana()]))
    directory.night(Sis(users=[ana("new")]))
    answer(directory, "users.sourced_id_changed", "refuse_relink")
    for _ in range(2):
        directory.night(Sis(users=[ana("new")]))
        assert people(directory, "sourced_id, status") == [("a", "archived"), ("new", "active")]


def test_a_re_issued_sourced_id_is_answered_as_another_human(directory: Directory) -> None:
    directory.settings = everything_on(auto_lists={"role": True})
    directory.night(Sis(users=[ana()]))
    number = person(directory, "a")
    tonight = Sis(users=[luis("a")])
    directory.night(tonight)
    answer(directory, "users.sourced_id_reissued", "refuse_relink")
    directory.night(tonight)
    assert directory.rows("select sourced_ids, given_name, status from directory.people order by person_id") == [
        ([], "Ana", "archived"), (["a"], "Luis", "active"),
    ]  # fmt: skip
    assert directory.rows("select count(*) from directory.list_members where person_id = %s", number) == [(0,)]
    assert issues(directory) == []
    # Should Ana come back, it is asked and not guessed.
    directory.night(Sis(users=[luis("a"), ana("back")]))
    assert issues(directory) == [("users.sourced_id_changed", "back")]


@pytest.mark.parametrize("auto_update", [True, False])
def test_a_re_issued_sourced_id_is_answered_as_the_same_human(directory: Directory, auto_update: bool) -> None:
    directory.night(Sis(users=[ana()]))
    directory.settings["roles"] = {"student": {"roster": True, "auto_update": auto_update, "archive": True}}
    tonight = Sis(users=[luis("a")])
    directory.night(tonight)
    answer(directory, "users.sourced_id_reissued", "relink")
    for _ in range(2):
        directory.night(tonight)
        assert people(directory, "sourced_ids, given_name, status") == [(["a"], "Luis" if auto_update else "Ana", "active")]
        assert issues(directory) == []
    # The answer was about this human; a third one is asked about again.
    directory.night(Sis(users=[user("a", given_name="Eva", family_name="Third")]))
    assert issues(directory) == [("users.sourced_id_reissued", "a")]


def test_exchanged_sourced_ids_are_set_right_by_the_cures(directory: Directory) -> None:
    directory.night(Sis(users=[ana("a"), luis("b")]))
    numbers = person(directory, "a"), person(directory, "b")
    tonight = Sis(users=[ana("b"), luis("a")])
    directory.night(tonight)
    with pytest.raises(psycopg.errors.RaiseException, match="belongs to person"):
        answer(directory, "users.sourced_id_changed", "relink")
    answer(directory, "users.sourced_id_reissued", "refuse_relink")
    answer(directory, "users.sourced_id_changed", "relink")
    directory.night(tonight)
    assert people(directory, "person_id, sourced_ids, given_name, status") == [
        (numbers[1], ["a"], "Luis", "active"), (numbers[0], ["b"], "Ana", "active"),
    ]  # fmt: skip
    assert issues(directory) == []


def test_the_cures_of_an_exchange_may_be_a_night_apart(directory: Directory) -> None:
    directory.night(Sis(users=[ana("a"), luis("b")]))
    numbers = person(directory, "a"), person(directory, "b")
    tonight = Sis(users=[ana("b"), luis("a")])
    directory.night(tonight)
    answer(directory, "users.sourced_id_reissued", "refuse_relink")
    directory.night(tonight)
    assert directory.value("select count(*) from directory.people where status = 'active'") == 2
    answer(directory, "users.sourced_id_changed", "relink")
    directory.night(tonight)
    assert people(directory, "person_id, sourced_ids, given_name") == [(numbers[1], ["a"], "Luis"), (numbers[0], ["b"], "Ana")]


# -- A decision is asked for again when it is carried out --------------------------------------------------------------------------


def test_a_relink_is_refused_once_the_person_has_another_sourced_id(directory: Directory) -> None:
    directory.night(Sis(users=[ana()]))
    directory.night(Sis(users=[ana("new")]))
    directory.do("update directory.people set sourced_id = 'other', sourced_ids = '{other}'")
    with pytest.raises(psycopg.errors.RaiseException, match="has other sourcedIds"):
        directory.do("select directory.relink(person_id, 'new') from directory.people")
    assert people(directory) == [("other",)]


def test_a_proposal_that_tonight_does_not_ask_any_more_is_withdrawn(directory: Directory) -> None:
    directory.night(Sis(users=[ana()]))
    number = person(directory, "a")
    directory.night(Sis(users=[ana("new")]))
    directory.night(Sis(users=[ana("newer")]))
    with pytest.raises(psycopg.errors.RaiseException, match="withdrawn"):
        directory.do("select directory.relink(%s, 'new')", number)
    with pytest.raises(psycopg.errors.RaiseException, match="withdrawn"):
        directory.do("select directory.refuse_relink(%s, 'new')", number)
    # It may be asked again.
    directory.night(Sis(users=[ana("new")]))
    directory.do("select directory.relink(%s, 'new')", number)
    directory.night(Sis(users=[ana("new")]))
    assert people(directory, "person_id, sourced_id") == [(number, "new")]
    with pytest.raises(psycopg.errors.RaiseException, match="confirmed already"):
        directory.do("select directory.relink(%s, 'new')", number)


def test_a_proposal_is_withdrawn_when_the_person_is_back_under_the_old_sourced_id(directory: Directory) -> None:
    directory.night(Sis(users=[ana()]))
    directory.night(Sis(users=[ana("new")]))
    directory.night(Sis(users=[ana()]))
    assert directory.rows("select state from directory.relink_proposals") == [("withdrawn",)]


def test_a_decision_waits_for_the_load_that_is_under_way(directory: Directory, database: str) -> None:
    directory.night(Sis(users=[ana()]))
    directory.night(Sis(users=[ana("new")]))
    number = person(directory, "a")
    with psycopg.connect(database) as loading, psycopg.connect(database) as hand:
        loading.execute("select directory.lock_district('oak')")
        hand.execute("set lock_timeout = '200ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            hand.execute("select directory.relink(%s, 'new')", (number,))
        hand.rollback()
        loading.rollback()
        hand.execute("select directory.relink(%s, 'new')", (number,))


def test_asking_again_every_night_writes_nothing_anew(directory: Directory) -> None:
    directory.night(Sis(users=[ana(), luis()]))
    tonight = Sis(users=[ana("new"), user("b", given_name="Third", family_name="Human")])
    directory.night(tonight)
    versions = "select xmin::text, ctid::text from directory.relink_proposals union all select xmin::text, ctid::text from directory.people"
    before = sorted(directory.rows(versions))
    directory.night(tonight)
    assert sorted(directory.rows(versions)) == before


def test_a_preview_asks_nobody(directory: Directory) -> None:
    directory.night(Sis(users=[ana()]))
    directory.night(Sis(users=[ana("new")]), kind="preview")
    assert directory.value("select count(*) from directory.relink_proposals") == 0


def test_another_districts_people_are_nobodys_evidence(directory: Directory) -> None:
    directory.do("insert into directory.people (district, source, sourced_id, sourced_ids, role, given_name, family_name, identifier,"
                 " include_in_sync) values ('elm', 'sis', 'new', '{new}', 'student', 'Eva', 'Other', '1001', true)")  # fmt: skip
    directory.night(Sis(users=[ana()]))
    directory.night(Sis(users=[ana("new")]))
    directory.do("select directory.relink(person_id, 'new') from directory.people where district = %s", DISTRICT)
    directory.night(Sis(users=[ana("new")]))
    assert people(directory, "district, sourced_id") == [("elm", "new"), ("oak", "new")] and issues(directory) == []
