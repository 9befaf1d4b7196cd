"""The mail of every kind of night, as HTML and as text."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser
from typing import Any

import pytest

from include.mingasync.results.mail import compose, valid_recipients
from tests.unit.results.nights import BAD_CLASS, NIGHTS, ODD_YEAR, night

VERDICTS = {
    "first": "All good",
    "ordinary": "All good",
    "nothing changed": "All good",
    "only class moves": "All good",
    "with a warning": "Done, 1 thing to look at",
    "held": "Waiting for you",
    "rejected": "Archives held back",
    "approved": "All good",
    "undone": "Undone",
    "completed with errors": "Done, with problems",
    "many issues": "Done, with problems",
    "absent nights": "All good",
    "additions only": "All good",
    "partly approved": "Archives held back",
    "failed at extraction": "Failed",
    "superseded": "Not needed",
}


class Words(HTMLParser):
    """What a reader of the HTML sees."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._hidden += tag in ("style", "title")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "title")

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.words.append(" ".join(data.split()))


@pytest.mark.parametrize("name", NIGHTS)
def test_the_verdict_comes_first_in_subject_text_and_html(name: str) -> None:
    mail = compose(NIGHTS[name])
    verdict = VERDICTS[name]
    assert mail.subject.startswith(f"{verdict}: ") and mail.subject.endswith(", Oak Valley, roster sync 2026-11-24")
    assert mail.text.startswith(verdict.upper() + "\n")
    assert Words(mail.html).words[:2] == [verdict, "Oak Valley, night of 2026-11-24"]


@pytest.mark.parametrize("name", NIGHTS)
def test_no_mail_shows_the_machinery(name: str) -> None:
    mail = compose(NIGHTS[name])
    for part in (mail.subject, mail.text, " ".join(Words(mail.html).words)):
        assert not any(word in part for word in ("None", "Undefined", "{{", "dict(", "nan"))
    assert mail.attachments == ()


def test_an_ordinary_night_tells_its_numbers_per_role() -> None:
    mail = compose(NIGHTS["ordinary"])
    assert mail.subject == "All good: 5 joined, 7 left, Oak Valley, roster sync 2026-11-24"
    assert "5 joined, 7 left, 31 updated." in mail.text
    words = Words(mail.html).words
    at = words.index("Students")
    assert words[at : at + 7] == ["Students", "4", "31", "1", "7", "0", "0"]
    assert "Students  created 4, updated 31, restored 1, archived 7, held back 0, skipped 0" in mail.text


def test_a_preview_never_claims_to_have_changed_anything() -> None:
    mail = compose(night("success", people={"created": 5, "archived": 2}, lists={"created": 1}, kind="preview"))
    assert mail.subject.startswith("Preview, nothing applied: 5 would join, 2 would leave, ")
    told = (
        "This is what the sync would do; nothing was applied. 5 would join, 2 would leave, 0 would be updated; "
        "1 list would be made, 0 changed, 0 made inactive."
    )
    assert told in " ".join(mail.text.split()) and "joined" not in mail.text


def test_a_preview_that_broke_off_after_its_plan_changed_nothing() -> None:
    mail = compose(
        night("failed", "Task archive failed; its log says why.", people={"created": 5, "archived": 3}, kind="preview")
    )
    text = " ".join(mail.text.split())
    assert mail.subject.startswith("Preview failed: nothing changed")
    assert "Done before" not in text and "joined" not in mail.subject
    assert "Nothing was changed: people, lists and access are as they were the night before." in text


@pytest.mark.parametrize(
    ("counted", "subject", "told"),
    [
        ({"moves": {"added": 12, "removed": 4}}, "12 memberships added, 4 removed", "12 memberships added, 4 removed."),
        (
            {"lists": {"created": 1, "deactivated": 2}, "moves": {"added": 1, "removed": 0}},
            "1 list made, 0 changed, 2 made inactive",
            "1 list made, 0 changed, 2 made inactive; 1 membership added, 0 removed.",
        ),
        ({"people": {"updated": 1234}}, "1,234 updated", "0 joined, 0 left, 1,234 updated."),
        (
            {"people": {"created": 1, "archived": 2}, "moves": {"added": 3}},
            "1 joined, 2 left",
            "1 joined, 2 left, 0 updated; 3 memberships added, 0 removed.",
        ),
    ],
)
def test_people_lists_and_memberships_count(counted: dict[str, dict[str, int]], subject: str, told: str) -> None:
    mail = compose(night("success", **counted))  # type: ignore[arg-type]
    assert mail.subject == f"All good: {subject}, Oak Valley, roster sync 2026-11-24"
    assert told in mail.text and "Nothing changed" not in mail.text


