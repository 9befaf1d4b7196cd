"""What the pages show of a real directory."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import zipfile
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest

from include.mingasync.console.pages import RECORDS_PER_ISSUE, RUNS_PER_PAGE
from include.mingasync.directory.counts import empty_counts
from include.mingasync.snapshot import Snapshot
from tests.integration.console.conftest import Console

PAGES = ("/", "/districts/oak", "/districts/oak/runs/nothing")


def words(page: str) -> str:
    """A page's text without its tags, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def rows(page: str) -> list[str]:
    """The text of each row of a page's tables."""
    return [words(row) for row in re.findall(r"<tr.*?</tr>", page, re.DOTALL)]


def test_a_database_that_no_run_has_touched_says_how_to_begin(empty: Console) -> None:
    elm, oak = [row for row in rows(empty.page("/")) if "No run yet" in row]
    assert "No run yet Start the first sync…" in oak
    assert "No run yet The first sync is started by somebody who may edit mingasync_elm and start its runs." in elm
    assert "No run yet A person starts the first sync, not the clock." in words(empty.page("/districts/oak"))
    reader = empty.page("/districts/elm")
    assert "The first sync is started by somebody who may edit mingasync_elm and start its runs, not by the clock." in words(
        reader
    )
    assert "<button" not in reader and "<form" not in reader
    assert "Not in the OneRoster History" in empty.page("/districts/oak/runs/manual__1", status=404)


def test_nobody_who_may_read_nothing_is_left_without_a_word(console: Console) -> None:
    console.readable.clear()
    assert "There is no district whose DAG you may read." in words(console.page("/"))


def test_all_districts_show_only_those_one_may_read(console: Console) -> None:
    for district in ("oak", "elm", "ash"):
        console.run(district)
    page = words(console.page("/"))
    assert "2 districts" in page
    assert "mingasync_oak" in page and "mingasync_elm" in page
    assert "ash" not in page.lower().replace("dash", "")


def test_a_district_shows_its_last_run_and_its_last_good_night(console: Console) -> None:
    counts = empty_counts()
    counts["people"]["student"].update(created=1234, updated=5, archived=6)
    counts["issues"].update(error=1, warning=20)
    console.run(days_ago=2)
    console.run(state="failed", reason="The SIS answered 503.", counts=counts)
    console.run(kind="preview", days_ago=0.001)
    console.run(kind="undo", days_ago=0.0005)
    (row,) = [row for row in rows(console.page("/")) if "Oak" in row]
    assert "Failed The SIS answered 503. Tue 24 Nov 2026 1,234 5 6 1 error 20 warnings 2 days ago ! Late" in row


def test_a_preview_or_an_undo_is_no_good_night(console: Console) -> None:
    console.run(days_ago=2, state="failed")
    console.run(kind="preview")
    console.run(kind="undo")
    (row,) = [row for row in rows(console.page("/")) if "Oak" in row]
    assert "Failed" in row and row.endswith("never ! Late")


@pytest.mark.parametrize(("kind", "shown"), [("undo", False), ("nightly", True)])
def test_an_undo_reads_no_settings_and_its_page_tells_of_none(console: Console, kind: str, shown: bool) -> None:
    run_id = console.run(kind=kind)
    page = words(console.page(f"/districts/oak/runs/{quote(run_id, safe='')}"))
    assert ("before it read its settings" in page, "What it read" in page) == (shown, shown)


def test_a_run_that_was_undone_says_so_everywhere_and_is_no_good_night(console: Console) -> None:
    console.run(days_ago=2)
    counts = empty_counts()
    counts["people"]["student"].update(created=3)
    console.run(run_id="bad", counts=counts, undone_by="manual__undo", undone_at=dt.datetime.now(dt.UTC))
    (row,) = [row for row in rows(console.page("/")) if "Oak" in row]
    assert (
        "↶ Undone Taken back by the run manual__undo, but for what a later run or a person decided since." in row
        and row.endswith("2 days ago ! Late")
    )
    assert (
        "↶ Undone Taken back by the run manual__undo, but for what a later run or a person decided since."
        in rows(console.page("/districts/oak"))[1]
    )
    assert "↶ Undone" in words(console.page("/districts/oak/runs/bad"))
    assert ",Undone," in console.browser.get("/districts/oak/history.csv").text


