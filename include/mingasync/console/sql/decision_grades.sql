-- How many of each grade a run held or asked about, by school and role, of how many who were there.
with asked as (
    select c.entity_no as person_id, c.school_id, c.role, r.district
    from directory.sync_runs as r
    join directory.changes as c using (run_no)
    left join directory.approvals as a on a.run_no = c.run_no and a.person_id = c.entity_no
    where r.district = %(district)s and r.run_id = %(run_id)s
      and c.entity = 'person' and c.action = 'archive' and (a.run_no is not null
           or c.status = 'held' and not exists (select from directory.approvals as shown where shown.run_no = r.run_no))
)
select own.school_id, own.role, grade,
       count(*) filter (where asked.person_id is not null) as people, count(*) as there
from (select distinct school_id, role from asked) as own
join directory.people as p
    on p.district = %(district)s and p.role = own.role and p.school_ids[1] is not distinct from own.school_id
cross join unnest(p.grades) as grade
left join asked on asked.person_id = p.person_id
where asked.person_id is not null or p.status = 'active' and p.include_in_sync and (p.sourced_ids <> '{}' or p.source = 'sis')
group by own.school_id, own.role, grade
having count(*) filter (where asked.person_id is not null) > 0
order by 1, 2, 3
