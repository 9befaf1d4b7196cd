-- Who is on a list as one sorted array per list and role, and every change of it as the array of people it moved: a night
-- compares, writes and keeps tens of thousands of rows where it had millions. See docs/decisions/0004.

alter table directory.memberships rename to old_memberships;
alter table directory.membership_changes rename to old_membership_changes;

create table directory.memberships (
    list_id integer not null,
    manager boolean not null,
    -- sorted, each person once: two arrays are equal exactly when the same people are on the list
    people  integer[] not null,
    primary key (list_id, manager)
);
-- Numbers hardly compress; trying costs more than it saves.
alter table directory.memberships alter people set storage external;
create index memberships_of_manager on directory.memberships using gin (people) where manager;

create table directory.membership_changes (
    change_no  bigint generated always as identity,
    -- null: done by hand
    run_no     integer,
    list_id    integer not null,
    manager    boolean not null,
    action     text not null check (action in ('add', 'remove')),
    status     text not null check (status in ('applied', 'planned', 'suppressed', 'held', 'conflict', 'undone')),
    reason     text,
    people     integer[] not null,
    changed_at timestamptz not null default now()
);
alter table directory.membership_changes alter people set storage external;
create index on directory.membership_changes (run_no);
create index on directory.membership_changes (list_id);

insert into directory.memberships (list_id, manager, people)
select list_id, manager, array_agg(distinct person_id order by person_id)
from directory.old_memberships where to_run is null and removed_at is null
group by list_id, manager;

insert into directory.membership_changes (run_no, list_id, manager, action, status, reason, people, changed_at)
select moved.run_no, moved.list_id, moved.manager, moved.action, moved.status, moved.reason,
       array_agg(distinct moved.person_id order by moved.person_id),
       coalesce(moved.at, max(runs.finished_at), max(runs.loaded_at), max(runs.started_at), now())
from (
    select from_run as run_no, list_id, person_id, manager, 'add' as action, 'applied' as status,
           case when from_run is null then 'by_hand' else 'roster' end as reason, added_at as at
    from directory.old_memberships
    union all
    select to_run, list_id, person_id, manager, 'remove', 'applied',
           case when to_run is null then 'by_hand' else 'roster' end, removed_at
    from directory.old_memberships where to_run is not null or removed_at is not null
    union all
    select run_no, list_id, person_id, manager, action, status, reason, null from directory.old_membership_changes
) as moved
left join directory.sync_runs as runs using (run_no)
group by moved.run_no, moved.list_id, moved.manager, moved.action, moved.status, moved.reason, moved.at
order by coalesce(moved.at, max(runs.loaded_at), max(runs.started_at));

create or replace view directory.list_members with (security_invoker = true) as
select lists.district, rolls.list_id, one.person_id,
       case when rolls.manager then 'manager' else 'member' end as member_role
from directory.memberships as rolls
join directory.user_lists as lists using (list_id)
cross join lateral unnest(rolls.people) as one (person_id);

create or replace view directory.sync_changes with (security_invoker = true) as
select runs.district, runs.run_id, changes.entity, changes.entity_no::text as entity_id, changes.school_id, changes.role,
       changes.action, changes.status, changes.reason, changes.before, changes.after,
       case when changes.entity = 'person' then changes.entity_no end as person_id,
       case when changes.entity = 'list' then changes.entity_no end as list_id
from directory.changes
join directory.sync_runs as runs using (run_no)
union all
select runs.district, runs.run_id, 'membership', concat(moves.list_id, ':', one.person_id), lists.school_id, people.role,
       moves.action, moves.status, moves.reason,
       case when moves.action = 'remove' then as_what.member_role end,
       case when moves.action = 'add' then as_what.member_role end,
       one.person_id, moves.list_id