def test_a_run_that_broke_off_shows_no_table_of_zeros(console: Console) -> None:
    run_id = console.run(state="failed", reason="The SIS answered 503.")
    assert "nothing counted" in rows(console.page("/districts/oak"))[1]
    page = words(console.page(f"/districts/oak/runs/{quote(run_id)}"))
    assert "Nothing was counted" in page and "Unchanged" not in page


def test_what_needs_somebody_stands_first(console: Console) -> None:
    console.run("oak", days_ago=0)
    console.run("elm", state="failed")
    assert ["Elm" in row or "elm" in row for row in rows(console.page("/"))[1:]] == [True, False]


def test_the_history_shows_runs_newest_first_with_what_happened_per_role(console: Console) -> None:
    counts = empty_counts()
    counts["people"]["student"].update(created=3, update_suppressed=4, archive_held=50)
    counts["people"]["teacher"].update(restored=1)
    counts["lists"]["class"].update(created=2, unchanged=90)
    counts["memberships"].update(added=1000, removed=7)
    console.run(days_ago=1, state="skipped", reason="Automatic rostering is off.", counts=None)
    console.run(state="held", reason="50 archives wait for an approval.", counts=counts)
    told = rows(console.page("/districts/oak"))[1:]
    assert told[0] == (
        "Tue 24 Nov 2026 Nightly · 1 min 14 s ‖ Held 50 archives wait for an approval. 3 0 1 0 54 0 2 +1,000 −7 none"
    )
    assert told[1] == "Student 3 0 0 0 54 0"
    assert told[2] == "Teacher 0 0 1 0 0 0"
    assert "Skipped Automatic rostering is off. nothing counted" in told[3]
    assert len(told) == 4


def test_a_run_that_goes_on_says_for_how_long(console: Console) -> None:
    console.run(state="running", finished_at=None, counts=None)
    assert "Nightly · for 5 min" in rows(console.page("/districts/oak"))[1]


@pytest.mark.parametrize(("page", "shown"), [(1, RUNS_PER_PAGE), (2, 5)])
def test_the_history_is_paged(console: Console, page: int, shown: int) -> None:
    for days_ago in range(RUNS_PER_PAGE + 5):
        console.run(days_ago=days_ago, run_id=f"night-{days_ago}")
    text = console.page(f"/districts/oak?page={page}")
    assert len(re.findall(r"/runs/night-\d+", text)) == shown
    assert ("Older" in text, "Newer" in text) == (page == 1, page == 2)


def test_a_page_after_the_last_leads_back(console: Console) -> None:
    console.run()
    assert "The history ends before this page." in console.page("/districts/oak?page=7")


def test_a_run_shows_issues_by_cause_with_their_cure_and_some_records(console: Console) -> None:
    counts = empty_counts()
    counts["issues"].update(critical=1, error=30, warning=1)
    run_id = console.run(state="completed_with_errors", counts=counts)
    console.issue(run_id, "w-1", severity="warning", rule="users.email_malformed", message="The address is none.")
    for number in range(30):
        console.issue(run_id, f"user-{number:02d}")
    console.issue(run_id, None, severity="critical", resource="orgs", rule="orgs.none", message="The SIS sent no orgs.")
    page = console.page(f"/districts/oak/runs/{quote(run_id, safe='')}")
    assert re.findall(r"<article class=\"issue (\w+)", page) == ["bad", "warn", "quiet"]
    assert "Error The user's role is none that OneRoster knows. Cure: Correct the role in PowerSchool." in words(page)
    assert "30 records in users · users.role_unknown SourcedIds, the first 20" in words(page)
    assert len(re.findall(r"user-\d\d", page)) == RECORDS_PER_ISSUE
    # What is said of a collection as a whole is no record of it.
    assert "The SIS sent no orgs. Cure: Correct the role in PowerSchool. orgs · orgs.none" in words(page)
    assert "record in orgs" not in words(page) and "1 record in users · users.email_malformed" in words(page)


