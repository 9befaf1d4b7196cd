"""Settings changed on their pages: what is stored in the end, who is said to have changed what, and what is refused."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
import sqlalchemy

from include.mingasync.console import metastore as airflows
from include.mingasync.errors import SettingsError
from include.mingasync.settings import Settings, read_settings
from tests.integration.console.conftest import Console
from tests.integration.console.sheets import Hand
from tests.integration.console.test_pages import rows, words

PAGES = ("settings", "terms", "list-settings")
FALL, SPRING = "t-fall", "t.spring"


@pytest.fixture
def hand(console: Console) -> Hand:
    for term, title, start, end in (
        (FALL, "Fall <b>26</b>", "2026-08-17", "2026-12-18"),
        (SPRING, "Spring", "2027-01-04", "2027-06-11"),
    ):
        console.connection.execute(
            "insert into directory.terms (district, term_id, title, type, start_date, end_date, classes)"
            " values ('oak', %s, %s, 'semester', %s, %s, 12)",
            (term, title, start, end),
        )
    console.connection.execute("insert into directory.schools values ('oak', 'S.1', 'North <High>', null)")
    return Hand(console)


def stored(hand: Hand) -> dict[str, Any]:
    text = hand.console.stored
    assert text is not None
    read_settings(text, "mingasync_oak")  # as a run would
    return dict(json.loads(text))


def test_every_setting_is_on_a_page_and_is_stored_as_a_run_reads_it(hand: Hand) -> None:
    form = hand.open("/districts/oak/settings")
    for name, value in [box for box in form.boxes if box[0] != "results_email.attach_changes"]:
        form.tick(name, value)
    form.fill("results_email.recipients", "sam@example.org, it@example.org\nkim@example.org")
    form.fill("quiet.0.from", "2027-06-11").fill("quiet.0.to", "2027-08-10").fill("quiet.0.mode", "additions_only")
    form.fill("safety.archive_percent", "12.5").fill("safety.archive_minimum", "30").fill("safety.absent_nights", "2")
    hand.press(hand.press(form, "review"), "save")

    form = hand.open("/districts/oak/terms").tick("class_lists.terms", SPRING)
    hand.press(hand.press(form, "review"), "save")
    form = hand.open("/districts/oak/list-settings")
    for name, value in form.boxes:
        form.tick(name, value)
    hand.press(hand.press(form, "review"), "save")

    every = {"roster": True, "auto_update": True, "archive": True}
    expected = {
        "automatic_rostering": True,
        "roles": {role: every for role in ("student", "teacher", "staff", "admin")},
        "include_primary_parent_contact": True,
        "class_lists": {"enabled": True, "terms": [SPRING]},
        "auto_lists": {"role": True, "grade": True, "subject": True, "teacher": True},
        "new_lists_public": True,
        "results_email": {"enabled": True, "recipients": ["sam@example.org", "it@example.org", "kim@example.org"]},
        "safety": {"archive_percent": 12.5, "archive_minimum": 30, "absent_nights": 2},
        "quiet": [{"from": "2027-06-11", "to": "2027-08-10", "mode": "additions_only"}],
    }
    assert stored(hand) == expected
    assert [who for who, _, _ in hand.console.audit()] == ["robin"] * 3
    assert hand.console.audit()[-1][2] == expected
    assert hand.console.audit()[0][1] is None
    # Shown again they are what was stored, and sent back unchanged they change nothing.
    for page in PAGES:
        assert "Nothing is changed" in hand.press(hand.open(f"/districts/oak/{page}"), "review").page


def test_a_review_shows_before_and_after_and_saves_nothing(hand: Hand) -> None:
    hand.console.store('{"safety": {"archive_percent": 5}, "class_lists": {"terms": ["gone"]}}')
    form = hand.open("/districts/oak/settings").tick("roles.student.roster").fill("safety.archive_percent", "7")
    review = hand.press(form, "review")
    assert rows(review.page)[1:] == [
        "Student rostering off on",
        "Hold archives above this share, in percent 5 7",
    ]
    assert hand.console.stored == '{"safety": {"archive_percent": 5}, "class_lists": {"terms": ["gone"]}}'
    assert hand.console.audit() == []
    back = hand.press(review, "edit")
    assert back.value("roles.student.roster") == ["on"] and back.value("safety.archive_percent") == ["7"]
    hand.press(hand.press(back, "review"), "save")
    assert stored(hand) == {
        "safety": {"archive_percent": 7},
        "class_lists": {"terms": ["gone"]},
        "roles": {"student": {"roster": True}},
    }


def test_auto_update_before_the_first_good_run_warns(hand: Hand) -> None:
    warning = "Keep Auto update and Archive turned off until you confirm your rostering sync is working correctly"
    form = hand.open("/districts/oak/settings").tick("roles.teacher.archive")
    assert warning in words(form.page) and warning in words(hand.press(form, "review").page)
    other = hand.open("/districts/oak/settings").tick("roles.teacher.roster")
    assert warning not in words(hand.press(other, "review").page)
    hand.console.run(state="success", loaded_at="2026-11-24")
    form = hand.open("/districts/oak/settings").tick("roles.teacher.archive")
    assert warning not in words(form.page) and warning not in words(hand.press(form, "review").page)


@pytest.mark.parametrize(
    ("field", "typed", "sentence"),
    [
        ("safety.archive_percent", "101", "key 'safety.archive_percent': Input should be less than or equal to 100."),
        ("safety.archive_percent", "nan", "key 'safety.archive_percent': Input should be less than or equal to 100."),
        ("safety.archive_percent", "", "key 'safety.archive_percent': Input should be a valid number."),
        ("safety.archive_minimum", "1.5", "key 'safety.archive_minimum': Input should be a valid integer."),
        ("safety.absent_nights", "0", "key 'safety.absent_nights': Input should be greater than or equal to 1."),
        ("results_email.recipients", "sam@example.org nobody", "Address 2: this is no e-mail address that a mail can go to; write one such as sam@example.org."),
        ("quiet.0.from", "2027-09-01", "key 'quiet.0': 'to' lies before 'from'; swap them."),
        ("quiet.0.mode", "sleep", "key 'quiet.0.mode': Input should be 'pause' or 'additions_only'."),
    ],
)  # fmt: skip
def test_what_a_run_would_refuse_is_refused_in_its_words_and_kept_in_the_form(
    hand: Hand, field: str, typed: str, sentence: str
) -> None:
    form = hand.open("/districts/oak/settings").fill("quiet.0.from", "2027-06-11").fill("quiet.0.to", "2027-08-10")
    refused = hand.press(form.fill(field, typed).tick("automatic_rostering"), "review", status=422)
    assert sentence in words(refused.page)
    assert refused.value("automatic_rostering") == ["on"]
    if not field.endswith("mode"):  # of which a form offers no others
        assert set(refused.value(field)[0].split()) == set(typed.split())
    assert hand.press(form, "review", status=422).page == refused.page
    assert hand.console.stored is None and hand.console.audit() == []
    if field != "results_email.recipients":  # of which a run only warns
        area, key = field.split(".", 1)
        value: Any = [{"from": "2027-06-11", "to": "2027-08-10", "mode": "pause"} | {field[8:]: typed}] if area == "quiet" else {
            key: float(typed) if typed in ("101", "nan", "1.5", "0") and key != "absent_nights" else int(typed) if typed == "0" else typed}  # fmt: skip
        with pytest.raises(SettingsError) as error:
            read_settings(json.dumps({area: value}), "mingasync_oak")
        assert sentence.removesuffix(".") in str(error.value)


def test_the_second_of_two_editors_is_told_what_the_first_changed_and_both_edits_hold(hand: Hand) -> None:
    mine = hand.open("/districts/oak/settings").tick("roles.student.roster").fill("safety.archive_percent", "20")
    review = hand.press(mine, "review")
    theirs = hand.open("/districts/oak/settings").tick("automatic_rostering").fill("safety.archive_percent", "5")
    hand.press(hand.press(theirs, "review"), "save")
    first = hand.console.stored

    told = hand.press(review, "save", status=409)
    assert hand.console.stored == first and len(hand.console.audit()) == 1
    page = words(told.page)
    assert "robin changed these settings while you had this page open." in page
    assert "Enable Automatic Rostering: off → on" in page and "in percent: 10 → 5" in page
    assert told.value("automatic_rostering") == ["on"] and told.value("safety.archive_percent") == ["20"]
    hand.press(hand.press(told, "review"), "save")
    assert stored(hand) == {
        "automatic_rostering": True,
        "safety": {"archive_percent": 20},
        "roles": {"student": {"roster": True}},
    }
    assert [(before, after) for _, before, after in hand.console.audit()][1] == (json.loads(first or ""), stored(hand))


def test_save_pressed_twice_saves_once_and_says_that_it_is_saved(hand: Hand) -> None:
    """A browser shows the answer to the second press; what it asked for is there, so nothing else may be said of it."""
    review = hand.press(hand.open("/districts/oak/settings").tick("roles.student.roster"), "review")
    assert "Saved" in words(hand.press(review, "save").page)
    assert "Saved" in words(hand.press(review, "save").page)
    assert stored(hand) == {"roles": {"student": {"roster": True}}} and len(hand.console.audit()) == 1


def test_a_change_in_airflows_own_pages_is_told_as_somebodys(hand: Hand) -> None:
    form = hand.open("/districts/oak/settings").tick("roles.student.roster")
    hand.console.store('{"include_primary_parent_contact": true}')
    told = hand.press(form, "review", status=409)
    assert "Somebody, outside of this console, changed these settings" in words(told.page)
    assert "Include Primary Parent Contact Info: off → on" in words(told.page)


def test_of_many_who_save_at_the_same_moment_one_is_stored(hand: Hand) -> None:
    reviews = [
        hand.press(hand.open("/districts/oak/settings").fill("safety.archive_minimum", str(n)), "review") for n in range(6)
    ]
    answers: list[int] = []

    def save(review: Any) -> None:
        fields = [*review.fields[:-1], ("action", "save"), *review.fields[-1:]]
        answers.append(hand.send(review.address, fields).status_code)

    threads = [threading.Thread(target=save, args=(review,)) for review in reviews]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, *[409] * 5]
    assert [after for _, _, after in hand.console.audit()] == [stored(hand)]


@pytest.mark.parametrize("broken", ['{"automatic_rostering": "yes"}', '{"automtic_rostering": true}', "{", "[]"])
def test_a_variable_that_no_run_can_use_is_said_and_can_be_replaced(hand: Hand, broken: str) -> None:
    hand.console.store(broken)
    hand.console.run(settings=Settings.model_validate({"roles": {"student": {"roster": True}}}).model_dump(mode="json"))
    form = hand.open("/districts/oak/settings")
    with pytest.raises(SettingsError) as error:
        read_settings(broken, "mingasync_oak")
    assert str(error.value) in words(form.page)
    assert form.value("roles.student.roster") == ["on"]
    hand.press(hand.press(form.tick("automatic_rostering"), "review"), "save")
    assert stored(hand)["automatic_rostering"] is True and stored(hand)["roles"]["student"]["roster"] is True
    assert hand.console.audit()[0][1] == broken
    assert "Put in place of a text that no run could use." in hand.console.page("/districts/oak/settings")


def test_a_variable_of_the_environment_is_told_and_not_saved(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    form = hand.open("/districts/oak/settings").tick("automatic_rostering")
    monkeypatch.setenv("AIRFLOW_VAR_MINGASYNC_OAK", '{"roles": {"staff": {"roster": true}}}')
    shown = hand.open("/districts/oak/settings")
    assert "They come from the environment variable AIRFLOW_VAR_MINGASYNC_OAK" in words(shown.page)
    assert shown.value("roles.staff.roster") == ["on"] and shown.actions == []
    told = hand.press(form, "review", status=409)
    assert "AIRFLOW_VAR_MINGASYNC_OAK" in told.page and told.actions == []
    assert hand.send(form.address, [*form.fields[:-1], ("action", "save"), *form.fields[-1:]]).status_code == 409
    assert hand.console.stored is None and hand.console.audit() == []


@pytest.mark.parametrize("page", PAGES)
def test_a_reader_may_look_and_not_save(hand: Hand, page: str) -> None:
    form = hand.open(f"/districts/oak/{page}")
    form.tick(*form.boxes[0])
    hand.console.editable.clear()
    shown = hand.open(f"/districts/oak/{page}")
    assert "You may look at these settings and not change them." in shown.page and shown.actions == []
    for action in ("review", "save", "edit"):
        answer = hand.send(form.address, [*form.fields[:-1], ("action", action), *form.fields[-1:]])
        assert answer.status_code == 403 and "Nothing was changed." in answer.text
    hand.console.editable |= {"mingasync_ash", "mingasync_oak"}
    fields = [*form.fields[:-1], ("action", "save"), *form.fields[-1:]]
    assert hand.send(f"/districts/elm/{page}", fields).status_code == 403
    assert hand.send(f"/districts/ash/{page}", fields).status_code == 403  # may be edited and not read: neither
    assert hand.console.stored is None and hand.console.audit() == []


@pytest.mark.parametrize("page", PAGES)
def test_a_form_of_another_site_or_in_part_changes_nothing(hand: Hand, page: str) -> None:
    form = hand.open(f"/districts/oak/{page}")
    form.tick(*form.boxes[0])
    fields = [*form.fields[:-1], ("action", "save"), *form.fields[-1:]]
    for site in ("cross-site", "same-site"):
        assert hand.send(form.address, fields, **{"sec-fetch-site": site}).status_code == 403
    for part in (fields[:-1], [one for one in fields if one[0] != "base"], []):
        assert hand.send(form.address, part).status_code == 422
    for spoilt in ("[]", "{", '{"x": 1}', "null", '{"schools": 3}'):
        told = [(name, spoilt if name == "base" else value) for name, value in fields]
        assert hand.send(form.address, told).status_code == 422
    assert hand.send(form.address, [("note", "a\0b"), *fields]).status_code == 422
    assert hand.console.stored is None and hand.console.audit() == []


def test_a_school_has_settings_of_its_own_and_all_others_as_the_district(hand: Hand) -> None:
    hand.console.store('{"roles": {"student": {"roster": true}}, "safety": {"archive_percent": 10}}')
    path = "/districts/oak/settings?school=S.1"
    form = hand.open(path).fill("roles.student.archive", "on").fill("safety.archive_minimum", "5")
    review = hand.press(form, "review")
    assert rows(review.page)[1:] == [
        "North <High>: Student rostering: Archive as the district on",
        "North <High>: Hold archives of at least so many people as the district 5",
    ]
    hand.press(review, "save")
    terms = hand.open("/districts/oak/terms?school=S.1").tick("class_lists.terms.own").tick("class_lists.terms", FALL)
    hand.press(hand.press(terms, "review"), "save")
    own = {
        "roles": {"student": {"archive": True}},
        "safety": {"archive_minimum": 5},
        "class_lists": {"terms": [FALL]},
    }
    assert stored(hand)["schools"] == {"S.1": own}
    assert "North <High> Student rostering: Archive: off → on" in words(hand.console.page("/districts/oak/settings"))
    back = hand.open(path).fill("roles.student.archive", "").fill("safety.archive_minimum", "")
    hand.press(hand.press(back, "review"), "save")
    terms = hand.open("/districts/oak/terms?school=S.1").untick("class_lists.terms.own")
    hand.press(hand.press(terms, "review"), "save")
    assert "schools" not in stored(hand)
    wrong = hand.press(hand.open(path).fill("safety.archive_percent", "101"), "review", status=422)
    assert "schools.S.1: key 'safety.archive_percent': Input should be less than or equal to 100." in words(wrong.page)
    assert hand.console.browser.get("/districts/oak/settings?school=S2").status_code == 404


def test_grades_keep_their_spelling_and_stand_under_a_warning(hand: Hand) -> None:
    hand.console.store('{"class_lists": {"grades": ["9", "Tenth"]}}')
    form = hand.open("/districts/oak/terms")
    assert "It is best practice to leave ALL grades UNSELECTED" in form.page
    assert form.value("class_lists.grades") == ["09", "10"]
    assert "Nothing is changed" in hand.press(form, "review").page
    hand.press(hand.press(form.untick("class_lists.grades", "10"), "review"), "save")
    assert stored(hand) == {"class_lists": {"grades": ["9"]}}


def test_terms_show_how_they_lie_to_today_and_one_that_is_not_shared_stays_selected(hand: Hand) -> None:
    hand.console.connection.execute(
        "update directory.terms set start_date = current_date - 90, end_date = current_date + 9 where term_id = %s", (FALL,)
    )
    hand.console.connection.execute(
        "update directory.terms set start_date = current_date + 20, end_date = current_date + 200 where term_id = %s", (SPRING,)
    )
    hand.console.store(json.dumps({"class_lists": {"terms": ["lost", FALL]}}))
    form = hand.open("/districts/oak/terms")
    told = rows(form.page)
    assert any("Fall <b>26</b>" in row and "current, ends in" in row and "nothing selected after it" in row for row in told)
    assert any("Spring" in row and "next" in row for row in told)
    assert any("lost" in row and "not shared" in row for row in told)
    hand.press(hand.press(form.tick("class_lists.terms", SPRING), "review"), "save")
    assert stored(hand) == {"class_lists": {"terms": ["lost", FALL, SPRING]}}
    assert "Fall <b>26</b>" not in hand.console.page("/districts/oak/terms")


def test_where_the_audit_cannot_be_written_nothing_is_saved_and_the_form_is_not_lost(hand: Hand) -> None:
    review = hand.press(hand.open("/districts/oak/settings").tick("automatic_rostering"), "review")
    hand.console.connection.execute("alter table directory.settings_history add check (changed_by <> 'robin')")
    told = hand.press(review, "save", status=503)
    assert "Not saved." in words(told.page) and told.value("automatic_rostering") == ["on"]
    assert hand.console.stored is None and hand.console.audit() == []


def test_where_the_variable_cannot_be_written_the_audit_tells_nothing(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    review = hand.press(hand.open("/districts/oak/settings").tick("automatic_rostering"), "review")
    whole = airflows.create_session

    class Broken:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def __enter__(self) -> Any:
            return self.inner.__enter__()

        def __exit__(self, *error: Any) -> None:
            if error[0] is None and self.writes():
                broke = sqlalchemy.exc.OperationalError("commit", {}, Exception("the server closed the connection"))
                self.inner.__exit__(type(broke), broke, None)
                raise broke
            self.inner.__exit__(*error)

        def writes(self) -> bool:
            return hand.console.connection.execute("select count(*) from directory.settings_history").fetchone() == (1,)

    monkeypatch.setattr(airflows, "create_session", lambda scoped: Broken(whole(scoped)))
    assert "Not saved." in words(hand.press(review, "save", status=503).page)
    assert hand.console.stored is None and hand.console.audit() == []


def test_before_any_run_settings_can_be_saved_and_the_audit_is_made(empty: Console) -> None:
    hand = Hand(empty)
    hand.press(hand.press(hand.open("/districts/oak/settings").tick("automatic_rostering"), "review"), "save")
    assert stored(hand) == {"automatic_rostering": True}
    assert hand.console.audit() == [("robin", None, {"automatic_rostering": True})]
