-- Everything that the directory keeps about one person, a section per kind, the newest first where it is a history.
with own as (
    select %(district)s::text as district, %(person_id)s::integer as person_id, %(sourced_ids)s::text[] as every_id
)
select one.section, coalesce(one.content, '[]')
from own cross join lateral (values
    (1, 'person', (select jsonb_build_array(to_jsonb(p) - 'digest') from directory.people as p
               where p.district = own.district and p.person_id = own.person_id)),
    (2, 'lists', (
        select jsonb_agg(jsonb_build_object(
            'list_id', l.list_id, 'kind', l.kind, 'name', l.name, 'school_id', l.school_id, 'visibility', l.visibility,
            'status', l.status, 'member_role', m.member_role, 'is_their_own', l.owner_id is not distinct from own.person_id)
            order by l.list_id)
        from directory.list_members as m join directory.user_lists as l using (list_id)
        where l.district = own.district and m.person_id = own.person_id)),
    (3, 'memberships_over_time', (
        select jsonb_agg(jsonb_build_object(
            'at', c.changed_at, 'run_id', r.run_id, 'list_id', c.list_id, 'list', l.name, 'action', c.action, 'status', c.status,
            'reason', c.reason, 'member_role', case when c.manager then 'manager' else 'member' end) order by c.change_no desc)
        from directory.membership_changes as c
        join directory.user_lists as l using (list_id)
        left join directory.sync_runs as r using (run_no)
        where l.district = own.district and c.people @> array[own.person_id])),
    (4, 'changes', (
        select jsonb_agg(jsonb_build_object(
            'run_id', r.run_id, 'night', r.night, 'action', c.action, 'status', c.status, 'reason', c.reason, 'school_id', c.school_id,
            'role', c.role, 'before', c.before, 'after', c.after) order by c.run_no desc)
        from directory.changes as c join directory.sync_runs as r using (run_no)
        where r.district = own.district and c.entity = 'person'
          and (c.entity_no = own.person_id or c.entity_no is null and c.after ->> 'sourced_id' = any (own.every_id)))),
    (5, 'by_hand', (
        select jsonb_agg(to_jsonb(h) - array['change_no', 'district', 'person_id', 'takes_back'] order by h.change_no desc)
        from directory.hand_changes as h where h.district = own.district and h.person_id = own.person_id)),
    (6, 'pins', (
        select jsonb_agg(to_jsonb(f) - array['person_id', 'district'] order by f.field)
        from directory.field_pins as f where f.person_id = own.person_id)),
    (7, 'exceptions_of_lists', (
        select jsonb_agg(to_jsonb(o) - 'person_id' order by o.list_id, o.manager)
        from directory.membership_overrides as o where o.person_id = own.person_id)),
    (8, 'questions_who_they_are', (
        select jsonb_agg(to_jsonb(q) - array['person_id', 'district', 'said'] order by q.sourced_id)
        from directory.relink_proposals as q
        where q.district = own.district and (q.person_id = own.person_id or q.sourced_id = any (own.every_id)))),
    (9, 'absences', (
        select jsonb_agg(to_jsonb(a) - array['person_id', 'district', 'runs'])
        from directory.absences as a where a.person_id = own.person_id)),
    (10, 'answers_about_their_archive', (
        select jsonb_agg(to_jsonb(a) - array['person_id', 'district'] order by a.run_no desc)
        from directory.approvals as a where a.person_id = own.person_id)),
    (11, 'issues', (
        select jsonb_agg(to_jsonb(i) - array['district', 'run_no', 'step'] order by i.run_no desc)
        from directory.sync_issues as i
        where i.district = own.district
          and (i.resource = 'users' and i.sourced_id = any (own.every_id)
               or i.resource = 'enrollments' and i.sourced_id = any (%(enrollments)s::text[])
               or concat(i.message, i.fix) ~ %(their_number)s))),
    (12, 'mails', (
        select jsonb_agg(jsonb_build_object('night', m.night, 'kind', m.kind, 'claimed_at', m.claimed_at, 'sent_at', m.sent_at)
                         order by m.night desc)
        from directory.mails as m
        where m.district = own.district and exists (
            select from unnest(m.recipients) as one where lower(btrim(one)) = any (%(addresses)s::text[])))),
    (13, 'connection_request', (
        select jsonb_agg(to_jsonb(q)) from directory.connection_requests as q
        where q.district = own.district and lower(btrim(q.contact_email)) = any (%(addresses)s::text[]))),
    (14, 'contact_of_students', (
        select jsonb_agg(jsonb_build_object('parent_name', p.parent_name, 'parent_email', p.parent_email, 'parent_phone', p.parent_phone))
        from directory.people as p
        where p.district = own.district and p.person_id <> own.person_id and (
              lower(btrim(p.parent_email)) = any (%(addresses)s::text[]) and (p.parent_name is null or p.parent_name ~* %(called)s)
              or lower(btrim(p.parent_email)) = any (%(contact_addresses)s::text[])
                 and lower(btrim(p.parent_name)) = any (%(contact_names)s::text[]))))
) as one (place, section, content)
order by one.place
