"""The questions that people ask most on the page Why?: the first cross, the control that it offers, and the tick afterwards."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from include.mingasync.console import starting
from include.mingasync.settings import Settings
from tests.integration.console.conftest import Console
from tests.integration.console.school import School
from tests.integration.console.sheets import Hand
from tests.integration.console.test_pages import words
from tests.integration.directory.keeping import keep
from tests.integration.directory.test_lists import classroom, list_id, members, person
from tests.integration.directory.world import Directory, Sis, everything_on, klass, user

WHY = "/districts/oak/why"


@dataclass
class Oak:
    """A district whose nights use the settings that are stored, and somebody at its console."""

    console: Console
    directory: Directory
    folder: Path
    nights: int = 0

    @property
    def hand(self) -> Hand:
        return Hand(self.console)

    def night(self, sis: Sis, set_aside: tuple[str, ...] = (), **more: Any) -> None:
        """A night with the stored settings, unless these turn it off; what it read is kept as its snapshot."""
        self.directory.settings = json.loads(self.console.stored or "{}")
        if not self.directory.settings.get("automatic_rostering"):
            return
        self.nights += 1
        snapshot = keep(self.folder, f"night{self.nights}", self.directory, sis, set_aside)
        self.directory.night(sis, set_aside=set_aside, run_id=f"night{self.nights}", **more)
        self.directory.do(
            "update directory.sync_runs set snapshot_url = %s, settings = %s, finished_at = coalesce(finished_at, now())"
            " where run_id = %s",
            snapshot.url, json.dumps(Settings.model_validate(self.directory.settings).model_dump(mode="json", by_alias=True)),
            f"night{self.nights}",
        )  # fmt: skip

    def ask(self, text: str) -> str:
        """The page that answers."""
        return str(School(self.console).look(WHY, text=text).text)

    def change(self, control: str, **fields: str) -> None:
        """Open the control, change these fields there, review and save."""
        form = self.hand.open(control)
        for name, value in fields.items():
            form.tick(name.replace("__", "."), value)
        self.hand.press(self.hand.press(form, "review"), "save")


def chain(page: str) -> list[tuple[str, str]]:
    """The links of a page's chains: tick, cross or neither, and what is said."""
    found = re.findall(r'<li><span class="mark[^>]*>(.)</span>(.*?)</li>', page)
    return [(mark, words(said).removeprefix("Not so: ").removeprefix("So: ")) for mark, said in found]


def crosses(page: str) -> list[str]:
    """What does not hold, in order."""
    return [said for mark, said in chain(page) if mark == "✕"]


def ticks(page: str) -> str:
    """What holds."""
    return "\n".join(said for mark, said in chain(page) if mark == "✓")


def control(page: str) -> str:
    """The address that is offered to mend the first cross."""
    (address,) = re.findall(r'class="mend" href="([^"]+)"', page)
    return unescape(address)


@pytest.fixture
def oak(console: Console, tmp_path: Path) -> Oak:
    console.store(json.dumps(everything_on(class_lists={"enabled": True, "terms": ["T1", "T2"]})))
    return Oak(console, Directory(console.connection), tmp_path / "snapshots")


def stored_with(oak: Oak, **more: Any) -> None:
    """Other settings, as Airflow's own pages store them."""
    oak.console.store(json.dumps(everything_on(class_lists={"enabled": True, "terms": ["T1", "T2"]}) | more))


def roles_with(role: str, **more: bool) -> dict[str, Any]:
    roles = {name: dict(toggles) for name, toggles in everything_on()["roles"].items()}
    roles[role] |= more
    return roles


