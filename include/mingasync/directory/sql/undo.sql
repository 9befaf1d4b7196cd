-- Reverses what one run did. A later edit, by a run or by hand, is left alone and listed as a conflict.

create temp table touched_by_runs on commit drop as
select distinct later.entity, later.entity_no
from directory.changes as later join directory.sync_runs as r using (run_no)
where r.district = %(district)s and later.run_no > %(target)s and later.run_no <> %(run_no)s and later.status = 'applied';
analyze touched_by_runs;

create temp table reversing on commit drop as
select c.ctid as change, c.entity, c.entity_no, c.school_id, c.role, c.action, c.before, c.after, touched_by_run, as_made,
       case when as_made then null when c.entity = 'person' then to_jsonb(p) - 'digest' else to_jsonb(l) end as now_is
from directory.changes as c
left join directory.people as p on c.entity = 'person' and p.person_id = c.entity_no
left join directory.user_lists as l on c.entity = 'list' and l.list_id = c.entity_no
left join touched_by_runs as t on t.entity = c.entity and t.entity_no = c.entity_no
-- Whoever bears a digest, and was not touched by a later run, is what the run made, field by field.
cross join lateral (select t.entity_no is not null as touched_by_run,
                           t.entity_no is null and c.action = 'create' and p.digest is not null as as_made) as what
where c.run_no = %(target)s and c.status = 'applied';

-- A field may go back while it still is what the run made it.
create temp table reversal on commit drop as
select r.*, fields.back, fields.kept
from reversing as r
cross join lateral (
    select jsonb_object_agg(field, coalesce(r.before -> field, 'null')) filter (where untouched) as back,
           jsonb_object_agg(field, r.now_is -> field) filter (where not untouched) as kept
    from (
        select field, coalesce(nullif(r.now_is -> field, 'null') = nullif(r.after -> field, 'null'),
                               nullif(r.now_is -> field, 'null') is null and nullif(r.after -> field, 'null') is null)
                      as untouched
        from jsonb_object_keys(case when r.as_made then '{}' else coalesce(r.before, '{}') || coalesce(r.after, '{}') end)
             as keys (field)
        where r.now_is ? field
    ) as one
) as fields;

-- What the run made new goes again, unless somebody changed it since.
create temp table unmade on commit drop as
select change, entity, entity_no, now_is,
       now_is is not null and (touched_by_run or kept is not null
           or entity = 'person' and (now_is ->> 'source' <> 'sis' or not (now_is ->> 'include_in_sync')::boolean)
           or entity = 'list' and exists (select from directory.membership_overrides as o where o.list_id = entity_no)
       ) as conflict
from reversal where action = 'create';

delete from directory.memberships as m using unmade as u
where not u.conflict and u.entity = 'list' and m.list_id = u.entity_no;
delete from directory.people as p using unmade as u where not u.conflict and u.entity = 'person' and p.person_id = u.entity_no;
delete from directory.user_lists as l using unmade as u where not u.conflict and u.entity = 'list' and l.list_id = u.entity_no;

update directory.people as p set
    sourced_id = b.sourced_id, sourced_ids = b.sourced_ids, role = b.role, given_name = b.given_name,
    family_name = b.family_name, preferred_given_name = b.preferred_given_name, email = b.email, username = b.username,
    identifier = b.identifier, grades = b.grades, school_ids = b.school_ids, parent_name = b.parent_name,
    parent_email = b.parent_email, parent_phone = b.parent_phone, status = b.status,
    archived_at = case when b.status = 'archived' then b.archived_at end, updated_at = now()
from (
    select entity_no, jsonb_object_agg(field, value) as back
    from reversal cross join lateral jsonb_each(back) as one (field, value)
    where entity = 'person' and action <> 'create' group by entity_no
) as r
cross join lateral (select (jsonb_populate_record(people_now, r.back)).*
                    from directory.people as people_now where people_now.person_id = r.entity_no) as b
where p.person_id = r.entity_no;

update directory.user_lists as l set
    name = b.name, synced_name = b.synced_name, source_id = b.source_id, school_id = b.school_id, term_ids = b.term_ids, grades = b.grades,
    status = b.status, updated_at = now()
