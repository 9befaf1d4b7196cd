-- Rights on all that the directory holds. Run last, so that what other parts made is covered too.

-- Puts every table that has a district under the one policy, whatever was written for it before: a new table cannot be forgotten, and the
-- caller's districts are asked once per query.
create function directory.protect_tables() returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    protected text;
begin
    for protected in
        select c.oid::regclass from pg_class as c
        join pg_attribute as a on a.attrelid = c.oid and a.attname = 'district' and not a.attisdropped
        where c.relnamespace = 'directory'::regnamespace and c.relkind in ('r', 'p') and c.relname <> 'access'
    loop
        execute format('alter table %s enable row level security', protected);
        execute format('drop policy if exists own_districts on %s', protected);
        execute format('create policy own_districts on %s for select '
                       'using (district = any (array(select directory.readable_districts())))', protected);
    end loop;
end
$$;

-- Makes the two roles that carry an application's rights, where the owner may make roles.
create function directory.make_groups() returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    wanted text;
begin
    foreach wanted in array array['mingasync_reader', 'mingasync_app'] loop
        if to_regrole(wanted) is null then
            begin
                execute format('create role %I nologin', wanted);
            exception
                -- May not make roles; or another database of the same server makes it at this moment.
                when insufficient_privilege or duplicate_object or unique_violation then null;
            end;
        end if;
    end loop;
end
$$;

-- What an administrator of the server has to run before applications can be given rights, a statement per row; nothing when all is there.
create function directory.statements_for_administrator() returns setof text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    owner name := (select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'directory');
    wanted text;
begin
    foreach wanted in array array['mingasync_reader', 'mingasync_app'] loop
        if to_regrole(wanted) is null then
            return next format('create role %I nologin;', wanted);
            return next format('grant %I to %I with admin option;', wanted, owner);
        elsif not pg_has_role(owner, wanted, 'member with admin option') then
            return next format('grant %I to %I with admin option;', wanted, owner);
        end if;
    end loop;
end
$$;

-- Gives the two roles what they may do; harmless when they have it, and nothing where they are not there yet. What is not named here
-- (mails, settings_history, schema_version) is for the owner alone.
create function directory.set_grants() returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    revoke all on all routines in schema directory from public;
    revoke all on all tables in schema directory from public;
    if to_regrole('mingasync_reader') is not null then
        grant usage on schema directory to mingasync_reader;
        grant select on directory.access, directory.people, directory.user_lists, directory.memberships, directory.list_members,
            directory.membership_overrides, directory.sync_runs, directory.changes, directory.membership_changes,
            directory.sync_changes, directory.sync_issues, directory.issue_trend, directory.field_pins, directory.relink_proposals,
            directory.schools, directory.terms to mingasync_reader;
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

-- Makes a database role a member of the two according to its rows in access.
create function directory.set_membership(role text) returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    reads boolean := exists (select from directory.access as a where a.role = $1);
    writes boolean := exists (select from directory.access as a where a.role = $1 and a.may_write);
    -- Since version 16 it is said with the grant, and not with the role, whether its rights are there without SET ROLE.
    inherit text := case when current_setting('server_version_num')::integer >= 160000 then ' with inherit true' else '' end;
    held record;
begin
    if reads then
        execute format('grant mingasync_reader to %I%s', $1, inherit);
    end if;
    if writes then
        execute format('grant mingasync_app to %I%s', $1, inherit);
    end if;
    for held in
        select g.rolname as held, m.grantor::regrole as grantor
        from pg_auth_members as m join pg_roles as g on g.oid = m.roleid join pg_roles as r on r.oid = m.member
        where r.rolname = $1 and (g.rolname = 'mingasync_reader' and not reads or g.rolname = 'mingasync_app' and not writes)
    loop
        execute format('revoke %I from %I granted by %s', held.held, $1, held.grantor);
    end loop;
end
$$;

-- Lets a database role read a district, and write it through the directory's functions if may_write. For the owner of the directory.
create function directory.grant_access(role text, district text, may_write boolean default false)
returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    owner oid := (select nspowner from pg_namespace where nspname = 'directory');
begin
    if not exists (select from pg_roles as r where r.rolname = $1) then
        raise exception 'There is no database role "%". Nothing was granted.', $1
            using errcode = 'undefined_object',
                  hint = format('An administrator makes it first: create role %I login password ''...'';', $1);
    end if;
    if exists (select from pg_roles as r join pg_roles as strong on pg_has_role(r.oid, strong.oid, 'member')
               where r.rolname = $1 and (strong.rolsuper or strong.rolbypassrls or strong.oid = owner)) then
        raise exception 'The role "%" could read every district whatever is granted: it is, or may act as, a superuser, a role that '
            'bypasses row-level security, or the owner of the directory. Nothing was granted.', $1
            using errcode = 'invalid_grant_operation', hint = 'Give the application a role of its own.';
    end if;
    insert into directory.access as a (role, district, may_write, granted_by)
    values ($1, $2, coalesce($3, false), directory.caller())
    on conflict on constraint access_pkey
        do update set may_write = excluded.may_write, granted_by = excluded.granted_by, granted_at = now();
    perform directory.make_groups();
    perform directory.set_grants();
    begin
        perform directory.set_membership($1);
    exception when insufficient_privilege or undefined_object then
        raise exception 'The owner of the directory may not hand on the rights yet. Nothing was granted.'
            using errcode = 'insufficient_privilege',
                  hint = 'An administrator runs first: '
                         || (select string_agg(s, ' ') from directory.statements_for_administrator() as s);
    end;
end
$$;

-- Takes a district away from a database role. For the owner of the directory.
create function directory.revoke_access(role text, district text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    delete from directory.access as a where a.role = $1 and a.district = $2;
    begin
        perform directory.set_membership($1);
    exception when insufficient_privilege or undefined_object then
        null;  -- What is left of the role's membership shows nothing without a row.
    end;
end
$$;

-- These carry no district of their own: their list's or run's decides.
alter table directory.membership_overrides enable row level security;
create policy own_districts on directory.membership_overrides for select
    using (exists (select from directory.user_lists as l where l.list_id = membership_overrides.list_id));
drop policy own_districts on directory.memberships;
create policy own_districts on directory.memberships for select
    using (exists (select from directory.user_lists as l where l.list_id = memberships.list_id));
drop policy own_districts on directory.membership_changes;
create policy own_districts on directory.membership_changes for select
    using (exists (select from directory.user_lists as l where l.list_id = membership_changes.list_id));
drop policy own_districts on directory.changes;
create policy own_districts on directory.changes for select
    using (exists (select from directory.sync_runs as r where r.run_no = changes.run_no));

-- Called after each migration, so that what it made is covered as well.
create function directory.set_rights() returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform directory.protect_tables();
    perform directory.make_groups();
    perform directory.set_grants();
end
$$;
