"""The one primary contact of a human with several records or schools: which it is, and that nothing more of it is kept."""

from __future__ import annotations

from tests.integration.directory.tasks import Tasks
from tests.integration.directory.world import Sis, everything_on, school, user

BO = {"identifier": "id-bo", "email": "bo@example.org", "given_name": "Bo", "family_name": "Both"}
CONTACT = "select parent_email from directory.people where family_name = 'Both'"
TWO = [school("S1"), school("S2")]


def guardian(sourced_id: str) -> dict[str, object]:
    return user(sourced_id, "guardian", identifier=None, username=None)


def test_the_contact_of_any_record_of_one_human_is_kept_and_goes_with_it(tasks: Tasks) -> None:
    tasks.directory.settings = everything_on(include_primary_parent_contact=True)
    other = user("a", agent_ids=["q"])
    first, second = user("b1", username="b1", **BO), user("b2", schools=["S2"], username="b2", agent_ids=["p"], **BO)
    parents = [guardian("p"), guardian("q")]
    tasks.night(Sis(users=[other, first, second, *parents], orgs=TWO))
    assert tasks.directory.rows(CONTACT) == [("p@example.org",)]
    # The leading record's own comes first; without either there is none.
    tasks.night(Sis(users=[other, first | {"agent_ids": ["q"]}, second, *parents], orgs=TWO))
    assert tasks.directory.rows(CONTACT) == [("q@example.org",)]
    tasks.night(Sis(users=[other, first, second | {"agent_ids": []}, *parents], orgs=TWO))
    assert tasks.directory.rows(CONTACT) == [(None,)]


def test_a_contact_that_only_a_second_school_wants_is_not_kept_in_what_was_made_of_the_snapshot(tasks: Tasks) -> None:
    tasks.directory.settings = everything_on(schools={"S2": {"include_primary_parent_contact": True}})
    bo = user("b", schools=["S1", "S2"], agent_ids=["p"], **BO)
    sis = Sis(users=[bo, user("c", schools=["S2"], agent_ids=["p"]), guardian("p")], orgs=TWO)
    # As the reading leaves it: a student at two schools keeps their parent while any of them wants the contact.
    tasks.night(sis, proofs={"users": {"parents": True, "contacts": {"": False, "S2": True}}})
    assert tasks.directory.rows(CONTACT) == [(None,)]
    made = {row["sourced_id"]: row["parent_email"] for row in tasks.snapshots[-1].read_table("derived_people").to_pylist()}
    assert made == {"b": None, "c": "p@example.org"}


def test_a_contact_stays_while_the_record_leaves_open_at_which_school_somebody_is(tasks: Tasks) -> None:
    tasks.directory.settings = everything_on(schools={"S2": {"include_primary_parent_contact": True}})
    bo, other = user("b", schools=["S2"], agent_ids=["p"], **BO), user("c", schools=["S2"], agent_ids=["p"])
    tasks.night(Sis(users=[bo, other, guardian("p")], orgs=TWO))
    # At the reading, nobody's school wanted the contact of a record that names no school.
    tasks.night(Sis(users=[bo | {"org_ids": [], "agent_ids": []}, other, guardian("p")], orgs=TWO))
    assert tasks.directory.rows(CONTACT) == [("p@example.org",)]


def test_a_replay_of_what_was_read_without_a_contact_takes_none_away(tasks: Tasks) -> None:
    """A night failed while the contacts of a school were off; they are wanted again when its snapshot is replayed."""
    tasks.directory.settings = everything_on(include_primary_parent_contact=True)
    bo, other = user("b", schools=["S2"], agent_ids=["p"], **BO), user("c", agent_ids=["p"])
    tasks.night(Sis(users=[bo, other, guardian("p")], orgs=TWO))
    read_without = {"users": {"parents": True, "contacts": {"": True, "S2": False}}}
    tasks.night(Sis(users=[bo | {"agent_ids": []}, other, guardian("p")], orgs=TWO), proofs=read_without, kind="backfill")
    assert tasks.directory.rows(CONTACT) == [("p@example.org",)]
    tasks.night(Sis(users=[bo | {"agent_ids": []}, other, guardian("p")], orgs=TWO))
    assert tasks.directory.rows(CONTACT) == [(None,)]
