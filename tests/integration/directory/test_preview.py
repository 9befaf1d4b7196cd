"""A preview says, row by row, what the run does with the same data, the same settings and the same directory."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.integration.directory.test_properties import _night, _nights, _quick, directories, edit, play
from tests.integration.directory.world import NIGHT, Directory, Sis, enrollment, everything_on, klass, school, term, user

__all__ = ["directories"]


def rows(directory: Directory, run_id: str) -> dict[str, list[Any]]:
    """The rows of a run's plan, people and lists by what the SIS calls them, as new ones bear numbers of their own."""
    run = "(select run_no from directory.sync_runs where run_id = %s)"
    new: dict[tuple[str, int], Any] = {
        (entity, number): name
        for entity, number, *name in directory.rows(
            "select entity, entity_no, role, school_id, after ->> 'sourced_id', after ->> 'source_id' from directory.changes"
            f" where run_no = {run} and action = 'create' and entity_no is not null",
            run_id,
        )
    }
    changes = directory.rows(
        "select entity, entity_no, school_id, role, action, status, reason, before::text, after::text"
        f" from directory.changes where run_no = {run}",
        run_id,
    )
    moves = directory.rows(
        f"select list_id, manager, action, status, reason, people from directory.membership_changes where run_no = {run}", run_id
    )
    issues = "select severity, resource, sourced_id, rule, step, message, fix from directory.sync_issues where run_id = %s"

    def done(status: str) -> str:
        return "planned" if status == "applied" else status

    return {
        "changes": sorted(
            str((e, new.get((e, n), n), at, role, action, done(status), reason, before, after))
            for e, n, at, role, action, status, reason, before, after in changes
        ),
        "memberships": sorted(
            str(
                (
                    new.get(("list", group), group),
                    manager,
                    action,
                    done(status),
                    reason,
                    sorted(str(new.get(("person", p), p)) for p in who),
                )
            )
            for group, manager, action, status, reason, who in moves
        ),
        "issues": sorted(map(str, directory.rows(issues, run_id))),
        "as downstream reads it": sorted(
            str((entity, school_id, role, action, done(status), reason, before, after))
            for entity, school_id, role, action, status, reason, before, after in directory.rows(
                "select entity, school_id, role, action, status, reason, before::text, after::text"
                " from directory.sync_changes where run_id = %s",
                run_id,
            )
        ),
    }


def told(directory: Directory, run_id: str) -> Any:
    """What a run's row says of its plan."""
    columns = "counts, guard, collections, proven, unproven_because"
    return directory.rows(f"select {columns} from directory.sync_runs where run_id = %s", run_id)


def assert_equal(directory: Directory, tonight: Sis, **more: Any) -> dict[str, list[Any]]:
    """The plan, once the preview and the run with the same data say the same."""
    before = directory.state()
    others = "select 'a', a::text from directory.absences as a union all select 's', s::text from directory.schools as s"
    others += " union all select 't', t::text from directory.terms as t union all select 'r', r::text from directory.relink_proposals as r"
    kept = sorted(directory.rows(others))
    directory.night(tonight, kind="preview", run_id="preview", **more)
    assert directory.state() == before and sorted(directory.rows(others)) == kept
    assert directory.rows("select loaded_at from directory.sync_runs where run_id = 'preview'") == [(None,)]
    planned = rows(directory, "preview"), told(directory, "preview")
    directory.night(tonight, kind="manual", run_id="the run", **more)
    done = rows(directory, "the run"), told(directory, "the run")
    assert planned == done
    return planned[0]


@_quick
@given(_nights, _night, st.booleans())
def test_a_preview_equals_the_run_row_by_row(directories: Any, nights: list[Any], tonight: Any, proven: bool) -> None:
    directory = directories()
    play(directory, nights)
    sis, directory.settings, edits = tonight
    edit(directory, edits)
    assert_equal(directory, sis, unproven=None if proven else "It moved.")


