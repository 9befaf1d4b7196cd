"""A held archive answered on its page: what is in the directory in the end, who may answer, and that the first answer counts."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import sqlalchemy
from airflow.models.log import Log
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from include.mingasync.airflow_glue import context, nightly
from include.mingasync.airflow_glue.approval import ApproveArchive
from include.mingasync.directory import archive
from tests.integration.airflow_glue.conftest import Glue
from tests.integration.console.conftest import Console, committing
from tests.integration.console.metastore import answer_handed_on, make_tables, park, task
from tests.integration.console.sheets import PAGE, Hand, Sheet
from tests.integration.console.test_pages import words
from tests.integration.directory.keeping import keep
from tests.integration.directory.world import NIGHT, Sis, enrollment, everything_on, school, term, user

RUN = "scheduled__2026-11-25T08:00:00+00:00"
ADDRESS = f"/districts/oak/runs/{quote(RUN, safe='')}/decision"
SENIORS, NORTH, TEACHERS = "student|S1", "student|S2", "teacher|S1"
_YEAR = {"start_date": "2025-12-01", "end_date": "2026-11-22", "type": "schoolYear"}


def everybody() -> list[dict[str, Any]]:
    return [
        *(user(f"a{n}", schools=["S1"], grades=["12"], family_name=f"<b>Senior{n}</b>") for n in range(30)),
        *(user(f"b{n}", schools=["S1"], grades=["09"]) for n in range(120)),
        *(user(f"c{n}", schools=["S2"], grades=["10"], family_name=f"North{n}") for n in range(200)),
        *(user(f"t{n}", "teacher", schools=["S1"]) for n in range(20)),
    ]


@dataclass
class Held(Hand):
    """A run of oak that waits: 30 seniors of S1, 120 of the 200 students of S2, and 4 of the 20 teachers of S1 are missing."""

    glue: Glue
    run_no: int

    @property
    def metastore(self) -> sqlalchemy.Engine:
        assert self.console.metastore is not None
        return self.console.metastore

    def choose(self, sheet: Sheet, **answers: str) -> Sheet:
        """Mark the answers of groups, given in the order of the page."""
        for key, answer in zip((SENIORS, TEACHERS, NORTH), answers.values(), strict=True):
            sheet.fields.insert(0, (f"answer.{key}", answer))
        return sheet

    def review(self, seniors: str, teachers: str, north: str, status: int = 200) -> Sheet:
        return self.press(self.choose(chosen(self.open(ADDRESS)), a=seniors, b=teachers, c=north), "review", status)

    def go_on(self) -> None:
        """What Airflow does after an answer: the task takes it up, and the run goes on to its end."""
        event = answer_handed_on(self.metastore, RUN)
        ApproveArchive(task_id="approve").execute_complete({}, event)
        nightly.archive()
        nightly.notify()

    def status(self, prefix: str) -> dict[str, int]:
        query = "select status, count(*) from directory.people where sourced_id like %s group by status"
        return dict(self.glue.directory.rows(query, f"{prefix}%"))


def chosen(sheet: Sheet) -> Sheet:
    """The form without the answers that its page marks: every answer is typed anew."""
    sheet.fields = [(name, value) for name, value in sheet.fields if not name.startswith("answer.")]
    return sheet


@pytest.fixture
def held(console: Console, glue: Glue, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    assert console.metastore is not None
    make_tables(console.metastore)
    monkeypatch.setattr(context, "links", lambda district, run: {})
    directory = glue.directory
    directory.settings = everything_on(safety={"archive_percent": 10, "archive_minimum": 4})
    glue.settings = json.dumps(directory.settings)
    orgs = [school("S1", "North & <i>South</i>"), school("S2", "West")]
    terms = [term("T1"), term("Y", parent_id=None, **_YEAR)]
    directory.night(Sis(everybody(), orgs, terms), run_id="first")
    missing = {f"a{n}" for n in range(30)} | {f"c{n}" for n in range(120)} | {f"t{n}" for n in range(4)}
    rest = [one for one in everybody() if one["sourced_id"] not in missing]
    directory.night(Sis(rest, orgs, terms), run_id=RUN, night=NIGHT + dt.timedelta(days=1), archive_too=False)
    glue.start(RUN, night=NIGHT + dt.timedelta(days=1), send_email=False)
    glue.directory.do("update directory.sync_runs set settings = %s where run_id = %s", json.dumps(directory.settings), RUN)
    nightly.announce_hold(nightly.ask_held(), dt.timedelta(hours=3))
    park(console.metastore, "mingasync_oak", RUN, dt.datetime.now(dt.UTC) + dt.timedelta(hours=3))
    yield Held(console, glue, directory.value("select run_no from directory.sync_runs where run_id = %s", RUN))


def test_one_group_is_approved_and_the_others_are_refused(held: Held) -> None:
    look = held.review("approve", "reject", "reject")
    assert "Archive 30 people?" in words(look.page) and "30 students of North & <i>South</i> (20 %)" in words(look.page)
    assert held.status("a") == {"active": 30}
    page = words(held.press(look, "answer").page)
    assert "robin answered" in page and "It is being carried out now" in page
    asked = task(held.metastore, RUN).hitl_detail
    assert asked.chosen_options == ["Approve"] and asked.params_input == {"groups": [SENIORS]}
    assert asked.responded_by["name"] == "robin"

    held.go_on()
    assert (held.status("a"), held.status("c"), held.status("t")) == ({"archived": 30}, {"active": 200}, {"active": 20})
    answers = held.glue.directory.rows(
        "select school_id, role, answer, count(*) from directory.approvals group by 1, 2, 3 order by 1, 2"
    )
    assert answers == [("S1", "student", "approved", 30), ("S1", "teacher", "rejected", 4), ("S2", "student", "rejected", 120)]
    row = "select answer, answered_by, state, reason from directory.sync_runs where run_id = %s"
    assert held.glue.directory.rows(row, RUN) == [
        ("partly", "robin", "held", "124 archives were rejected; these people stay active.")
    ]
    after = words(held.console.page(ADDRESS))
    assert "Approved in part by robin" in after and "Approved: 30 archived." in after
    assert after.count("Rejected: these people stay active.") == 2 and "Review" not in after
    with Session(held.metastore) as session:
        (log,) = session.scalars(sqlalchemy.select(Log)).all()
        assert (log.event, log.owner, log.dag_id, log.run_id) == ("answer_held_archives", "robin", "mingasync_oak", RUN)


def test_all_refused_is_airflows_own_reject(held: Held) -> None:
    look = held.press(chosen(held.open(ADDRESS)), "reject_all")
    assert "Archive nobody?" in words(look.page)
    held.press(look, "answer")
    assert task(held.metastore, RUN).hitl_detail.chosen_options == ["Reject"]
    held.go_on()
    assert held.status("%") == {"active": 370}
    assert "Rejected by robin" in words(held.console.page(ADDRESS))


def test_more_than_a_hundred_are_only_archived_by_who_types_how_many(held: Held) -> None:
    look = held.review("approve", "reject", "approve")
    assert "Type 150 to go on" in words(look.page)
    for typed in ("", "15", "0150", "151", "all"):
        look = held.press(look.fill("typed", typed), "answer", status=422)
        assert "Type the number of people to be archived: 150." in words(look.page)
    assert task(held.metastore, RUN).state == "awaiting_input"
    held.press(look.fill("typed", "150"), "answer")
    held.go_on()
    assert (held.status("a"), held.status("c")) == ({"archived": 30}, {"active": 80, "archived": 120})


def test_the_page_says_who_how_many_of_how_many_why_and_until_when(held: Held) -> None:
    page = held.console.page(ADDRESS)
    told = words(page)
    assert "Archive 154 people?" in told
    assert "North & <i>South</i>, students 30 of 150 20 %" in told and "West, students 120 of 200 60 %" in told
    assert "Nearly everybody of grade 12 is missing (30), and few others: is it still shared?" in told
    assert "The school year ended on 22 Nov 2026: they may be its leavers." in told
    assert re.search(
        r"Without an answer until .* C[SD]T ?, nobody is archived\. They stay active, and the next night asks again", told
    )
    assert "<b>Senior" not in page and "&lt;b&gt;Senior0&lt;/b&gt;, Givena0" in page
    assert page.count("not sent any more") == 154


def test_a_collection_that_shrank_and_enrollments_of_the_missing_are_told(held: Held, tmp_path: Path) -> None:
    """Of those enrollments each group is told its own: one at another school says nothing of whom this one lacks."""
    directory = held.glue.directory
    for run_id, rows in (("first", 370), (RUN, 216)):
        directory.do(
            "update directory.sync_runs set collections = %s where run_id = %s", json.dumps({"users": {"rows": rows}}), run_id
        )
    still = [one["sourced_id"] for one in everybody() if one["sourced_id"] in ("c0", "c1", "c2", "t0")]
    rolls = [enrollment("K", one) for one in (*still, "c0", "nobody")] + [enrollment("K", "a1", status="tobedeleted")]
    sis = Sis([one for one in everybody() if one["sourced_id"] in ("c150", "t9")], enrollments=rolls)
    directory.do(
        "update directory.sync_runs set snapshot_url = %s where run_id = %s", keep(tmp_path, RUN, directory, sis).url, RUN
    )
    directory.do(
        "insert into directory.sync_issues (district, run_id, run_no, severity, resource, sourced_id, rule, message, fix)"
        " select 'oak', %s, %s, 'error', 'enrollments', 'e' || n, 'enrollments.user_unknown', 'm', 'f' from generate_series(1, 6) n",
        RUN,
        held.run_no,
    )
    told = words(held.console.page(ADDRESS))
    assert "The SIS sent 216 users; on Tue 24 Nov 2026 it sent 370." in told
    hardly = "whom it does not send and still enrolls: somebody who is enrolled has hardly left"
    assert told.count(hardly) == 2 and f"There are 3 {hardly}" in told and f"There is 1 {hardly}" in told
    directory.do(
        "update directory.changes set reason = 'tobedeleted' where run_no = %s and entity_no in"
        " (select person_id from directory.people where sourced_id in ('a0', 'a1'))",
        held.run_no,
    )
    assert words(held.console.page(ADDRESS)).count("Of 2 the SIS says itself that they are over") == 1


def test_whoever_may_only_read_sees_who_is_held_and_no_buttons(held: Held) -> None:
    held.console.editable.clear()
    page = held.console.page(ADDRESS)
    assert "30 of 150" in words(page) and "You may look at this district and not answer for it." in words(page)
    assert "Senior0" in page and "<button" not in page and "radio" not in page
    sheet = [("version", "x"), ("action", "answer"), ("end", "1")]
    assert held.send(ADDRESS, sheet).status_code == 403
    held.console.readable.clear()
    assert held.console.browser.get(ADDRESS).status_code == 403
    assert held.send(ADDRESS, sheet).status_code == 403
    assert task(held.metastore, RUN).state == "awaiting_input"


def test_another_sites_answer_is_refused(held: Held) -> None:
    look = held.press(chosen(held.open(ADDRESS)), "reject_all")
    fields = [*look.fields[:-1], ("action", "answer"), *look.fields[-1:]]
    for site in ("cross-site", "same-site"):
        assert held.send(look.address, fields, **{"sec-fetch-site": site}).status_code == 403
    assert task(held.metastore, RUN).state == "awaiting_input"


def test_the_first_answer_counts_and_the_second_is_told_whose_it_was(held: Held) -> None:
    look = held.review("approve", "approve", "reject")
    answer_in_airflow(held, "kim", ["Reject"])
    refused = words(held.press(look, "answer", status=409).page)
    assert "Your answer does not count: kim answered first" in refused
    held.go_on()
    assert held.status("%") == {"active": 370}
    again = words(held.press(look, "answer", status=409).page)
    assert "Your answer does not count: kim answered first" in again and "Rejected by kim" in again


def test_an_answer_in_required_actions_still_approves_everybody(held: Held) -> None:
    answer_in_airflow(held, "kim", ["Approve"])
    held.go_on()
    assert (held.status("a"), held.status("c")) == ({"archived": 30}, {"active": 80, "archived": 120})
    assert "Approved by kim" in words(held.console.page(ADDRESS))


@pytest.mark.parametrize("groups", [[], None, "student|S1", [None], ["student|S9"], {"student|S1": 1}])
def test_an_answer_that_cannot_be_read_approves_nobody(held: Held, groups: Any) -> None:
    answer_in_airflow(held, "kim", ["Approve"], {"groups": groups})
    held.go_on()
    assert held.status("%") == {"active": 370}


def test_a_question_that_was_asked_anew_is_shown_anew(held: Held) -> None:
    look = held.review("approve", "approve", "approve").fill("typed", "154")
    held.glue.directory.do("update directory.changes set status = 'planned' where run_no = %s and role = 'teacher'", held.run_no)
    again = held.press(look, "answer", status=409)
    assert "The task was asked anew since you opened this page." in words(again.page) and "Archive 150 people?" in words(
        again.page
    )
    look = held.press(chosen(again), "approve_all").fill("typed", "150")
    look.fields = [(name, "another" if name == "version" else value) for name, value in look.fields]
    held.press(look, "answer", status=409)
    assert task(held.metastore, RUN).state == "awaiting_input"


def test_a_task_that_was_stopped_is_not_answered(held: Held) -> None:
    look = held.review("approve", "approve", "approve").fill("typed", "154")
    with Session(held.metastore) as session:
        session.execute(sqlalchemy.text("update task_instance set state = 'failed'"))
        session.commit()
    assert "the question does not wait any more" in words(held.press(look, "answer", status=409).page)
    assert task(held.metastore, RUN).hitl_detail.responded_at is None
    assert "Review" not in words(held.console.page(ADDRESS))


def test_a_group_without_a_choice_is_told(held: Held) -> None:
    sheet = chosen(held.open(ADDRESS))
    sheet.fields.insert(0, (f"answer.{SENIORS}", "approve"))
    back = held.press(sheet, "review", status=422)
    assert "2 groups have neither Approve nor Reject." in words(back.page)
    assert 'value="approve" checked' in back.page


def test_nobody_in_time_a_preview_an_undone_run_and_a_run_without_a_hold_say_so(held: Held) -> None:
    nightly.reject_held(None)
    told = words(held.console.page(ADDRESS))
    assert "Nobody answered in time" in told and "the next night asks again" in told
    held.glue.directory.do("update directory.sync_runs set undone_at = now(), undone_by = 'manual__undo' where run_id = %s", RUN)
    assert (
        "Taken back by the run manual__undo, but for what a later run or a person decided since. Nothing is to be decided any more."
        in words(held.console.page(ADDRESS))
    )
    assert "there is nothing to decide" in words(held.console.page("/districts/oak/runs/first/decision"))
    assert "Not in the OneRoster History" in held.console.page("/districts/oak/runs/none/decision", status=404)
    held.glue.directory.do(
        "update directory.sync_runs set undone_at = null, answer = null, kind = 'preview' where run_id = %s", RUN
    )
    with Session(held.metastore) as session:
        session.execute(sqlalchemy.text("delete from hitl_detail"))
        session.commit()
    assert "This is a preview: a real run would hold these people and ask." in words(held.console.page(ADDRESS))


def test_the_run_leads_to_the_decision_and_links_carry_airflows_path(held: Held) -> None:
    assert f'href="{ADDRESS}">Approve or reject' in held.console.page(ADDRESS.removesuffix("/decision"))
    airflow = FastAPI(root_path="/airflow")
    airflow.mount("/rostering", held.console.browser.app)
    page = TestClient(airflow).get(f"/airflow/rostering{ADDRESS}", headers=PAGE).text
    assert f'action="/airflow/rostering{ADDRESS}"' in page and 'href="/airflow/dags/mingasync_oak/runs/' in page
    fields = [*Sheet(page).fields[:-1], ("action", "reject_all"), ("end", "1")]
    kind = {"content-type": "application/x-www-form-urlencoded"}
    client = TestClient(airflow, follow_redirects=False)
    look = Sheet(client.post(f"/airflow/rostering{ADDRESS}", content=urlencode(fields), headers={**PAGE, **kind}).text)
    fields = [*look.fields[:-1], ("action", "answer"), ("end", "1")]
    done = client.post(look.address, content=urlencode(fields), headers={**PAGE, **kind})
    assert done.status_code == 303 and done.headers["location"] == f"/airflow/rostering{ADDRESS}?given=1"


def test_pages_need_nothing_that_their_security_policy_forbids(held: Held) -> None:
    for page in (held.console.page(ADDRESS), held.review("approve", "approve", "approve").page):
        assert not re.findall(r"\s(?:style|on\w+)=|<style|<script>|https?://|target=", page)


def test_the_approval_that_is_kept_is_of_those_who_were_shown(held: Held) -> None:
    """Somebody who comes to the plan after the question was shown is not archived by its answer."""
    held.glue.directory.do(
        "insert into directory.changes (run_no, entity, entity_no, school_id, role, action, status, reason)"
        " select %s, 'person', person_id, 'S1', 'student', 'archive', 'held', 'absent' from directory.people where sourced_id = 'b0'",
        held.run_no,
    )
    look = held.press(chosen(held.open(ADDRESS)), "approve_all")
    held.press(look.fill("typed", re.findall(r"Type (\d+) to go on", look.page)[0]), "answer")
    held.go_on()
    assert held.status("b") == {"active": 120}


def answer_in_airflow(held: Held, who: str, options: list[str], given: dict[str, Any] | None = None) -> None:
    """An answer in Required Actions, by the route of Airflow's own API."""
    from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
    from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail

    somebody: Any = SimpleNamespace(get_id=lambda: who, get_name=lambda: who)
    payload = UpdateHITLDetailPayload(chosen_options=options, params_input=given or {})
    with committing(held.metastore) as session:
        update_hitl_detail("mingasync_oak", RUN, "approve", payload, somebody, session, -1)


def test_a_key_stands_for_its_group_and_no_other() -> None:
    for group in (("S|1", "student"), (None, "teacher"), ("", "staff")):
        assert archive.group_of(archive.key_of(group)) == (group[0] or None, group[1])
