-- Who ought to be on which list, beside who is. Lists that agree are done with by one comparison; people are looked at one by
-- one only where they do not.

create temp table wanted on commit drop as
select m.list_id, s.manager, s.people, m.is_new
from s_rolls as s
join list_match as m using (k)
where not m.frozen;

-- The rolls of a list that is wanted twice are one.
with several as (
    delete from wanted using (select list_id from list_match group by list_id having count(*) > 1) as twice
    where wanted.list_id = twice.list_id
    returning wanted.*
)
insert into wanted
select list_id, manager, array_agg(distinct one.person_id order by one.person_id), bool_and(is_new)
from several cross join lateral unnest(people) as one (person_id)
group by list_id, manager;

-- What a hand decided holds against the SIS. Lists with such a decision are made anew, the few that they are.
create temp table by_hand on commit drop as
select o.list_id, o.person_id, o.manager, o.keep
from directory.membership_overrides as o
join list_match as m using (list_id)
join directory.people as p using (person_id)
where m.leads and not m.frozen and not (o.keep and p.status <> 'active');

with before as (
    delete from wanted using (select distinct list_id, manager from by_hand) as touched
    where wanted.list_id = touched.list_id and wanted.manager = touched.manager
    returning wanted.list_id, wanted.manager, wanted.people
)
insert into wanted
select touched.list_id, touched.manager,
       array(select unnest(before.people)
             union select person_id from by_hand as b where b.keep and b.list_id = touched.list_id and b.manager = touched.manager
             except select person_id from by_hand as b where not b.keep and b.list_id = touched.list_id and b.manager = touched.manager
             order by 1),
       false
from (select distinct list_id, manager from by_hand) as touched
left join before using (list_id, manager);
analyze wanted (list_id, manager);

create temp table differing_rolls on commit drop as
select list_id, manager, coalesce(wanted.people, '{}') as wanted, coalesce(now_on.people, '{}') as now_on
from (select * from wanted where not is_new) as wanted
full join (
    select rolls.* from directory.memberships as rolls
    join list_match as m using (list_id)
    where m.leads and not m.is_new and not m.frozen
) as now_on using (list_id, manager)
where wanted.people is distinct from now_on.people;
analyze differing_rolls (list_id, manager);

create temp table absent_there on commit drop as
select d.list_id, d.manager, unnest(d.wanted) as person_id from differing_rolls as d
except
select d.list_id, d.manager, unnest(d.now_on) from differing_rolls as d;

