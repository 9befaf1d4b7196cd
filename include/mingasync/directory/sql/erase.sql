-- Removes one person and all that is kept of them from every table of their district, under the district's lock. What tells of others as
-- well stays without them: sentences, names of lists, recipients, signatures.

create temp table their_district on commit drop as select %(district)s as district;
create temp table their_signatures on commit drop as select unnest(%(signatures)s::text[]) as signature;

create temp table their_lists on commit drop as
select l.list_id,
       l.kind = 'teacher' and (l.owner_id = %(person_id)s or l.owner_id is null and l.source_id = any (%(sourced_ids)s::text[])) as is_theirs
from directory.user_lists as l
where l.district = %(district)s and (
    l.owner_id = %(person_id)s
    or l.kind = 'teacher' and l.owner_id is null and l.source_id = any (%(sourced_ids)s::text[])
    -- How they came to bear the name may be kept no longer.
    or l.kind = 'class' and (l.name ~ %(behind)s or l.synced_name ~ %(behind)s) and not exists (
        select from directory.people as p
        where p.district = l.district and p.person_id <> %(person_id)s and p.role <> 'student' and p.family_name = any (%(family_names)s::text[]))
    or l.list_id in (select m.list_id from directory.memberships as m where m.people @> array[%(person_id)s]::integer[]
                     union select c.list_id from directory.membership_changes as c where c.people @> array[%(person_id)s]::integer[]
                     union select o.list_id from directory.membership_overrides as o where o.person_id = %(person_id)s));

-- A name that the sync gave has their family name behind it; one that somebody typed may have it anywhere.
create temp table renamed on commit drop as
select l.list_id, l.name as was, l.synced_name as synced_was, coalesce(plain.synced, l.synced_name) as synced_name,
       case when l.synced_name = l.name then plain.synced
            when plain.named ~* %(names)s then coalesce(plain.synced, regexp_replace(plain.named, %(names)s, '…', 'gi'))
            else plain.named end as name
from directory.user_lists as l
join their_lists as t using (list_id)
cross join lateral (
    select regexp_replace(l.synced_name, %(behind)s, '', 'g') as synced, regexp_replace(l.name, %(behind)s, '', 'g') as named
) as plain
where not t.is_theirs;
update directory.user_lists as l set name = r.name, synced_name = r.synced_name
from renamed as r
where l.list_id = r.list_id and (l.name, l.synced_name) is distinct from (r.name, r.synced_name);
update directory.changes as c set
    before = nullif(c.before - array['name', 'synced_name'], '{}'), after = nullif(c.after - array['name', 'synced_name'], '{}')
from their_lists as t
where c.entity = 'list' and c.entity_no = t.list_id
  and concat_ws(' ', c.before ->> 'name', c.before ->> 'synced_name', c.after ->> 'name', c.after ->> 'synced_name')
      ~* concat(%(names)s, '|', %(behind)s);
update directory.hand_changes as h set before = null, after = null
where h.district = %(district)s and h.action = 'rename' and h.list_ids && array(select list_id from their_lists)
  and concat_ws(' ', h.before ->> 'name', h.after ->> 'name') ~* %(names)s;

-- Issues about them, and about the question who they are; sentences with examples lose their ids.
delete from directory.sync_issues as i
where i.district = %(district)s
  and (i.resource = 'users' and i.sourced_id = any (%(sourced_ids)s::text[])
       or i.resource = 'enrollments' and i.sourced_id = any (%(enrollments)s::text[])
       or concat(i.message, i.fix) ~ %(their_number)s);
update directory.sync_issues as i set message = regexp_replace(i.message, %(examples)s, '\1…', 'g')
where i.district = %(district)s and i.resource in ('users', 'enrollments') and i.message ~ %(examples)s;
update directory.sync_runs as r set unproven_because = regexp_replace(r.unproven_because, %(examples)s, '\1…', 'g'),
                                    reason = regexp_replace(r.reason, %(examples)s, '\1…', 'g')
where r.district = %(district)s and concat(r.unproven_because, r.reason) ~ %(examples)s;

