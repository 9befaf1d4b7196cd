-- Who may read and write which district, by database role. A right is a row that the owner of the directory wrote; nothing that a
-- session can say about itself counts.

create table directory.access (
    role       text not null,
    district   text not null,
    may_write  boolean not null default false,
    granted_by text not null,
    granted_at timestamptz not null default now(),
    primary key (role, district),
    -- Every application is a member of these: a right of theirs would be everybody's.
    check (role not in ('mingasync_reader', 'mingasync_app', 'public')),
    check (district ~ '^[a-z][a-z0-9_]*$')
);
alter table directory.access enable row level security;

-- Asked with the rights of whoever asks: a role reads its own rows here. Not pg_has_role by name, which fails for a role that was dropped.
create policy own_rights on directory.access for select using (exists (
    select from pg_catalog.pg_roles as r where r.rolname = access.role and pg_catalog.pg_has_role(r.oid, 'usage')));

-- The districts of whoever asks. Policies call it in a subquery, so it is asked once per query and not once per row.
create function directory.readable_districts() returns setof text
language sql stable parallel safe set search_path = pg_catalog, pg_temp as $$
    select a.district from directory.access as a join pg_catalog.pg_roles as r on r.rolname = a.role
    where pg_catalog.pg_has_role(r.oid, 'usage')
$$;

create or replace function directory.may_read(district text) returns boolean
language sql stable parallel safe set search_path = pg_catalog, pg_temp as $$
    select $1 in (select directory.readable_districts())
$$;

-- The role that acts in this session, also inside a function that runs with its owner's rights. PostgreSQL itself checks every SET ROLE.
create function directory.caller() returns text
language sql stable parallel safe set search_path = pg_catalog, pg_temp as $$
    select coalesce(nullif(pg_catalog.current_setting('role'), 'none'), session_user::text)
$$;

-- Whether the caller may write a district: by a row of theirs, or because they own the directory.
create function directory.may_write(district text) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select exists (select from directory.access as a join pg_catalog.pg_roles as r on r.rolname = a.role
                   where a.district = $1 and a.may_write and pg_catalog.pg_has_role(directory.caller()::name, r.oid, 'usage'))
        or exists (select from pg_catalog.pg_namespace as n
                   where n.nspname = 'directory' and pg_catalog.pg_has_role(directory.caller()::name, n.nspowner, 'usage'))
$$;

-- A row to be locked per district. A row and no number, because any session of the server may take the lock of a number.
create table directory.district_locks (district text primary key);

-- Holds a district until the transaction ends. A run holds it alone. What people do by hand holds it together, and waits for a run's end:
-- a run that began without it would write over it what it planned before.
create function directory.lock_district(district text, by_hand boolean default false) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    insert into directory.district_locks as l (district) values ($1) on conflict do nothing;
    if by_hand then
        perform from directory.district_locks as l where l.district = $1 for share;
    else
        perform from directory.district_locks as l where l.district = $1 for update;
    end if;
end
$$;