@pytest.mark.parametrize(
    ("what", "verdict"),
    [
        ({"state": "success", "causes": (ODD_YEAR,)}, "Done, 1 thing to look at"),
        ({"state": "success", "causes": (ODD_YEAR, ODD_YEAR)}, "Done, 2 things to look at"),
        ({"state": "success", "causes": (ODD_YEAR, BAD_CLASS)}, "Done, with problems"),
        ({"state": "completed_with_errors", "reason": "3 records.", "causes": (BAD_CLASS,)}, "Done, with problems"),
    ],
)
def test_all_good_stands_above_nothing_that_somebody_has_to_look_at(what: dict[str, Any], verdict: str) -> None:
    mail = compose(night(**what))
    assert mail.subject.startswith(f"{verdict}: nothing changed") and "All good" not in mail.html + mail.text


@pytest.mark.parametrize(
    "left_alone",
    [
        {"people": {"update_suppressed": 1}},
        {"people": {"skipped": 1}},
        {"moves": {"suppressed": 2}},
        {"state": "completed_with_errors"},
    ],
)
def test_nobody_is_said_to_be_as_the_sis_says_while_somebody_is_not(left_alone: dict[str, Any]) -> None:
    text = compose(night(**({"state": "success"} | left_alone))).text
    assert "Nothing changed." in text and "as the SIS says" not in text


@pytest.mark.parametrize("name", ["failed at extraction", "superseded"])
def test_a_night_that_counted_nothing_shows_no_zeros(name: str) -> None:
    mail = compose(NIGHTS[name])
    for part in (mail.text, mail.html):
        assert not any(word in part for word in ("Unchanged", "created 0", "PEOPLE", "User lists"))


def test_a_hold_is_told_by_how_many_of_whom() -> None:
    assert compose(NIGHTS["held"]).subject == "Waiting for you: 112 students, Oak Valley, roster sync 2026-11-24"
    staff = {"school_id": "S1", "school": "North High", "role": "staff", "people": 1, "of": 3}
    more = compose(dataclasses.replace(NIGHTS["held"], held=(*NIGHTS["held"].held, staff, NIGHTS["held"].held[0])))
    assert more.subject.startswith("Waiting for you: 224 students and 1 staff member, Oak Valley")
    assert "North High, staff members: 1 of 3" in more.text and "staffs" not in more.html


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("approved", "Answered by kim: approved."),
        ("partly", "Answered by kim: approved in part, the rest rejected."),
        ("late", "Answered by kim: approved too late, so nobody was archived."),
    ],
)
def test_the_mail_after_an_answer_says_who_gave_it(how: str, told: str) -> None:
    mail = compose(dataclasses.replace(NIGHTS["approved"], answer=how))
    assert told in mail.text and told in mail.html


def test_a_run_that_was_undone_says_so() -> None:
    mail = compose(NIGHTS["undone"])
    assert mail.subject.startswith("Undone: taken back, ")
    assert (
        "What this run did was taken back by the run manual__2026-11-24T09:00:00+00:00, but for what a later run or a person decided since."
        in " ".join(mail.text.split())
    )


def test_a_night_without_changes_says_so() -> None:
    assert "Nothing changed: everybody here is as the SIS says." in compose(NIGHTS["nothing changed"]).text


def test_a_held_night_leads_to_the_approval_and_says_how_many_of_how_many() -> None:
    mail = compose(NIGHTS["held"])
    assert 'class="button" href="https://air.example.org/required_actions"' in mail.html
    assert "https://air.example.org/required_actions" in mail.text
    assert "North High, students: 112 of 400 would be archived" in mail.text
    assert "112 archives are held by the safety limits; these people stay active." in mail.text


def test_a_held_night_leads_to_the_decision_page_where_there_is_one() -> None:
    held = NIGHTS["held"]
    mail = compose(dataclasses.replace(held, links={**held.links, "decision": "https://air.example.org/decision"}))
    assert 'class="button" href="https://air.example.org/decision"' in mail.html
    assert "Approve or reject: https://air.example.org/decision" in mail.text


def test_a_held_night_says_what_to_look_at_by_when_and_what_is_safe() -> None:
    mail = compose(NIGHTS["held"])
    for part in (mail.text, " ".join(Words(mail.html).words)):
        told = " ".join(part.split())
        assert "112 archives wait for an approval in Required Actions. Everything else of the night is done: 2 joined" in told
        assert "Without an answer until 2026-11-25 01:50 CST it counts as rejected: these people stay active." in told