-- Records of theirs of which nobody was made, and ids that were others' before.
delete from directory.changes as c using directory.sync_runs as r
where r.run_no = c.run_no and r.district = %(district)s and c.entity = 'person'
  and (c.entity_no is null or c.entity_no <> %(person_id)s and c.status <> 'applied' and c.status <> 'undone')
  and c.after ->> 'sourced_id' = any (%(sourced_ids)s::text[]);
update directory.changes as c set
    before = nullif(c.before - array['sourced_id', 'sourced_ids'], '{}'), after = nullif(c.after - array['sourced_id', 'sourced_ids'], '{}')
from directory.sync_runs as r
where r.run_no = c.run_no and r.district = %(district)s and c.entity = 'person' and c.entity_no <> %(person_id)s
  and (c.before ->> 'sourced_id' = any (%(sourced_ids)s::text[]) or c.after ->> 'sourced_id' = any (%(sourced_ids)s::text[])
       or c.before -> 'sourced_ids' ?| %(sourced_ids)s::text[] or c.after -> 'sourced_ids' ?| %(sourced_ids)s::text[]);
delete from directory.relink_proposals as q
where q.district = %(district)s and (q.sourced_id = any (%(sourced_ids)s::text[]) or q.sourced_ids && %(sourced_ids)s::text[]);
update directory.relink_proposals as q set known_ids = array(select unnest(q.known_ids) except select unnest(%(sourced_ids)s::text[]))
where q.district = %(district)s and q.known_ids && %(sourced_ids)s::text[];
update directory.absences as a set sourced_ids = array(select unnest(a.sourced_ids) except select unnest(%(sourced_ids)s::text[]))
where a.district = %(district)s and a.person_id <> %(person_id)s and a.sourced_ids && %(sourced_ids)s::text[];
update directory.sync_runs as r set relinks_before = (
    select coalesce(jsonb_agg(was), '[]') from jsonb_array_elements(r.relinks_before) as was
    where (was ->> 'person_id')::integer <> %(person_id)s and not was ->> 'sourced_id' = any (%(sourced_ids)s::text[])
      and not coalesce(was -> 'sourced_ids' ?| %(sourced_ids)s::text[], false)
      and not coalesce(was -> 'known_ids' ?| %(sourced_ids)s::text[], false))
where r.district = %(district)s and r.relinks_before is not null;

-- As the contact of students they come again with the students. Of a contact with their address who is called otherwise, the address goes.
update directory.people as p set
    parent_email = null,
    parent_name = case when p.parent_name !~* %(called)s then p.parent_name end,
    parent_phone = case when p.parent_name !~* %(called)s then p.parent_phone end,
    updated_at = now()
where p.district = %(district)s and p.person_id <> %(person_id)s
  and (lower(btrim(p.parent_email)) = any (%(addresses)s::text[])
       -- The address may be the family's.
       or lower(btrim(p.parent_email)) = any (%(contact_addresses)s::text[]) and lower(btrim(p.parent_name)) = any (%(contact_names)s::text[]));
update directory.changes as c set before = nullif(c.before - of_them.fields, '{}'), after = nullif(c.after - of_them.fields, '{}')
from (
    select c.ctid as place,
           case when concat(c.before ->> 'parent_name', c.after ->> 'parent_name') <> ''
                     and coalesce(c.before ->> 'parent_name', '') !~* %(called)s and coalesce(c.after ->> 'parent_name', '') !~* %(called)s
                then array['parent_email'] else array['parent_name', 'parent_email', 'parent_phone'] end as fields
    from directory.changes as c join directory.sync_runs as r using (run_no)
    where r.district = %(district)s and c.entity = 'person'
      and (c.before ?| array['parent_name', 'parent_email', 'parent_phone'] or c.after ?| array['parent_name', 'parent_email', 'parent_phone'])
      and (lower(btrim(c.before ->> 'parent_email')) = any (%(addresses)s::text[])
           or lower(btrim(c.after ->> 'parent_email')) = any (%(addresses)s::text[])
           or c.before ->> 'parent_name' = any (%(full_names)s::text[]) or c.after ->> 'parent_name' = any (%(full_names)s::text[])
           or lower(btrim(c.before ->> 'parent_email')) = any (%(contact_addresses)s::text[])
              and lower(btrim(c.before ->> 'parent_name')) = any (%(contact_names)s::text[])
           or lower(btrim(c.after ->> 'parent_email')) = any (%(contact_addresses)s::text[])
              and lower(btrim(c.after ->> 'parent_name')) = any (%(contact_names)s::text[]))
) as of_them
where c.ctid = of_them.place;

