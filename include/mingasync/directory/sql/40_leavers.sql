-- Who is gone from the SIS, since when, and whether they may be archived. Without proof of absence nobody is.

-- Whomever the snapshot has, by whatever key, or in a record that could not be read, is absent no longer. This needs no proof.
delete from directory.absences as known
where known.district = %(district)s and known.person_id in (
    select person_id from s_settled
    union all select person_id from by_id
    union all select person_id from matched
    union all select person_id from apart
    union all
    select own.person_id
    from (select a.person_id, unnest(p.sourced_ids) as sourced_id
          from directory.absences as a join directory.people as p using (person_id) where a.district = %(district)s) as own
    join s_set_aside as aside on aside.resource = 'users' and aside.sourced_id = own.sourced_id
);

create temp table missing on commit drop as
select p.person_id, p.sourced_ids, coalesce(p.school_ids[1], '') as school_id, p.role
from unsettled join directory.people as p using (person_id)
where %(proven)s and (p.sourced_ids <> '{}' or p.source = 'sis') and p.include_in_sync and p.status = 'active'
  and not exists (select from by_id where by_id.person_id = p.person_id)
  and not exists (select from matched where matched.person_id = p.person_id)
  and not exists (select from apart where apart.person_id = p.person_id);

-- Their ids, taken apart once: a comparison with whole lists of ids would look at every pair of people.
create temp table missing_ids on commit drop as
select distinct person_id, unnest(sourced_ids) as sourced_id from missing;
analyze missing (person_id, school_id, role);
analyze missing_ids;

create temp table leavers on commit drop as
select m.person_id, m.sourced_ids, m.school_id, m.role, coalesce(said.reason, 'absent') as reason,
       -- The SIS itself says of every record of theirs that it is over.
       coalesce(said.over = cardinality(m.sourced_ids), false) as said_gone,
       r.archive, r.quiet, r.archive_percent, r.archive_minimum, r.absent_nights
from missing as m
join s_rules as r on r.school_id = m.school_id and r.role = m.role and r.roster
left join (
    select own.person_id, min(gone.reason) as reason,
           count(*) filter (where gone.reason in ('tobedeleted', 'inactive', 'disabled', 'role_ended')) as over,
           count(*) as records
    from missing_ids as own join s_gone as gone using (sourced_id)
    group by own.person_id
) as said using (person_id)
-- A night that asked only for changes knows what records say, and nothing of records that are missing.
where (not %(only_changes)s or said.records = cardinality(m.sourced_ids))
  and m.person_id not in (
      select own.person_id from missing_ids as own
      join s_set_aside as aside on aside.resource = 'users' and aside.sourced_id = own.sourced_id);

-- A night counts once, however often its run is tried.
insert into directory.absences as known (person_id, district, sourced_ids, reason, first_night, last_night, nights, run_no, runs)
select person_id, %(district)s, sourced_ids, reason, %(night)s, %(night)s, 1, %(run_no)s, array[%(run_no)s] from leavers
on conflict (person_id) do update
    set sourced_ids = excluded.sourced_ids, reason = excluded.reason, run_no = excluded.run_no,
        last_night = greatest(known.last_night, excluded.last_night),
        nights = known.nights + (excluded.last_night > known.last_night)::integer,
        runs = case when %(run_no)s = any (known.runs) then known.runs
                    else (known.runs || excluded.runs)[greatest(cardinality(known.runs) - 98, 1):] end
    where (known.sourced_ids, known.reason, known.run_no) is distinct from (excluded.sourced_ids, excluded.reason, excluded.run_no)
       or excluded.last_night > known.last_night;

create temp table leaving_now on commit drop as
select l.person_id, l.school_id, l.role, l.archive_percent, l.archive_minimum, allowed.person_id is not null as is_allowed
from leavers as l
join directory.absences as a using (person_id)
left join directory.approvals as allowed
    on allowed.run_no = %(run_no)s and allowed.person_id = l.person_id and allowed.answer = 'approved'
