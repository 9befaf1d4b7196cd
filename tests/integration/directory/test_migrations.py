"""A directory of an older version keeps what it knows when it is brought to the newest."""

from __future__ import annotations

import datetime as dt

import psycopg
import pytest

from include.mingasync.directory import schema
from tests.integration.directory.apps import act_as, make_app

_OLD = """
insert into directory.sync_runs (district, run_id, kind, logical_date, night, started_at, loaded_at, finished_at) values
    ('oak', 'one', 'nightly', '2026-11-01', '2026-11-01', '2026-11-01 02:00Z', '2026-11-01 02:01Z', '2026-11-01 02:02Z'),
    ('oak', 'two', 'nightly', '2026-11-02', '2026-11-02', '2026-11-02 02:00Z', '2026-11-02 02:01Z', '2026-11-02 02:02Z');
insert into directory.people (district, source, sourced_id, sourced_ids, role, given_name, family_name, include_in_sync)
    select 'oak', 'sis', id, array[id], 'student', 'A', 'B', true from unnest(array['a', 'b', 'c', 'd']) as one (id);
insert into directory.user_lists (district, school_id, kind, source_id, name) values ('oak', 'S1', 'class', 'c1', 'Class');
insert into directory.memberships (list_id, person_id, from_run, to_run, manager, added_at, removed_at) values
    (1, 3, 1, null, false, null, null), (1, 1, 1, 2, false, null, null), (1, 2, 2, null, false, null, null),
    (1, 1, 1, null, true, null, null),
    (1, 4, null, null, false, '2026-11-01 12:00Z', null), (1, 2, 1, null, true, null, '2026-11-01 13:00Z');
insert into directory.membership_changes values (2, 1, 3, false, 'remove', 'suppressed', 'auto_update_off');
"""


