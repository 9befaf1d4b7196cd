-- Reverses what one run did. What a later run or a hand decided since is left alone and listed as a conflict: a changed value, but
-- also a pin, an exception of a list, a switch turned off or a relink that left the value as the run had made it.

-- An undo of a later run only took that run back: together they are no edit.
create temp table later_runs on commit drop as
select r.run_no, r.finished_at is null as goes_on
from directory.sync_runs as r
where r.district = %(district)s and r.run_no > %(target)s and r.run_no <> %(run_no)s
  and not exists (select from directory.sync_runs as taken_back
                  where taken_back.district = r.district and taken_back.undone_by = r.run_id and taken_back.run_no > %(target)s);
analyze later_runs;

create temp table touched_by_runs on commit drop as
select entity, entity_no from directory.changes as c join later_runs using (run_no)
where c.status = 'applied' or goes_on and c.status in ('planned', 'held')
union
select 'list', list_id from directory.membership_changes as c join later_runs using (run_no) where c.status = 'applied'
union
select 'person', unnest(people) from directory.membership_changes as c join later_runs using (run_no) where c.status = 'applied';
analyze touched_by_runs;

-- Fields that a later run wrote as well: what they are is its decision, be it the very value that this run had set.
create temp table set_again on commit drop as
select distinct c.entity, c.entity_no, keys.field
from directory.changes as c
join later_runs using (run_no)
join (select distinct entity, entity_no from directory.changes where run_no = %(target)s and status = 'applied') as own
    using (entity, entity_no)
cross join lateral jsonb_object_keys(coalesce(c.before, '{}') || coalesce(c.after, '{}')) as keys (field)
where c.status = 'applied';
analyze set_again;

-- Whose row a later run wrote at all, be it undone since.
create temp table written_by_runs on commit drop as
select distinct c.entity, c.entity_no
from directory.changes as c join directory.sync_runs as r using (run_no)
where r.district = %(district)s and c.run_no > %(target)s and c.status in ('applied', 'undone');
analyze written_by_runs;

-- People and lists about whom a person decided something that is no field of theirs.
create temp table decided_by_hand on commit drop as
select 'person' as entity, person_id as entity_no from directory.field_pins where district = %(district)s
union
select 'person', person_id from directory.relink_proposals where district = %(district)s and state <> 'proposed'
union
select 'person', o.person_id from directory.membership_overrides as o join directory.user_lists as l using (list_id)
where l.district = %(district)s
union
select 'list', list_id from directory.membership_overrides as o join directory.user_lists as l using (list_id)
where l.district = %(district)s;
analyze decided_by_hand;

-- A run that was tried again with other data may have changed a field more than once: what counts is the value before the first
-- change and the one after the last. Every value between is the one after a change and before the next, so it cancels out. Where
-- all do, the field was set back by the run itself. What a hand changed between two attempts leaves more than one value on a side.
create temp table net on commit drop as
with changed_again as (
    select entity, entity_no from directory.changes
    where run_no = %(target)s and status = 'applied' and entity_no is not null
    group by 1, 2 having count(*) > 1
), met as (
    -- One value per side however it is written: no list and an empty one are equal, and the empty one is what goes back.
    select entity, entity_no, key as field, nullif(nullif(told, 'null'), '[]') as value, sum(side) as side,
           max(told::text) filter (where told <> 'null')::jsonb as told
    from (
        select c.entity, c.entity_no, keys.key, c.after -> keys.key as told, 1 as side
        from directory.changes as c
        join changed_again using (entity, entity_no)
        cross join lateral jsonb_object_keys(coalesce(c.before, '{}') || coalesce(c.after, '{}')) as keys (key)
        where c.run_no = %(target)s and c.status = 'applied'
        union all
        select c.entity, c.entity_no, keys.key, c.before -> keys.key, -1
        from directory.changes as c
        join changed_again using (entity, entity_no)
        cross join lateral jsonb_object_keys(coalesce(c.before, '{}') || coalesce(c.after, '{}')) as keys (key)
        where c.run_no = %(target)s and c.status = 'applied' and c.action <> 'create'
    ) as one
    group by 1, 2, 3, 4
), ends as (
    select entity, entity_no, field, bool_and(side = 0) as is_back,
           coalesce(jsonb_agg(told) filter (where side < 0) -> 0, 'null') as before,
           coalesce(jsonb_agg(told) filter (where side > 0) -> 0, 'null') as after
    from met group by 1, 2, 3
    having coalesce(sum(side) filter (where side > 0), 0) <= 1 and coalesce(sum(side) filter (where side < 0), 0) >= -1
)
select entity, entity_no, coalesce(array_agg(field) filter (where is_back), '{}') as is_back,
       coalesce(jsonb_object_agg(field, before) filter (where not is_back), '{}') as before,
       coalesce(jsonb_object_agg(field, after) filter (where not is_back), '{}') as after