from reversal as r
cross join lateral (select (jsonb_populate_record(lists_now, r.back)).*
                    from directory.user_lists as lists_now where lists_now.list_id = r.entity_no) as b
where r.entity = 'list' and r.action <> 'create' and r.back is not null and l.list_id = r.entity_no;

-- Memberships that the run began end; those that it ended hold again where the list and the person are still there. Whoever
-- was moved again since is left where they are.
create temp table lists_left on commit drop as
select list_id from directory.user_lists where district = %(district)s;
analyze lists_left;

create temp table moved on commit drop as
select c.change_no, c.list_id, c.manager, c.action, unnest(c.people) as person_id
from directory.membership_changes as c join lists_left using (list_id)
where c.run_no = %(target)s and c.status = 'applied';
analyze moved;

create temp table moving_back on commit drop as
select list_id, manager, 'remove' as action, person_id from moved where action = 'add'
union all
select list_id, manager, 'add', person_id from moved join directory.people as p using (person_id) where action = 'remove';

delete from moving_back as b using (
    select c.list_id, c.manager, unnest(c.people) as person_id
    from directory.membership_changes as c
    where c.status = 'applied' and c.run_no is distinct from %(target)s
      and c.change_no > (select min(change_no) from moved) and c.list_id in (select list_id from moved)
) as later
where later.list_id = b.list_id and later.manager = b.manager and later.person_id = b.person_id;

delete from moving_back as b using directory.membership_overrides as o
where o.list_id = b.list_id and o.person_id = b.person_id and o.manager = b.manager and o.keep = (b.action = 'remove');

-- People who are no more are on no list, whoever put them there.
insert into moving_back
select rolls.list_id, rolls.manager, 'remove', rolls.person_id
from (
    select m.list_id, m.manager, unnest(m.people) as person_id
    from directory.memberships as m join lists_left using (list_id)
) as rolls
where rolls.person_id in (select entity_no from unmade where entity = 'person' and not conflict)
  and not exists (select from moving_back as b where b.list_id = rolls.list_id and b.manager = rolls.manager
                  and b.person_id = rolls.person_id);

create temp table rolls_back on commit drop as
select list_id, manager, action, array_agg(distinct person_id order by person_id) as people
from moving_back group by list_id, manager, action;

insert into directory.memberships as rolls (list_id, manager, people)
select list_id, manager, people from rolls_back where action = 'add' order by list_id
on conflict (list_id, manager) do update
    set people = array(select unnest(rolls.people) union select unnest(excluded.people) order by 1);

update directory.memberships as rolls
set people = array(select unnest(rolls.people) except select unnest(b.people) order by 1)
from rolls_back as b
where b.action = 'remove' and rolls.list_id = b.list_id and rolls.manager = b.manager;

insert into directory.membership_changes (run_no, list_id, manager, action, status, reason, people)
select %(run_no)s, list_id, manager, action, 'applied', 'undo', people from rolls_back order by list_id;

insert into directory.changes (run_no, entity, entity_no, school_id, role, action, status, reason, before, after)
select %(run_no)s, r.entity, r.entity_no, r.school_id, r.role,
       case r.action when 'create' then 'delete' when 'archive' then 'restore' when 'restore' then 'archive'
            when 'deactivate' then 'update' else r.action end,
       'applied', 'undo', r.after, r.back
from reversal as r
left join unmade as u on u.change = r.change
where case when r.action = 'create' then not u.conflict else r.back is not null end;

insert into directory.changes (run_no, entity, entity_no, school_id, role, action, status, reason, before, after)
select %(run_no)s, r.entity, r.entity_no, r.school_id, r.role, 'undo', 'conflict', 'changed_since',
       r.kept, r.before
from reversal as r
left join unmade as u on u.change = r.change
where case when r.action = 'create' then u.conflict else r.kept is not null end;

update directory.changes as c set status = 'undone'
from reversal as r
left join unmade as u on u.change = r.change
where c.ctid = r.change and case when r.action = 'create' then not u.conflict else r.kept is null end;
