"""What is done before somebody is asked about a held archive: everything that waits for no answer, as mail and pages say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.providers.standard.operators.hitl import HITLOperator

from include.mingasync.airflow_glue import approval, context
from include.mingasync.airflow_glue.approval import ApproveArchive
from include.mingasync.district import find_district
from include.mingasync.oneroster import read
from tests.integration.airflow_glue.chain import Chain
from tests.integration.airflow_glue.conftest import Glue
from tests.integration.airflow_glue.test_clearing import DAY
from tests.integration.directory.world import NIGHT, Sis, everything_on, school, term, user

SETTINGS = everything_on(
    safety={"archive_percent": 10, "archive_minimum": 5},
    auto_lists={"role": True},
    results_email={"enabled": True, "recipients": ["all@example.org"]},
    schools={"S2": {"results_email": {"recipients": ["west@example.org"]}}},
)


def sis(north: int, west: int, teachers: int) -> Sis:
    people = [user(f"n{n}") for n in range(north)] + [user(f"w{n}", schools=("S2",)) for n in range(west)]
    people += [user(f"t{n}", "teacher", schools=("S2",)) for n in range(teachers)]
    return Sis(people, [school("S1", "North"), school("S2", "West")], [term("T1", school_year="2027", parent_id=None)])


@pytest.fixture
def chain(glue: Glue, monkeypatch: pytest.MonkeyPatch) -> Chain:
    """A district in whose one school 15 of 20 students are missing, and in the other one student and a teacher."""
    made = Chain(glue, sis(20, 20, 20))
    monkeypatch.setattr(read, "read_collection", made.read)
    monkeypatch.setattr(context, "sis_access", lambda district: None)
    monkeypatch.setattr(context, "links", lambda district, run: {})
    glue.settings = json.dumps(SETTINGS)
    assert made.start("first") == "success", made.row("first")["reason"]
    made.sis = sis(5, 19, 19)
    return made


def gone(chain: Chain) -> set[str]:
    return {row[0] for row in chain.glue.directory.rows("select sourced_id from directory.people where status = 'archived'")}


def test_whose_archive_waits_for_no_answer_is_archived_before_somebody_is_asked(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A leaver of another school does not keep access for as long as nobody answers about this one."""
    asked: list[Any] = []
    monkeypatch.setattr(approval, "decision_page", lambda: "https://example.org/decision")
    monkeypatch.setattr(approval, "this_district", lambda: find_district("oak"))
    monkeypatch.setattr(HITLOperator, "execute", lambda self, context: asked.append((self.subject, gone(chain))))
    assert chain.start("second", night=NIGHT + DAY, marked=["approve", "archive", "notify"]) == "running"
    ApproveArchive(task_id="approve").execute({})

    assert asked == [("15 people would be archived in Oak Valley, more than the safety limits allow", {"w19", "t19"})]
    on_lists = "select count(*) from directory.list_members join directory.people using (person_id) where status = 'archived'"
    assert chain.glue.directory.value(on_lists) == 0
    people = chain.row("second")["counts"]["people"]
    assert (people["student"]["archived"], people["student"]["archive_held"], people["teacher"]["archived"]) == (1, 15, 1)


@pytest.mark.parametrize("answer", ["approve", "reject", None])
def test_what_a_school_is_told_while_another_waits_holds_once_the_night_is_over(chain: Chain, answer: str | None) -> None:
    """Nobody is held in this school, so its mail goes out at once and is the only one."""
    chain.answer, chain.mails = answer, True
    chain.start("second", night=NIGHT + DAY)

    (mail,) = [mail for mail in chain.glue.sent() if "west@example.org" in str(mail["To"])]
    plain = mail.get_body(("plain",))
    assert plain is not None
    text = plain.get_content()
    assert "Students  created 0, updated 0, restored 0, archived 1, held back 0" in text
    assert "Teachers  created 0, updated 0, restored 0, archived 1, held back 0" in text
    assert gone(chain) == {"w19", "t19"} | ({f"n{n}" for n in range(5, 20)} if answer == "approve" else set())
    assert chain.row("second")["counts"]["people"]["student"]["archived"] == (16 if answer == "approve" else 1)
