-- Which list of the directory is which list that ought to be, what is new, what changed, what is over.

create temp table who on commit drop as
select h.n, h.person_id, h.status = 'archived' as newcomer, h.may_update, h.quiet
from here as h where h.person_id is not null and h.included and h.roster and not h.is_apart
union all
select n, person_id, true, true, false from new_people
union all
select s.n, s.person_id, false, r.auto_update and not r.quiet, r.quiet
from s_settled as s join s_rules as r using (school_id, role) where r.roster;
analyze who;

-- People whose role is not rostered where the SIS has them now: they stay as they are, but for the enrollments that the SIS has
-- ended. The switches of the school where the directory has them may hold that back, if the role is rostered there.
create temp table bystanders on commit drop as
select h.n, h.person_id, case when h.own_roster then h.own_auto_update else true end and not h.own_quiet and not h.quiet as may_update,
       h.own_quiet or h.quiet as quiet
from here as h
where h.person_id is not null and h.included and not h.roster and not h.is_apart
  and not exists (select from who where who.person_id = h.person_id)
union all
select s.n, s.person_id, not r.quiet, r.quiet
from s_settled as s join s_rules as r using (school_id, role) where not r.roster;
analyze bystanders;

-- Lists that rest: of a kind or school that is not proven tonight, of a school that is paused, or of a class of which nobody can say
-- what it was. They keep all that they are, and those that would be new are not made.
create temp table resting_cause on commit drop as
select exists (select from s_kinds where rests) or cardinality(%(resting_schools)s::text[]) > 0
       or exists (select from s_kept where user_id is null) as any_rests;

create temp table resting_lists on commit drop as
select u.list_id, u.kind, u.source_id
from directory.user_lists as u
left join s_kinds as kinds on kinds.school_id = coalesce(u.school_id, '') and kinds.kind = u.kind
where (select any_rests from resting_cause) and u.district = %(district)s and u.kind <> 'manual'
  and (kinds.rests or u.school_id = any (%(resting_schools)s::text[])
       or u.kind = 'class' and u.source_id in (select class_id from s_kept where user_id is null));

create temp table waiting_lists on commit drop as
select l.k, l.kind, l.source_id
from s_lists as l
left join s_kinds as kinds on kinds.school_id = coalesce(l.school_id, '') and kinds.kind = l.kind
where (select any_rests from resting_cause)
  and (kinds.rests or l.school_id = any (%(resting_schools)s::text[])
       or l.kind = 'class' and l.source_id in (select class_id from s_kept where user_id is null
                                               union all select source_id from resting_lists where kind = 'class'));

-- A class that moved to where lists rest keeps the list that it has.
insert into resting_lists
select u.list_id, u.kind, u.source_id
from directory.user_lists as u join waiting_lists as w on w.kind = 'class' and w.source_id = u.source_id
where u.district = %(district)s and u.kind = 'class' and u.list_id not in (select list_id from resting_lists);

delete from s_lists where k in (select k from waiting_lists);

-- People whose place rests on a record of which nobody can say what it was; a null class_id stands for every list.
create temp table kept_people on commit drop as
select kept.class_id, own.person_id
from s_kept as kept
join (select person_id, unnest(sourced_ids) as sourced_id from directory.people where district = %(district)s) as own
    on own.sourced_id = kept.user_id;
analyze kept_people;

-- Nothing is made for a record that is apart until somebody decides; what is there for it rests.
delete from s_lists where owner_n in (select n from here where is_apart);

-- Whose each teacher's list is: the person, whichever of their SIS ids leads; null where they have no entry here.
create temp table owners on commit drop as
select l.k, l.school_id, l.source_id, coalesce(m.person_id, settled.person_id, new.person_id) as person_id,
       coalesce(s.sourced_ids, p.sourced_ids, array[l.source_id]) as sourced_ids,
       settled.n is not null or new.n is not null or exists (select from speaks where speaks.n = l.owner_n) as speaks
from s_lists as l
left join s_people as s on s.n = l.owner_n
left join matched as m on m.n = l.owner_n
left join s_settled as settled on settled.n = l.owner_n
left join new_people as new on new.n = l.owner_n
left join directory.people as p on p.person_id = settled.person_id
where l.kind = 'teacher';
analyze owners;

create temp table teacher_match on commit drop as
select o.k, u.list_id
from owners as o
join directory.user_lists as u on u.owner_id = o.person_id and u.school_id is not distinct from o.school_id;

