"""User lists on their pages: what is found, who may do what, and how lists, rolls and the record of it stand in the end."""

from __future__ import annotations

import re
import threading

import pytest

from include.mingasync.console.searching import PER_PAGE
from tests.integration.console.conftest import Console
from tests.integration.console.school import SCRIPT, School, names_in
from tests.integration.console.sheets import PAGE
from tests.integration.console.test_pages import rows, words
from tests.integration.console.test_unreadable import as_airflow_connection

LISTS = "/districts/oak/lists"


@pytest.fixture
def school(console: Console) -> School:
    school = School(console)
    for slug in ("oak", "ash"):
        school.do("insert into directory.schools values (%s, 'S1', 'North <High>', null), (%s, 'S2', 'South', null)", slug, slug)
    return school


def found(at: School, /, **fields: str) -> list[str]:
    return names_in(at.look(LISTS, **fields).text, LISTS)


def test_lists_are_found_by_words_id_kind_school_visibility_and_state(school: School) -> None:
    school.list("Algebra 1 · Period 2 · Okonkwo", source_id="cls-7", visibility="public")
    school.list("Algebra 1 · Period 3 · Reyes", school_id="S2")
    school.list("Grade 9", kind="grade", source_id="09", status="inactive")
    school.list("100%_sure", kind="manual", source_id=None, synced_name=None, school_id=None)
    school.list("Of Ash", district="ash")
    every = ["100%_sure", "Algebra 1 · Period 2 · Okonkwo", "Algebra 1 · Period 3 · Reyes", "Grade 9"]
    assert names_in(school.console.page(LISTS), LISTS) == every
    assert found(school, text="reyes ALGEBRA") == [every[2]]
    assert found(school, text="CLS-7") == [every[1]]
    assert found(school, text="%_") == [every[0]]
    assert found(school, text="\\") == []
    assert found(school, kind="grade") == ["Grade 9"]
    assert found(school, school="S2") == [every[2]]
    assert found(school, school="~none") == [every[0]]
    assert found(school, visibility="public") == [every[1]]
    assert found(school, state="inactive") == ["Grade 9"]
    assert found(school, text="algebra", visibility="private", kind="class", state="active", school="S2") == [every[2]]
    assert "No list is found" in school.look(LISTS, text="nothing like it").text


def test_what_is_looked_for_stands_in_no_address_and_pages_keep_it(school: School) -> None:
    for number in range(PER_PAGE + 3):
        school.list(f"Okonkwo {number:02d}")
    school.list("Other")
    answer = school.look(LISTS, text="okonkwo", kind="class")
    assert "okonkwo" not in str(answer.url).lower() and "kind=class" in str(answer.url)
    assert f"{PER_PAGE + 3} lists found" in words(answer.text)
    (after,) = re.findall(r'<a href="([^"]+)" rel="next"', answer.text)
    assert "okonkwo" not in after.lower()
    second = school.console.page(f"{LISTS}{after.replace('&amp;', '&')}")
    assert names_in(second, LISTS) == [f"Okonkwo {number:02d}" for number in range(PER_PAGE, PER_PAGE + 3)]


@pytest.mark.parametrize(
    "spoilt", ["find=x", "kind=klass", "school=S9", "visibility=secret", "state=gone", "page=0", "page=x", "page=-1"]
)
def test_an_address_that_is_not_understood_shows_and_changes_nothing(school: School, spoilt: str) -> None:
    school.list("A")
    school.console.page(f"{LISTS}?{spoilt}", status=422)
    school.send(f"{LISTS}?{spoilt}", "public", which="all", status=422)
    assert school.visibility() == {"A": "private"} and school.by_hand() == []