def test_a_rejected_night_gives_the_decision_as_its_reason_and_asks_no_more() -> None:
    mail = compose(NIGHTS["rejected"])
    assert "112 archives were rejected; these people stay active." in mail.text
    assert "Answered by kim: rejected." in mail.text and "Answered by kim: rejected." in mail.html
    for part in (mail.text, mail.html):
        assert "required_actions" not in part and "Without an answer" not in part


def test_a_night_with_errors_names_cause_cure_and_what_was_left_alone() -> None:
    mail = compose(NIGHTS["completed with errors"])
    assert "3 x The class names no school.\n      Give the class a school." in mail.text
    words = " ".join(Words(mail.html).words)
    for told in (
        "3 x The class names no school. Give the class a school.",
        "6 people differ in the SIS",
        "2 people are gone",
        "1 SIS record was skipped",
    ):
        assert told in words
    assert "held back 8, skipped 1" in mail.text


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("absent nights", "3 people are gone from the SIS and stay active: not missing for enough nights running yet"),
        ("additions only", "40 people differ in the SIS and were left as they are: tonight only additions are made"),
        ("additions only", "1 person is gone from the SIS and stays active: tonight only additions are made"),
        ("many issues", "1,006 people differ in the SIS and were left as they are: auto update is off for their role."),
        ("many issues", "12 SIS records were skipped: excluded from the sync by hand."),
        ("many issues", "49 SIS records were skipped: it is not certain who they are, see What to fix."),
    ],
)
def test_what_was_left_alone_is_told_with_its_true_cause(name: str, told: str) -> None:
    mail = compose(NIGHTS[name])
    for part in (mail.text, " ".join(Words(mail.html).words)):
        assert told in " ".join(part.split()) and "archive is off" not in part


def test_causes_beyond_the_eighth_are_counted_and_one_of_many_issues_is_told_as_one_of_them() -> None:
    mail = compose(NIGHTS["many issues"])
    for part in (mail.text, " ".join(Words(mail.html).words)):
        words = " ".join(part.split())
        assert words.count("48 x, such as: Person 4711") == 7 and "3 more causes: see All details." in words


def test_a_failed_night_says_why_and_that_nothing_was_changed() -> None:
    text = compose(NIGHTS["failed at extraction"]).text
    assert "The sync did not finish. The SIS refused the request for users (HTTP 403)." in text
    assert "WHAT WAS NOT CHANGED\n  Nothing was changed: people, lists and access" in text


def test_a_night_that_failed_after_its_load_does_not_claim_that_nothing_changed() -> None:
    mail = compose(night("failed", "Task archive failed; its log says why.", people={"created": 3}))
    text = " ".join(mail.text.split())
    assert "Nothing was changed" not in text
    assert "3 joined, 0 left, 0 updated" in text


def test_a_superseded_night_gives_its_reason() -> None:
    assert "The night of 2026-11-25 was loaded already." in compose(NIGHTS["superseded"]).text


def test_names_and_reasons_cannot_become_html() -> None:
    odd = dataclasses.replace(NIGHTS["held"], district='<b>Oak</b> & "Elm"', reason="<script>alert(1)</script>")
    odd = dataclasses.replace(odd, held=({"school": "<i>North</i>", "role": "student", "people": 1, "of": 2},))
    html = compose(odd).html
    assert "<script>" not in html and "<b>Oak" not in html and "<i>North" not in html
    assert "&lt;b&gt;Oak&lt;/b&gt; &amp; &#34;Elm&#34;" in html
    assert '<b>Oak</b> & "Elm"' in compose(odd).text


def test_line_breaks_in_a_district_name_cannot_reach_the_subject() -> None:
    assert "\n" not in compose(dataclasses.replace(NIGHTS["first"], district="Oak\r\nBcc: eve@example.org")).subject


def test_the_links_that_are_not_known_are_left_out() -> None:
    mail = compose(dataclasses.replace(NIGHTS["held"], links={}))
    assert "href" not in mail.html and "://" not in mail.text


def test_recipients_are_told_from_what_is_no_address() -> None:
    valid, invalid = valid_recipients(
        [" sam@example.org", "sam@example.org", "kim@", "a b@c.de", "x@y.z, eve@y.z", "x@y.z\nBcc: e@y.z", ""]
    )
    assert valid == ["sam@example.org"]
    assert invalid == ["kim@", "a b@c.de", "x@y.z, eve@y.z", "x@y.z\nBcc: e@y.z", ""]
