-- The plan as it was carried out, kept for the history, the mail, the question why, and undo.

insert into directory.changes (run_no, entity, entity_no, school_id, role, action, status, reason, before, after)
select %(run_no)s, 'person', p.person_id, nullif(p.school_id, ''), p.role, 'create', 'applied', 'new_in_sis', null,
       jsonb_strip_nulls(jsonb_build_object(
           'sourced_id', s.sourced_id, 'role', s.role, 'given_name', s.given_name, 'family_name', s.family_name,
           'preferred_given_name', s.preferred_given_name, 'email', s.email, 'username', s.username,
           'identifier', s.identifier, 'grades', s.grades, 'school_ids', s.school_ids))
from new_people as p join s_people as s using (n);

insert into directory.changes (run_no, entity, entity_no, school_id, role, action, status, reason, before, after)
select %(run_no)s, 'person', person_id, school_id, role, action, status, reason, before, after
from plan_people;

insert into directory.changes (run_no, entity, entity_no, school_id, role, action, status, reason, before, after)
select %(run_no)s, 'list', list_id, school_id, kind, action, status, reason, before, after
from plan_lists;

insert into directory.membership_changes (run_no, list_id, manager, action, status, reason, people)
select %(run_no)s, list_id, manager, action,
       case when status = 'planned' then 'applied' else status end, reason, people
from moving order by list_id;
