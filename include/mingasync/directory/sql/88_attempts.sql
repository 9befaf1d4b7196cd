-- A run that is tried again with other data tells what it did as a whole. What an earlier attempt did to somebody and what this one
-- does become one plan; what cancels out is told by no row. Where a hand wrote between the two, the value is not the one that the
-- earlier attempt left, and the rows of both stay.

create temp table tried on commit drop as
with fresh as (
    select 2 as attempt, 'person' as entity, person_id as entity_no, school_id, role, action, reason, before, after
    from plan_people where status = 'applied' and reason <> 'parent_contact_off'
    union all
    select 2, 'list', list_id, school_id, kind, action, reason, before, after from plan_lists where status = 'applied'
), earlier as (
    select 1 as attempt, c.entity, c.entity_no, c.school_id, c.role, c.action, c.reason, c.before, c.after
    from directory.changes as c join (select distinct entity, entity_no from fresh) as again using (entity, entity_no)
    where c.run_no = %(run_no)s and c.status = 'applied' and c.reason <> 'parent_contact_off'
)
select * from earlier
union all
select fresh.* from fresh join (select distinct entity, entity_no from earlier) as known using (entity, entity_no);

create temp table net_fields on commit drop as
with told as (
    select t.entity, t.entity_no, keys.field,
           bool_or(attempt = 1) as in_first, bool_or(attempt = 2) as in_last,
           (max((before -> field)::text) filter (where attempt = 1))::jsonb as was_first,
           (max((after -> field)::text) filter (where attempt = 1))::jsonb as became_first,
           (max((before -> field)::text) filter (where attempt = 2))::jsonb as was_last,
           (max((after -> field)::text) filter (where attempt = 2))::jsonb as became_last
    from tried as t
    cross join lateral jsonb_object_keys(coalesce(before, '{}') || coalesce(after, '{}')) as keys (field)
    group by 1, 2, 3
)
select entity, entity_no, field, coalesce(value.was, 'null') as was, coalesce(value.becomes, 'null') as becomes,
       -- No list and an empty one are equal.
       nullif(nullif(value.was, 'null'), '[]') is distinct from nullif(nullif(value.becomes, 'null'), '[]') as differs,
       made.entity_no is not null as is_made,
       field <> 'archived_at' and in_last
           and (in_first
                -- What a run makes has a value for each of these, be it none.
                or made.entity_no is not null and entity = 'person'
                   and field in ('preferred_given_name', 'email', 'username', 'identifier', 'grades', 'school_ids'))
           and nullif(nullif(became_first, 'null'), '[]') is distinct from nullif(nullif(was_last, 'null'), '[]') as by_hand
from told
left join (select entity, entity_no from tried where attempt = 1 and action = 'create') as made using (entity, entity_no)
cross join lateral (select case when in_first then was_first else was_last end as was,
                           case when in_last then became_last else became_first end as becomes) as value;

create temp table net_of_attempts on commit drop as
select entity, entity_no, bool_or(is_made) as is_made,
       jsonb_object_agg(field, becomes) filter (where field not in ('status', 'archived_at')) as becomes,
       coalesce(jsonb_object_agg(field, was) filter (where differs and field not in ('status', 'archived_at')), '{}') as was,
       coalesce(jsonb_object_agg(field, becomes) filter (where differs and field not in ('status', 'archived_at')), '{}') as changed,
       max(becomes #>> '{}') filter (where differs and field = 'status') as status,
       jsonb_object_agg(field, was) filter (where field in ('status', 'archived_at')) as stood
from net_fields
group by 1, 2
having not bool_or(by_hand);

create temp table net_rows on commit drop as
select n.entity, n.entity_no, one.action, said.school_id, said.role, coalesce(why.reason, said.reason) as reason, one.before, one.after
from net_of_attempts as n
cross join lateral (
    select 'create' as action, null::jsonb as before, jsonb_strip_nulls(t.after || coalesce(n.becomes, '{}')) as after
    from tried as t where n.is_made and t.entity = n.entity and t.entity_no = n.entity_no and t.action = 'create'
    union all
    select case when n.status = 'archived' then 'archive' when n.status = 'inactive' then 'deactivate' else 'restore' end,
           case when n.status = 'active' then n.stood else n.stood - 'archived_at' end, jsonb_build_object('status', n.status)
    where n.status is not null and not (n.entity = 'list' and n.status = 'active')
    union all
    select 'update', n.was || back.was, n.changed || back.becomes
    from (select case when n.entity = 'list' and n.status = 'active' then '{"status": "inactive"}'::jsonb else '{}' end,
                 case when n.entity = 'list' and n.status = 'active' then '{"status": "active"}'::jsonb else '{}' end) as back (was, becomes)
    where not n.is_made and n.changed || back.becomes <> '{}'
) as one
cross join lateral (
    select t.school_id, t.role, t.reason from tried as t
    where t.entity = n.entity and t.entity_no = n.entity_no order by t.attempt desc limit 1
) as said
left join lateral (
    select t.reason from tried as t
    where t.entity = n.entity and t.entity_no = n.entity_no and t.action = one.action order by t.attempt desc limit 1
) as why on true;

delete from directory.changes as c using net_of_attempts as n
where c.run_no = %(run_no)s and c.status = 'applied' and c.entity = n.entity and c.entity_no = n.entity_no
  and c.reason <> 'parent_contact_off';
delete from plan_people as p using net_of_attempts as n
where n.entity = 'person' and p.person_id = n.entity_no and p.status = 'applied' and p.reason <> 'parent_contact_off';
delete from plan_lists as l using net_of_attempts as n where n.entity = 'list' and l.list_id = n.entity_no and l.status = 'applied';

insert into plan_people (person_id, school_id, role, action, status, reason, before, after)
select entity_no, school_id, role, action, 'applied', reason, before, after from net_rows where entity = 'person';
insert into plan_lists (list_id, school_id, kind, action, status, reason, before, after)
select entity_no, school_id, role, action, 'applied', reason, before, after from net_rows where entity = 'list';
