-- Where a record leaves open who is here, or at which schools, everybody stays as they are.

-- Who waits for their role to begin is no more absent than somebody whose record was set aside.
insert into s_set_aside select 'users', sourced_id from s_waiting;

-- Few records are so, and everybody's are wide: they are sought once.
create temp table unsure on commit drop as
select n from s_people where unsure_org_ids <> '{}' or maybe_outside;

-- The schools that people keep without tonight's record naming them for certain: every one where it names none at all, else
-- those that it names and the SIS does not list tonight.
create temp table resting on commit drop as
select s.n, m.person_id, kept.school_id, kept.place
from unsure join s_people as s using (n)
left join matched as m using (n)
left join directory.people as p on p.person_id = m.person_id
cross join lateral (
    select count(*) > 0 as any_known
    from directory.schools as k
    where k.district = %(district)s and k.school_id = any (s.unsure_org_ids) and not s.maybe_outside
) as listed_once
cross join lateral (
    select own.school_id, own.place
    from unnest(p.school_ids) with ordinality as own (school_id, place)
    where '' = any (s.unsure_org_ids) or own.school_id = any (s.unsure_org_ids)
       or s.school_ids = '{}' and not listed_once.any_known
    union
    select own.school_id, 1000 + own.place
    from unnest(s.unsure_org_ids) with ordinality as own (school_id, place)
    join directory.schools as k on k.district = %(district)s and k.school_id = own.school_id
    where not s.maybe_outside and own.school_id <> all (coalesce(p.school_ids, '{}'))
) as kept
where s.unsure_org_ids <> '{}' and kept.school_id <> all (s.school_ids);

update s_people as s set school_ids = case when p.school_ids @> every.ids and p.school_ids <@ every.ids then p.school_ids else every.ids end
from (select n, person_id, array_agg(school_id order by place) as ids from resting group by n, person_id) as rest
left join directory.people as p on p.person_id = rest.person_id
cross join lateral (select s_people.school_ids || rest.ids as ids from s_people where s_people.n = rest.n) as every
where s.n = rest.n;

-- Whether somebody new, or archived, is at a rostered school at all is not known: they wait until it is.
insert into apart (person_id, n, reason)
select m.person_id, s.n, 'school_unknown'
from unsure join s_people as s using (n)
left join matched as m using (n)
left join directory.people as p on p.person_id = m.person_id
where s.maybe_outside and (p.person_id is null or p.status = 'archived' and p.include_in_sync)
  and not exists (select from apart where apart.n = s.n);