from directory.membership_changes as moves
cross join lateral unnest(moves.people) as one (person_id)
cross join lateral (
    select jsonb_build_object('member_role', case when moves.manager then 'manager' else 'member' end) as member_role
) as as_what
join directory.sync_runs as runs using (run_no)
left join directory.user_lists as lists using (list_id)
left join directory.people as people using (person_id);

create or replace function directory.lists_visible_to(person_id bigint) returns setof directory.user_lists
language sql stable as $$
    with viewer as materialized (
        select * from directory.people as p where p.person_id = $1 and p.status = 'active' and p.role <> 'student'
    )
    select lists.*
    from viewer
    join directory.user_lists as lists on lists.district = viewer.district
    where viewer.role = 'admin'
       or lists.visibility = 'public'
       or lists.list_id in (select rolls.list_id from viewer as v
                            join directory.memberships as rolls on rolls.manager and rolls.people @> array[v.person_id])
$$;

create or replace function directory.add_list_member(list_id bigint, person_id bigint, member_role text default 'member')
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
returns void language plpgsql as $$
#variable_conflict use_variable
begin
    insert into directory.membership_overrides as o (list_id, person_id, manager, keep)
    values (list_id, person_id, member_role = 'manager', false)
    on conflict on constraint membership_overrides_pkey
        do update set keep = false, set_by = current_user, set_at = now();
    update directory.memberships as rolls set people = array_remove(rolls.people, person_id::integer)
    where rolls.list_id = list_id and rolls.manager = (member_role = 'manager')
      and rolls.people @> array[person_id]::integer[];
    if found then
        insert into directory.membership_changes (list_id, manager, action, status, reason, people)
        values (list_id, member_role = 'manager', 'remove', 'applied', 'by_hand', array[person_id]::integer[]);
    end if;
end
$$;

-- What is there now, with everything taken back that moved since: of each person's later moves the first tells where they were.
create or replace function directory.list_members_at(list_id bigint, moment timestamptz)
returns table (person_id integer, member_role text) language sql stable as $$
    with later as (
        select distinct on (c.manager, one.person_id) c.manager, one.person_id, c.action
        from directory.membership_changes as c cross join lateral unnest(c.people) as one (person_id)
        where c.list_id = $1 and c.status = 'applied' and c.changed_at > $2
        order by c.manager, one.person_id, c.change_no
    ), then_on as (
        select rolls.manager, one.person_id
        from directory.memberships as rolls cross join lateral unnest(rolls.people) as one (person_id)
        where rolls.list_id = $1
          and not exists (select from later where later.manager = rolls.manager and later.person_id = one.person_id)
        union all
        select later.manager, later.person_id from later where later.action = 'remove'
    )
    select then_on.person_id, case when then_on.manager then 'manager' else 'member' end from then_on
$$;

drop table directory.old_memberships;
drop table directory.old_membership_changes;

alter table directory.memberships enable row level security;
alter table directory.membership_changes enable row level security;
create policy own_districts on directory.memberships
    using (exists (select from directory.user_lists as l where l.list_id = memberships.list_id));
create policy own_districts on directory.membership_changes
    using (exists (select from directory.user_lists as l where l.list_id = membership_changes.list_id));
do $$
begin
    if exists (select from pg_roles where rolname = 'mingasync_reader') then
        grant select on directory.memberships, directory.membership_changes to mingasync_reader;
    end if;
end
$$;

-- A digest of the SIS's record that a person's row was made from, as long as nobody touched the row since: the next night
-- need not look at those again whose record has the same.
alter table directory.people add digest bigint;

create function directory.forget_digest() returns trigger language plpgsql as $$
begin
    new.digest := null;
    return new;
end
$$;

create trigger changed_since before update on directory.people
for each row when (old.digest is not null and new.digest is not distinct from old.digest)
execute function directory.forget_digest();

-- Numbers alone tell people and lists apart well enough, at half the cost of every row of a first night.
drop index directory.changes_entity_entity_no_idx;
create index changes_of_one on directory.changes (entity_no);
