-- What people and the app downstream may do with the directory, and what it answers them.

-- The new person's id. Made by hand, so the sync leaves them alone until their switch is turned on.
create function directory.add_person(
    district text, role text, given_name text, family_name text, email text default null,
    username text default null, identifier text default null, school_ids text[] default '{}'
) returns integer language sql as $$
    insert into directory.people
        (district, source, role, given_name, family_name, email, username, identifier, school_ids, include_in_sync)
    values ($1, 'manual', $2, $3, $4, nullif($5, ''), nullif($6, ''), nullif($7, ''), coalesce($8, '{}'), false)
    returning person_id
$$;

create function directory.set_include_in_sync(person_id bigint, include boolean) returns void language sql as $$
    update directory.people set include_in_sync = $2, updated_at = now()
    where people.person_id = $1 and people.include_in_sync is distinct from $2
$$;

create function directory.set_list_visibility(list_ids bigint[], visibility text) returns void language sql as $$
    update directory.user_lists set visibility = $2, updated_at = now()
    where user_lists.list_id = any ($1) and user_lists.visibility is distinct from $2
$$;

-- Keeps a field at a value whatever the SIS says, until a date or for good (null). A null value pins it empty.
create function directory.pin_field(person_id bigint, field text, value text, reason text, until date default null)
returns void language plpgsql as $$
#variable_conflict use_variable
declare
    pinned directory.people;
begin
    if field not in ('given_name', 'family_name', 'preferred_given_name', 'email', 'username', 'identifier') then
        raise exception 'field % cannot be pinned; pin one of given_name, family_name, preferred_given_name, email, '
            'username, identifier', field;
    end if;
    select * into pinned from directory.people as p where p.person_id = person_id for update;
    if not found then
        raise exception 'there is no person %', person_id;
    end if;
    insert into directory.field_pins as pins (person_id, district, field, value, sis_value, reason, until)
    values (person_id, pinned.district, field, value, to_jsonb(pinned) ->> field, reason, until)
    on conflict on constraint field_pins_pkey
        do update set value = excluded.value, reason = excluded.reason, until = excluded.until,
                      set_by = current_user, set_at = now();
    execute format('update directory.people set %I = $1, updated_at = now() '
                   'where people.person_id = $2 and %I is distinct from $1', field, field)
        using value, person_id;
end
$$;

-- The lists that a person may see. Students and parents see none; private ones are for their managers and admins.
create function directory.lists_visible_to(person_id bigint) returns setof directory.user_lists
language sql stable as $$
    select lists.*
    from directory.people as viewer
    join directory.user_lists as lists on lists.district = viewer.district
    where viewer.person_id = $1
      and viewer.status = 'active'
      and viewer.role <> 'student'
      and (viewer.role = 'admin'
           or lists.visibility = 'public'
           or exists (select from directory.memberships as m
                      where m.list_id = lists.list_id and m.person_id = viewer.person_id
                        and m.manager and m.to_run is null and m.removed_at is null))
$$;

-- Adds somebody to a list by hand; every sync keeps it.
create function directory.add_list_member(list_id bigint, person_id bigint, member_role text default 'member')
returns void language plpgsql as $$
#variable_conflict use_variable
begin
    if member_role not in ('member', 'manager') then
        raise exception 'member_role is member or manager, not %', member_role;
    end if;
    if (select l.district from directory.user_lists as l where l.list_id = list_id)
       is distinct from (select p.district from directory.people as p where p.person_id = person_id) then
        raise exception 'list % and person % are not of one district', list_id, person_id;
    end if;
    insert into directory.membership_overrides as o (list_id, person_id, manager, keep)
    values (list_id, person_id, member_role = 'manager', true)
    on conflict on constraint membership_overrides_pkey
        do update set keep = true, set_by = current_user, set_at = now();
    insert into directory.memberships as m (list_id, person_id, manager, added_at)
    values (list_id, person_id, member_role = 'manager', now())
    on conflict do nothing;
end
$$;

-- Takes somebody off a list by hand; no sync puts them back.
create function directory.remove_list_member(list_id bigint, person_id bigint, member_role text default 'member')
returns void language plpgsql as $$
#variable_conflict use_variable
begin
    insert into directory.membership_overrides as o (list_id, person_id, manager, keep)
    values (list_id, person_id, member_role = 'manager', false)
    on conflict on constraint membership_overrides_pkey
        do update set keep = false, set_by = current_user, set_at = now();
    update directory.memberships as m set removed_at = now()
    where m.list_id = list_id and m.person_id = person_id and m.manager = (member_role = 'manager')
      and m.to_run is null and m.removed_at is null;
end
$$;

-- The app downstream may write to list_members itself: it means the same as the two functions above.
create function directory.list_members_by_hand() returns trigger language plpgsql as $$
begin
    if tg_op in ('DELETE', 'UPDATE') then
        perform directory.remove_list_member(old.list_id, old.person_id, old.member_role);
    end if;
    if tg_op in ('INSERT', 'UPDATE') then
        perform directory.add_list_member(new.list_id, new.person_id, coalesce(new.member_role, 'member'));
        return new;
    end if;
    return old;
end
$$;

create trigger by_hand instead of insert or update or delete on directory.list_members
for each row execute function directory.list_members_by_hand();

-- Gives a person the new sourcedIds that the SIS proposed for them; the next sync finds them under these.
create function directory.relink(person_id bigint, sourced_id text) returns void language plpgsql as $$
#variable_conflict use_variable
declare
    proposal directory.relink_proposals;
begin
    update directory.relink_proposals as r set state = 'applied', decided_by = current_user, decided_at = now()
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

-- Says that the two are different people: from the next sync on the one may be created and the other archived.
create function directory.refuse_relink(person_id bigint, sourced_id text) returns void language sql as $$
    update directory.relink_proposals as r set state = 'rejected', decided_by = current_user, decided_at = now()
    where r.person_id = $1 and r.sourced_id = $2 and r.state = 'proposed'
$$;

-- Who was on a list at a moment, as member_role and person_id.
create function directory.list_members_at(list_id bigint, moment timestamptz)
returns table (person_id integer, member_role text) language sql stable as $$
    select m.person_id, case when m.manager then 'manager' else 'member' end
    from directory.memberships as m
    left join directory.sync_runs as began on began.run_no = m.from_run
    left join directory.sync_runs as ended on ended.run_no = m.to_run
    where m.list_id = $1
      and coalesce(m.added_at, began.loaded_at, began.started_at) <= $2
      and (m.to_run is null and m.removed_at is null
           or coalesce(m.removed_at, ended.finished_at, ended.loaded_at, ended.started_at) > $2)
$$;

-- Who was in the directory at a moment, with what they were then: archived people with their status of that time.
create function directory.people_at(district text, moment timestamptz)
returns table (person_id integer, status text) language sql stable as $$
    select p.person_id,
           coalesce((select case c.action when 'archive' then 'active' else 'archived' end
                     from directory.changes as c join directory.sync_runs as r using (run_no)
                     where c.entity = 'person' and c.entity_no = p.person_id and c.status = 'applied'
                       and c.action in ('archive', 'restore') and coalesce(r.finished_at, r.started_at) > $2
                     order by r.run_no limit 1),
                    p.status)
    from directory.people as p
    where p.district = $1 and p.created_at <= $2
$$;
