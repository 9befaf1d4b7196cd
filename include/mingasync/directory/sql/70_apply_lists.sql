insert into directory.user_lists
    (list_id, district, school_id, kind, source_id, name, synced_name, visibility, term_ids, grades, owner_id)
select m.list_id, %(district)s, l.school_id, l.kind, l.source_id, l.name, l.name,
       case when l.public then 'public' else 'private' end, coalesce(l.term_ids, '{}'), coalesce(l.grades, '{}'),
       owners.person_id
from list_match as m
join s_lists as l using (k)
left join owners using (k)
where m.is_new and m.leads
order by m.list_id;

update directory.user_lists as u set
    name = d.name, synced_name = d.synced_name, source_id = d.source_id, school_id = d.new_school_id, term_ids = d.term_ids, grades = d.grades,
    status = d.status, updated_at = now()
from differing_lists as d where u.list_id = d.list_id and not d.quiet;

update directory.user_lists as u set status = 'inactive', updated_at = now()
from ending_lists as e where u.list_id = e.list_id and not e.quiet;

update directory.user_lists as u set owner_id = owners.person_id
from list_match as m join owners using (k)
where u.list_id = m.list_id and m.leads and not m.is_new and owners.person_id is not null and u.owner_id is null;
