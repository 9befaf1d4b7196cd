"""Database roles of applications: each sees its own districts and writes them through the functions, whatever its session tries."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

from include.mingasync.directory import schema
from stack.postgres import EmbeddedPostgres, embedded_postgres
from tests.integration.directory import world
from tests.integration.directory.apps import PASSWORD, make_app
from tests.integration.directory.test_lists import LISTS
from tests.integration.directory.world import Directory, Sis, enrollment, everything_on, klass, user

_numbers = itertools.count(1)
App = psycopg.Connection[Any]
DOCS = Path(__file__).parents[3] / "docs" / "deployment.md"


def login(owner: psycopg.Connection[Any], role: str, **more: Any) -> App:
    """A connection of its own, opened with the role's name and password."""
    own = owner.info.get_parameters() | {"password": PASSWORD, "user": role}
    return psycopg.connect(psycopg.conninfo.make_conninfo(**own, **more), autocommit=True)


#: Rows that no night of the two leaves behind.
_BY_HAND = {
    "absences": "values (%(person)s, %(slug)s, array[%(slug)s], 'absent', '2026-11-24', '2026-11-24', 1, %(run_no)s)",
    "approvals": "values (%(run_no)s, %(person)s, %(slug)s, 'S1', 'student')",
}


def whole_district(slug: str, directory: Directory, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Ids of a district in which every table has a row; all its names and ids hold its slug."""
    monkeypatch.setattr(world, "DISTRICT", slug)
    directory.settings = everything_on(**LISTS)
    people = [user(f"{slug}-a"), user(f"{slug}-b"), user(f"{slug}-t", "teacher"), user(f"{slug}-leaver")]
    sis = Sis(
        users=people,
        classes=[klass(f"{slug}-class")],
        enrollments=[enrollment(f"{slug}-class", f"{slug}-a"), enrollment(f"{slug}-class", f"{slug}-t", "teacher")],
    )
    directory.night(sis, run_id=f"{slug}-1")
    sis.users = people[:3]
    directory.night(sis, run_id=f"{slug}-2")
    ids = dict(directory.rows("select sourced_id, person_id from directory.people where district = %s", slug))
    group = directory.value("select list_id from directory.user_lists where district = %s and kind = 'class'", slug)
    run_no = directory.value("select run_no from directory.sync_runs where run_id = %s", f"{slug}-2")
    directory.do("select directory.add_list_member(%s, %s)", group, ids[f"{slug}-b"])
    directory.do("select directory.pin_field(%s, 'email', %s, 'asked')", ids[f"{slug}-a"], f"pinned-{slug}@example.org")
    directory.do(
        "insert into directory.relink_proposals (district, person_id, sourced_id, sourced_ids, matched_by, run_no)"
        " values (%s, %s, %s, array[%s], 'email', %s)",
        slug, ids[f"{slug}-a"], f"{slug}-new", f"{slug}-new", run_no,
    )  # fmt: skip
    directory.do(
        "insert into directory.sync_issues (district, run_id, run_no, severity, resource, sourced_id, rule, message, fix)"
        " values (%s, %s, %s, 'error', 'users', %s, 'rule', %s, 'fix')",
        slug, f"{slug}-2", run_no, f"{slug}-a", f"{slug} message",
    )  # fmt: skip
    directory.do(
        "insert into directory.mails (district, night, run_no, kind, recipients) values (%s, '2026-11-24', %s, 'results', array[%s])",
        slug, run_no, f"boss@{slug}.example.org",
    )  # fmt: skip
    known = {"slug": slug, "run_no": run_no, "person": ids[f"{slug}-b"]}
    for table, row in _BY_HAND.items():
        directory.connection.execute(f"insert into directory.{table} {row}", known)
    directory.do("insert into directory.settings_history (district, changed_by) values (%s, %s)", slug, f"{slug}-kim")
    directory.do(
        "insert into directory.hand_changes (district, changed_by, action) values (%s, %s, 'rename')", slug, f"{slug}-kim"
    )
    asked = (slug, f"{slug}-kim")
    directory.do(
        "insert into directory.connection_requests (district, district_name, schools, sis_name, contact_name, contact_email, requested_by)"
        " values (%s, %s, array['all'], 'Skyward', %s, %s, %s)",
        slug, *[f"{slug}-kim"] * 4,
    )  # fmt: skip
    directory.do("insert into directory.connection_steps (district, step, done_by) values (%s, 'requested', %s)", *asked)
    directory.do("insert into directory.connection_mails (district, kind, problem) values (%s, 'support', %s)", *asked)
    directory.do("insert into directory.connection_checks (district, run_id, checked_by) values (%s, 'one', %s)", *asked)
    return {"person": ids[f"{slug}-a"], "other": ids[f"{slug}-b"], "teacher": ids[f"{slug}-t"], "list": group, "run_no": run_no}


@pytest.fixture(scope="module")
def prepared(postgres: EmbeddedPostgres) -> Iterator[tuple[str, dict[str, dict[str, Any]]]]:
    """A database with two whole districts, to be copied, and the ids in each."""
    with psycopg.connect(postgres.dsn(), autocommit=True) as admin, pytest.MonkeyPatch.context() as patch:
        admin.execute("create database two_districts template template0")
        with psycopg.connect(postgres.dsn("two_districts"), autocommit=True) as connection:
            schema.bring_to_head(connection)
            ids = {slug: whole_district(slug, Directory(connection), patch) for slug in ("oak", "elm")}
        yield "two_districts", ids
        admin.execute("drop database two_districts with (force)")


@pytest.fixture
def ids(prepared: tuple[str, dict[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """The ids in each of the two districts."""
    return prepared[1]


@pytest.fixture
def directory(prepared: tuple[str, Any], postgres: EmbeddedPostgres) -> Iterator[Directory]:
    """The two districts, anew for each test."""
    name = f"doors_{next(_numbers)}"
    with psycopg.connect(postgres.dsn(), autocommit=True) as admin:
        admin.execute(f"create database {name} template {prepared[0]}")
        with psycopg.connect(postgres.dsn(name), autocommit=True) as connection:
            yield Directory(connection)
        admin.execute(f"drop database {name} with (force)")


@pytest.fixture
def app(directory: Directory, ids: dict[str, dict[str, Any]]) -> Iterator[App]:
    """An application that may write oak, in a connection of its own; its session says that it may read elm."""
    with login(directory.connection, make_app(directory.connection, "oak", may_write=True)) as connection:
        # What every session may say about itself, whatever else it tries.
        connection.execute("set mingasync.districts = 'oak,elm'")
        yield connection


def relations(connection: psycopg.Connection[Any], kinds: str = "rv") -> list[str]:
    """The tables and views of the schema."""
    found = connection.execute(
        "select relname from pg_class where relnamespace = 'directory'::regnamespace and relkind = any (%s) order by 1",
        (list(kinds),),
    )
    return [row[0] for row in found]


def as_text(connection: psycopg.Connection[Any], relation: str) -> str:
    """All that a role can read of a relation; nothing where it may read none of it."""
    try:
        rows = connection.execute(sql.SQL("select r::text from directory.{} as r").format(sql.Identifier(relation))).fetchall()
    except errors.InsufficientPrivilege:
        return ""
    return "\n".join(row[0] for row in rows)


# What is covered, from the catalogue

#: Tables without a district: their rows are of the list, run or role that they name.
FOLLOW = {
    "memberships": "(EXISTS ( SELECT\n   FROM directory.user_lists l\n  WHERE (l.list_id = memberships.list_id)))",
    "membership_changes": "(EXISTS ( SELECT\n   FROM directory.user_lists l\n  WHERE (l.list_id = membership_changes.list_id)))",
    "membership_overrides": "(EXISTS ( SELECT\n   FROM directory.user_lists l\n  WHERE (l.list_id = membership_overrides.list_id)))",
    "changes": "(EXISTS ( SELECT\n   FROM directory.sync_runs r\n  WHERE (r.run_no = changes.run_no)))",
}
#: Nothing in it is of a person or a district.
OPEN = {"schema_version"}
BY_DISTRICT = "(district = ANY (ARRAY( SELECT directory.readable_districts() AS readable_districts)))"


def test_every_table_is_under_row_level_security(directory: Directory) -> None:
    tables = set(relations(directory.connection, "rpmf")) - OPEN
    secured = "select relname from pg_class where relnamespace = 'directory'::regnamespace and relrowsecurity"
    assert {row[0] for row in directory.rows(secured)} == tables
    policies = directory.rows(
        "select tablename, cmd, roles::text, permissive, qual from pg_policies where schemaname = 'directory'"
    )
    assert {policy[0] for policy in policies} == tables and len(policies) == len(tables), "one policy for each table"
    for table, *how, condition in policies:
        assert how == ["SELECT", "{public}", "PERMISSIVE"], table
        if table != "access":
            assert condition == FOLLOW.get(table, BY_DISTRICT), f"{table}: by its district, or add to FOLLOW what it follows"


def test_every_view_asks_with_the_rights_of_whoever_reads(directory: Directory) -> None:
    views = (
        "select relname, reloptions::text from pg_class where relnamespace = 'directory'::regnamespace and relkind in ('v', 'm')"
    )
    assert {options for _, options in directory.rows(views)} == {"{security_invoker=true}"}


#: Run with the owner's rights, so each asks for the caller's first.
WRITES = {
    "add_person", "set_include_in_sync", "set_list_visibility", "pin_field", "add_list_member", "remove_list_member", "relink",
    "refuse_relink",
}  # fmt: skip
READS = {"readable_districts", "may_read", "may_write", "caller", "lists_visible_to", "list_members_at", "people_at"}


def test_every_function_is_for_those_it_was_made_for(directory: Directory) -> None:
    who = """select p.proname, p.prosecdef, p.proconfig::text, p.prosrc,
                    array(select case a.grantee when 0 then 'public' else a.grantee::regrole::text end
                          from aclexplode(p.proacl) as a where a.grantee <> p.proowner order by 1)
             from pg_proc as p where p.pronamespace = 'directory'::regnamespace"""
    for name, by_owner, settings, source, grantees in directory.rows(who):
        expected = ["mingasync_reader"] if name in READS else ["mingasync_app"] if name in WRITES else []
        assert grantees == expected, f"{name}: only its own group, never public"
        assert by_owner == (name in WRITES), name
        if by_owner:
            assert settings == '{"search_path=pg_catalog, pg_temp"}', f"{name}: no other schema may put itself in between"
            assert re.search(r"perform directory\.check_(may_write|person|list|list_and_person)\(", source), name


def test_nobody_has_more_than_the_groups_and_they_only_read_relations(directory: Directory) -> None:
    granted = """select a.grantee::regrole::text, a.privilege_type, c.relname
                 from pg_class as c cross join lateral aclexplode(c.relacl) as a
                 where c.relnamespace = 'directory'::regnamespace and a.grantee <> c.relowner"""
    rows = directory.rows(granted)
    assert {(role, right) for role, right, _ in rows} == {("mingasync_reader", "SELECT")} | {
        ("mingasync_app", right) for right in ("INSERT", "UPDATE", "DELETE")
    }
    assert {relation for role, _, relation in rows if role == "mingasync_app"} == {"list_members"}
    assert not {"mails", "settings_history", "hand_changes", "schema_version"} & {relation for _, _, relation in rows}
    assert not [relation for _, _, relation in rows if relation.startswith("connection_")]


def test_rights_are_asked_once_for_a_query_and_not_for_each_row(directory: Directory, app: App) -> None:
    directory.do(
        "insert into directory.people (district, source, role, given_name, family_name, include_in_sync)"
        " select 'oak', 'sis', 'student', 'A', 'B', true from generate_series(1, 5000)"
    )
    directory.do(f"alter role {app.info.user} superuser")
    app.execute("set track_functions = 'all'")
    directory.do(f"alter role {app.info.user} nosuperuser")
    assert app.execute("select count(*) from directory.people").fetchone() == (5004,)
    app.execute("select pg_stat_force_next_flush()")
    calls = "select calls from pg_stat_user_functions where funcname in ('readable_districts', 'may_read')"
    assert app.execute(calls).fetchall() == [(1,)]


# What another district's application sees and does


def test_an_application_reads_its_own_district_only(directory: Directory, app: App) -> None:
    filled = {name for name in relations(directory.connection) if "elm" in as_text(directory.connection, name)}
    assert filled >= {"people", "user_lists", "list_members", "sync_runs", "sync_changes", "sync_issues", "field_pins", "relink_proposals",
                      "schools", "terms", "mails", "settings_history", "hand_changes", "issue_trend", "absences", "approvals",
                      "connection_requests", "connection_steps", "connection_mails", "connection_checks"}  # fmt: skip
    for relation in relations(directory.connection):
        assert "elm" not in as_text(app, relation), relation
    own = "select count(*), min(district), max(district) from directory."
    assert app.execute(own + "people").fetchone() == (4, "oak", "oak")
    numbers = [name for name in relations(directory.connection) if "list_id" in columns(directory, name)]
    for name in numbers:
        assert {row[0] for row in app.execute(f"select distinct list_id from directory.{name}")} <= own_lists(directory), name


def columns(directory: Directory, relation: str) -> set[str]:
    """The columns of a relation."""
    query = "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0"
    return {row[0] for row in directory.rows(query, f"directory.{relation}")}


def own_lists(directory: Directory) -> set[int | None]:
    """The lists of oak; null where a row is of none."""
    return {row[0] for row in directory.rows("select list_id from directory.user_lists where district = 'oak'")} | {None}


#: Each is run as oak's application and must not show a word of elm, whether it answers or is refused.
TRICKS: dict[str, list[str]] = {
    "the setting of old": ["select people::text from directory.people"],
    "the setting by function": ["select set_config('mingasync.districts', 'elm', false)", "select people::text from directory.people"],
    "the group's role": ["set role mingasync_reader", "select people::text from directory.people"],
    "the writers' role": ["set role mingasync_app", "select people::text from directory.people"],
    "the owner's role": ["set role postgres", "select people::text from directory.people"],
    "somebody else's session": ["set session authorization postgres", "select people::text from directory.people"],
    "no row security": ["set row_security = off", "select people::text from directory.people"],
    "a function of its own": [
        "create function pg_temp.all_people() returns setof text language sql security definer as 'select people::text from directory.people'",
        "select pg_temp.all_people()",
    ],
    "a function in place of ours": [
        "create function pg_temp.readable_districts() returns setof text language sql as $$select 'elm'::text$$",
        "create function pg_temp.may_read(text) returns boolean language sql as 'select true'",
        "set search_path = pg_temp, directory",
        "select people::text from people",
    ],
    "a table in place of ours": [
        "create temp table access (role text, district text, may_write boolean)",
        "insert into access values (current_user, 'elm', true)",
        "create temp table user_lists as select 0 as list_id",
        "set search_path = pg_temp, directory",
        "select people::text from directory.people",
        "select memberships::text from directory.memberships",
    ],
    "an operator in place of ours": [
        "create function pg_temp.always(text, text) returns boolean language sql as 'select true'",
        "create operator pg_temp.= (leftarg = text, rightarg = text, function = pg_temp.always)",
        "set search_path = pg_temp, pg_catalog, directory",
        "select people::text from directory.people",
        "select lists_visible_to::text from directory.lists_visible_to({teacher})",
    ],
    "a function that tells what it is shown": [
        "create function pg_temp.tell(text) returns boolean language plpgsql cost 0.0000001 as $$begin raise notice '%', $1; return true; end$$",
        "select count(*) from directory.people where pg_temp.tell(people::text)",
        "select count(*) from directory.list_members where pg_temp.tell(list_members::text)",
        "select count(*) from directory.sync_changes where pg_temp.tell(sync_changes::text)",
        "select count(*) from directory.user_lists where pg_temp.tell(name)",
    ],
    "an error that quotes": ["select count(*) from directory.people where family_name::integer = 1"],
    "a division by zero": ["select count(*) from directory.people where 1 / (person_id - {person}) = 0"],
    "a prepared statement": ["prepare p as select people::text from directory.people", "execute p", "set plan_cache_mode = force_generic_plan", "execute p"],
    "a cursor": ["declare c cursor with hold for select people::text from directory.people", "fetch all from c"],
    "copy": ["copy directory.people to stdout"],
    "copy of a query": ["copy (select * from directory.sync_changes) to stdout"],
    "explain": ["explain (analyze, verbose, costs off) select * from directory.people where family_name like 'Family%'"],
    "statistics": ["select pg_stats::text from pg_stats where schemaname = 'directory'", "select * from pg_statistic limit 1"],
    "a view of its own": ["create temp view v as select people::text from directory.people", "select * from v"],
    "a table of its own": ["create temp table t as select people::text from directory.people", "select * from t"],
    "a row lock": ["select people::text from directory.people for update"],
    "a person by number": ["select people::text from directory.people where person_id = {person}"],
    "lists of a person": ["select l::text from directory.lists_visible_to({teacher}) as l"],
    "members of a list": ["select m::text from directory.list_members_at({list}, now()) as m"],
    "people of a district": ["select p::text from directory.people_at('elm', now()) as p"],
    "rights of others": ["select access::text from directory.access"],
    "mails": ["select mails::text from directory.mails"],
    "settings": ["select s::text from directory.settings_history as s"],
    "the old functions' owner": ["alter function directory.readable_districts() owner to current_user"],
    "a policy": ["create policy all_of_it on directory.people using (true)"],
    "a right for itself": ["insert into directory.access (role, district, granted_by) values (current_user, 'elm', 'me')"],
    "a right by function": ["select directory.grant_access(current_user, 'elm')", "select people::text from directory.people"],
    "rights anew": ["select directory.set_rights()", "select directory.set_membership(current_user)"],
    "a number that goes on": ["select last_value from directory.people_person_id_seq", "select nextval('directory.people_person_id_seq')"],
}  # fmt: skip


@pytest.mark.parametrize("trick", TRICKS)
def test_no_trick_shows_another_district(trick: str, ids: dict[str, dict[str, Any]], app: App) -> None:
    seen: list[str] = []
    app.add_notice_handler(lambda notice: seen.append(str(notice.message_primary)))
    for statement in TRICKS[trick]:
        command = statement.replace("{person}", str(ids["elm"]["person"])).replace("{list}", str(ids["elm"]["list"]))
        try:
            seen += answers(app, command.replace("{teacher}", str(ids["elm"]["teacher"])))
        except psycopg.Error as error:
            seen += [str(error), str(error.diag.message_detail), str(error.diag.context)]
    if trick in ("lists of a person", "members of a list", "people of a district"):
        assert seen == []
    told = "\n".join(seen).replace("'elm'", "")  # our own words, quoted in an error
    assert "elm" not in told


def answers(app: App, command: str) -> list[str]:
    """What a statement gave back, as text."""
    with app.cursor() as cursor:
        if command.startswith("copy"):
            with cursor.copy(command) as copy:
                return [bytes(part).decode() for part in copy]
        cursor.execute(command)
        return [str(row) for row in cursor.fetchall()] if cursor.description else []


def test_a_login_of_two_districts_sees_the_one_it_acts_for(directory: Directory, ids: dict[str, dict[str, Any]]) -> None:
    oak, elm, web = (make_app(directory.connection, district) for district in ("oak", "elm", ""))
    for role in (oak, elm):
        directory.do(f"grant {role} to {web} with inherit false")
    with login(directory.connection, web) as app:
        with pytest.raises(errors.InsufficientPrivilege):
            app.execute("select count(*) from directory.people")
        app.execute(f"set role {oak}")
        app.execute("prepare p as select min(district), max(district), count(*) from directory.people")
        assert app.execute("execute p").fetchone() == ("oak", "oak", 4)
        app.execute(f"set role {elm}")
        assert app.execute("execute p").fetchone() == ("elm", "elm", 4)


def test_a_right_taken_back_ends_at_once(directory: Directory, app: App) -> None:
    role = app.info.user
    directory.do("select directory.grant_access(%s, 'elm')", role)
    assert app.execute("select count(*) from directory.people").fetchone() == (8,)
    directory.do("select directory.revoke_access(%s, 'oak')", role)
    assert app.execute("select min(district), count(*) from directory.people").fetchone() == ("elm", 4)
    with pytest.raises(errors.InsufficientPrivilege):
        app.execute("select directory.add_person('oak', 'staff', 'A', 'B', 'c@example.org')")
    directory.do("select directory.revoke_access(%s, 'elm')", role)
    with pytest.raises(errors.InsufficientPrivilege):
        app.execute("select count(*) from directory.people")


def test_a_dropped_role_hinders_nobody_and_a_new_one_of_its_name_has_nothing(directory: Directory, app: App) -> None:
    gone = make_app(directory.connection, "elm", may_write=True)
    directory.do(f"drop role {gone}")
    assert app.execute("select count(*) from directory.people").fetchone() == (4,)
    directory.do(f"create role {gone} login password '{PASSWORD}'")
    with login(directory.connection, gone) as again, pytest.raises(errors.InsufficientPrivilege):
        again.execute("select count(*) from directory.people")


# Writing


def test_an_application_writes_its_district(directory: Directory, ids: dict[str, dict[str, Any]], app: App) -> None:
    oak = ids["oak"]
    made = app.execute("select directory.add_person('oak', 'staff', 'By', 'Hand', 'by@example.org')").fetchone()
    app.execute("select directory.set_include_in_sync(%s, false)", (oak["other"],))
    app.execute("select directory.set_list_visibility(array[%s], 'public')", (oak["list"],))
    app.execute("select directory.pin_field(%s, 'given_name', 'Pinned', 'asked')", (oak["other"],))
    app.execute(
        "insert into directory.list_members (list_id, person_id, member_role) values (%s, %s, 'manager')",
        (oak["list"], oak["other"]),
    )
    app.execute(
        "update directory.list_members set member_role = 'member' where person_id = %s and member_role = 'manager'",
        (oak["other"],),
    )
    app.execute("delete from directory.list_members where list_id = %s and person_id = %s", (oak["list"], oak["person"]))
    app.execute("select directory.relink(%s, 'oak-new')", (oak["person"],))
    role = app.info.user
    assert directory.rows("select district, source, include_in_sync from directory.people where person_id = %s", *made) == [
        ("oak", "manual", False)
    ]
    assert directory.rows("select given_name, include_in_sync from directory.people where person_id = %s", oak["other"]) == [
        ("Pinned", False)
    ]
    assert directory.value("select sourced_id from directory.people where person_id = %s", oak["person"]) == "oak-new"
    assert directory.value("select visibility from directory.user_lists where list_id = %s", oak["list"]) == "public"
    assert directory.rows("select person_id, member_role from directory.list_members where list_id = %s order by 1", oak["list"]) == [
        (oak["other"], "member"), (oak["teacher"], "manager"),
    ]  # fmt: skip
    # Who did it is the application's role, not the owner that the functions run as.
    by = "select distinct set_by from directory.membership_overrides where set_by <> 'postgres' union select set_by from directory.field_pins where set_by <> 'postgres' union select decided_by from directory.relink_proposals where decided_by is not null"
    assert directory.rows(by) == [(role,)]


#: What would change elm, or say that something of it is there.
ELSEWHERE = [
    "select directory.add_person('elm', 'staff', 'A', 'B', 'c@example.org')",
    "select directory.add_person(null, 'staff', 'A', 'B', 'c@example.org')",
    "select directory.set_include_in_sync({person}, false)",
    "select directory.set_list_visibility(array[{own_list}, {list}], 'public')",
    "select directory.pin_field({person}, 'given_name', 'X', 'asked')",
    "select directory.add_list_member({list}, {person})",
    "select directory.add_list_member({own_list}, {person})",
    "select directory.add_list_member({list}, {own_person})",
    "select directory.remove_list_member({list}, {person})",
    "select directory.remove_list_member({own_list}, {person})",
    "select directory.relink({person}, 'elm-new')",
    "select directory.refuse_relink({person}, 'elm-new')",
    "insert into directory.list_members (list_id, person_id) values ({list}, {person})",
    "update directory.list_members set list_id = {list}",
    "insert into directory.people (district, source, role, given_name, family_name, include_in_sync) values ('oak', 'sis', 'admin', 'A', 'B', true)",
    "update directory.people set role = 'admin'",
    "update directory.user_lists set district = 'elm'",
    "delete from directory.memberships",
    "truncate directory.changes",
]  # fmt: skip


@pytest.mark.parametrize("statement", ELSEWHERE)
def test_an_application_changes_nothing_elsewhere(
    statement: str, directory: Directory, ids: dict[str, dict[str, Any]], app: App
) -> None:
    before = [as_text(directory.connection, relation) for relation in relations(directory.connection)]

    def refused(numbers: dict[str, Any]) -> str:
        names = {
            "person": numbers["person"],
            "list": numbers["list"],
            "own_list": ids["oak"]["list"],
            "own_person": ids["oak"]["person"],
        }
        with pytest.raises(errors.InsufficientPrivilege) as error:
            app.execute(statement.format(**names))
        return re.sub(r"\d+", "", str(error.value))

    # What is another's and what is not there get the same answer.
    assert refused(ids["elm"]) == refused({"person": 2**30, "list": 2**30})
    assert [as_text(directory.connection, relation) for relation in relations(directory.connection)] == before


def test_the_refusal_says_who_may_not_and_who_can_give_the_right(ids: dict[str, dict[str, Any]], app: App) -> None:
    with pytest.raises(errors.InsufficientPrivilege) as error:
        app.execute("select directory.set_include_in_sync(%s, false)", (ids["elm"]["person"],))
    assert error.value.diag.message_primary == (
        f"Person {ids['elm']['person']} is not there, or is of a district that the role {app.info.user} may not write. Nothing was changed."
    )
    assert "grant_access" in str(error.value.diag.message_hint)


def test_who_may_only_read_changes_nothing(directory: Directory, ids: dict[str, dict[str, Any]]) -> None:
    role = make_app(directory.connection, "oak")
    # The right to write another district does not carry over.
    directory.do("select directory.grant_access(%s, 'elm', true)", role)
    oak, elm = ids["oak"], ids["elm"]
    with login(directory.connection, role) as app:
        app.execute("select directory.set_include_in_sync(%s, false)", (elm["person"],))
        with pytest.raises(errors.InsufficientPrivilege, match="may not write"):
            app.execute("select directory.set_include_in_sync(%s, false)", (oak["person"],))
        with pytest.raises(errors.InsufficientPrivilege, match="may not write"):
            app.execute("delete from directory.list_members")
        with pytest.raises(errors.RaiseException, match="not of one district"):
            directory.do("select directory.add_list_member(%s, %s)", oak["list"], elm["person"])


@pytest.mark.parametrize(
    ("attributes", "role"),
    [
        ("superuser", "a superuser"),
        ("bypassrls", "one that no policy holds"),
        ("in role postgres", "the owner's"),
        ("in role passes_all", "one that may act as a role that no policy holds"),
        ("", "mingasync_reader"),
    ],
)
def test_a_role_that_no_row_could_hold_is_given_none(attributes: str, role: str, directory: Directory) -> None:
    name = role if role == "mingasync_reader" else f"strong_{directory.connection.info.dbname}"
    if name != role:
        directory.do("drop role if exists passes_all; create role passes_all bypassrls")
        directory.do(f"create role {name} {attributes}")
    with pytest.raises(psycopg.Error, match=r"Nothing was granted|violates check constraint"):
        directory.do("select directory.grant_access(%s, 'oak')", name)
    assert directory.rows("select * from directory.access") == []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server on which nobody has made the groups yet."""
    with embedded_postgres(tmp_path_factory.mktemp("server")) as started:
        yield started


def test_a_second_database_of_the_server_needs_the_groups_handed_on(server: EmbeddedPostgres) -> None:
    owners = ("first_owner", "second_owner")
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        for owner in owners:
            admin.execute(f"create role {owner} login createrole password '{PASSWORD}'")
            admin.execute(f"create database {owner} owner {owner} template template0")
        admin.execute("create role an_app")
        try:
            for owner, told in zip(owners, (0, 2), strict=True):
                with psycopg.connect(server.dsn(owner), autocommit=True) as here, login(here, owner) as mine:
                    schema.bring_to_head(mine)
                    statements = [row[0] for row in mine.execute("select directory.statements_for_administrator()")]
                    assert len(statements) == told and all("with admin option" in one for one in statements)
                    for statement in statements:
                        admin.execute(statement)
                    mine.execute("select directory.grant_access('an_app', 'oak', true)")
                    assert mine.execute("select count(*) from directory.access").fetchone() == (1,)
        finally:
            for owner in owners:
                admin.execute(f"drop database {owner} with (force)")
            for role in ("an_app", "mingasync_reader", "mingasync_app", *owners):
                admin.execute(f"drop role if exists {role}")


# As the documents say


def in_the_documents(who: str) -> str:
    """The statements of docs/deployment.md that are for somebody."""
    (statements,) = re.findall(rf"```sql\n-- {who}\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    return str(statements)


@pytest.mark.parametrize("may_make_roles", [True, False])
def test_an_application_gets_its_role_as_the_documents_say(
    may_make_roles: bool, server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(f"create role mingasync login {'createrole' if may_make_roles else ''} password '{PASSWORD}'")
        admin.execute("create database roster owner mingasync encoding 'UTF8' template template0")
    try:
        with psycopg.connect(server.dsn("roster"), autocommit=True) as admin, login(admin, "mingasync") as owner:
            with caplog.at_level("WARNING"):
                schema.bring_to_head(owner)
            told = [row[0] for row in owner.execute(in_the_documents("the owner of the directory")).fetchall()]
            assert [line.split(" runs: ")[1] for line in caplog.messages] == told
            assert (told == []) == may_make_roles
            directory = Directory(owner)
            whole_district("springfield", directory, monkeypatch)
            elm = whole_district("elm", directory, monkeypatch)
            admin.execute(in_the_documents("an administrator of the server"))
            admin.execute(sql.SQL("alter role springfield_app password {}").format(sql.Literal(PASSWORD)))
            gives = in_the_documents("the owner of the directory: the user of the Connection roster_db")
            if told:
                with pytest.raises(errors.InsufficientPrivilege) as error:
                    owner.execute(gives)
                assert str(error.value.diag.message_hint).endswith(" ".join(told))
                assert directory.rows("select * from directory.access") == []
                for statement in told:
                    admin.execute(statement)
                assert directory.rows("select directory.statements_for_administrator()") == []
            owner.execute(gives)
            with login(admin, "springfield_app") as app:
                does = [line for line in in_the_documents("the application").splitlines() if line.strip()]
                assert len(app.execute(does[0]).fetchall()) == 3
                for statement in does[1:]:
                    app.execute(statement)
                assert app.execute("select min(district), max(district), count(*) from directory.people").fetchone() == (
                    "springfield", "springfield", 5,
                )  # fmt: skip
                with pytest.raises(errors.InsufficientPrivilege, match="may not write"):
                    app.execute("select directory.set_include_in_sync(%s, false)", (elm["person"],))
                granted, *_ = owner.execute(in_the_documents("the owner of the directory: what is granted, and how it is taken back")
                                            .split("\n")[0]).fetchall()  # fmt: skip
                assert granted[:4] == ("springfield_app", "springfield", True, "mingasync")
                owner.execute(in_the_documents("the owner of the directory: what is granted, and how it is taken back"))
                with pytest.raises(errors.InsufficientPrivilege):
                    app.execute("select count(*) from directory.people")
    finally:
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute("drop database roster with (force)")
            for role in ("springfield_app", "mingasync_reader", "mingasync_app", "mingasync"):
                admin.execute(f"drop role if exists {role}")
