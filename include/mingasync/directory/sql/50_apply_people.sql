-- New, changed and returning people, in one go.

insert into directory.people (
    person_id, district, source, sourced_id, sourced_ids, role, given_name, family_name, preferred_given_name, email, username,
    identifier, grades, school_ids, parent_name, parent_email, parent_phone, include_in_sync, digest
)
select p.person_id, %(district)s, 'sis', s.sourced_id, s.sourced_ids, s.role, s.given_name, s.family_name,
       s.preferred_given_name, s.email, s.username, s.identifier, coalesce(s.grades, '{}'), coalesce(s.school_ids, '{}'),
       case when r.parent_contact then s.parent_name end, case when r.parent_contact then s.parent_email end,
       case when r.parent_contact then s.parent_phone end, true, s.digest
from new_people as p
join s_people as s using (n)
join s_rules as r on r.school_id = p.school_id and r.role = p.role
order by p.person_id;

update directory.people as p set
    status = 'active', archived_at = null, role = coalesce(d.role, p.role), school_ids = coalesce(d.school_ids, p.school_ids),
    updated_at = now()
from plan_people as plan left join differing as d using (person_id)
where plan.action = 'restore' and p.person_id = plan.person_id;

update directory.people as p set
    sourced_id = d.sourced_id, sourced_ids = d.sourced_ids, role = d.role, given_name = d.given_name,
    family_name = d.family_name, preferred_given_name = d.preferred_given_name, email = d.email, username = d.username,
    identifier = d.identifier, grades = d.grades, school_ids = d.school_ids, parent_name = d.parent_name,
    parent_email = d.parent_email, parent_phone = d.parent_phone, digest = d.digest, updated_at = now()
from differing as d
where p.person_id = d.person_id and d.may_update;

update directory.field_pins as pin set sis_value = to_jsonb(s) ->> pin.field
from matched join s_people as s using (n)
where pin.person_id = matched.person_id and pin.sis_value is distinct from to_jsonb(s) ->> pin.field;

-- What a person has to decide, asked once; what tonight's evidence does not ask any more is withdrawn.
create temp table asked on commit drop as
select distinct on (a.person_id, s.sourced_id)
       a.person_id, s.sourced_id, s.sourced_ids, a.matched_by,
       directory.said(s.role, s.given_name, s.family_name, s.identifier, s.email, s.username) as said, p.sourced_ids as known_ids
from apart as a join s_people as s using (n) join directory.people as p using (person_id)
where a.matched_by is not null
order by a.person_id, s.sourced_id, a.matched_by;

-- What was asked and answered before tonight, for an undo.
create temp table relinks_was on commit drop as
select coalesce(jsonb_agg(r order by r.person_id, r.sourced_id), '[]') as was
from directory.relink_proposals as r where r.district = %(district)s;

insert into directory.relink_proposals as known
    (district, person_id, sourced_id, sourced_ids, matched_by, run_no, said, known_ids)
select %(district)s, person_id, sourced_id, sourced_ids, matched_by, %(run_no)s, said, known_ids from asked
on conflict (person_id, sourced_id) do update set
    sourced_ids = excluded.sourced_ids, matched_by = excluded.matched_by, run_no = excluded.run_no, said = excluded.said,
    known_ids = excluded.known_ids, state = 'proposed', decided_by = null, decided_at = null
    where (known.sourced_ids, known.matched_by, known.said, known.known_ids, known.state)
          is distinct from (excluded.sourced_ids, excluded.matched_by, excluded.said, excluded.known_ids, 'proposed');

update directory.relink_proposals as known set state = 'withdrawn'
where known.district = %(district)s and known.state = 'proposed'
  and not exists (select from asked where asked.person_id = known.person_id and asked.sourced_id = known.sourced_id);

-- Of several attempts of a run the first one counts.
update directory.sync_runs as r set relinks_before = was
from relinks_was
where r.run_no = %(run_no)s and r.relinks_before is null and was is distinct from (
    select coalesce(jsonb_agg(p order by p.person_id, p.sourced_id), '[]')
    from directory.relink_proposals as p where p.district = %(district)s);