-- A list that is nobody's yet becomes theirs by any of their ids, the oldest first, where they have none at this school.
insert into teacher_match
select distinct on (claims.list_id) claims.k, claims.list_id
from (
    select distinct on (o.k) o.k, u.list_id
    from (select k, school_id, unnest(sourced_ids) as sourced_id from owners) as o
    join directory.user_lists as u
        on u.district = %(district)s and u.kind = 'teacher' and u.owner_id is null and u.source_id = o.sourced_id
        and u.school_id is not distinct from o.school_id
    where not exists (select from teacher_match as t where t.k = o.k)
    order by o.k, u.list_id
) as claims
order by claims.list_id, claims.k;

-- A teacher's list may be wanted twice, by the records of one human that drifted apart: it is one list all the same, and one of the
-- two (leads) says what it is called.
create temp table list_match on commit drop as
with others as (
    select l.k, l.k as lead_k, u.list_id as known_id, u.term_ids && %(frozen_terms)s::text[] as frozen
    from s_lists as l
    left join directory.user_lists as u
        on u.district = %(district)s and u.kind = l.kind
        -- A class is one wherever it is taught; the other kinds exist once per school, however they are spelled.
        and case when u.kind = 'class' then u.source_id else concat(lower(u.source_id), '|', u.school_id) end
            = case when l.kind = 'class' then l.source_id else concat(lower(l.source_id), '|', l.school_id) end
    where l.kind <> 'teacher'
), of_teachers as (
    select o.k, u.list_id, u.term_ids, coalesce('owner ' || o.person_id || ' ' || o.school_id, o.k::text) as one, o.speaks
    from owners as o
    left join teacher_match as t using (k)
    left join directory.user_lists as u on u.list_id = t.list_id
), led as (
    select * from others
    union all
    select k, first_value(k) over (partition by one order by speaks desc, k), max(list_id) over (partition by one),
           bool_or(term_ids && %(frozen_terms)s::text[]) over (partition by one)
    from of_teachers
), numbered as (
    select k as lead_k, nextval('directory.user_lists_list_id_seq')::integer as new_id
    from (select k from led where k = lead_k and known_id is null order by k) as first_of_each
)
select led.k, coalesce(led.known_id, numbered.new_id) as list_id, led.known_id is null as is_new, coalesce(led.frozen, false) as frozen,
       led.k = led.lead_k as leads
from led left join numbered using (lead_k);
analyze list_match;

create temp table differing_lists on commit drop as
select u.list_id, l.kind, coalesce(l.school_id, '') as school_id, w.*, kinds.quiet and u.status = 'active' as quiet
from list_match as m
join s_lists as l using (k)
join directory.user_lists as u using (list_id)
join s_kinds as kinds on kinds.school_id = coalesce(l.school_id, '') and kinds.kind = l.kind
cross join lateral (select
    -- A name given by hand stays, also when the SIS takes the same one: what the SIS said before goes on showing whose it is.
    case when u.name is not distinct from u.synced_name then l.name else u.name end as name,
    case when u.name is distinct from u.synced_name and l.name = u.name then u.synced_name else l.name end as synced_name,
    case when l.kind = 'teacher' then l.source_id else u.source_id end as source_id,
    l.school_id as new_school_id, l.term_ids, case when l.keeps_grades then u.grades else l.grades end as grades, 'active' as status
) as w
where m.leads and not m.is_new and not m.frozen
  and (w.name, w.synced_name, w.source_id, w.new_school_id, w.term_ids, w.grades, w.status)
      is distinct from (u.name, u.synced_name, u.source_id, u.school_id, u.term_ids, u.grades, u.status);

-- Lists of people that do not end for want of others: of whoever is apart, and of a school at which somebody stays for want of a word
-- about it. The rolls are taken apart once; to search each for each of the people would look at every pair.
create temp table undecided_lists on commit drop as
select distinct rolls.list_id
from (
    select l.list_id, l.school_id, unnest(m.people) as person_id
    from directory.user_lists as l join directory.memberships as m using (list_id)
    where l.district = %(district)s and l.status = 'active' and l.kind in ('role', 'grade')
      and (exists (select from apart_people) or exists (select from resting))
) as rolls
left join apart_people as rests using (person_id)
left join resting as stays on stays.person_id = rolls.person_id and stays.school_id = rolls.school_id
where rests.person_id is not null or stays.person_id is not null;

create temp table ending_lists on commit drop as
select u.list_id, u.kind, u.school_id, coalesce(unlisted.reason, case when %(proven)s then 'gone' when not u.term_ids && kinds.terms then 'term_not_selected'
                                else 'grade_not_selected' end) as reason, kinds.quiet