-- As somebody who is written to.
update directory.mails as m
set recipients = array(select one from unnest(m.recipients) with ordinality as at (one, place)
                       where lower(btrim(one)) <> all (%(addresses)s::text[]) order by place)
where m.district = %(district)s and exists (
    select from unnest(m.recipients) as one where lower(btrim(one)) = any (%(addresses)s::text[]));
update directory.connection_requests as q set contact_name = %(erased)s, contact_email = %(erased)s
where q.district = %(district)s and lower(btrim(q.contact_email)) = any (%(addresses)s::text[]);

-- As somebody who did something here.
do $$
declare
    signed record;
begin
    for signed in
        select a.attrelid::regclass as place, a.attname as by_whom,
               exists (select from pg_attribute as d where d.attrelid = a.attrelid and d.attname = 'district') as has_district
        from pg_attribute as a join pg_class as c on c.oid = a.attrelid
        where c.relnamespace = 'directory'::regnamespace and c.relkind = 'r' and not a.attisdropped
          and a.attname like '%%\_by' and a.attname not in ('undone_by', 'matched_by') and a.atttypid = 'text'::regtype
    loop
        execute format(
            'update %%s as t set %%I = %%L where lower(btrim(t.%%I)) in (select signature from pg_temp.their_signatures) and %%s',
            signed.place, signed.by_whom, 'erased', signed.by_whom,
            case when signed.has_district then 't.district = (select district from pg_temp.their_district)'
                 else 't.list_id in (select l.list_id from directory.user_lists as l join pg_temp.their_district using (district))' end);
    end loop;
end
$$;

-- Lists of nobody that bear one of their ids; the others of theirs go with them.
create temp table lists_of_nobody on commit drop as
select list_id from directory.user_lists as l join their_lists using (list_id) where is_theirs and l.owner_id is null;
delete from directory.memberships as m using lists_of_nobody as l where m.list_id = l.list_id;
delete from directory.membership_changes as c using lists_of_nobody as l where c.list_id = l.list_id;
delete from directory.changes as c using lists_of_nobody as l where c.entity = 'list' and c.entity_no = l.list_id;
delete from directory.user_lists as u using lists_of_nobody as l where u.list_id = l.list_id;

-- What is found by their ids went above; a record of another collection may bear the same.
update directory.people set sourced_id = null, sourced_ids = '{}' where person_id = %(person_id)s and district = %(district)s;
select directory.remove_people(%(district)s, array[%(person_id)s]::integer[]);

-- The planner keeps samples of columns.
analyze directory.people, directory.user_lists, directory.changes, directory.hand_changes, directory.sync_issues, directory.sync_runs,
    directory.relink_proposals, directory.field_pins, directory.membership_overrides, directory.absences, directory.approvals,
    directory.mails, directory.settings_history, directory.connection_requests, directory.connection_steps, directory.connection_checks;

-- Of a table that is empty now it keeps the samples of before. Servers before PostgreSQL 18 have no way to take these back.
do $$
declare
    sample record;
begin
    if to_regprocedure('pg_catalog.pg_clear_attribute_stats(text, text, text, boolean)') is null then
        return;
    end if;
    for sample in
        select s.schemaname, s.tablename, s.attname, s.inherited
        from pg_catalog.pg_stats as s
        join pg_catalog.pg_class as c on c.relnamespace = 'directory'::regnamespace and c.relname = s.tablename
        where s.schemaname = 'directory' and c.reltuples <= 0
    loop
        execute 'select pg_catalog.pg_clear_attribute_stats($1, $2, $3, $4)'
            using sample.schemaname::text, sample.tablename::text, sample.attname::text, sample.inherited;
    end loop;
end
$$;
