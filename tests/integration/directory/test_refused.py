"""A real server that refuses a collection, from the request to the verdict."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

import pytest

from include.mingasync.oneroster.access import Access
from include.mingasync.results.mail import compose
from include.mingasync.results.night import read_night
from include.rehearsal.faults import Faults
from include.rehearsal.running import Running, running
from include.rehearsal.server import CLIENT_ID, CLIENT_SECRET, application
from tests.integration.directory.tasks import Tasks, every_list
from tests.unit.oneroster.bundles import district

TODAY = dt.date(2026, 11, 24)


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(application(students=200, today=TODAY)) as at:
        yield at


@pytest.fixture
def connected(tasks: Tasks, server: Running) -> Tasks:
    """The tasks of a district whose SIS is the rehearsal server."""
    server.sis.faults = Faults()
    own = district(source="rest", url=None, version="1.2", page_size=200, max_parallel_requests=2, name="PowerSchool")
    tasks.district = own.model_copy(update={"slug": "oak"})
    tasks.access = Access.from_connection(
        host=server.root("1.2"), login=CLIENT_ID, password=CLIENT_SECRET, extra={"token_url": server.token_url}
    )
    tasks.directory.settings = every_list("fall", "full-year")
    return tasks


@pytest.mark.parametrize("conf", [{}, {"accept_smaller": True}], ids=["no answer", "accept_smaller"])
@pytest.mark.parametrize("collection", ["enrollments", "classes", "academicSessions"])
def test_a_refusal_changes_no_list_and_is_one_issue(
    collection: str, conf: dict[str, bool], connected: Tasks, server: Running
) -> None:
    assert connected.read_night().state in ("success", "completed_with_errors")
    before = connected.directory.state()
    assert len(before[1]) > 50 and len(before[2]) > 1000
    server.sis.faults = Faults(not_shared=collection)
    told = connected.read_night(conf=conf)
    assert connected.directory.state() == before
    assert told.rules() == [f"{collection}.not_shared"]
    assert told.state == "completed_with_errors" and f"{collection}: not shared (status 403)" in told.reason
    (issue,) = [one for one in told.issues if one[0] == "error"]
    assert "PowerSchool" in issue[5]


def test_a_first_night_with_enrollments_refused(connected: Tasks, server: Running) -> None:
    server.sis.faults = Faults(not_shared="enrollments")
    told = connected.read_night()
    assert told.rules() == ["enrollments.not_shared"] and told.state == "completed_with_errors"
    assert {row[0] for row in connected.directory.rows("select kind from directory.user_lists")} == {"role", "grade"}
    assert told.counts["people"]["student"]["created"] > 100
    # Once it is shared, the next night makes them.
    server.sis.faults = Faults()
    assert connected.read_night().counts["lists"]["class"]["created"] > 10


@pytest.mark.parametrize("first", [False, True], ids=["later", "first night"])
@pytest.mark.parametrize("collection", ["enrollments", "classes"])
def test_the_mail_tells_a_refusal_and_no_number_of_what_was_not_sent(
    collection: str, first: bool, connected: Tasks, server: Running
) -> None:
    if not first:
        connected.read_night()
    server.sis.faults = Faults(not_shared=collection)
    connected.read_night()
    run_id = connected.directory.value("select run_id from directory.sync_runs order by run_no desc limit 1")
    mail = compose(read_night(connected.directory.connection, connected.district, run_id))
    told = " ".join(mail.text.split())
    assert f"{collection}: not shared (status 403)" in told and "All good" not in mail.subject + mail.html + mail.text
    assert not re.search(rf"\b(?:0|no) {collection}\b", told)
    assert told.count(f"{collection}: not shared") <= 2, "the reason, and the issue with its cure"