def test_leavers_movers_returners_and_what_is_held_are_previewed_as_they_come(directory: Directory) -> None:
    directory.settings = everything_on(
        class_lists={"enabled": True, "terms": ["T1"]},
        auto_lists=dict.fromkeys(("role", "grade", "subject", "teacher"), True),
        safety={"archive_percent": 10, "archive_minimum": 5},
        schools={"S2": {"safety": {"archive_percent": 100, "archive_minimum": 100, "absent_nights": 2}}},
    )
    orgs, terms = [school("S1"), school("S2"), school("S3")], [term("T1")]
    people = [user(f"{at}-{n}", schools=[at]) for at in ("S1", "S2", "S3") for n in range(30)]
    classes = [klass(f"C{at}", at, subjects=["Math"]) for at in ("S1", "S2", "S3")]
    roll = [enrollment(f"C{one['org_ids'][0]}", one["sourced_id"]) for one in people]
    whole = Sis([*people, user("t", "teacher"), user("back")], orgs, terms, [], classes, roll)
    directory.night(whole)
    directory.night(Sis(whole.users[:-1], orgs, terms, [], classes, roll))
    # 2 of S1 leave, one moves to S2, S3 loses so many that they are held, S2 waits; one comes back, one is new; a class ends.
    gone = {"S1-0", "S1-1", "S2-0", *(f"S3-{n}" for n in range(20))}
    tonight = Sis(
        [u | ({"org_ids": ["S2"]} if u["sourced_id"] == "S1-2" else {}) for u in whole.users if u["sourced_id"] not in gone]
        + [user("fresh")],
        orgs, terms, [], classes[:2], [e for e in roll if e["user_id"] not in gone],
    )  # fmt: skip
    plan = assert_equal(directory, tonight, night=NIGHT)
    archives = [row for row in plan["changes"] if "'archive'" in row]
    statuses = {status: sum(f"'{status}'" in row for row in archives) for status in ("planned", "held", "suppressed")}
    assert statuses == {"planned": 2, "held": 20, "suppressed": 1}
    one = str(directory.value("select person_id from directory.people where sourced_id = 'S1-0'"))
    assert sum("'remove'" in row and f"'{one}'" in row for row in plan["memberships"]) == 4, "who is archived leaves every list"
    assert any("'restore'" in row for row in plan["changes"]) and any("'deactivate'" in row for row in plan["changes"])


def test_memberships_of_whom_and_what_a_run_makes_or_changes_name_their_school_and_role(directory: Directory) -> None:
    directory.settings = everything_on(class_lists={"enabled": True, "terms": ["T1"]}, auto_lists={"role": True})
    orgs, terms = [school("S1"), school("S2")], [term("T1")]
    first = Sis(
        [user("a"), user("b"), user("c")], orgs, terms, [], [klass("C"), klass("D")], [enrollment("C", "a"), enrollment("D", "b")]
    )
    directory.night(first)
    tonight = Sis(
        [user("a", "teacher"), user("b", schools=["S2"]), user("c"), user("d")],
        orgs,
        terms,
        [],
        [klass("C"), klass("D", "S2"), klass("E")],
        [enrollment("C", "a", "teacher"), enrollment("D", "c"), enrollment("C", "d"), enrollment("E", "d")],
    )
    plan = assert_equal(directory, tonight)["as downstream reads it"]
    moves = [row for row in plan if row.startswith("('membership'")]
    assert moves and not [row for row in moves if "None" in row.split("'roster'")[0]]


def test_a_preview_tried_again_is_one_preview(directory: Directory) -> None:
    directory.night(Sis(users=[user(f"u{n}") for n in range(5)]))
    tonight = Sis(users=[user("u0"), user("u1", family_name="Else"), user("new")])
    directory.night(tonight, kind="preview", run_id="preview")
    once = rows(directory, "preview"), told(directory, "preview")
    directory.night(tonight, kind="preview", run_id="preview")
    assert (rows(directory, "preview"), told(directory, "preview")) == once
