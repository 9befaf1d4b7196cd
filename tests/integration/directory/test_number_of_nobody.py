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
