-- How many people by role and lists by kind were looked at and are as they were, with those that rest: group, name, number.

with looked_at as (
    select person_id, role from here where person_id is not null and speaks and included and roster and not is_apart
    union
    select person_id, role from plan_people where action = 'rest'
), settled as not materialized (
    select s.person_id, s.role from s_settled as s join s_rules as r using (school_id, role) where r.roster
), people as (
    select * from settled
    union all
    select * from looked_at
    where not exists (select from settled where settled.person_id = looked_at.person_id and settled.role = looked_at.role)
), held_back as (
    select unnest(people) as person_id from directory.membership_changes
    where run_no = %(run_no)s and status = 'suppressed' and reason <> 'set_aside'
), lists as (
    select l.kind, list_id from list_match join s_lists as l using (k) where leads and not is_new
    union
    select kind, list_id from plan_lists where action = 'rest'
)
select 'people', role, count(*)
from people
where not exists (select from directory.changes as c
                  where c.run_no = %(run_no)s and c.entity = 'person' and c.entity_no = people.person_id and c.action <> 'rest')
  and not exists (select from held_back where held_back.person_id = people.person_id)
group by role
union all
select 'lists', kind, count(*)
from lists
where not exists (select from directory.changes as c
                  where c.run_no = %(run_no)s and c.entity = 'list' and c.entity_no = lists.list_id and c.action <> 'rest')
group by kind
