"""Which collections of a pull prove that anything is gone, and which answer of a person changes that."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from include.mingasync.oneroster.records import COLUMNS
from include.mingasync.quality.unproven import consequence, resting_kinds, unproven_collections
from include.mingasync.snapshot import Proof, Snapshot

NOW = dt.datetime(2026, 11, 24, 8, tzinfo=dt.UTC)
SIZES = dict.fromkeys(COLUMNS, 100)
NEEDED = dict.fromkeys(COLUMNS, ("class_lists.enabled",))


def taken(folder: Path, proofs: Mapping[str, Mapping[str, Any]]) -> Snapshot:
    snapshot = Snapshot(folder.as_uri())
    for name in COLUMNS:
        plain = {"state": "complete", "rows": 100, "started_at": NOW, "finished_at": NOW}
        snapshot.prove(Proof(collection=name, **(plain | dict(proofs.get(name, {})))))
    return snapshot


#: What is said of a collection's proof -> why it proves nothing, without and with accept_smaller.
CASES: list[tuple[dict[str, Any], str | None, str | None]] = [
    ({}, None, None),
    ({"state": "changes"}, None, None),
    ({"state": "absent", "rows": 0, "reason": "not shared (status 403)"}, "absent", "absent"),
    ({"state": "incomplete", "reason": "it moved"}, "incomplete", "incomplete"),
    ({"state": "incomplete", "reason": "it moved", "rows": 3}, "incomplete", "incomplete"),
    ({"rows": 49}, "shrunken", None),
    ({"rows": 50}, None, None),
    ({"rows": 0}, "empty", None),
    ({"nameless": 2}, "nameless", "nameless"),
    ({"rows": 49, "nameless": 2}, "shrunken", "nameless"),
    ({"rows": 0, "nameless": 2}, "empty", "nameless"),
]


@pytest.mark.parametrize(("said", "why", "accepted"), CASES)
@pytest.mark.parametrize("collection", COLUMNS)
def test_each_state_of_each_collection(
    collection: str, said: dict[str, Any], why: str | None, accepted: str | None, tmp_path: Path
) -> None:
    snapshot = taken(tmp_path, {collection: said})
    for accept_smaller, expected in ((False, why), (True, accepted)):
        found = unproven_collections(snapshot, SIZES, NEEDED, accept_smaller=accept_smaller)
        assert {name: one.state for name, one in found.items()} == ({collection: expected} if expected else {})
        assert all(one.reason.endswith(".") and "  " not in one.reason for one in found.values())
        # Only what a person can know better is theirs to say.
        assert all(one.can_be_accepted == ("accept_smaller" in one.fix) for one in found.values() if one.state != "absent")


def test_what_was_smaller_for_long_or_is_not_needed_is_not_missed(tmp_path: Path) -> None:
    snapshot = taken(tmp_path, {"courses": {"state": "absent", "rows": 0, "reason": "404"}, "classes": {"rows": 0}})
    assert unproven_collections(snapshot, SIZES | {"classes": 0}, {}) == {}
    assert set(unproven_collections(snapshot, {}, NEEDED)) == {"courses", "classes"}


def test_schools_that_are_gone_are_the_orgs_and_may_be_accepted(tmp_path: Path) -> None:
    snapshot = taken(tmp_path, {})
    (why,) = unproven_collections(snapshot, SIZES, {}, gone_schools=["S1", "S2"]).values()
    assert (why.state, why.reason) == ("school_gone", "2 schools are gone from the SIS's orgs: S1, S2.")
    assert unproven_collections(snapshot, SIZES, {}, gone_schools=["S1"], accept_smaller=True) == {}


def test_what_follows_is_told_with_the_kinds_that_rest(tmp_path: Path) -> None:
    found = unproven_collections(taken(tmp_path, {"courses": {"rows": 1}}), SIZES, NEEDED)
    words = "Nobody was archived or taken off a list. Lists of kind class and subject stay as they are, and no new ones are made."
    assert consequence(resting_kinds(found)) == words
    nameless = unproven_collections(taken(tmp_path / "2", {"users": {"nameless": 1}}), SIZES, NEEDED)
    assert consequence(resting_kinds(nameless)) == "Nobody was archived or taken off a list."
