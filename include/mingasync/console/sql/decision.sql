-- What a run held or asked about, by school and role: of how many there, how it was answered, and what then became of them.
select c.school_id, coalesce(s.name, c.school_id, 'no school') as school, c.role,
       count(*) as people,
       (r.guard ->> concat(c.school_id, '|', c.role))::integer as there,
       count(*) filter (where a.run_no is not null and a.answer is null and c.status = 'held') as open,
       count(*) filter (where a.answer = 'approved') as approved,
       count(*) filter (where a.answer = 'rejected') as rejected,
       count(*) filter (where c.status in ('applied', 'undone')) as archived,
       count(*) filter (where c.status = 'conflict') as left_alone,
       count(*) filter (where c.status = 'planned') as going,
       count(*) filter (where c.reason = 'absent') as absent,
       count(*) filter (where c.reason in ('tobedeleted', 'inactive', 'disabled', 'role_ended')) as said_gone,
       count(*) filter (where c.reason = 'left_school') as left_school,
       count(*) filter (where c.reason = 'absent' and p.sourced_ids && %(enrolled)s::text[]) as still_enrolled
from directory.sync_runs as r
join directory.changes as c using (run_no)
join directory.people as p on p.person_id = c.entity_no
left join directory.approvals as a on a.run_no = c.run_no and a.person_id = c.entity_no
left join directory.schools as s on s.district = r.district and s.school_id = c.school_id
where r.district = %(district)s and r.run_id = %(run_id)s
  and c.entity = 'person' and c.action = 'archive' and (a.run_no is not null
       or c.status = 'held' and not exists (select from directory.approvals as shown where shown.run_no = r.run_no))
group by c.school_id, s.name, c.role, r.guard
order by 2, 3
