-- Whom a plan makes, archives or holds: how many of each, and the first by name. Who is to be made is in the plan alone.
select what, number, given_name, family_name, person_id, role, school
from (
    select one.what, one.given_name, one.family_name, p.person_id, c.role, coalesce(s.name, c.school_id) as school,
           count(*) over (partition by one.what) as number,
           row_number() over (partition by one.what order by one.family_name, one.given_name, c.entity_no) as place
    from directory.sync_runs as r
    join directory.changes as c using (run_no)
    left join directory.people as p on p.person_id = c.entity_no and p.district = r.district
    left join directory.schools as s on s.district = r.district and s.school_id = c.school_id
    cross join lateral (
        select case when c.action = 'create' then 'created' when c.status = 'held' then 'held' else 'archived' end as what,
               coalesce(c.after ->> 'preferred_given_name', c.after ->> 'given_name', p.preferred_given_name, p.given_name)
                   as given_name,
               coalesce(c.after ->> 'family_name', p.family_name) as family_name
    ) as one
    where r.district = %(district)s and r.run_id = %(run_id)s and c.entity = 'person' and c.entity_no is not null
      and (c.action in ('create', 'archive') and c.status = 'planned' or c.action = 'archive' and c.status = 'held')
) as every
where place <= %(most)s
order by what, place
