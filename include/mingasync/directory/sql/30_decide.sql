-- What becomes of everybody in the snapshot: one row each where something is to be done or to be said.

-- Where neither the record's role nor the person's is rostered nothing would be done, and there is nothing to ask.
create temp table not_rostered on commit drop as
select a.n, a.person_id, coalesce(a.reason = 'match_contradicts' and not p.include_in_sync, false) as is_excluded
from apart as a
join s_people as s using (n)
join s_rules as r on r.school_id = coalesce(s.school_ids[1], '') and r.role = s.role
left join directory.people as p using (person_id)
left join s_rules as own on own.school_id = coalesce(p.school_ids[1], '') and own.role = p.role
where a.reason <> 'school_unknown' and not r.roster and own.roster is not true;

update apart as a set matched_by = null from not_rostered as off
where off.n = a.n and off.person_id is not distinct from a.person_id and off.is_excluded;
delete from apart as a using not_rostered as off
where off.n = a.n and off.person_id is not distinct from a.person_id and not off.is_excluded;

-- Whoever is apart, by the record or by the person, is untouched. Who is excluded is that first, whatever else there is to ask.
create temp table apart_records on commit drop as
select n, case when min(reason) = 'match_contradicts' and bool_and(not p.include_in_sync) then 'excluded' else min(reason) end as reason,
       case when count(distinct person_id) = 1 then min(person_id) end as person_id
from apart left join directory.people as p using (person_id)
group by n;
create temp table apart_people on commit drop as
select person_id, min(reason) as reason from apart where person_id is not null group by person_id;
analyze apart_records;
analyze apart_people;

-- Who is here: the person of each record, what the settings allow for them.
create temp table here on commit drop as
select s.n, m.person_id, speaks.n is not null as speaks, coalesce(s.school_ids[1], '') as school_id, s.role,
       r.roster, r.paused, r.auto_update and not r.quiet as may_update, r.quiet, r.parent_contact,
       p.status, coalesce(p.include_in_sync, true) as included,
       -- What the settings allow where the directory still has them.
       own.roster as own_roster, own.auto_update as own_auto_update, own.quiet as own_quiet,
       record.n is not null or rests.person_id is not null as is_apart,
       s.given_name is not null and s.family_name is not null as is_named
from s_people as s
join s_rules as r on r.school_id = coalesce(s.school_ids[1], '') and r.role = s.role
left join matched as m on m.n = s.n
left join speaks on speaks.n = s.n
left join directory.people as p on p.person_id = m.person_id
left join s_rules as own on own.school_id = coalesce(p.school_ids[1], '') and own.role = p.role
left join apart_records as record on record.n = s.n
left join apart_people as rests on rests.person_id = m.person_id;
analyze here (n, person_id);

-- What the records together say of those who have several that are not one row.
create temp table several on commit drop as
with own as (
    select m.person_id, s.n = speaks.n as leads, s.n, s.sourced_ids, s.school_ids, s.grades
    from (select person_id from matched group by person_id having count(*) > 1) as many
    join matched as m using (person_id)
    join speaks using (person_id)
    join s_people as s on s.n = m.n
)
select person_id,
       array(select distinct unnest(o.sourced_ids) from own as o where o.person_id = many.person_id order by 1) as sourced_ids,
       array(select school from own as o cross join lateral unnest(o.school_ids) with ordinality as at (school, place)
             where o.person_id = many.person_id group by school order by min((not leads)::integer), min(o.n), min(place)) as school_ids,
       array(select grade from own as o cross join lateral unnest(o.grades) with ordinality as at (grade, place)
             where o.person_id = many.person_id group by grade order by min((not leads)::integer), min(o.n), min(place)) as grades
from (select distinct person_id from own) as many;

create temp table new_people on commit drop as
select nextval('directory.people_person_id_seq')::integer as person_id, n, school_id, role
from (select n, school_id, role from here where person_id is null and roster and is_named and not is_apart order by n) as newcomers;
analyze new_people (n, person_id);