from ends group by 1, 2;
analyze net;

create temp table reversing on commit drop as
select c.ctid as change, c.entity, c.entity_no, c.school_id, c.role, c.action,
       case when c.action = 'create' or n.entity_no is null then c.before
            else (coalesce(c.before, '{}') || n.before) - n.is_back end as before,
       -- What a run makes has a value for every field, be it none.
       case when c.action = 'create' then blank || c.after || coalesce(n.after, '{}') when n.entity_no is null then c.after
            else (coalesce(c.after, '{}') || n.after) - n.is_back end as after,
       what.touched_by_run, what.as_made, what.excluded, what.written_unseen,
       case when what.as_made then null when c.entity = 'person' then to_jsonb(p) - 'digest' else to_jsonb(l) end as now_is
from directory.changes as c
left join directory.people as p on c.entity = 'person' and p.person_id = c.entity_no
left join directory.user_lists as l on c.entity = 'list' and l.list_id = c.entity_no
left join net as n on n.entity = c.entity and n.entity_no = c.entity_no
left join touched_by_runs as t on t.entity = c.entity and t.entity_no = c.entity_no
left join written_by_runs as w on w.entity = c.entity and w.entity_no = c.entity_no
cross join lateral (
    select case c.entity
        when 'person' then '{"sourced_id": null, "role": null, "given_name": null, "family_name": null, "preferred_given_name": null,
                             "email": null, "username": null, "identifier": null, "grades": [], "school_ids": [],
                             "status": "active", "include_in_sync": true}'::jsonb
        else '{"name": null, "source_id": null, "term_ids": [], "grades": [], "visibility": null, "status": "active"}'
    end as blank
) as fields_of_new
-- Whoever bears a digest, and was not touched by a later run, is what the run made, field by field.
cross join lateral (
    select t.entity_no is not null as touched_by_run,
           t.entity_no is null and c.action = 'create' and p.digest is not null as as_made,
           coalesce(not p.include_in_sync, false) as excluded,
           -- Nobody says who wrote the row since, so it was a hand, even if every value is the old one again.
           w.entity_no is null and coalesce(p.digest is null and p.updated_at > p.created_at, l.updated_at > l.created_at, false)
               as written_unseen
) as what
where c.run_no = %(target)s and c.status = 'applied';

-- Ids that are to come back, but that somebody else has by now.
create temp table ids_taken on commit drop as
with coming_back as (
    select r.change, r.entity_no, ids.sourced_id
    from reversing as r
    cross join lateral (
        select r.before ->> 'sourced_id' as sourced_id
        union
        select jsonb_array_elements_text(case jsonb_typeof(r.before -> 'sourced_ids') when 'array' then r.before -> 'sourced_ids'
                                         else '[]' end)
    ) as ids
    where r.entity = 'person' and r.before ?| array['sourced_id', 'sourced_ids'] and ids.sourced_id is not null
)
select distinct c.change
from coming_back as c
join (select person_id, unnest(sourced_ids) as sourced_id from directory.people where district = %(district)s) as own using (sourced_id)
where own.person_id <> c.entity_no
  -- Ids that people of this very run swapped go back together.
  and not exists (select from reversing as r where r.entity = 'person' and r.entity_no = own.person_id);