-- Fails unless the caller may write the district, which is held from then on. What is not there (district null) and what is another's get
-- the same answer.
create function directory.check_may_write(district text, what text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if $1 is null or not directory.may_write($1) then
        raise exception '% is not there, or is of a district that the role % may not write. Nothing was changed.', $2, directory.caller()
            using errcode = 'insufficient_privilege',
                  hint = 'The owner of the directory gives the right with: '
                         'select directory.grant_access(''role'', ''district'', may_write => true)';
    end if;
    perform directory.lock_district($1, by_hand => true);
end
$$;

create function directory.check_person(person_id bigint) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform directory.check_may_write((select p.district from directory.people as p where p.person_id = $1),
                                      concat('Person ', coalesce($1::text, 'null')));
end
$$;

create function directory.check_list(list_id bigint) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform directory.check_may_write((select l.district from directory.user_lists as l where l.list_id = $1),
                                      concat('List ', coalesce($1::text, 'null')));
end
$$;

-- Both, and of one district.
create function directory.check_list_and_person(list_id bigint, person_id bigint) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform directory.check_list($1);
    perform directory.check_person($2);
    if (select l.district from directory.user_lists as l where l.list_id = $1)
       <> (select p.district from directory.people as p where p.person_id = $2) then
        raise exception 'list % and person % are not of one district', $1, $2;
    end if;
end
$$;

-- What an application does runs with the owner's rights, as it owns nothing, so each function asks first for the caller's own.
create or replace function directory.add_person(
    district text, role text, given_name text, family_name text, email text default null,
    username text default null, identifier text default null, school_ids text[] default '{}'
) returns integer language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    made integer;
begin
    perform directory.check_may_write($1, concat('District ', coalesce($1, 'null')));
    insert into directory.people
        (district, source, role, given_name, family_name, email, username, identifier, school_ids, include_in_sync)
    values ($1, 'manual', $2, $3, $4, nullif($5, ''), nullif($6, ''), nullif($7, ''), coalesce($8, '{}'), false)
    returning people.person_id into made;
    return made;
end
$$;

create or replace function directory.set_include_in_sync(person_id bigint, include boolean) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform directory.check_person($1);
    update directory.people set include_in_sync = $2, updated_at = now()
    where people.person_id = $1 and people.include_in_sync is distinct from $2;
end
$$;

create or replace function directory.set_list_visibility(list_ids bigint[], visibility text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform directory.check_list(one.list_id) from unnest($1) as one (list_id);
    update directory.user_lists set visibility = $2, updated_at = now()
    where user_lists.list_id = any ($1) and user_lists.visibility is distinct from $2;
end
$$;

create or replace function directory.pin_field(person_id bigint, field text, value text, reason text, until date default null)
returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
    pinned directory.people;
begin
    if field not in ('given_name', 'family_name', 'preferred_given_name', 'email', 'username', 'identifier') then
        raise exception 'field % cannot be pinned; pin one of given_name, family_name, preferred_given_name, email, '
            'username, identifier', field;
    end if;
    perform directory.check_person(person_id);
    select * into strict pinned from directory.people as p where p.person_id = person_id for update;
    insert into directory.field_pins as pins (person_id, district, field, value, sis_value, reason, until, set_by)
    values (person_id, pinned.district, field, value, to_jsonb(pinned) ->> field, reason, until, directory.caller())
    on conflict on constraint field_pins_pkey
        do update set value = excluded.value, reason = excluded.reason, until = excluded.until,
                      set_by = excluded.set_by, set_at = now();
    execute format('update directory.people set %I = $1, updated_at = now() '
                   'where people.person_id = $2 and %I is distinct from $1', field, field)
        using value, person_id;
end
$$;

create or replace function directory.add_list_member(list_id bigint, person_id bigint, member_role text default 'member')
returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
begin
    if member_role not in ('member', 'manager') then
        raise exception 'member_role is member or manager, not %', member_role;
    end if;
    perform directory.check_list_and_person(list_id, person_id);
    insert into directory.membership_overrides as o (list_id, person_id, manager, keep, set_by)
    values (list_id, person_id, member_role = 'manager', true, directory.caller())
    on conflict on constraint membership_overrides_pkey
        do update set keep = true, set_by = excluded.set_by, set_at = now();
    insert into directory.memberships as rolls (list_id, manager, people)
    values (list_id, member_role = 'manager', array[person_id]::integer[])
    on conflict on constraint memberships_pkey
        do update set people = array(select unnest(rolls.people) union select person_id::integer order by 1)
        where not rolls.people @> array[person_id]::integer[];
    if found then
        insert into directory.membership_changes (list_id, manager, action, status, reason, people)
        values (list_id, member_role = 'manager', 'add', 'applied', 'by_hand', array[person_id]::integer[]);
    end if;
end
$$;

create or replace function directory.remove_list_member(list_id bigint, person_id bigint, member_role text default 'member')
returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
begin
    if member_role not in ('member', 'manager') then
        raise exception 'member_role is member or manager, not %', member_role;
    end if;
    perform directory.check_list_and_person(list_id, person_id);
    insert into directory.membership_overrides as o (list_id, person_id, manager, keep, set_by)
    values (list_id, person_id, member_role = 'manager', false, directory.caller())
    on conflict on constraint membership_overrides_pkey
        do update set keep = false, set_by = excluded.set_by, set_at = now();
    update directory.memberships as rolls set people = array_remove(rolls.people, person_id::integer)
    where rolls.list_id = list_id and rolls.manager = (member_role = 'manager')
      and rolls.people @> array[person_id]::integer[];
    if found then
        insert into directory.membership_changes (list_id, manager, action, status, reason, people)
        values (list_id, member_role = 'manager', 'remove', 'applied', 'by_hand', array[person_id]::integer[]);
    end if;
end
$$;

create or replace function directory.relink(person_id bigint, sourced_id text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
    proposal directory.relink_proposals;
begin
    perform directory.check_person(person_id);
    update directory.relink_proposals as r set state = 'applied', decided_by = directory.caller(), decided_at = now()
    where r.person_id = person_id and r.sourced_id = sourced_id and r.state = 'proposed'
    returning * into proposal;
    if not found then
        raise exception 'no relink of person % to % is proposed', person_id, sourced_id;
    end if;
    update directory.people as p
    set sourced_id = proposal.sourced_id, sourced_ids = proposal.sourced_ids, updated_at = now()
    where p.person_id = proposal.person_id;
end
$$;

create or replace function directory.refuse_relink(person_id bigint, sourced_id text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform directory.check_person($1);
    update directory.relink_proposals as r set state = 'rejected', decided_by = directory.caller(), decided_at = now()
    where r.person_id = $1 and r.sourced_id = $2 and r.state = 'proposed';
end
$$;
