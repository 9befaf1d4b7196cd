-- Active people without something that one would expect, a row for each thing: an e-mail, a school, or (students of schools that
-- have class lists) a class list.
create view directory.people_lacking with (security_invoker = true) as
select district, person_id, 'email' as lacks from directory.people where status = 'active' and email is null
union all
select district, person_id, 'school' from directory.people where status = 'active' and school_ids = '{}'
union all
select students.district, students.person_id, 'class'
from (select district, array_agg(distinct school_id) as school_ids from directory.user_lists
      where kind = 'class' and status = 'active' group by district) as listed
join directory.people as students
    on students.district = listed.district and students.role = 'student' and students.status = 'active'
       and students.school_ids && listed.school_ids
where not exists (
    select from directory.user_lists as lists
    join directory.memberships as rolls using (list_id)
    cross join lateral unnest(rolls.people) as one (person_id)
    where lists.district = students.district and lists.kind = 'class' and lists.status = 'active' and not rolls.manager
      and one.person_id = students.person_id);

-- Active class lists without a manager or without a member, a row for each thing.
create view directory.lists_lacking with (security_invoker = true) as
select lists.district, lists.list_id, what.lacks
from directory.user_lists as lists
cross join (values ('manager', true), ('member', false)) as what (lacks, manager)
where lists.kind = 'class' and lists.status = 'active'
  and not exists (select from directory.memberships as rolls
                  where rolls.list_id = lists.list_id and rolls.manager = what.manager and rolls.people <> '{}');

comment on view directory.people_lacking is
    'Active people without an e-mail, a school, or (students of schools that have class lists) a class list: a row for each thing.';
comment on view directory.lists_lacking is 'Active class lists without a manager or without a member: a row for each thing.';

-- The two views are for the roles that read the directory; else as before.
create or replace function directory.set_grants() returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    revoke all on all routines in schema directory from public;
    revoke all on all tables in schema directory from public;
    if to_regrole('mingasync_reader') is not null then
        grant usage on schema directory to mingasync_reader;
        grant select on directory.access, directory.people, directory.user_lists, directory.memberships, directory.list_members,
            directory.membership_overrides, directory.sync_runs, directory.changes, directory.membership_changes,
            directory.sync_changes, directory.sync_issues, directory.issue_trend, directory.field_pins, directory.relink_proposals,
            directory.schools, directory.terms, directory.people_lacking, directory.lists_lacking to mingasync_reader;
        grant execute on function directory.readable_districts(), directory.may_read(text), directory.caller(),
            directory.may_write(text), directory.lists_visible_to(bigint), directory.list_members_at(bigint, timestamptz),
            directory.people_at(text, timestamptz) to mingasync_reader;
    end if;
    if to_regrole('mingasync_app') is not null then
        grant usage on schema directory to mingasync_app;
        grant insert, update, delete on directory.list_members to mingasync_app;
        grant execute on function directory.add_person(text, text, text, text, text, text, text, text[]),
            directory.set_include_in_sync(bigint, boolean), directory.set_list_visibility(bigint[], text),
            directory.pin_field(bigint, text, text, text, date), directory.add_list_member(bigint, bigint, text),
            directory.remove_list_member(bigint, bigint, text), directory.relink(bigint, text),
            directory.refuse_relink(bigint, text) to mingasync_app;
    end if;
end
$$;

select directory.set_grants();