def test_ticked_lists_are_set_as_public_and_undo_sets_back_those_that_changed(school: School) -> None:
    ids = [
        school.list(name, visibility=visibility)
        for name, visibility in (("A", "private"), ("B", "public"), ("C", "private"), ("D", "private"))
    ]
    at = school.rows("select updated_at from directory.user_lists where name = 'B'")
    answer = school.send(LISTS, "public", *(("list", one) for one in ids[:3]), which="ticked")
    assert "2 lists set as public." in words(answer.text)
    assert school.visibility() == {"A": "public", "B": "public", "C": "public", "D": "private"}
    assert school.rows("select updated_at from directory.user_lists where name = 'B'") == at
    assert school.rows("select changed_by, list_ids, before, after from directory.hand_changes") == [
        ("robin", [ids[0], ids[2]], {"visibility": "private"}, {"visibility": "public"})
    ]
    (change,) = re.findall(r'name="change" value="(\d+)"', answer.text)
    back = school.send(LISTS, "undo", change=change)
    assert "2 lists set back to private." in words(back.text)
    assert school.visibility() == {"A": "private", "B": "public", "C": "private", "D": "private"}
    # Once more it does nothing, and undoing the undo does what was done first.
    assert "Taken back by robin." in words(school.send(LISTS, "undo", change=change).text)
    assert school.visibility()["A"] == "private" and len(school.by_hand()) == 2
    (again,) = re.findall(r'name="change" value="(\d+)"', back.text)
    school.send(LISTS, "undo", change=again)
    assert school.visibility() == {"A": "public", "B": "public", "C": "public", "D": "private"}
    # What is so already is no change.
    assert "Nothing was changed" in words(school.send(LISTS, "public", ("list", ids[0])).text) and len(school.by_hand()) == 3


def test_undo_leaves_alone_what_was_changed_since(school: School) -> None:
    ids = [school.list(name) for name in "ABCD"]
    answer = school.send(LISTS, "public", *(("list", one) for one in ids))
    (change,) = re.findall(r'name="change" value="(\d+)"', answer.text)
    school.send(f"{LISTS}/{ids[1]}", "private")
    school.send(f"{LISTS}/{ids[1]}", "public")
    school.do("select directory.set_list_visibility(%s, 'private')", [ids[2]])
    back = words(school.send(LISTS, "undo", change=change).text)
    assert "2 lists set back to private. 2 had been changed since and were left alone." in back
    assert school.visibility() == {"A": "private", "B": "public", "C": "private", "D": "private"}


def test_all_that_match_are_reviewed_with_their_number_and_only_they_are_set(school: School) -> None:
    for number in range(PER_PAGE + 9):
        school.list(f"Algebra {number}", visibility="public" if number < 4 else "private")
    school.list("Biology")
    school.list("Algebra of Ash", district="ash")
    search = str(school.look(LISTS, text="algebra").url.query, "ascii")
    review = school.send(f"{LISTS}?{search}", "public", which="all")
    text = words(review.text)
    assert (
        "Set 55 lists as public?" in text
        and "59 lists match your search (“algebra”)." in text
        and "4 are public already." in text
    )
    assert set(school.visibility().values()) == {"public", "private"} and school.by_hand() == []
    (version,) = re.findall(r'name="version" value="(\w+)"', review.text)
    done = school.send(f"{LISTS}?{search}", "public", which="all", version=version)
    assert "55 lists set as public." in words(done.text)
    assert [name for name, value in school.visibility().items() if value == "private"] == ["Biology", "Algebra of Ash"]
    (change,) = re.findall(r'name="change" value="(\d+)"', done.text)
    school.send(f"{LISTS}?{search}", "undo", change=change)
    assert [name for name, value in school.visibility().items() if value == "public"] == [f"Algebra {n}" for n in range(4)]


def test_where_others_match_than_were_reviewed_nothing_is_set(school: School) -> None:
    school.list("Algebra 1")
    review = school.send(LISTS, "public", which="all")
    assert "no search is set: this is about all of them" in words(review.text)
    (version,) = re.findall(r'name="version" value="(\w+)"', review.text)
    school.list("Came with the night")
    again = school.send(LISTS, "public", which="all", version=version, status=409)
    assert "Set 2 lists as public?" in words(again.text) and set(school.visibility().values()) == {"private"}
    (version,) = re.findall(r'name="version" value="(\w+)"', again.text)
    school.send(LISTS, "public", which="all", version=version)
    assert set(school.visibility().values()) == {"public"}


