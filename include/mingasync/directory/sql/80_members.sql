-- Who ought to be on which list, beside who is: only the difference is kept.

create temp table wanted on commit drop as
select m.list_id, who.person_id, s.manager
from s_members as s
join list_match as m using (k)
join who using (n)
where not m.frozen
union
select o.list_id, o.person_id, o.manager
from directory.membership_overrides as o
join list_match as m using (list_id)
join directory.people as p using (person_id)
where o.keep and not m.frozen and p.status = 'active';

delete from wanted using directory.membership_overrides as o
where not o.keep and wanted.list_id = o.list_id and wanted.person_id = o.person_id and wanted.manager = o.manager;
analyze wanted;

-- Both differences first and alone, then what they mean: how few they are is known to nobody before, and a guess in one
-- statement makes the server compare every list with every row.
create temp table missing_now on commit drop as
select w.list_id, w.person_id, w.manager
from wanted as w
where not exists (
    select from directory.memberships as now_on
    where now_on.list_id = w.list_id and now_on.person_id = w.person_id and now_on.manager = w.manager
      and now_on.to_run is null and now_on.removed_at is null);
analyze missing_now;

create temp table unwanted_now on commit drop as
select now_on.list_id, now_on.person_id, now_on.manager
from directory.memberships as now_on
where now_on.to_run is null and now_on.removed_at is null
  and now_on.list_id in (select list_id from list_match where not is_new and not frozen)
  and not exists (
      select from wanted as w
      where w.list_id = now_on.list_id and w.person_id = now_on.person_id and w.manager = now_on.manager);
analyze unwanted_now;

create temp table joining on commit drop as
select w.list_id, w.person_id, w.manager, m.is_new or who.newcomer or who.may_update as may_join
from missing_now as w
join list_match as m using (list_id)
join (select person_id, bool_or(newcomer) as newcomer, bool_or(may_update) as may_update from who group by 1
      union all
      select distinct o.person_id, true, true from directory.membership_overrides as o
      where o.keep and not exists (select from who where who.person_id = o.person_id)) as who using (person_id);

-- An enrollment that was set aside proves nothing, neither for its class nor for the lists made from classes.
create temp table kept_people on commit drop as
select kept.class_id, own.person_id
from s_kept as kept
join (select person_id, unnest(sourced_ids) as sourced_id from directory.people where district = %(district)s) as own
    on own.sourced_id = kept.user_id;
analyze kept_people;

-- Only somebody who is here for certain leaves a list; who is absent keeps theirs until archived.
create temp table leaving on commit drop as
select off.list_id, off.person_id, off.manager, who.may_update as may_leave
from unwanted_now as off
join list_match as m using (list_id)
join s_lists as l using (k)
join (select person_id, bool_or(may_update) as may_update from who group by 1) as who using (person_id)
where %(proven)s
  and not exists (
      select from kept_people as kept
      where kept.person_id = off.person_id and (kept.class_id = l.source_id or l.kind in ('subject', 'teacher')));