from directory.user_lists as u
join s_kinds as kinds on kinds.school_id = coalesce(u.school_id, '') and kinds.kind = u.kind
left join s_unlisted as unlisted on u.kind = 'class' and unlisted.source_id = u.source_id
where u.district = %(district)s and u.status = 'active' and not kinds.paused
  and not exists (select from list_match as m where m.list_id = u.list_id)
  and not u.term_ids && %(frozen_terms)s::text[]
  and not exists (select from apart where apart.person_id = u.owner_id)
  and not exists (select from undecided_lists as rests where rests.list_id = u.list_id)
  and (%(proven)s
       and not exists (select from resting_lists where resting_lists.list_id = u.list_id)
       and not (u.kind in ('class', 'subject', 'teacher')
                and exists (select from s_kept where s_kept.class_id is null and s_kept.user_id is null))
       and not (u.kind <> 'class' and exists (
           select from directory.memberships as rolls join kept_people on rolls.people @> array[kept_people.person_id]
           where rolls.list_id = u.list_id))
       -- The district's own choice needs no proof: what was kept of the class is enough to see that it is not selected.
       or u.kind = 'class' and (not u.term_ids && kinds.terms or kinds.grades <> '{}' and not u.grades && kinds.grades)
          and not exists (select from waiting_lists as w where w.kind = 'class' and w.source_id = u.source_id));

create temp table plan_lists (
    list_id integer, school_id text, kind text, action text, status text, reason text, before jsonb, after jsonb
) on commit drop;

insert into plan_lists
select m.list_id, l.school_id, l.kind, 'create', 'applied', 'new_in_sis', null,
       jsonb_build_object('name', l.name, 'source_id', l.source_id, 'term_ids', l.term_ids, 'grades', l.grades,
                          'visibility', case when l.public then 'public' else 'private' end)
from list_match as m join s_lists as l using (k) where m.is_new and m.leads;

insert into plan_lists
select d.list_id, nullif(d.school_id, ''), d.kind, 'update', case when d.quiet then 'suppressed' else 'applied' end,
       case when d.quiet then 'quiet' when u.status = 'inactive' then 'back_in_sis' else 'changed_in_sis' end,
       jsonb_strip_nulls(jsonb_build_object(
           'name', case when d.name is distinct from u.name then u.name end,
           'synced_name', case when d.synced_name is distinct from u.synced_name then u.synced_name end,
           'source_id', case when d.source_id is distinct from u.source_id then u.source_id end,
           'school_id', case when d.new_school_id is distinct from u.school_id then u.school_id end,
           'term_ids', case when d.term_ids is distinct from u.term_ids then u.term_ids end,
           'grades', case when d.grades is distinct from u.grades then u.grades end,
           'status', case when d.status is distinct from u.status then u.status end)),
       jsonb_strip_nulls(jsonb_build_object(
           'name', case when d.name is distinct from u.name then d.name end,
           'synced_name', case when d.synced_name is distinct from u.synced_name then d.synced_name end,
           'source_id', case when d.source_id is distinct from u.source_id then d.source_id end,
           'school_id', case when d.new_school_id is distinct from u.school_id then d.new_school_id end,
           'term_ids', case when d.term_ids is distinct from u.term_ids then d.term_ids end,
           'grades', case when d.grades is distinct from u.grades then d.grades end,
           'status', case when d.status is distinct from u.status then d.status end))
from differing_lists as d join directory.user_lists as u using (list_id);

insert into plan_lists
select list_id, school_id, kind, 'deactivate', case when quiet then 'suppressed' else 'applied' end,
       case when quiet then 'quiet' else reason end, '{"status": "active"}', '{"status": "inactive"}'
from ending_lists;

-- Lists that are neither followed nor over: they are as they were, and the run says why.
insert into plan_lists
select u.list_id, u.school_id, u.kind, 'rest', 'suppressed',
       case when kinds.paused then 'paused'
            when u.term_ids && %(lost_terms)s::text[] or u.kind in ('subject', 'teacher') and kinds.terms && %(lost_terms)s::text[]
                then 'term_lost'
            when u.kind = 'class' and u.source_id in (select class_id from s_kept where user_id is null)
                or u.term_ids && %(frozen_terms)s::text[] or u.school_id = any (%(resting_schools)s::text[]) then 'set_aside'
            when %(proven)s then 'undecided'
            else 'unproven' end,
       null, null
from directory.user_lists as u
join s_kinds as kinds on kinds.school_id = coalesce(u.school_id, '') and kinds.kind = u.kind
where u.district = %(district)s and u.status = 'active'
  and not exists (select from list_match as m where m.list_id = u.list_id and not m.frozen)
  and not exists (select from ending_lists as e where e.list_id = u.list_id);