where l.archive and not l.quiet and (l.said_gone or a.nights >= l.absent_nights);

-- Whom this run archived already, in whichever attempt, counts with whom it would archive now.
create temp table left_already on commit drop as
select entity_no as person_id, coalesce(school_id, '') as school_id, role
from directory.changes
where run_no = %(run_no)s and entity = 'person' and action = 'archive' and status = 'applied';

create temp table held_here on commit drop as
select school_id, role
from (select school_id, role, count(*) as people
      from (select person_id, school_id, role from leaving_now union select person_id, school_id, role from left_already) as every
      group by school_id, role) as going
join (select distinct school_id, role, archive_percent, archive_minimum from leaving_now) as limits using (school_id, role)
left join guarded using (school_id, role)
where going.people >= archive_minimum and going.people * 100.0 > archive_percent * coalesce(guarded.people, 0);

-- The same share of a role of the whole district, taken of those whom no school of theirs holds already.
create temp table held_everywhere on commit drop as
select role
from (select role, count(distinct person_id) as people
      from (select person_id, role from leaving_now
            where is_allowed or (school_id, role) not in (select school_id, role from held_here)
            union all
            select person_id, role from left_already) as every
      group by role) as going
left join (select role, sum(people) as people from guarded group by role) as there using (role)
where going.people >= %(district_minimum)s and going.people * 100.0 > %(district_percent)s * coalesce(there.people, 0);

insert into plan_people
select l.person_id, nullif(l.school_id, ''), l.role, 'archive',
       case when now_.person_id is null then 'suppressed'
            when now_.is_allowed then 'planned'
            when (l.school_id, l.role) in (select school_id, role from held_here) then 'held'
            when l.role in (select role from held_everywhere) then 'held'
            else 'planned' end,
       case when l.quiet then 'quiet'
            when not l.archive then 'archive_off'
            when now_.person_id is null then 'absent_nights'
            else l.reason end,
       '{"status": "active"}', '{"status": "archived"}'
from leavers as l left join leaving_now as now_ using (person_id);

-- Whoever is here and was not told of yet, because nobody can say tonight what is to become of them. They stay as they are.
insert into plan_people
select p.person_id, nullif(r.school_id, ''), r.role, 'rest', 'suppressed', min(untold.reason), null, null
from (
    select person_id, reason from apart_people
    union all
    select own.person_id, 'set_aside'
    from (select person_id, unnest(sourced_ids) as sourced_id from directory.people
          where district = %(district)s and exists (select from s_set_aside where resource = 'users')) as own
    join s_set_aside as aside on aside.resource = 'users' and aside.sourced_id = own.sourced_id
    where not exists (select from s_waiting where s_waiting.sourced_id = own.sourced_id)
      -- Another record of theirs may say enough.
      and not exists (select from s_settled where s_settled.person_id = own.person_id)
      and not exists (select from matched where matched.person_id = own.person_id)
    union all
    -- Here under another role, in users that are in doubt.
    select p.person_id, 'unproven'
    from here as h join s_people as s using (n) join directory.people as p on p.person_id = h.person_id
    where %(roles_rest)s and h.speaks and h.roster and not h.is_apart and s.role <> p.role
    union all
    select p.person_id, 'unproven'
    from directory.people as p
    where not %(proven)s and p.district = %(district)s and (p.sourced_ids <> '{}' or p.source = 'sis')
      and not exists (select from s_settled where s_settled.person_id = p.person_id)
      and not exists (select from by_id where by_id.person_id = p.person_id)
      and not exists (select from matched where matched.person_id = p.person_id)
) as untold
join directory.people as p using (person_id)
join s_rules as r on r.school_id = coalesce(p.school_ids[1], '') and r.role = p.role and r.roster
where p.status = 'active' and p.include_in_sync
  and not exists (select from plan_people as told where told.person_id = p.person_id)
group by p.person_id, r.school_id, r.role;
