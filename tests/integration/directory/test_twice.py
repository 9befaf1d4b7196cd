"""Different records with one sourcedId: that one of them says somebody is gone proves nothing while another says that they are here."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.mingasync.district import Sis as SisOf
from include.mingasync.oneroster.access import Access
from tests.integration.directory.tasks import OAK, Tasks, every_list, oak
from tests.integration.directory.world import Row, everything_on
from tests.unit.oneroster.bundles import small


@pytest.mark.parametrize("at", [0, 1000], ids=["before", "after"])
def test_one_of_two_records_that_says_gone_ends_nobody_and_nothing(tasks: Tasks, at: int) -> None:
    tasks.directory.settings = every_list()
    tasks.night(oak())
    before = tasks.directory.state()
    for collection, sourced_id, over in (
        ("users", "s1", {"status": "tobedeleted"}),
        ("users", "t2", {"enabled": False}),
        ("users", "aide", {"role_begin_dates": ["2026-01-01"], "role_end_dates": ["2026-06-30"]}),
        ("classes", "C", {"status": "inactive"}),
        ("enrollments", "B/s4", {"status": "tobedeleted"}),
    ):
        sis = oak()
        rows: list[Row] = getattr(sis, collection)
        rows.insert(at, next(row for row in rows if row["sourced_id"] == sourced_id) | over)
        told = tasks.night(sis)
        assert tasks.directory.state() == before, (collection, sourced_id)
        assert (told.state, told.rules()) == ("completed_with_errors", [f"{collection}.id_twice"])


def test_a_bundle_that_repeats_rows_proves_who_is_gone(tasks: Tasks, tmp_path: Path) -> None:
    users = "sourcedId,status,enabledUser,orgSourcedIds,role,username,givenName,familyName,identifier,email"
    rows = [f"u{n},active,true,S1,student,u{n},Given{n},Family{n},{n},u{n}@x.org" for n in range(1, 31)]
    files = {
        "manifest": "propertyName,value\nfile.orgs,bulk\nfile.users,bulk",
        "orgs": "sourcedId,status,name,type\nS1,active,One,school",
        "users": "\n".join([users, *rows]),
    }
    tasks.directory.settings = everything_on()
    tasks.access = Access.to_bundle(str(small(tmp_path, **files)))
    tasks.district = OAK.model_copy(
        update={"sis": SisOf.model_validate({"name": "Skyward", "source": "csv", "url": str(tmp_path)})}
    )
    tasks.read_night()
    small(tmp_path, users="\n".join([users, *rows[:29], rows[0], rows[1].replace("S1", "")]))
    told = tasks.read_night()
    assert tasks.directory.rows("select sourced_id from directory.people where status = 'archived'") == [("u30",)]
    assert told.rules() == ["users.id_twice"] and "users.id_twice_same" in told.rules("warning")
    assert tasks.directory.value("select proven from directory.sync_runs order by run_no desc limit 1")