def test_students_do_not_update_because_automatic_rostering_is_off(oak: Oak) -> None:
    oak.night(classroom())
    stored_with(oak, automatic_rostering=False)
    married = classroom()
    married.users[0] = user("a", family_name="Newname")
    oak.night(married)
    page = oak.ask("a@example.org")
    assert crosses(page)[0] == "“Enable Automatic Rostering” is off: no night changes anything."
    oak.change(control(page), automatic_rostering="on")
    oak.night(married)
    page = oak.ask("a@example.org")
    assert "“Enable Automatic Rostering” is on" in ticks(page) and not crosses(page)
    assert (
        "Newname" in page and oak.directory.value("select family_name from directory.people where sourced_id = 'a'") == "Newname"
    )


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("pause", "A quiet period pauses the sync from {} to {}: no night changes anything."),
        ("additions_only", "A quiet period allows additions only from {} to {}: no night updates or archives anybody."),
    ],
)
def test_students_do_not_update_because_a_quiet_period_holds(oak: Oak, mode: str, said: str) -> None:
    oak.night(classroom())
    today = dt.datetime.now(ZoneInfo("America/Chicago")).date()
    first, last = today - dt.timedelta(days=3), today + dt.timedelta(days=3)
    stored_with(oak, quiet=[{"from": first.isoformat(), "to": last.isoformat(), "mode": mode}])
    page = oak.ask("a@example.org")
    assert crosses(page) == [said.format(first, last)] and "“Enable Automatic Rostering” is on" in ticks(page)
    assert control(page).endswith("/settings")
    over = (today - dt.timedelta(days=1)).isoformat()
    stored_with(oak, quiet=[{"from": first.isoformat(), "to": over, "mode": mode}])
    assert not crosses(oak.ask("a@example.org"))


def test_students_do_not_update_because_the_dag_is_paused_in_airflow(oak: Oak, monkeypatch: pytest.MonkeyPatch) -> None:
    oak.night(classroom())
    monkeypatch.setattr(starting, "dag", lambda dag_id: starting.Dag(is_known=True, is_paused=True, going=()))
    page = oak.ask("a@example.org")
    assert crosses(page) == ["The DAG mingasync_oak is paused in Airflow: no night begins. Turn it on there."]
    assert "It is mended in Airflow." in words(page) and "by the next sync" not in page


@pytest.mark.parametrize("asked", ["a@example.org", "n@example.org", "Class C"])
def test_nothing_changes_at_a_school_because_its_own_switch_is_off(oak: Oak, asked: str) -> None:
    """Who is gone, who is new, and a class: the first cross is the school's pause, and its control is on the school's own sheet."""
    before = classroom()
    oak.night(before)
    stored_with(oak, schools={"S1": {"automatic_rostering": False}})
    now = classroom()
    now.users[0] |= {"status": "tobedeleted"}
    now.users.append(user("n"))
    now.enrollments = [one for one in now.enrollments if one["user_id"] != "a"]
    for _ in range(2):
        oak.night(now)
    page = oak.ask(asked)
    first, *others = crosses(page)
    assert first == "“Enable Automatic Rostering” is off for School S1: no run changes anything there."
    assert control(page).endswith("/settings?school=S1") and "Rostering Settings of School S1" in words(page)
    assert "nothing is recorded" not in page
    if asked == "a@example.org":
        assert others[0] == "The SIS sends the record a as tobedeleted: they have left."
    # The control leads to the switch; on again, the next night does it.
    assert "School S1" in words(oak.console.page(control(page)))
    stored_with(oak)
    oak.night(now)
    assert "is off for" not in oak.ask(asked)
    assert dict(oak.directory.rows("select sourced_id, status from directory.people where sourced_id in ('a', 'n')")) == {
        "a": "archived", "n": "active",
    }  # fmt: skip


def test_nobody_is_updated_at_a_school_because_of_a_quiet_period_of_its_own(oak: Oak) -> None:
    oak.night(classroom())
    today = dt.datetime.now(ZoneInfo("America/Chicago")).date().isoformat()
    stored_with(oak, schools={"S1": {"quiet": [{"from": today, "to": today, "mode": "additions_only"}]}})
    page = oak.ask("a@example.org")
    said = f"A quiet period of School S1 allows additions only from {today} to {today}: no run updates or archives anybody."
    assert crosses(page) == [said] and control(page).endswith("/settings?school=S1")


def test_a_night_that_was_skipped_is_not_told_as_one_that_was_done(oak: Oak) -> None:
    oak.night(classroom())
    oak.directory.do("update directory.sync_runs set state = 'skipped', reason = 'The sync was paused.'")
    page = oak.ask("a@example.org")
    assert "was skipped: The sync was paused." in page and "has ended" not in page