-- Whom the run brought back, and whom a night loaded since does not lack: nobody is archived whom the newest loaded snapshot has, or
-- of whom it proves nothing. They are left alone as a whole: what else the run changed of them belongs to their coming back.
create temp table seen_since on commit drop as
select distinct p.person_id
from reversing as r
join directory.people as p on r.entity = 'person' and p.person_id = r.entity_no
left join directory.absences as a on a.person_id = p.person_id
where r.before ->> 'status' = 'archived' and p.status = 'active' and p.sourced_ids <@ a.sourced_ids is not true
  and exists (select from directory.sync_runs as own
              join directory.sync_runs as other on other.district = own.district and other.run_no <> own.run_no
              where own.run_no = %(target)s and other.loaded_at is not null
                and (other.snapshot_at > own.snapshot_at or other.loaded_at > own.loaded_at));
analyze seen_since;

-- A field may go back while it still is what the run made it.
create temp table reversal on commit drop as
select r.*, fields.back, fields.kept
from reversing as r
-- Of somebody whom the run made it is asked once, whatever it changed of them afterwards.
left join reversing as made on r.action <> 'create' and made.action = 'create'
    and made.entity = r.entity and made.entity_no = r.entity_no
cross join lateral (
    select jsonb_object_agg(field, coalesce(r.before -> field, 'null')) filter (where is_made and not decided and not is_back) as back,
           jsonb_object_agg(field, r.now_is -> field) filter (where not is_back and (decided or not is_made)) as kept
    from (
        select field, is_now is not distinct from nullif(nullif(r.after -> field, 'null'), '[]') as is_made,
               r.action <> 'create' and is_now is not distinct from nullif(nullif(r.before -> field, 'null'), '[]') as is_back,
               r.action <> 'create' and r.excluded
               or exists (select from directory.field_pins as pin where r.entity = 'person' and pin.person_id = r.entity_no
                          and pin.field = keys.field and (pin.until is null or pin.until >= %(night)s))
               or field in ('sourced_id', 'sourced_ids') and exists (select from ids_taken where ids_taken.change = r.change)
               or exists (select from seen_since where r.entity = 'person' and seen_since.person_id = r.entity_no)
               or exists (select from set_again as later
                          where later.entity = r.entity and later.entity_no = r.entity_no and later.field = keys.field)
               as decided
        from jsonb_object_keys(case when r.as_made then '{}' else coalesce(r.before, '{}') || coalesce(r.after, '{}') end)
             as keys (field)
        cross join lateral (select nullif(nullif(r.now_is -> field, 'null'), '[]') as is_now) as value
        where r.now_is ? field and made.entity_no is null
          and (field <> 'archived_at' or r.before ->> 'status' = 'archived')
    ) as one
) as fields;

-- What the run made new goes again, unless somebody changed it or decided about it since.
create temp table unmade on commit drop as
select r.entity, r.entity_no, r.now_is,
       d.entity_no is not null or r.now_is is not null and (r.touched_by_run or r.written_unseen or r.kept is not null) as conflict
from reversal as r
left join decided_by_hand as d on d.entity = r.entity and d.entity_no = r.entity_no
where r.action = 'create';
analyze unmade;

-- Memberships that the run began end; those that it ended hold again. What it did first says how it was before: tried again with
-- other data, it may have moved somebody more than once.
create temp table moved on commit drop as
select change_no, list_id, manager, person_id,
       first_value(action) over one as action, max(changed_at) over every as changed_at, max(change_no) over every as last_change_no
from (
    select c.change_no, c.list_id, c.manager, c.action, c.changed_at, unnest(c.people) as person_id
    from directory.membership_changes as c join directory.user_lists as l using (list_id)
    where c.run_no = %(target)s and c.status = 'applied' and l.district = %(district)s
) as single
window every as (partition by list_id, manager, person_id), one as (every order by change_no);
create index on moved (list_id, person_id);
analyze moved;

create temp table on_lists on commit drop as
select m.list_id, m.manager, unnest(m.people) as person_id
from directory.memberships as m where m.list_id in (select list_id from moved);
create index on on_lists (list_id, person_id);
analyze on_lists;

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
from (
    select entity_no, jsonb_object_agg(field, value) as back
    from reversal cross join lateral jsonb_each(back) as one (field, value)
    where entity = 'list' and action <> 'create' group by entity_no
) as r
cross join lateral (select (jsonb_populate_record(lists_now, r.back)).*
                    from directory.user_lists as lists_now where lists_now.list_id = r.entity_no) as b
