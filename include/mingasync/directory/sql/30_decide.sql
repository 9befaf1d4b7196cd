-- What becomes of everybody in the snapshot: one row each where something is to be done or to be said.

-- Who is here: the person of each record, what the settings allow for them.
create temp table here on commit drop as
select s.n, m.person_id, speaks.n is not null as speaks, coalesce(s.school_ids[1], '') as school_id, s.role,
       r.roster, r.auto_update and not r.quiet as may_update, r.quiet, r.parent_contact,
       p.status, coalesce(p.include_in_sync, true) as included,
       -- What the settings allow where the directory still has them.
       own.roster as own_roster, own.auto_update as own_auto_update, own.quiet as own_quiet,
       exists (select from apart where apart.n = s.n) as is_apart,
       s.given_name is not null and s.family_name is not null as is_named
from s_people as s
join s_rules as r on r.school_id = coalesce(s.school_ids[1], '') and r.role = s.role
left join matched as m on m.n = s.n
left join speaks on speaks.n = s.n
left join directory.people as p on p.person_id = m.person_id
left join s_rules as own on own.school_id = coalesce(p.school_ids[1], '') and own.role = p.role;
analyze here;

create temp table new_people on commit drop as
select nextval('directory.people_person_id_seq')::integer as person_id, n, school_id, role
from (select n, school_id, role from here where person_id is null and roster and is_named and not is_apart order by n) as newcomers;
analyze new_people;

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
cross join lateral (select
    s.sourced_id as sourced_id,
    -- An id that is not seen on a night without proof, or whose record was set aside, is not given up.
    case when p.sourced_ids <@ s.sourced_ids then s.sourced_ids else (
        select array_agg(distinct id order by id) from (
            select unnest(s.sourced_ids) as id
            union select own.id from unnest(p.sourced_ids) as own (id)
            where not %(proven)s
               or own.id in (select sourced_id from s_set_aside where resource = 'users')
               or own.id in (select unnest(other.sourced_ids) from matched join s_people as other using (n)
                             where matched.person_id = p.person_id)
        ) as ids) end as sourced_ids,
    s.role as role,
    case when 'given_name' = any (pins.fields) then p.given_name else coalesce(s.given_name, p.given_name) end as given_name,
    case when 'family_name' = any (pins.fields) then p.family_name else coalesce(s.family_name, p.family_name) end as family_name,
    case when 'preferred_given_name' = any (pins.fields) then p.preferred_given_name else s.preferred_given_name end as preferred_given_name,
    case when 'email' = any (pins.fields) then p.email else s.email end as email,
    case when 'username' = any (pins.fields) then p.username else s.username end as username,
    case when 'identifier' = any (pins.fields) then p.identifier else s.identifier end as identifier,
    s.grades as grades, s.school_ids as school_ids,
    case when h.parent_contact then s.parent_name else p.parent_name end as parent_name,
    case when h.parent_contact then s.parent_email else p.parent_email end as parent_email,
    case when h.parent_contact then s.parent_phone else p.parent_phone end as parent_phone
) as w
-- The row is settled by an update only if it then says all that the record says.
cross join lateral (select
    case when w.sourced_ids = s.sourced_ids and h.is_named and pins.person_id is null then s.digest end as digest
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

insert into plan_people
select h.person_id, nullif(h.school_id, ''), h.role, 'restore', 'applied', 'back_in_sis',
       jsonb_build_object('status', 'archived', 'archived_at', p.archived_at), '{"status": "active"}'
from here as h join directory.people as p using (person_id)
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
) as fields;

-- Records that come to nothing, and why: a role that is off, an excluded twin, no name, a match that is not unique.
insert into plan_people
select h.person_id, nullif(h.school_id, ''), h.role, case when h.person_id is null then 'create' else 'skip' end, 'suppressed',
       case when h.is_apart then (select min(reason) from apart where apart.n = h.n)
            when not h.included then 'excluded'
            when not h.roster then 'roster_off'
            else 'name_missing' end,
       null, jsonb_build_object('sourced_id', s.sourced_id)
from here as h join s_people as s on s.n = h.n
left join new_people on new_people.n = h.n
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