def test_a_run_shows_its_changes_as_numbers_and_never_a_name(console: Console) -> None:
    run_id = console.run()
    (run_no,) = console.connection.execute("select run_no from directory.sync_runs").fetchone() or (0,)
    (person,) = console.connection.execute(
        "select directory.add_person('oak', 'student', 'Lisbeth', 'Quatermain', 'lisbeth@example.org')"
    ).fetchone() or (0,)
    for _ in range(3):
        console.connection.execute(
            """
            insert into directory.changes (run_no, entity, entity_no, role, action, status, reason, after)
            values (%s, 'person', %s, 'student', 'create', 'applied', 'new_in_sis',
                    '{"given_name": "Lisbeth"}')
            """,
            (run_no, person),
        )
    console.connection.execute(
        """
        insert into directory.membership_changes (run_no, list_id, manager, action, status, reason, people) values
            (%(run)s, 1, false, 'add', 'applied', 'roster', '{1}'), (%(run)s, 2, false, 'add', 'applied', 'roster', '{1}'),
            (%(run)s, 3, false, 'remove', 'applied', 'roster', '{1}'),
            (%(run)s, 4, false, 'remove', 'suppressed', 'auto_update_off', '{1}')
        """,
        {"run": run_no},
    )
    page = console.page(f"/districts/oak/runs/{quote(run_id, safe='')}")
    assert [row for row in rows(page) if row.startswith(("Person", "Membership"))] == [
        "Person student Create Applied New in SIS 3",
        "Membership Add Applied Roster 2",
        "Membership Remove Applied Roster 1",
        "Membership Remove Suppressed Auto update off 1",
    ]
    assert "Lisbeth" not in page and "Quatermain" not in page


def test_a_run_shows_the_settings_it_used_and_what_it_read(console: Console) -> None:
    run_id = console.run(
        settings={"new_lists_public": True},
        collections={"users": {"rows": 3700}, "orgs": {}},
        proven=False,
        unproven_because="The resource 'users' shrank by half.",
        answer="approved",
        answered_by="robin",
    )
    page = words(console.page(f"/districts/oak/runs/{quote(run_id, safe='')}"))
    assert '"new_lists_public": true' in page
    assert "orgs – users 3,700" in page
    assert "The resource 'users' shrank by half." in page
    assert "Archive approved by robin" in page


def test_a_district_sees_nothing_of_another_even_where_run_ids_are_the_same(console: Console) -> None:
    run_id = console.run("oak", run_id="manual__same")
    console.run("ash", run_id="manual__same", reason="Only for Ash.")
    console.issue("manual__same", "ash-1", district="ash", message="A fault of Ash.")
    console.connection.execute(
        "insert into directory.changes (run_no, entity, role, action, status) select run_no, 'person', "
        "'student', 'ashes', 'applied' from directory.sync_runs where district = 'ash'"
    )
    for path in ("/", "/districts/oak", f"/districts/oak/runs/{run_id}", "/districts/oak/history.csv"):
        page = console.browser.get(path).text
        assert "Ash" not in page and "ash-1" not in page and "Ashes" not in page
    assert console.browser.get(f"/districts/ash/runs/{run_id}").status_code == 403
    assert "Not in the OneRoster History" in console.page("/districts/elm/runs/manual__same", status=404)


def test_html_in_names_and_data_is_text_and_never_markup(console: Console) -> None:
    bad = "<script>alert(1)</script>"
    run_id = console.run(run_id=f"manual__{bad.replace('/', '')}", state="failed", reason=bad, settings={bad: bad})
    console.issue(run_id, bad, message=bad, fix=bad, rule=bad, resource=bad)
    for path in ("/", "/districts/oak", f"/districts/oak/runs/{quote(run_id, safe='')}"):
        page = console.page(path)
        assert "<script>alert" not in page and "<i>Unified" not in page
        assert "&lt;script&gt;alert" in page and "Oak Park &lt;i&gt;Unified&lt;/i&gt;" in page
    assert "&lt;script&gt;" in console.page("/districts/oak/runs/<script>", status=404)


def test_pages_need_nothing_that_their_security_policy_forbids(console: Console) -> None:
    run_id = console.run(settings={"a": 1})
    console.issue(run_id, "u-1")
    for path in ("/", "/districts/oak", f"/districts/oak/runs/{quote(run_id, safe='')}"):
        page = console.page(path)
        assert not re.findall(r"\s(?:style|on\w+)=|<style|<script>|https?://|target=", page)
        for address in re.findall(r'(?:src|rel="stylesheet" href)="([^"]+)"', page):
            assert console.browser.get(address).status_code == 200


@pytest.mark.parametrize(
    ("ended", "told"), [(True, "the run did not come to its plan."), (False, "the run has not come to its plan yet.")]
)
def test_a_run_that_goes_on_may_still_come_to_its_plan(console: Console, *, ended: bool, told: str) -> None:
    how = {"state": "failed"} if ended else {"state": "running", "finished_at": None}
    run_id = console.run(counts=None, **how)
    assert told in words(console.page(f"/districts/oak/runs/{quote(run_id)}"))