create temp table pins on commit drop as
select person_id, array_agg(field) as fields
from directory.field_pins where district = %(district)s and (until is null or until >= %(night)s)
group by person_id;

-- What each person who is known would be, only where that differs from what they are. A blank never clears a required field.
create temp table differing on commit drop as
select h.n, h.person_id, h.school_id, h.may_update, h.quiet, p.status as status_before, w.*, settling.digest
from here as h
join s_people as s on s.n = h.n
join directory.people as p on p.person_id = h.person_id
left join pins on pins.person_id = h.person_id
left join several on several.person_id = h.person_id
-- Where a record leaves open at which school somebody is, their contact may only not have been read.
cross join lateral (select
    h.parent_contact and not %(contacts_rest)s
    and (s.unsure_org_ids = '{}' or num_nonnulls(s.parent_name, s.parent_email, s.parent_phone) > 0) as is_told
) as contact
cross join lateral (select
    s.sourced_id as sourced_id,
    -- An id that is not seen on a night without proof, whose record was set aside, or that is only disabled, is not given up.
    case when p.sourced_ids <@ s.sourced_ids then s.sourced_ids else (
        select array_agg(distinct id order by id) from (
            select unnest(s.sourced_ids) as id
            union select unnest(several.sourced_ids)
            union select own.id from unnest(p.sourced_ids) as own (id)
            where not %(proven)s
               or own.id in (select sourced_id from s_set_aside where resource = 'users')
               or own.id in (select sourced_id from s_gone where reason <> 'tobedeleted')
        ) as ids) end as sourced_ids,
    -- A role is what somebody may see: while the users are in doubt it stays, for whoever may be at no rostered school by now, and
    -- where an org that nobody knows would decide it. Who comes back has only what is certain.
    case when %(roles_rest)s or s.maybe_outside or s.unsure_role and p.status = 'active' then p.role else s.role end as role,
    case when 'given_name' = any (pins.fields) then p.given_name else coalesce(s.given_name, p.given_name) end as given_name,
    case when 'family_name' = any (pins.fields) then p.family_name else coalesce(s.family_name, p.family_name) end as family_name,
    case when 'preferred_given_name' = any (pins.fields) then p.preferred_given_name else s.preferred_given_name end as preferred_given_name,
    case when 'email' = any (pins.fields) then p.email else s.email end as email,
    case when 'username' = any (pins.fields) then p.username else s.username end as username,
    case when 'identifier' = any (pins.fields) then p.identifier else s.identifier end as identifier,
    coalesce(several.grades, s.grades) as grades, coalesce(several.school_ids, s.school_ids) as school_ids,
    case when contact.is_told then s.parent_name else p.parent_name end as parent_name,
    case when contact.is_told then s.parent_email else p.parent_email end as parent_email,
    case when contact.is_told then s.parent_phone else p.parent_phone end as parent_phone
) as w
-- The row is settled by an update only if it then says all that the record says.
cross join lateral (select
    case when w.sourced_ids = s.sourced_ids and w.role = s.role and h.is_named and pins.person_id is null then s.digest end as digest
) as settling
where h.speaks and h.included and h.roster and not h.is_apart
  and (w.sourced_id, w.sourced_ids, w.role, w.given_name, w.family_name, w.preferred_given_name, w.email, w.username,
       w.identifier, w.grades, w.school_ids, w.parent_name, w.parent_email, w.parent_phone)
      is distinct from
      (p.sourced_id, p.sourced_ids, p.role, p.given_name, p.family_name, p.preferred_given_name, p.email, p.username,
       p.identifier, p.grades, p.school_ids, p.parent_name, p.parent_email, p.parent_phone);

create temp table plan_people (
    person_id integer, school_id text, role text, action text, status text, reason text, before jsonb, after jsonb
) on commit drop;

