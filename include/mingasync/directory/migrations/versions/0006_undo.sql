-- A run that was undone says so; what it knew of the SIS's schools and terms can be taken back too.

alter table directory.sync_runs
    add undone_by text,
    add undone_at timestamptz,
    -- the schools and terms known before the run, where it changed them
    add catalogue_before jsonb,
    -- what was asked of people before the run, whether records are them
    add relinks_before jsonb;

-- What was undone was applied once, and what undid it is applied too: both tell where somebody was in between.
create or replace function directory.list_members_at(list_id bigint, moment timestamptz)
returns table (person_id integer, member_role text) language sql stable as $$
    with later as (
        select distinct on (c.manager, one.person_id) c.manager, one.person_id, c.action
        from directory.membership_changes as c cross join lateral unnest(c.people) as one (person_id)
        where c.list_id = $1 and c.status in ('applied', 'undone') and c.changed_at > $2
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

create or replace function directory.people_at(district text, moment timestamptz)
returns table (person_id integer, status text) language sql stable as $$
    select p.person_id,
           coalesce((select case c.action when 'archive' then 'active' else 'archived' end
                     from directory.changes as c join directory.sync_runs as r using (run_no)
                     where c.entity = 'person' and c.entity_no = p.person_id and c.status in ('applied', 'undone')
                       and c.action in ('archive', 'restore') and coalesce(r.finished_at, r.started_at) > $2
                     order by r.run_no limit 1),
                    p.status)
    from directory.people as p
    where p.district = $1 and p.created_at <= $2
$$;
