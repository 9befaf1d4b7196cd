-- The role of the app downstream: it reads the districts named in its session's setting mingasync.districts, and nothing else.
-- Where the migrating user may not make roles, an administrator makes mingasync_reader first and this is run again by hand.

do $$
begin
    if not exists (select from pg_roles where rolname = 'mingasync_reader') then
        if (select rolcreaterole or rolsuper from pg_roles where rolname = current_user) then
            create role mingasync_reader nologin;
        end if;
    end if;
end
$$;

create function directory.may_read(district text) returns boolean language sql stable parallel safe as $$
    select $1 = any (string_to_array(current_setting('mingasync.districts', true), ','))
$$;

alter table directory.people enable row level security;
alter table directory.user_lists enable row level security;
alter table directory.sync_runs enable row level security;
alter table directory.sync_issues enable row level security;
alter table directory.field_pins enable row level security;
alter table directory.schools enable row level security;
alter table directory.terms enable row level security;
alter table directory.memberships enable row level security;
alter table directory.changes enable row level security;
alter table directory.membership_changes enable row level security;

create policy own_districts on directory.people using (directory.may_read(district));
create policy own_districts on directory.user_lists using (directory.may_read(district));
create policy own_districts on directory.sync_runs using (directory.may_read(district));
create policy own_districts on directory.sync_issues using (directory.may_read(district));
create policy own_districts on directory.field_pins using (directory.may_read(district));
create policy own_districts on directory.schools using (directory.may_read(district));
create policy own_districts on directory.terms using (directory.may_read(district));
-- These carry no district of their own: their list's or run's decides.
create policy own_districts on directory.memberships
    using (exists (select from directory.user_lists as l where l.list_id = memberships.list_id));
create policy own_districts on directory.changes
    using (exists (select from directory.sync_runs as r where r.run_no = changes.run_no));
create policy own_districts on directory.membership_changes
    using (exists (select from directory.sync_runs as r where r.run_no = membership_changes.run_no));

do $$
begin
    if exists (select from pg_roles where rolname = 'mingasync_reader') then
        grant usage on schema directory to mingasync_reader;
        grant select on directory.people, directory.user_lists, directory.memberships, directory.list_members,
            directory.sync_runs, directory.changes, directory.membership_changes, directory.sync_changes,
            directory.sync_issues, directory.field_pins, directory.schools, directory.terms to mingasync_reader;
        revoke execute on all functions in schema directory from public;
        grant execute on function directory.lists_visible_to(bigint), directory.may_read(text),
            directory.list_members_at(bigint, timestamptz), directory.people_at(text, timestamptz) to mingasync_reader;
    end if;
end
$$;