def test_students_do_not_update_because_auto_update_is_off(oak: Oak) -> None:
    stored_with(oak, roles=roles_with("student", auto_update=False))
    oak.night(classroom())
    married = classroom()
    married.users[0] = user("a", family_name="Newname")
    oak.night(married)
    page = oak.ask("a@example.org")
    assert crosses(page)[0] == "The SIS sends family_name 'Newname', the directory holds 'Familya'."
    assert any("auto update is off for the role" in one for one in crosses(page))
    assert oak.directory.value("select family_name from directory.people where sourced_id = 'a'") == "Familya"
    oak.change(control(page), roles__student__auto_update="on")
    oak.night(married)
    page = oak.ask("a@example.org")
    assert not crosses(page) and "update applied, because the SIS changed" in ticks(page)
    assert oak.directory.value("select family_name from directory.people where sourced_id = 'a'") == "Newname"


def test_a_class_list_does_not_appear_because_the_new_term_is_not_selected(oak: Oak) -> None:
    stored_with(oak, class_lists={"enabled": True, "terms": ["T1"]}, new_lists_public=True)
    oak.night(classroom())
    page = oak.ask("Class D")
    assert crosses(page)[0].startswith("There is no list, because none of the class's terms is selected")
    assert oak.directory.value("select count(*) from directory.user_lists where source_id = 'D'") == 0
    assert control(page) == "/districts/oak/terms"
    oak.change(control(page), class_lists__terms="T2")
    oak.night(classroom())
    page = oak.ask("Class D")
    assert not crosses(page) and "It follows the terms T2." in ticks(page)
    assert members(oak.directory, "D") == {("a", "member"), ("t", "manager")}
    assert "Now: active, public, 1 members, 1 managers." in ticks(page)


def test_somebody_added_by_hand_is_not_updated_until_they_are_included(oak: Oak) -> None:
    oak.night(classroom())
    hand = School(oak.console).person("Givenm", "Oldname", email="m@example.org", source="manual", include_in_sync=False)
    sis = classroom()
    sis.users.append(user("m", family_name="Familym"))
    oak.night(sis)
    page = oak.console.page(f"{WHY}?person={hand}")
    assert crosses(page)[0] == '"Include user in SIS sync" is off: no sync touches this person.'
    assert control(page) == f"/districts/oak/people/{hand}"
    School(oak.console).send(control(page), "include")
    assert oak.directory.value("select include_in_sync from directory.people where person_id = %s", hand) is True
    assert '"Include user in SIS sync" is on.' in ticks(oak.console.page(f"{WHY}?person={hand}"))
    sis.users[-1] = user("m", given_name="Givenm", family_name="Oldname", username="m.new")
    oak.night(sis)
    row = "select sourced_id, username from directory.people where person_id = %s"
    assert oak.directory.rows(row, hand) == [("m", "m.new")]
    page = oak.console.page(f"{WHY}?person={hand}")
    assert "The SIS sends the record m." in ticks(page)
    assert '"Include user in SIS sync" is on.' in ticks(page)


def test_somebody_who_left_stays_active_because_archive_is_off(oak: Oak) -> None:
    stored_with(oak, roles=roles_with("student", archive=False))
    oak.night(classroom())
    left = classroom()
    left.users = [one for one in left.users if one["sourced_id"] != "b"]
    left.enrollments = [one for one in left.enrollments if one["user_id"] != "b"]
    oak.night(left)
    page = oak.ask("b@example.org")
    assert "archive is off for the role" in crosses(page)[0] and control(page) == "/districts/oak/settings"
    assert oak.directory.value("select status from directory.people where sourced_id = 'b'") == "active"
    oak.change(control(page), roles__student__archive="on")
    oak.night(left)
    page = oak.ask("b@example.org")
    assert "archive applied" in ticks(page)
    assert oak.directory.value("select status from directory.people where sourced_id = 'b'") == "archived"


def test_a_teacher_cannot_find_a_list_because_it_is_private(oak: Oak) -> None:
    oak.night(classroom())
    page = oak.ask("Class C")
    assert crosses(page) == ["Private: only its managers and admins see it. Set it public for all staff to find it."]
    assert control(page) == f"/districts/oak/lists/{list_id(oak.directory)}"
    School(oak.console).send(control(page), "public")
    oak.night(classroom())
    page = oak.ask("Class C")
    assert "Public: all staff find it." in ticks(page) and not crosses(page)
    assert oak.directory.value("select visibility from directory.user_lists where source_id = 'C'") == "public"