where l.list_id = r.entity_no;

-- Of everybody moved: whether they are to be moved back, and whether somebody else decided about it since.
create temp table moving_back on commit drop as
select m.change_no, m.list_id, m.manager, m.person_id, m.action = 'remove' as wanted,
       here.person_id is not null and there.list_id is not null and now_on.person_id is not null <> (m.action = 'remove')
           and (not here.include_in_sync
                or m.action = 'remove' and here.status <> 'active'
                -- Who stays keeps the places that came with them.
                or m.action = 'add' and exists (select from seen_since where seen_since.person_id = m.person_id)
                or decided.list_id is not null
                or moved_since.list_id is not null) as conflict,
       here.person_id is not null and there.list_id is not null and now_on.person_id is not null <> (m.action = 'remove') as differs
from moved as m
left join directory.people as here on here.person_id = m.person_id
left join directory.user_lists as there on there.list_id = m.list_id
left join on_lists as now_on on now_on.list_id = m.list_id and now_on.manager = m.manager and now_on.person_id = m.person_id
left join directory.membership_overrides as decided
    on decided.list_id = m.list_id and decided.manager = m.manager and decided.person_id = m.person_id
    and decided.keep is distinct from (m.action = 'remove') and decided.set_at > m.changed_at
left join (
    select distinct on (c.list_id, c.manager, one.person_id) c.list_id, c.manager, one.person_id, c.change_no
    from directory.membership_changes as c
    left join later_runs using (run_no)
    cross join lateral unnest(c.people) as one (person_id)
    where c.status = 'applied' and (c.run_no is null or later_runs.run_no is not null)
      and c.change_no > (select min(change_no) from moved) and c.list_id in (select list_id from moved)
    order by c.list_id, c.manager, one.person_id, c.change_no desc
) as moved_since
    on moved_since.list_id = m.list_id and moved_since.manager = m.manager and moved_since.person_id = m.person_id
    and moved_since.change_no > m.last_change_no;
analyze moving_back;

-- The same, list by list. People who are no more are on no list, whoever put them there.
create temp table rolls_back on commit drop as
select list_id, manager, case when wanted then 'add' else 'remove' end as action,
       array_agg(distinct person_id order by person_id) as people
from (
    select list_id, manager, wanted, person_id from moving_back where differs and not conflict
    union
    select rolls.list_id, rolls.manager, false, rolls.person_id
    from (select m.list_id, m.manager, unnest(m.people) as person_id
          from directory.memberships as m join directory.user_lists as l using (list_id)
          where l.district = %(district)s) as rolls
    where rolls.person_id in (select entity_no from unmade where entity = 'person' and not conflict)
) as every
group by list_id, manager, wanted;

insert into directory.memberships as rolls (list_id, manager, people)
select list_id, manager, people from rolls_back where action = 'add' order by list_id
on conflict (list_id, manager) do update
    set people = array(select unnest(rolls.people) union select unnest(excluded.people) order by 1);

update directory.memberships as rolls
set people = array(select unnest(rolls.people) except select unnest(b.people) order by 1)
from rolls_back as b
where b.action = 'remove' and rolls.list_id = b.list_id and rolls.manager = b.manager;

insert into directory.membership_changes (run_no, list_id, manager, action, status, reason, people)
select %(run_no)s, list_id, manager, action, 'applied', 'undo', people from rolls_back
union all
select %(run_no)s, list_id, manager, case when wanted then 'add' else 'remove' end, 'conflict', 'changed_since',
       array_agg(distinct person_id order by person_id)
from moving_back where conflict group by list_id, manager, wanted
order by 2;

insert into directory.changes (run_no, entity, entity_no, school_id, role, action, status, reason, before, after)
select %(run_no)s, r.entity, r.entity_no, r.school_id, r.role,
       case r.action when 'create' then 'delete' when 'archive' then 'restore' when 'restore' then 'archive'
            when 'deactivate' then 'update' else r.action end,
       'applied', 'undo', r.after, r.back
