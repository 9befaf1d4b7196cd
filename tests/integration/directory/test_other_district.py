"""A pull that belongs to another district stops before any change and says whose it seems to be."""

from __future__ import annotations

from typing import Any

import pytest

from include.mingasync.directory.proof import FEW_PEOPLE
from tests.integration.directory.tasks import Tasks, Told, every_list, oak
from tests.integration.directory.world import Sis, klass, school, user


def valley() -> Sis:
    """Another district: its own orgs, people and classes."""
    return Sis(
        users=[user(f"v{one}", schools=["V1"]) for one in range(20)],
        orgs=[
            {"sourced_id": "DV", "status": "active", "name": "North Valley", "type": "district"},
            school("V1") | {"parent_id": "DV"},
        ],
        classes=[klass("VC", "V1")],
    )


def renumbered(prefix: str = "new-") -> Sis:
    """The same district after its SIS gave every org a new sourcedId."""
    sis = oak()
    for one in sis.orgs:
        one["sourced_id"] = prefix + one["sourced_id"]
        if "parent_id" in one:
            one["parent_id"] = prefix + one["parent_id"]
    for one in sis.users:
        one["org_ids"] = [prefix + org for org in one["org_ids"]]
    for one in sis.courses:
        one["org_id"] = prefix + one["org_id"]
    for one in sis.classes:
        one["school_id"] = prefix + one["school_id"]
    return sis


def settled(tasks: Tasks) -> tuple[Any, ...]:
    tasks.directory.settings = every_list("T1", "T2")
    tasks.night(oak())
    return tasks.directory.state()


def stopped(told: Told) -> str:
    assert told.state == "failed"
    (issue,) = [one for one in told.issues if one[3] == "orgs.other_district"]
    assert issue[0] == "critical" and issue[4] in told.reason
    return issue[4]


def test_none_of_the_schools_known_stops_the_night_and_names_whose_it_seems_to_be(tasks: Tasks) -> None:
    before = settled(tasks)
    for conf in ({}, {"accept_smaller": True}):
        words = stopped(tasks.night(valley(), conf=conf))
        assert "North Valley (DV)" in words and "none of the 2 schools" in words and "Oak Unified (D1)" in words
        assert tasks.directory.state() == before
    assert tasks.directory.rows("select school_id from directory.schools order by 1") == [("S1",), ("S2",)]


def test_another_district_org_stops_the_night_though_the_schools_have_the_same_ids(tasks: Tasks) -> None:
    before = settled(tasks)
    other = oak()
    other.orgs[0] |= {"sourced_id": "DV", "name": "North Valley"}
    assert "North Valley (DV)" in stopped(tasks.night(other))
    assert tasks.directory.state() == before


def test_the_same_ids_under_none_of_the_names_stop_the_night(tasks: Tasks) -> None:
    before = settled(tasks)
    other = oak()
    for one, name in zip(other.orgs, ("North Valley", "Valley High", "Valley Middle"), strict=True):
        one["name"] = name
    assert "North Valley (D1)" in stopped(tasks.night(other))
    assert tasks.directory.state() == before


@pytest.mark.parametrize(
    "change", ["rename one", "rename all a little", "no district org", "new school", "district org is bad", "unreadable"]
)
def test_the_same_district_goes_on(change: str, tasks: Tasks) -> None:
    settled(tasks)
    sis, unreadable = oak(), []
    if change == "rename one":
        sis.orgs[1]["name"] = "Lincoln High"
    elif change == "rename all a little":
        for one in sis.orgs:
            one["name"] = f"{one['name'].upper()} - OR"
    elif change == "no district org":
        sis.orgs = sis.orgs[1:]
    elif change == "new school":
        sis.orgs.append(school("S3"))
    elif change == "district org is bad":
        sis.orgs[0]["status"] = "?"
        sis.orgs.append({"sourced_id": "R1", "status": "active", "name": "Region", "type": "district"})
    else:
        sis.orgs = [*sis.orgs[1:], {"sourced_id": "R1", "status": "active", "name": "Region", "type": "district"}]
        unreadable = [("orgs", "D1")]
    assert tasks.night(sis, unreadable=unreadable).state in ("success", "completed_with_errors")