-- New people join their lists. Whose list was not followed on the night that made them, nor since, joins it now; nor was it for
-- somebody whose enrollment was set aside. The same holds for a list that was new.
create temp table late_newcomers on commit drop as
with held as (
    select distinct w.list_id, w.person_id
    from absent_there as w
    join (select person_id from who group by person_id having not bool_or(newcomer or may_update)) as stays using (person_id)
), came as (
    select held.list_id, held.person_id, l.kind, coalesce(l.school_id, '') as school_id,
           -- The first night on which both were there.
           (select max(c.run_no) from directory.changes as c
            where c.status = 'applied'
              and (c.entity = 'person' and c.entity_no = held.person_id and c.action in ('create', 'restore')
                   or c.entity = 'list' and c.entity_no = held.list_id and c.action = 'create')) as run_no,
           -- A list that comes back tonight has not been followed since it ended.
           case when back.list_id is not null then (
               select max(c.run_no) from directory.changes as c
               where c.entity = 'list' and c.entity_no = held.list_id and c.action = 'deactivate' and c.status = 'applied') end as ended
    from held
    join directory.user_lists as l using (list_id)
    left join (select list_id from plan_lists where action = 'update' and after ->> 'status' = 'active') as back using (list_id)
)
select list_id, person_id
from came
cross join lateral (select case kind when 'class' then array['class_lists', 'enabled'] else array['auto_lists', kind] end as path) as wanted
where run_no is not null
  and (ended <= run_no
       or not exists (
           select from directory.sync_runs as r
           where r.district = %(district)s and r.run_no >= came.run_no and r.run_no <> %(run_no)s and r.loaded_at is not null
             -- Was it followed then? Not where its kind was off, not where the run says that it rested, and not for somebody whose
             -- enrollment was set aside.
             and coalesce(r.settings #> array['schools', came.school_id] #>> wanted.path, r.settings #>> wanted.path, 'true') = 'true'
             and not exists (
                 select from directory.changes as c
                 where c.run_no = r.run_no and c.entity = 'list' and c.entity_no = came.list_id and c.action = 'rest')
             and not exists (
                 select from directory.membership_changes as c
                 where c.run_no = r.run_no and c.list_id = came.list_id and c.status = 'suppressed' and c.reason = 'set_aside'
                   and c.people @> array[came.person_id])
             -- Nor while they were on it by a run that was undone since: the undo took them off, and nobody else decided it.
             and not exists (
                 select from directory.membership_changes as c
                 join directory.sync_runs as undone using (run_no)
                 join directory.sync_runs as taken_back
                     on taken_back.district = undone.district and taken_back.run_id = undone.undone_by
                 where c.list_id = came.list_id and c.action = 'add' and c.status = 'undone' and c.reason <> 'tried_again'
                   and c.people @> array[came.person_id] and r.run_no between c.run_no and taken_back.run_no)));

create temp table joining on commit drop as
select w.list_id, w.person_id, w.manager,
       who.newcomer or who.may_update or (w.list_id, w.person_id) in (select list_id, person_id from late_newcomers) as may_join, who.quiet
from absent_there as w
join (select person_id, bool_or(newcomer) as newcomer, bool_or(may_update) as may_update, bool_or(quiet) as quiet from who
      where exists (select from absent_there) group by 1
      union all
      select distinct o.person_id, true, true, false from directory.membership_overrides as o
      where o.keep and not exists (select from who where who.person_id = o.person_id)) as who using (person_id);

-- Only somebody who is here for certain leaves a list; who is absent keeps theirs until archived. Where their role is not
-- rostered they leave only what the SIS has ended: the lists made of enrollments that enroll them no more.
create temp table still_on on commit drop as
select m.list_id, s.manager, unnest(s.people) as person_id
from s_still as s
join list_match as m using (k)
join differing_rolls as d using (list_id, manager);
analyze still_on;

create temp table leaving on commit drop as
select off.list_id, off.person_id, off.manager, who.may_update as may_leave, who.quiet, who.rostered
from (
    select d.list_id, d.manager, unnest(d.now_on) as person_id from differing_rolls as d
    except
    select d.list_id, d.manager, unnest(d.wanted) from differing_rolls as d
    except
    select list_id, manager, person_id from still_on
) as off
join list_match as m using (list_id)
join s_lists as l using (k)
join (select person_id, bool_or(may_update) as may_update, bool_or(quiet) as quiet, rostered
      from (select person_id, may_update, quiet, true as rostered from who
            union all
            select person_id, may_update, quiet, false from bystanders) as everybody
      group by person_id, rostered) as who using (person_id)
where %(proven)s and m.leads
  and (who.rostered or l.kind in ('class', 'subject', 'teacher'))
  and not exists (
      select from kept_people as kept
      where kept.person_id = off.person_id
        and (kept.class_id is null or kept.class_id = l.source_id or l.kind in ('subject', 'teacher')))
  and not (l.kind in ('class', 'subject', 'teacher') and exists (select from s_kept where class_id is null and user_id is null))
  and not exists (
      select from resting
      where l.kind in ('role', 'grade') and resting.person_id = off.person_id and resting.school_id = l.school_id);

-- A teacher's own list at a school that they left so ends with the last class there. It keeps whoever was on it, but is not theirs
-- to look into any more.
insert into leaving
select rolls.list_id, b.person_id, true, b.may_update, b.quiet, false
from bystanders as b
join s_people as s using (n)
join directory.user_lists as l on l.owner_id = b.person_id
join s_kinds as kinds on kinds.school_id = coalesce(l.school_id, '') and kinds.kind = l.kind
join directory.memberships as rolls on rolls.list_id = l.list_id and rolls.manager and rolls.people @> array[b.person_id]
where %(proven)s and s.unsure_org_ids = '{}' and l.school_id <> all (s.school_ids)
  and not exists (select from list_match as m where m.list_id = l.list_id)
  and not exists (select from resting_lists as rests where rests.list_id = l.list_id)
  and not exists (select from kept_people as kept where kept.person_id = b.person_id)
  and not exists (select from directory.membership_overrides as o
                  where o.list_id = l.list_id and o.person_id = b.person_id and o.manager and o.keep);

-- Who would join a list tonight if their enrollment could be read: people or a list that are new, and whoever waits for that since.
-- Kept with the run, for later nights ask it.
create temp table unread_joins on commit drop as
select distinct m.list_id, s.manager, w.person_id
from s_unread as s
join (select n, person_id, bool_or(newcomer) over (partition by person_id) as newcomer,
             bool_or(may_update) over (partition by person_id) as may_update
      from who where exists (select from s_unread)) as w using (n)
join list_match as m on m.k = s.k and not m.frozen
where (w.newcomer or not w.may_update)
  and not exists (select from wanted as on_it where on_it.list_id = m.list_id and on_it.people @> array[w.person_id])
  and not exists (select from directory.memberships as on_it where on_it.list_id = m.list_id and on_it.people @> array[w.person_id])
  and (w.newcomer or m.is_new
       -- An earlier attempt of this run may have made them.
       or exists (select from directory.changes as c
                  where c.run_no = %(run_no)s and c.status = 'applied' and c.action in ('create', 'restore')
                    and (c.entity, c.entity_no) in (('person', w.person_id), ('list', m.list_id)))
       or exists (select from directory.membership_changes as c
                  where c.list_id = m.list_id and c.status = 'suppressed' and c.reason = 'set_aside' and c.people @> array[w.person_id]));

-- The same, list by list, as it is carried out and kept.
create temp table moving on commit drop as
select list_id, manager, action, status, reason, array_agg(person_id order by person_id) as people, false as is_new
from (
    select list_id, manager, person_id, 'add' as action, may_join as may, quiet, true as rostered from joining
    union all
    select list_id, manager, person_id, 'remove', may_leave, quiet, rostered from leaving
) as moves
cross join lateral (select
    case when may then 'planned' else 'suppressed' end as status,
    case when may and rostered then 'roster' when may then 'enrollment_ended' when quiet then 'quiet' else 'auto_update_off' end as reason
) as what
group by list_id, manager, action, status, reason
union all
select list_id, manager, 'add', 'suppressed', 'set_aside', array_agg(person_id order by person_id), false
from unread_joins group by list_id, manager
union all
select list_id, manager, 'add', 'planned', 'roster', people, true from wanted where is_new and people <> '{}';