def test_two_who_undo_at_the_same_moment_undo_once(school: School) -> None:
    ids = [school.list(name) for name in "ABC"]
    answer = school.send(LISTS, "public", *(("list", one) for one in ids))
    (change,) = re.findall(r'name="change" value="(\d+)"', answer.text)
    threads = [threading.Thread(target=school.send, args=(LISTS, "undo"), kwargs={"change": change}) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(school.visibility().values()) == {"private"}
    assert school.rows("select takes_back from directory.hand_changes order by 1 nulls first") == [None, int(change)]


def test_a_list_shows_who_is_on_it_and_what_a_hand_changed(school: School) -> None:
    ann, bo = school.person("Ann", "Ames", grades=["09"]), school.person("Bo", "Byrd")
    teacher = school.person("Tess", "Okonkwo", role="teacher")
    one = school.list("Algebra 1", members=[ann, bo], managers=[teacher], term_ids=["T1"])
    school.do("insert into directory.terms (district, term_id, title) values ('oak', 'T1', 'Fall 26')")
    page = words(school.console.page(f"{LISTS}/{one}"))
    for told in (
        "Algebra 1",
        "Kind Class",
        "School North <High>",
        "Visibility Private",
        "State Active",
        "Terms Fall 26",
        "Tess Okonkwo",
    ):
        assert told in page
    assert page.index("Ann Ames") < page.index("Bo Byrd") and "Nobody changed this list by hand." in page


def test_members_and_managers_are_added_and_removed_by_hand(school: School) -> None:
    ann, bo = school.person("Ann", "Ames"), school.person("Bo", "Byrd", email="bo@example.org")
    cy = school.person("Cy", "Cole", role="teacher")
    school.person("Bo", "Gone", status="archived")
    school.person("Bo", "Ash", district="ash")
    one = school.list("Algebra 1", members=[ann])
    path = f"{LISTS}/{one}"
    answer = school.send(path, "find", text="bo")
    assert "bo" not in str(answer.url.query, "ascii").lower().split("who=")[0] and "Byrd" in answer.text
    assert "Gone" not in answer.text and "Bo Ash" not in answer.text
    assert "Bo Byrd was added by hand as a member" in words(school.send(path, "add", person=bo, role="member").text)
    school.send(path, "add", person=cy, role="manager")
    told = words(school.send(path, "remove", person=ann, role="member").text)
    assert "Ann Ames was taken off by hand as a member; no sync puts them back." in told
    assert school.on(one) == [(cy, "manager"), (bo, "member")]
    decided = "select person_id, manager, keep, set_by from directory.membership_overrides order by person_id"
    assert school.rows(decided) == [(ann, False, False, "robin"), (bo, False, True, "robin"), (cy, True, True, "robin")]
    assert school.by_hand() == [("robin", "add"), ("robin", "add"), ("robin", "remove")]
    # Once more changes nothing.
    assert "Nothing was changed" in words(school.send(path, "add", person=bo, role="member").text) and len(school.by_hand()) == 3
    # Left to the SIS again, the next night decides.
    school.send(path, "release", person=ann, role="member")
    assert [row[0] for row in school.rows(decided)] == [bo, cy] and school.on(one) == [(cy, "manager"), (bo, "member")]
    assert "Nothing was changed" in words(school.send(path, "release", person=ann, role="member").text)


def test_a_list_is_renamed_and_follows_the_sync_again(school: School) -> None:
    one = school.list("Algebra 1")
    path = f"{LISTS}/{one}"
    (version,) = re.findall(r'name="version" value="(\w+)"', school.console.page(path))
    page = school.send(path, "rename", name="  Tess's   group ", version=version).text
    assert "Renamed from “Algebra 1” to “Tess's group”." in words(page) and "The sync's own name is “Algebra 1”." in words(page)
    assert school.rows("select name, synced_name from directory.user_lists") == [("Tess's group", "Algebra 1")]
    # Who comes second is told, and keeps what they typed.
    late = school.send(path, "rename", name="Mine", version=version, status=409)
    assert "Somebody gave this list another name" in words(late.text) and 'value="Mine"' in late.text
    (version,) = set(re.findall(r'name="version" value="(\w+)"', late.text))
    school.send(path, "rename", name="Algebra 1", version=version)
    assert school.rows("select name, synced_name from directory.user_lists") == [("Algebra 1", "Algebra 1")]
    assert school.by_hand() == [("robin", "rename"), ("robin", "rename")]
    for bad in ("", "   ", "x" * 201, "a\u0007b"):
        school.send(path, "rename", name=bad, version=version, status=422)
    assert len(school.by_hand()) == 2


def test_a_member_list_is_paged(school: School) -> None:
    people = [school.person("P", f"Family {number:03d}") for number in range(PER_PAGE + 5)]
    one = school.list("Everybody", kind="role", source_id="student", members=people)
    first, second = (school.console.page(f"{LISTS}/{one}?page={page}") for page in (1, 2))
    assert len(re.findall(r"P Family \d+", first)) == PER_PAGE and len(re.findall(r"P Family \d+", second)) == 5
    assert "The members end before this page." in words(school.console.page(f"{LISTS}/{one}?page=9"))


def test_a_list_of_another_district_is_refused_like_one_that_is_not_there(school: School) -> None:
    own, foreign = school.list("Own"), school.list("Secret of Ash", district="ash")
    theirs, ann = school.person("Theo", "Ash", district="ash"), school.person("Ann", "Ames")
    refusals = set()
    for number in (foreign, 999_999, 2**31, 10**30, "x", "-1", "٣"):
        refusals.add(words(school.console.page(f"{LISTS}/{number}", status=404)).replace(str(number), ""))
        for action, fields in (
            ("public", {}),
            ("rename", {"name": "X", "version": ""}),
            ("add", {"person": ann, "role": "member"}),
        ):
            assert "There is no such list" in school.send(f"{LISTS}/{number}", action, status=404, **fields).text
        assert "There is no such list" in school.send(LISTS, "public", ("list", own), ("list", number), status=404).text
    assert len(refusals) == 1
    for person in (theirs, 999_999, "x"):
        assert "There is no such person" in school.send(f"{LISTS}/{own}", "add", person=person, role="member", status=404).text
    assert set(school.visibility().values()) == {"private"} and school.on(own) == [] and school.by_hand() == []
    school.console.readable.add("mingasync_ash")
    school.console.editable.add("mingasync_ash")
    done = school.send(f"/districts/ash/lists/{foreign}", "public")
    (change,) = re.findall(r'name="change" value="(\d+)"', done.text)
    assert "There is no such change" in school.send(LISTS, "undo", change=change, status=404).text
    assert "Secret" not in school.console.page(f"{LISTS}?done={change}")


@pytest.mark.parametrize("number", ["123456789012345678x", "9" * 30, "9" * 5_000, "x", "-1", "²"])
def test_an_address_with_a_number_that_none_can_have_tells_of_no_change_and_is_no_page(number: str, school: School) -> None:
    assert "Nothing was changed" not in school.console.page(f"{LISTS}?done={number}")
    school.console.page(f"{LISTS}?page={number}", status=422)
    school.console.page(f"{LISTS}/{number}", status=404)


def test_rights_at_every_door(school: School) -> None:
    ann = school.person("Ann", "Ames")
    one = school.list("Algebra 1", members=[ann])
    school.console.editable.clear()
    for path in (LISTS, f"{LISTS}/{one}"):
        page = school.console.page(path)
        assert not {"public", "private", "rename", "add", "remove"} & set(re.findall(r'<button[^>]*value="(\w+)"', page))
        assert "Ann Ames" in page or path == LISTS
    assert found(school, text="algebra") == ["Algebra 1"]  # whoever may read may look for something
    acts = [("public", {"list": one}), ("public", {"which": "all"}), ("undo", {"change": 1}), ("rename", {"name": "X"}),
            ("add", {"person": ann, "role": "manager"}), ("remove", {"person": ann, "role": "member"}), ("find", {"text": "a"})]  # fmt: skip
    for action, fields in acts:
        for path in (LISTS, f"{LISTS}/{one}"):
            assert "Nothing was changed." in school.send(path, action, status=403, **fields).text
    school.console.editable.add("mingasync_oak")
    for district in ("ash", "none"):
        for below in ("lists", f"lists/{one}"):
            school.console.page(f"/districts/{district}/{below}", status=403)
            school.send(f"/districts/{district}/{below}", "public", list=one, status=403)
    form = f"list={one}&action=public&end=1"
    for path in (LISTS, f"{LISTS}/{one}"):
        for headers in ({"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "https://evil.example"}):
            kept = {
                **{k: v for k, v in PAGE.items() if k != "sec-fetch-site"},
                **headers,
                "content-type": "application/x-www-form-urlencoded",
            }
            assert school.console.browser.post(path, content=form, headers=kept).status_code == 403
        assert school.console.browser.post(path, content=form[:-6], headers=PAGE).status_code == 422
        school.send(path, "explode", status=422)
    assert "No list is ticked" in school.send(LISTS, "public", status=422).text
    assert set(school.visibility().values()) == {"private"} and school.on(one) == [(ann, "member")] and school.by_hand() == []


def test_names_are_text_and_pages_need_nothing_that_the_policy_forbids(school: School) -> None:
    bad = school.person(SCRIPT, SCRIPT, email=SCRIPT)
    one = school.list(SCRIPT, members=[bad], managers=[bad])
    school.send(f"{LISTS}/{one}", "remove", person=bad, role="member")
    (version,) = re.findall(r'name="version" value="(\w+)"', school.console.page(f"{LISTS}/{one}"))
    pages = [school.send(f"{LISTS}/{one}", "rename", name=f"{SCRIPT} 2", version=version).text, school.console.page(LISTS),
             school.send(f"{LISTS}/{one}", "find", text=SCRIPT).text, school.look(LISTS, text=SCRIPT).text,
             school.send(LISTS, "public", which="all").text]  # fmt: skip
    for page in pages:
        assert "<script>alert" not in page
        assert not re.findall(r"\s(?:style|on\w+)=|<style|<script>|https?://|target=", page)
    assert all("&lt;script&gt;" in page for page in pages[:4])


def test_a_run_that_holds_the_district_lets_nobody_in_between(school: School, database: str) -> None:
    import psycopg

    one = school.list("Algebra 1")
    with psycopg.connect(database) as run:
        run.execute("select directory.lock_district('oak')")
        told = school.send(f"{LISTS}/{one}", "public", status=503)
        assert "A run of this district is writing its results now." in told.text
        assert "Algebra 1" in school.console.page(f"{LISTS}/{one}")  # to look is always possible
    assert school.visibility() == {"Algebra 1": "private"}
    school.send(f"{LISTS}/{one}", "public")
    assert school.visibility() == {"Algebra 1": "public"}


def test_where_the_record_cannot_be_written_nothing_is_done(school: School) -> None:
    ann = school.person("Ann", "Ames")
    one = school.list("Algebra 1")
    school.do("alter table directory.hand_changes add check (changed_by <> 'robin')")
    school.send(f"{LISTS}/{one}", "public", status=503)
    school.send(f"{LISTS}/{one}", "add", person=ann, role="member", status=503)
    assert school.visibility() == {"Algebra 1": "private"} and school.on(one) == []
    assert school.rows("select count(*) from directory.membership_overrides") == [0]


def test_the_database_is_away(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    from stack.ports import free_port

    one = school.list("Algebra 1")
    monkeypatch.setenv("AIRFLOW_CONN_ROSTER_DB", as_airflow_connection(f"postgresql://a:b@127.0.0.1:{free_port()}/nothing"))
    for path in (LISTS, f"{LISTS}/{one}"):
        assert "does not answer" in school.console.page(path, status=503)
        assert "does not answer" in school.send(path, "public", list=one, status=503).text


def test_before_any_run_there_is_no_list(empty: Console) -> None:
    assert "No list yet" in empty.page(LISTS)
    empty.page(f"{LISTS}/1", status=404)


def test_whoever_is_removed_leaves_nothing_in_the_record(school: School) -> None:
    tess, ann = school.person("Tess", "Okonkwo", role="teacher"), school.person("Ann", "Ames")
    one = school.list("Algebra 1 · Okonkwo", managers=[tess])
    own = school.list("Tess's", kind="teacher", owner_id=tess)
    for number, name in ((one, "Mrs Okonkwo"), (own, "Mine")):
        (version,) = re.findall(r'name="version" value="(\w+)"', school.console.page(f"{LISTS}/{number}"))
        school.send(f"{LISTS}/{number}", "rename", name=name, version=version)
    school.send(f"{LISTS}/{one}", "add", person=tess, role="member")
    school.send(f"{LISTS}/{one}", "add", person=ann, role="member")
    school.do("update directory.user_lists set name = 'Algebra' where list_id = %s", one)
    school.do("select directory.remove_people('oak', %s)", [tess])
    kept = school.rows("select to_jsonb(h)::text from directory.hand_changes as h")
    assert len(kept) == 3 and not any("Okonkwo" in row or "Tess" in row or "Mine" in row for row in kept)
    assert "Renamed." in words(school.console.page(f"{LISTS}/{one}"))


def test_managers_stand_beside_their_lists(school: School) -> None:
    four = [school.person(name, "Teach", role="teacher") for name in ("A", "B", "C", "D")]
    school.list("Algebra 1", managers=four, members=[school.person("Ann", "Ames")])
    (row,) = rows(school.console.page(LISTS))[1:]
    assert row == "Algebra 1 Class North <High> A Teach, B Teach, C Teach and 1 more 1 private Active"