def test_a_list_is_not_matched_to_a_teacher_who_is_excluded(oak: Oak) -> None:
    stored_with(oak, new_lists_public=True)
    without = classroom()
    without.classes, without.enrollments = [], []
    oak.night(without)
    teacher = person(oak.directory, "t")
    School(oak.console).send(f"/districts/oak/people/{teacher}", "exclude")
    oak.night(classroom())
    page = oak.ask("Class C")
    assert crosses(page)[0] == 'Its teacher t is not its manager: "Include user in SIS sync" is off for them.'
    assert ("t", "manager") not in members(oak.directory) and control(page) == f"/districts/oak/people/{teacher}"
    School(oak.console).send(control(page), "include")
    oak.night(classroom())
    assert ("t", "manager") in members(oak.directory) and not crosses(oak.ask("Class C"))


def test_a_held_archive_leads_to_its_decision(oak: Oak) -> None:
    oak.night(classroom())
    stored_with(oak, safety={"archive_percent": 1, "archive_minimum": 0})
    left = classroom()
    left.users = [one for one in left.users if one["sourced_id"] != "b"]
    oak.night(left, archive_too=False)
    oak.directory.do("update directory.sync_runs set finished_at = null where run_id = 'night2'")
    page = oak.ask("b@example.org")
    assert crosses(page)[0].endswith("it waits for an answer.") and control(page) == "/districts/oak/runs/night2/decision"
    assert oak.directory.value("select status from directory.people where sourced_id = 'b'") == "active"


def test_whose_record_was_set_aside_is_led_to_the_run(oak: Oak) -> None:
    sis = classroom()
    sis.users.append(user("x", "wizard"))
    oak.night(sis, set_aside=("x",))
    page = oak.ask("x@example.org")
    assert crosses(page)[0] == "The record was set aside (users.role_unknown)." and control(page) == "/districts/oak/runs/night1"
    assert oak.directory.value("select count(*) from directory.people where email = 'x@example.org'") == 0


def test_a_role_that_is_not_rostered_is_led_to_the_settings(oak: Oak) -> None:
    stored_with(oak, roles=roles_with("teacher", roster=False))
    oak.night(classroom())
    page = oak.ask("t@example.org")
    assert "turn its roster switch on" in crosses(page)[0] and control(page) == "/districts/oak/settings"
    oak.change(control(page), roles__teacher__roster="on")
    oak.night(classroom())
    page = oak.ask("t@example.org")
    assert "Teacher rostering was on in the run that was loaded last." in ticks(page)
    assert not crosses(page)


def test_whom_nobody_ever_heard_of_is_told_so_without_a_control(oak: Oak) -> None:
    oak.night(classroom())
    page = oak.ask("nobody@example.org")
    assert crosses(page)[0].startswith("Nobody in the directory fits, and the SIS did not send anybody like this")
    assert 'class="mend"' not in page and "Nothing in this console mends" in page


def test_a_class_whose_name_two_share_is_asked_about(oak: Oak) -> None:
    sis = classroom()
    sis.classes = [klass("C", title="Algebra"), klass("D", title="Algebra")]
    oak.night(sis)
    page = oak.ask("algebra")
    found = oak.directory.rows("select list_id from directory.user_lists where kind = 'class' order by 1")
    assert len(found) == 2 and all(f"{WHY}?list={number}" in page for (number,) in found) and not chain(page)


def test_a_run_that_failed_is_the_first_cross(oak: Oak) -> None:
    oak.night(classroom())
    run = oak.console.run(state="failed", reason="The SIS answered 503.")
    page = oak.ask("a@example.org")
    assert crosses(page)[0] == "The last run failed: The SIS answered 503." and run.split("__")[0] in control(page)


def test_person_list_and_run_lead_to_it(oak: Oak) -> None:
    oak.night(classroom())
    ann, algebra = person(oak.directory, "a"), list_id(oak.directory)
    assert f'href="{WHY}?person={ann}"' in oak.console.page(f"/districts/oak/people/{ann}")
    assert f'href="{WHY}?list={algebra}"' in oak.console.page(f"/districts/oak/lists/{algebra}")
    assert f'<p class="actions"><a href="{WHY}">Why?</a>' in oak.console.page("/districts/oak/runs/night1")
