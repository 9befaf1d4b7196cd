-- Who is held or was asked about, the first of each school and role by name.
select school_id, role, given_name, family_name, grades, reason
from (
    select c.school_id, c.role, coalesce(p.preferred_given_name, p.given_name) as given_name, p.family_name, p.grades, c.reason,
           row_number() over (partition by c.school_id, c.role order by p.family_name, p.given_name, p.person_id) as place
    from directory.sync_runs as r
    join directory.changes as c using (run_no)
    join directory.people as p on p.person_id = c.entity_no and p.district = r.district
    left join directory.approvals as a on a.run_no = c.run_no and a.person_id = c.entity_no
    where r.district = %(district)s and r.run_id = %(run_id)s
      and c.entity = 'person' and c.action = 'archive' and (a.run_no is not null
           or c.status = 'held' and not exists (select from directory.approvals as shown where shown.run_no = r.run_no))
) as every
where place <= %(most)s
order by school_id, role, place