def test_the_history_as_csv_is_whole_and_safe_to_open(console: Console) -> None:
    for days_ago in reversed(range(RUNS_PER_PAGE + 2)):
        console.run(days_ago=days_ago, reason="=HYPERLINK(1)")
    answer = console.browser.get("/districts/oak/history.csv")
    lines = list(csv.DictReader(answer.text.splitlines()))
    assert len(lines) == RUNS_PER_PAGE + 2
    assert {line["reason"] for line in lines} == {"'=HYPERLINK(1)"}
    assert lines[0]["night"] == "2026-11-24"
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="oneroster-history-oak.csv"'


def test_links_carry_the_path_under_which_airflow_is_served(console: Console) -> None:
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    airflow = FastAPI(root_path="/airflow")
    airflow.mount("/rostering", console.browser.app)
    page = TestClient(airflow).get("/airflow/rostering/", headers={"accept": "text/html"}).text
    assert 'href="/airflow/rostering/districts/oak"' in page
    assert 'src="/airflow/rostering/static/console.js"' in page
    assert 'href="/airflow/dags/mingasync_oak"' in page


def test_a_district_whose_file_cannot_be_read_goes_by_its_slug(console: Console) -> None:
    console.readable.add("mingasync_yew")
    console.run("yew")
    assert "yew mingasync_yew" in words(console.page("/"))
    assert "UTC" in words(console.page("/districts/yew"))


@pytest.mark.parametrize(("kind", "dag_id"), [("nightly", "mingasync_oak"), ("undo", "mingasync_undo")])
def test_a_run_leads_to_its_own_run_in_airflow(console: Console, kind: str, dag_id: str) -> None:
    console.run(run_id="manual__2026-11-24T08:00:00+00:00", kind=kind)
    page = console.page("/districts/oak/runs/manual__2026-11-24T08:00:00+00:00")
    assert f'href="/dags/{dag_id}/runs/manual__2026-11-24T08%3A00%3A00%2B00%3A00" data-airflow' in page


def test_a_run_leads_to_its_data_docs_and_nothing_beside_them(console: Console, tmp_path: Path) -> None:
    snapshot = Snapshot(str(tmp_path / "snapshot"))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("index.html", "<h1>Data Docs</h1>")
        archive.writestr("static/looks.css", "h1 {}")
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / "nothing.json").write_text("{}")
    snapshot.keep_data_docs(content.getvalue())
    run_id = console.run(snapshot_url=snapshot.url)
    (console_link,) = re.findall(
        r'href="([^"]*/data-docs/index.html)"', console.page(f"/districts/oak/runs/{quote(run_id, safe='')}")
    )
    assert console_link.endswith(f"/districts/oak/runs/{quote(run_id, safe='')}/data-docs/index.html")
    base = f"/districts/oak/runs/{quote(run_id, safe='')}/data-docs"
    answer = console.browser.get(f"{base}/index.html")
    assert answer.text == "<h1>Data Docs</h1>" and "script-src" not in answer.headers["Content-Security-Policy"]
    assert console.browser.get(f"{base}/static/looks.css").headers["content-type"].startswith("text/css")
    for other in ("missing.html", "..%2Fnothing.json", "%2Fetc%2Fpasswd"):
        assert console.browser.get(f"{base}/{other}").status_code == 404
    assert console.browser.get(base.replace("oak", "ash") + "/index.html").status_code in (403, 404)


def test_a_run_tells_what_is_new_among_its_issues(console: Console) -> None:
    at = dt.datetime.now(dt.UTC)
    runs = [console.run(loaded_at=at) for _ in range(2)]
    for run_id, record in zip(runs, ("a", "b"), strict=True):
        console.connection.execute(
            "insert into directory.sync_issues (district, run_id, run_no, severity, resource, sourced_id, rule, message, fix)"
            " select district, run_id, run_no, 'error', 'users', %s, 'users.name_blank', 'It is wrong.', 'Mend it.'"
            " from directory.sync_runs where run_id = %s",
            (record, run_id),
        )
    page = words(console.page(f"/districts/oak/runs/{quote(runs[1], safe='')}"))
    assert "Since the night before: 1 new, 0 still there, 1 fixed." in page
    assert "Since the night before" not in words(console.page(f"/districts/oak/runs/{quote(runs[0], safe='')}"))