def beside(*, parent: str | None = "DV", chain: bool = False) -> Sis:
    """Oak with the orgs and the people of another district beside its own."""
    sis = oak()
    sis.users += [user(f"v{one}", schools=["V1"]) for one in range(12)]
    sis.orgs += [
        {"sourced_id": "DV", "status": "active", "name": "North Valley", "type": "district"},
        school("V1") | {"parent_id": parent},
    ]
    if chain:
        sis.orgs += [{"sourced_id": "R1", "status": "active", "name": "Region", "type": "district"}]
        for one in sis.orgs:
            if one["sourced_id"] in ("D1", "DV"):
                one["parent_id"] = "R1"
    return sis


def test_another_district_beside_ours_stops_the_night_until_a_person_says_whose_it_is(tasks: Tasks) -> None:
    before = settled(tasks)
    words = stopped(tasks.night(beside()))
    assert "North Valley (DV)" in words and "Oak Unified (D1)" in words and "1 new school" in words
    for conf in ({"accept_smaller": True}, {"accept_district": "D1"}):
        told = tasks.night(beside(), conf=conf)
        stopped(told)
    (fix,) = [one[5] for one in told.issues if one[3] == "orgs.other_district"]
    assert '{"accept_district": "DV"}' in fix and "schools: [S1, S2]" in fix
    assert tasks.directory.state() == before

    here = "select count(*) from directory.people where left(sourced_id, 1) = 'v' and status = 'active'"
    # The one cure: the district's file names its own schools.
    tasks.district = tasks.district.model_copy(update={"schools": ("S1", "S2")})
    told = tasks.night(beside())
    assert told.state in ("success", "completed_with_errors") and not [one for one in told.issues if one[0] == "critical"]
    assert tasks.directory.state() == before and tasks.directory.value(here) == 0
    # The other: they are ours, such as after two districts became one. It is asked once.
    tasks.district = tasks.district.model_copy(update={"schools": ()})
    stopped(tasks.night(beside()))
    assert tasks.night(beside(), conf={"accept_district": "DV"}).state == "success"
    assert tasks.directory.value(here) == 12
    assert tasks.night(beside()).state == "success"


def test_a_load_of_another_district_beside_ours_that_somebody_lets_run_is_refused(tasks: Tasks) -> None:
    before = settled(tasks)
    tasks.night(beside(), run_id="wrong")
    tasks.go_on("wrong")
    assert tasks.directory.state() == before


def test_a_new_school_of_ours_is_no_other_districts(tasks: Tasks) -> None:
    settled(tasks)
    for sis in (beside(parent="D1"), beside(parent=None), beside(parent="not listed")):
        assert tasks.night(sis).state in ("success", "completed_with_errors")


def test_districts_of_one_region_are_not_others(tasks: Tasks) -> None:
    settled(tasks)
    assert tasks.night(beside(chain=True)).state == "success"


def test_a_district_that_takes_schools_off_its_own_file_is_still_itself(tasks: Tasks) -> None:
    settled(tasks)
    tasks.district = tasks.district.model_copy(update={"schools": ("S1",)})
    assert tasks.night(oak()).state == "success"
    tasks.district = tasks.district.model_copy(update={"schools": ("S2",)})
    assert tasks.night(oak()).state == "success"