def test_memberships_and_their_history_move_over(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        schema.upgrade(connection, "0002")
        connection.execute(_OLD)
        schema.bring_to_head(connection)

        def rows(query: str, *parameters: object) -> list[tuple[object, ...]]:
            return connection.execute(query, parameters).fetchall()

        assert rows("select person_id, member_role from directory.list_members order by 1, 2") == [
            (1, "manager"), (2, "member"), (3, "member"), (4, "member"),
        ]  # fmt: skip
        moves = "select run_id, person_id, action, status, reason from directory.sync_changes where entity = 'membership'"
        assert rows(moves + " order by 1, 3, 2, 4") == [
            ("one", 1, "add", "applied", "roster"), ("one", 1, "add", "applied", "roster"), ("one", 2, "add", "applied", "roster"),
            ("one", 3, "add", "applied", "roster"), ("two", 2, "add", "applied", "roster"),
            ("two", 1, "remove", "applied", "roster"), ("two", 3, "remove", "suppressed", "auto_update_off"),
        ]  # fmt: skip
        at = "select person_id, member_role from directory.list_members_at(1, %s) order by 1, 2"
        noon = dt.datetime(2026, 11, 1, 12, 30, tzinfo=dt.UTC)
        assert rows(at, noon) == [(1, "manager"), (1, "member"), (2, "manager"), (3, "member"), (4, "member")]
        assert rows(at, noon + dt.timedelta(days=1)) == rows(
            "select person_id, member_role from directory.list_members order by 1, 2"
        )


def test_approvals_of_old_stay(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        schema.upgrade(connection, "0004")
        connection.execute(
            "insert into directory.sync_runs (district, run_id, kind, logical_date, night, approved_by, approved_at)"
            " values ('oak', 'one', 'nightly', now(), now(), 'kim', '2026-11-01 09:00Z'), ('oak', 'two', 'nightly', now(), now(), null, null)"
        )
        schema.bring_to_head(connection)
        answers = connection.execute(
            "select answer, answered_by, answered_at::text is not null from directory.sync_runs order by run_no"
        )
        assert answers.fetchall() == [("approved", "kim", True), (None, None, False)]


_EVERYWHERE = """
insert into directory.sync_runs (district, run_id, kind, logical_date, night, loaded_at, state)
    values ('oak', 'one', 'nightly', '2026-11-01', '2026-11-01', '2026-11-01 02:01Z', 'success');
insert into directory.people (district, source, sourced_id, sourced_ids, role, given_name, family_name, include_in_sync)
    select 'oak', 'sis', id, array[id], 'student', 'A', 'B', true from unnest(array['a', 'b', 'c']) as one (id);
insert into directory.user_lists (district, school_id, kind, source_id, name) values ('oak', 'S1', 'class', 'c1', 'Class');
insert into directory.changes (run_no, entity, entity_no, action, status, after) values (1, 'person', 1, 'create', 'applied', '{"role": "student"}');
insert into directory.membership_overrides (list_id, person_id, manager, keep) values (1, 2, false, true);
insert into directory.sync_issues (district, run_id, run_no, severity, resource, rule, message, fix)
    values ('oak', 'one', 1, 'error', 'users', 'rule', 'message', 'fix');
insert into directory.field_pins (person_id, district, field, value, reason) values (1, 'oak', 'email', 'pinned@example.org', 'asked');
insert into directory.relink_proposals (district, person_id, sourced_id, sourced_ids, matched_by, run_no)
    values ('oak', 3, 'z', '{z}', 'email', 1);
insert into directory.schools values ('oak', 'S1', 'School');
insert into directory.terms (district, term_id, title) values ('oak', 'T1', 'Fall');
insert into directory.mails (district, night, run_no, kind, recipients) values ('oak', '2026-11-01', 1, 'results', '{a@example.org}');
insert into directory.settings_history (district, changed_by) values ('oak', 'kim');
"""
_ON_THE_LIST = {
    "0001": "insert into directory.memberships (list_id, person_id, from_run, manager) values (1, 1, 1, false), (1, 2, null, false)",
    "0003": "insert into directory.memberships (list_id, manager, people) values (1, false, '{1,2}')",
}


@pytest.mark.parametrize("version", ["0001", "0002", "0003", "0004", "0005"])
def test_every_version_keeps_what_it_has(database: str, version: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        schema.upgrade(connection, version)
        connection.execute(_EVERYWHERE)
        connection.execute(_ON_THE_LIST["0003" if version >= "0003" else "0001"])
        schema.bring_to_head(connection)

        def counts() -> dict[str, int]:
            tables = "people user_lists list_members changes sync_issues membership_overrides field_pins relink_proposals mails settings_history"
            return {name: connection.execute(f"select count(*) from directory.{name}").fetchone()[0] for name in tables.split()}  # type: ignore[index]

        once = dict.fromkeys(("user_lists", "changes", "sync_issues", "membership_overrides", "field_pins", "relink_proposals", "mails",
                              "settings_history"), 1)  # fmt: skip
        assert counts() == {"people": 3, "list_members": 2} | once
        reader = make_app(connection, "oak")
        act_as(connection, reader)
        seen = "select (select count(*) from directory.people), (select count(*) from directory.list_members), (select count(*) from directory.sync_changes where entity = 'person')"
        assert connection.execute(seen).fetchone() == (3, 2, 1)
        connection.execute("reset role")
        # What people do by hand goes on as before.
        connection.execute("select directory.add_list_member(1, 3), directory.remove_list_member(1, 2)")
        connection.execute("select directory.relink(3, 'z'), directory.set_include_in_sync(1, false)")
        assert connection.execute("select person_id from directory.list_members order by 1").fetchall() == [(1,), (3,)]
        assert connection.execute("select sourced_id from directory.people where person_id = 3").fetchone() == ("z",)


def test_a_role_of_old_sees_nothing_until_it_is_given_its_districts(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        schema.upgrade(connection, "0005")
        connection.execute(_EVERYWHERE)
        role = make_app(connection)
        # As the documents of that version said: a group, or rights on the tables themselves.
        connection.execute(f"grant mingasync_reader to {role}; grant usage on schema directory to {role}")
        connection.execute(f"grant select on directory.people, directory.mails to {role}")

        def seen() -> tuple[int, int]:
            act_as(connection, role)
            connection.execute("set mingasync.districts = 'oak'")
            counts = connection.execute(
                "select (select count(*) from directory.people), (select count(*) from directory.mails)"
            ).fetchone()
            connection.execute("reset role")
            return counts  # type: ignore[return-value]

        assert seen() == (3, 1)
        schema.bring_to_head(connection)
        assert seen() == (0, 0)
        connection.execute("select directory.grant_access(%s, 'oak')", (role,))
        assert seen() == (3, 1)
