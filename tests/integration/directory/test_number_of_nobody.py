"""Two of one name joined by a number that turns out to be a placeholder are asked about, not kept as one for good."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.integration.directory.world import NIGHT, Directory, Row, Sis, enrollment, klass, user

LATER = NIGHT + dt.timedelta(days=1)


def john(sourced_id: str, email: str | None) -> Row:
    """One of two children called John Smith, with the placeholder that the SIS gives to whoever has no number."""
    return user(sourced_id, given_name="John", family_name="Smith", identifier="0", email=email)


@pytest.mark.parametrize("email", [None, "noemail@example.org"])
def test_children_joined_by_a_placeholder_are_asked_about_once_others_bear_it(directory: Directory, email: str | None) -> None:
    sis = Sis(users=[john("j1", email), john("j2", email)], classes=[klass("C1"), klass("C2")])
    sis.enrollments = [enrollment("C1", "j1"), enrollment("C2", "j2")]
    directory.night(sis, unproven="users: it moved while it was read.")
    (one,) = directory.rows("select person_id from directory.people")

    sis.users += [user("x1", identifier="0", email=email), user("x2", identifier="0", email=email)]
    directory.night(sis, night=LATER)

    asked = "select person_id, sourced_id, state from directory.relink_proposals"
    assert directory.rows(asked) == [(*one, "j2", "proposed")]

    directory.do("select directory.refuse_relink(%s, 'j2')", *one)
    directory.night(sis, night=LATER + dt.timedelta(days=1))
    rows = directory.rows("select sourced_ids, status from directory.people where given_name = 'John' order by person_id")
    assert rows == [(["j1"], "active"), (["j2"], "active")]


def test_records_of_one_human_that_share_another_key_stay_one(directory: Directory) -> None:
    both = {"given_name": "Di", "family_name": "Dual", "identifier": "7", "email": "di@example.org"}
    sis = Sis(users=[user("d1", **both), user("d2", **both)])
    directory.night(sis)

    sis.users.append(user("x", identifier="7"))
    directory.night(sis, night=LATER)

    rows = directory.rows("select sourced_ids from directory.people order by person_id")
    assert rows == [(["d1", "d2"],), (["x"],)]
    assert directory.rows("select state from directory.relink_proposals") == []


@pytest.mark.parametrize("unproven", ["users: it moved while it was read.", None])
def test_two_people_who_seem_one_by_a_shared_number_are_told_of_once(directory: Directory, unproven: str | None) -> None:
    others = [user("x1", identifier="0"), user("x2", identifier="0")]
    directory.night(Sis(users=[john("j1", None), john("j2", None), *others]))
    before = directory.state()

    # Tonight nobody else's name shows that "0" is nobody's number; the directory does.
    directory.night(Sis(users=[john("j1", None), john("j2", None)]), night=LATER, unproven=unproven)
    told = "select rule, sourced_id, message, fix from directory.sync_issues where run_no = (select max(run_no) from directory.sync_runs)"
    of_who = [row for row in directory.rows(told) if row[0].startswith("users.")]
    assert [row[:2] for row in of_who] == [("users.identifier_shared_here", "j1")]
    people = dict(directory.rows("select sourced_id, person_id from directory.people"))
    assert f"person {people['j1']}, {people['j2']}" in of_who[0][2]
    assert directory.rows("select * from directory.relink_proposals") == []
    johns = [row for row in before[0] if row[5] == "John"]
    assert [row for row in directory.state()[0] if row[5] == "John"] == johns

    # The cure, carried out: everybody has their own number.
    cured = Sis(users=[john("j1", None) | {"identifier": "71"}, john("j2", None) | {"identifier": None}])
    directory.night(cured, night=LATER + dt.timedelta(days=1))
    assert directory.rows("select sourced_ids, status from directory.people where given_name = 'John' order by 1") == [
        (["j1"], "active"), (["j2"], "active"),
    ]  # fmt: skip
    assert [row for row in directory.rows(told) if row[0].startswith("users.")] == []