from reversal as r
left join unmade as u on u.entity = r.entity and u.entity_no = r.entity_no
where case when r.action = 'create' then not u.conflict else r.back is not null end
union all
select %(run_no)s, r.entity, r.entity_no, r.school_id, r.role, 'undo', 'conflict', 'changed_since',
       r.kept, r.before
from reversal as r
left join unmade as u on u.entity = r.entity and u.entity_no = r.entity_no
where case when r.action = 'create' then u.conflict else r.kept is not null end;

-- What was taken back says so; what stands goes on saying that it was applied.
update directory.changes as c set status = 'undone'
from reversal as r
left join unmade as u on u.entity = r.entity and u.entity_no = r.entity_no
where c.ctid = r.change and case when u.entity_no is not null then not u.conflict else r.kept is null end;

create temp table rolls_undone on commit drop as
select change_no, array_agg(person_id order by person_id) as people from moving_back where not conflict group by change_no;
analyze rolls_undone;

-- A row of which a part stands becomes two, in the same place of the order.
insert into directory.membership_changes
    (change_no, run_no, list_id, manager, action, status, reason, people, changed_at)
overriding system value
select c.change_no, c.run_no, c.list_id, c.manager, c.action, 'undone', c.reason, u.people, c.changed_at
from directory.membership_changes as c join rolls_undone as u using (change_no)
where c.run_no = %(target)s and c.status = 'applied' and cardinality(c.people) > cardinality(u.people);

update directory.membership_changes as c
set status = case when cardinality(c.people) > cardinality(u.people) then 'applied' else 'undone' end,
    people = case when cardinality(c.people) > cardinality(u.people)
                  then array(select unnest(c.people) except select unnest(u.people) order by 1) else c.people end
from rolls_undone as u
where c.run_no = %(target)s and c.status = 'applied' and c.change_no = u.change_no;

-- What only the newest loaded night knows: the SIS's schools and terms, and who seems to have a new sourcedId.
create temp table newest on commit drop as
select r.catalogue_before, r.relinks_before
from directory.sync_runs as r
where r.run_no = %(target)s
  and not exists (select from directory.sync_runs as later
                  where later.district = r.district and later.run_no > r.run_no and later.loaded_at is not null);

-- What nobody has answered since is asked again as it was before the run; an answer stays.
delete from directory.relink_proposals as proposal using newest
where proposal.district = %(district)s and relinks_before is not null and proposal.state in ('proposed', 'withdrawn');
insert into directory.relink_proposals
select was.* from newest cross join lateral jsonb_populate_recordset(null::directory.relink_proposals, relinks_before) as was
join directory.people using (person_id)
on conflict (person_id, sourced_id) do nothing;

delete from directory.schools using newest
where district = %(district)s and catalogue_before is not null
  and not exists (select from jsonb_populate_recordset(null::directory.schools, catalogue_before -> 'schools') as was
                  where was.school_id = schools.school_id);
insert into directory.schools
select was.* from newest cross join lateral jsonb_populate_recordset(null::directory.schools, catalogue_before -> 'schools') as was
on conflict (district, school_id) do update set name = excluded.name, identifier = excluded.identifier;

delete from directory.terms using newest
where district = %(district)s and catalogue_before is not null
  and not exists (select from jsonb_populate_recordset(null::directory.terms, catalogue_before -> 'terms') as was
                  where was.term_id = terms.term_id);
insert into directory.terms
select was.* from newest cross join lateral jsonb_populate_recordset(null::directory.terms, catalogue_before -> 'terms') as was
on conflict (district, term_id) do update set
    title = excluded.title, type = excluded.type, start_date = excluded.start_date, end_date = excluded.end_date,
    parent_id = excluded.parent_id, school_year = excluded.school_year, classes = excluded.classes, shared = excluded.shared;

-- Its snapshot is not in the directory any more: whoever asks for the last loaded night gets the one before.
update directory.sync_runs set undone_by = %(run_id)s, undone_at = now(), loaded_at = null where run_no = %(target)s;