-- Role and schools are what somebody may see: who comes back has those of today, whatever else of them is held back.
insert into plan_people
select h.person_id, nullif(h.school_id, ''), h.role, 'restore', 'applied', 'back_in_sis',
       jsonb_build_object('status', 'archived', 'archived_at', p.archived_at) || coalesce(access.before, '{}'),
       jsonb_build_object('status', 'active') || coalesce(access.after, '{}')
from here as h join directory.people as p using (person_id)
left join differing as d on d.person_id = h.person_id and not d.may_update
cross join lateral (
    select jsonb_object_agg(field, old_value) as before, jsonb_object_agg(field, new_value) as after
    from (values ('role', to_jsonb(p.role), to_jsonb(d.role)), ('school_ids', to_jsonb(p.school_ids), to_jsonb(d.school_ids)))
         as one (field, old_value, new_value)
    where d.person_id is not null and new_value is distinct from old_value
) as access
where h.speaks and h.included and h.roster and not h.is_apart and h.status = 'archived';

insert into plan_people
select d.person_id, nullif(d.school_id, ''), d.role, 'update',
       case when d.may_update then 'applied' else 'suppressed' end,
       case when d.may_update then 'changed_in_sis' when d.quiet then 'quiet' else 'auto_update_off' end,
       fields.before, fields.after
from differing as d
join directory.people as p using (person_id)
cross join lateral (
    select jsonb_object_agg(key, old_value) as before, jsonb_object_agg(key, new_value) as after
    from jsonb_each(to_jsonb(d)) as new_row (key, new_value)
    join jsonb_each(to_jsonb(p)) as old_row (key, old_value) using (key)
    where new_value is distinct from old_value and key not in ('school_id', 'digest')
      and (d.may_update or d.status_before = 'active' or key not in ('role', 'school_ids'))
) as fields
where fields.after is not null;

-- Records that come to nothing, and why: a role that is off, an excluded twin, no name, a match that is not unique.
insert into plan_people
select coalesce(h.person_id, record.person_id), nullif(h.school_id, ''), h.role,
       case when coalesce(h.person_id, record.person_id) is null then 'create' else 'skip' end, 'suppressed',
       case when h.is_apart then coalesce(record.reason, rests.reason)
            when not h.included then 'excluded'
            when h.paused then 'paused'
            when not h.roster then 'roster_off'
            else 'name_missing' end,
       null, jsonb_build_object('sourced_id', s.sourced_id)
from here as h join s_people as s on s.n = h.n
left join new_people on new_people.n = h.n
left join apart_records as record on record.n = h.n
left join apart_people as rests on rests.person_id = h.person_id
where new_people.n is null
  -- Who moves to where their role is off stays as they are, and the run says so; where it was off before there is nothing to say.
  and (h.is_apart or not h.included or (not h.roster and (h.person_id is null or h.own_roster and h.status = 'active'))
       or (h.person_id is null and h.roster))
  and (h.person_id is null or h.speaks);

-- Neither here nor gone: no role of theirs counts tonight, and one is still to begin.
insert into plan_people
select distinct on (coalesce(p.person_id::text, w.sourced_id))
       p.person_id, nullif(r.school_id, ''), r.role, case when p.person_id is null then 'create' else 'skip' end, 'suppressed',
       w.reason, null, jsonb_build_object('sourced_id', w.sourced_id)
from s_waiting as w
left join (
    select person_id, school_ids, role, include_in_sync, unnest(sourced_ids) as sourced_id
    from directory.people where district = %(district)s
) as p using (sourced_id)
join s_rules as r on r.school_id = coalesce(p.school_ids[1], case when p.person_id is null then w.school_id end, '')
    and r.role = coalesce(p.role, w.role) and r.roster
where coalesce(p.include_in_sync, true)
  and not exists (select from here where here.person_id = p.person_id)
  and not exists (select from s_settled where s_settled.person_id = p.person_id)
order by coalesce(p.person_id::text, w.sourced_id), w.sourced_id;