def test_the_printed_cure_of_a_renumbering_lets_it_land_and_is_kept_in_the_history(tasks: Tasks) -> None:
    settled(tasks)
    told = tasks.night(renumbered())
    (fix,) = [one[5] for one in told.issues if one[3] == "orgs.other_district"]
    assert '{"accept_district": "new-D1", "accept_smaller": true}' in fix
    assert "not among" in stopped(tasks.night(renumbered(), conf={"accept_district": "D1", "accept_smaller": True}))
    told = tasks.night(renumbered(), conf={"accept_district": "new-D1", "accept_smaller": True})
    assert told.state == "success", told.reason
    assert tasks.directory.rows("select school_id from directory.schools order by 1") == [("new-S1",), ("new-S2",)]
    assert tasks.directory.value("select count(*) from directory.people where status = 'archived'") == 0
    assert tasks.directory.rows("select school_ids from directory.people where sourced_id = 's1'") == [(["new-S1"],)]
    last = "select accepted from directory.sync_runs order by run_no desc limit 1"
    assert tasks.directory.value(last) == {"district": "new-D1", "smaller": True}
    # From here on this is the district.
    assert tasks.night(renumbered()).state == "success"
    assert "none of the 2 schools" in stopped(tasks.night(oak()))


def test_an_answer_for_one_district_is_none_for_another(tasks: Tasks) -> None:
    before = settled(tasks)
    stopped(tasks.night(valley(), conf={"accept_district": "new-D1"}))
    assert tasks.directory.state() == before


def test_a_load_that_somebody_lets_run_all_the_same_is_refused(tasks: Tasks) -> None:
    """The validation may be marked as succeeded by hand: whoever acts asks again."""
    before = settled(tasks)
    tasks.night(valley(), run_id="wrong")
    tasks.go_on("wrong")
    assert tasks.directory.state() == before


def test_a_replay_of_an_older_night_is_held_to_the_night_before_it(tasks: Tasks) -> None:
    """Not to one that came later, with other numbers."""
    tasks.directory.settings = every_list("T1", "T2")
    tasks.night(oak(), run_id="first")
    wrong = tasks.night(valley(), run_id="wrong")
    assert stopped(tasks.night(valley(), run_id="wrong", kind="backfill")) == stopped(wrong)


def strangers(sis: Sis, *, renumber: bool = False, rename: bool = False) -> Sis:
    """The same orgs and classes with other people; or with the same people under new sourcedIds, or other names."""
    for number, one in enumerate(sis.users):
        old = one["sourced_id"]
        if not renumber and not rename:
            one |= {"username": f"x{number}", "identifier": f"x{number}", "email": f"x{number}@example.org", "org_ids": ["V1"]}
        if not rename:
            one["sourced_id"] = f"new-{old}"
        if not renumber:
            one |= {"family_name": f"Other{number}", "given_name": f"Else{number}"}
        for roll in sis.enrollments:
            roll["user_id"] = one["sourced_id"] if roll["user_id"] == old else roll["user_id"]
    return sis


@pytest.mark.parametrize("rename", [False, True], ids=["at orgs that are not listed", "under the very ids of ours"])
def test_our_orgs_with_none_of_our_people_stop_the_night(tasks: Tasks, rename: bool) -> None:
    before = settled(tasks)
    assert tasks.directory.value("select count(*) from directory.people where status = 'active'") >= FEW_PEOPLE
    for conf in ({}, {"accept_smaller": True}):
        assert "the people of another district" in stopped(tasks.night(strangers(oak(), rename=rename), conf=conf))
        assert tasks.directory.state() == before
    # Carried out, the cure lets them in.
    told = tasks.night(strangers(oak(), rename=rename), conf={"accept_district": "D1", "accept_smaller": True})
    assert told.state in ("success", "completed_with_errors")


@pytest.mark.parametrize("left", ["all renumbered", "one is left", "one cannot be read"])
def test_the_same_people_go_on_however_few_are_left_or_renumbered(tasks: Tasks, left: str) -> None:
    settled(tasks)
    ours, sis, unreadable = oak(), strangers(oak(), renumber=left == "all renumbered"), []
    if left == "one is left":
        sis.users.append(ours.users[-1])
    elif left == "one cannot be read":
        unreadable = [("users", ours.users[0]["sourced_id"])]
    assert "orgs.other_district" not in tasks.night(sis, unreadable=unreadable).rules("critical")
