"""The mail of eight kinds of nights, as HTML and as text."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser

import pytest

from include.mingasync.results.mail import compose, valid_recipients
from tests.unit.results.nights import EIGHT, night

VERDICTS = {
    "first": "All good",
    "ordinary": "All good",
    "nothing changed": "All good",
    "held": "Waiting for you",
    "rejected": "Archives held back",
    "completed with errors": "Done, with problems",
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


@pytest.mark.parametrize("name", EIGHT)
def test_the_verdict_comes_first_in_subject_text_and_html(name: str) -> None:
    mail = compose(EIGHT[name])
    verdict = VERDICTS[name]
    assert mail.subject.startswith(f"Oak Valley roster sync 2026-11-24: {verdict}, ")
    assert mail.text.startswith(verdict.upper() + "\n")
    assert Words(mail.html).words[:2] == [verdict, "Oak Valley, night of 2026-11-24"]


@pytest.mark.parametrize("name", EIGHT)
def test_no_mail_shows_the_machinery(name: str) -> None:
    mail = compose(EIGHT[name])
    for part in (mail.subject, mail.text, " ".join(Words(mail.html).words)):
        assert not any(word in part for word in ("None", "Undefined", "{{", "dict(", "nan"))
    assert mail.attachments == ()


def test_an_ordinary_night_tells_its_numbers_per_role() -> None:
    mail = compose(EIGHT["ordinary"])
    assert mail.subject.endswith("5 joined, 7 left")
    assert "5 joined, 7 left, 31 updated." in mail.text
    words = Words(mail.html).words
    at = words.index("Students")
    assert words[at : at + 7] == ["Students", "4", "31", "1", "7", "0", "0"]
    assert "Students  created 4, updated 31, restored 1, archived 7, held back 0, skipped 0" in mail.text


def test_a_preview_never_claims_to_have_changed_anything() -> None:
    mail = compose(night("success", people={"created": 5}, kind="preview"))
    assert "Preview, nothing applied" in mail.subject
    assert "This is what the sync would do; nothing was applied. 5 joined" in " ".join(mail.text.split())


def test_a_night_without_changes_says_so() -> None:
    assert "Nothing changed: everybody here is as the SIS says." in compose(EIGHT["nothing changed"]).text


def test_a_held_night_leads_to_the_approval_and_says_how_many_of_how_many() -> None:
    mail = compose(EIGHT["held"])
    assert 'class="button" href="https://air.example.org/required_actions"' in mail.html
    assert "https://air.example.org/required_actions" in mail.text
    assert "North High, students: 112 of 400 would be archived" in mail.text
    assert "112 archives are held by the safety limits; these people stay active." in mail.text


def test_a_held_night_says_what_to_look_at_by_when_and_what_is_safe() -> None:
    mail = compose(EIGHT["held"])
    for part in (mail.text, " ".join(Words(mail.html).words)):
        told = " ".join(part.split())
        assert "112 archives wait for an approval in Required Actions. Everything else of the night is done: 2 joined" in told
        assert "Without an answer until 2026-11-25 01:50 CST it counts as rejected: these people stay active." in told


def test_a_rejected_night_gives_the_decision_as_its_reason_and_asks_no_more() -> None:
    mail = compose(EIGHT["rejected"])
    assert "112 archives were rejected; these people stay active." in mail.text
    assert "Answered by kim" in mail.text and "Answered by kim" in mail.html
    for part in (mail.text, mail.html):
        assert "required_actions" not in part and "Without an answer" not in part


def test_a_night_with_errors_names_cause_cure_and_what_was_left_alone() -> None:
    mail = compose(EIGHT["completed with errors"])
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


def test_a_failed_night_says_why_and_that_nothing_was_changed() -> None:
    text = compose(EIGHT["failed at extraction"]).text
    assert "The sync did not finish. The SIS refused the request for users (HTTP 403)." in text
    assert "WHAT WAS NOT CHANGED\n  Nothing was changed: people, lists and access" in text


def test_a_night_that_failed_after_its_load_does_not_claim_that_nothing_changed() -> None:
    mail = compose(night("failed", "Task archive failed; its log says why.", people={"created": 3}))
    text = " ".join(mail.text.split())
    assert "Nothing was changed" not in text
    assert "3 joined, 0 left, 0 updated" in text


def test_a_superseded_night_gives_its_reason() -> None:
    assert "The night of 2026-11-25 was loaded already." in compose(EIGHT["superseded"]).text


def test_names_and_reasons_cannot_become_html() -> None:
    odd = dataclasses.replace(EIGHT["held"], district='<b>Oak</b> & "Elm"', reason="<script>alert(1)</script>")
    odd = dataclasses.replace(odd, held=({"school": "<i>North</i>", "role": "student", "people": 1, "of": 2},))
    html = compose(odd).html
    assert "<script>" not in html and "<b>Oak" not in html and "<i>North" not in html
    assert "&lt;b&gt;Oak&lt;/b&gt; &amp; &#34;Elm&#34;" in html
    assert '<b>Oak</b> & "Elm"' in compose(odd).text


def test_line_breaks_in_a_district_name_cannot_reach_the_subject() -> None:
    assert "\n" not in compose(dataclasses.replace(EIGHT["first"], district="Oak\r\nBcc: eve@example.org")).subject


def test_the_links_that_are_not_known_are_left_out() -> None:
    mail = compose(dataclasses.replace(EIGHT["held"], links={}))
    assert "href" not in mail.html and "://" not in mail.text


def test_recipients_are_told_from_what_is_no_address() -> None:
    valid, invalid = valid_recipients(
        [" sam@example.org", "sam@example.org", "kim@", "a b@c.de", "x@y.z, eve@y.z", "x@y.z\nBcc: e@y.z", ""]
    )
    assert valid == ["sam@example.org"]
    assert invalid == ["kim@", "a b@c.de", "x@y.z, eve@y.z", "x@y.z\nBcc: e@y.z", ""]
