-- What has an end: the parents' contacts that are not wanted any more, the rows of old runs, and people archived long ago.

-- When the plan of a run was removed for its age: such a run cannot be undone.
alter table directory.sync_runs add forgotten_at timestamptz;

-- The few rows that hold a parent's contact, so that a night finds them without reading the others.
create index changes_with_parents on directory.changes (run_no)
    where before ?| array['parent_name', 'parent_email', 'parent_phone'] or after ?| array['parent_name', 'parent_email', 'parent_phone'];

-- Removes people and everything that is kept of them, from every table; how many there were. For the owner, who holds the district.
create function directory.remove_people(district text, person_ids integer[]) returns integer
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
    ids integer[];
    sourced text[];
    removed integer;
begin
    perform directory.lock_district(district);
    select array_agg(p.person_id order by p.person_id), array_agg(distinct own.id) filter (where own.id is not null)
    into ids, sourced
    from directory.people as p left join lateral unnest(p.sourced_ids) as own (id) on true
    where p.district = district and p.person_id = any (person_ids);
    if ids is null then
        return 0;
    end if;
    sourced := coalesce(sourced, '{}');
    ids := array(select distinct one from unnest(ids) as one order by 1);

    -- A list of theirs bears their name, and so may one that they managed.
    create temp table own_lists on commit drop as
    select l.list_id from directory.user_lists as l
    where l.district = district and l.kind = 'teacher' and (l.owner_id = any (ids) or l.source_id = any (sourced));
    create temp table named_lists on commit drop as
    select distinct l.list_id, p.family_name, ' · ' || p.family_name as part
    from directory.people as p
    join (
        select m.list_id, unnest(m.people) as person_id from directory.memberships as m where m.manager and m.people && ids
        union
        select c.list_id, unnest(c.people) from directory.membership_changes as c where c.manager and c.people && ids
    ) as managed using (person_id)
    join directory.user_lists as l using (list_id)
    where p.person_id = any (ids) and l.district = district and length(p.family_name) > 0;

    delete from directory.memberships as m using own_lists as o where m.list_id = o.list_id;
    delete from directory.membership_changes as c using own_lists as o where c.list_id = o.list_id;
    delete from directory.changes as c using own_lists as o where c.entity = 'list' and c.entity_no = o.list_id;
    delete from directory.user_lists as l using own_lists as o where l.list_id = o.list_id;
    update directory.user_lists as l set name = replace(l.name, n.part, ''), synced_name = replace(l.synced_name, n.part, '')
    from named_lists as n where l.list_id = n.list_id and l.status = 'inactive' and concat(l.name, l.synced_name) like '%' || n.part || '%';
    update directory.changes as c set
        before = nullif(c.before - array['name', 'synced_name'], '{}'), after = nullif(c.after - array['name', 'synced_name'], '{}')
    from named_lists as n
    where c.entity = 'list' and c.entity_no = n.list_id
      and concat(c.before ->> 'name', c.after ->> 'name', c.before ->> 'synced_name', c.after ->> 'synced_name') like '%' || n.family_name || '%';
    drop table own_lists, named_lists;

    update directory.memberships as m set people = array(select unnest(m.people) except select unnest(ids) order by 1)
    from directory.user_lists as l where l.list_id = m.list_id and l.district = district and m.people && ids;
    update directory.membership_changes as c set people = array(select unnest(c.people) except select unnest(ids) order by 1)
    from directory.user_lists as l where l.list_id = c.list_id and l.district = district and c.people && ids;
    delete from directory.membership_changes as c using directory.user_lists as l
    where l.list_id = c.list_id and l.district = district and c.people = '{}';

    delete from directory.changes as c where c.entity = 'person' and c.entity_no = any (ids);
    delete from directory.changes as c using directory.sync_runs as r
    where r.run_no = c.run_no and r.district = district and c.entity_no is null and c.after ->> 'sourced_id' = any (sourced);
    delete from directory.sync_issues as i where i.district = district and i.sourced_id = any (sourced);
    delete from directory.relink_proposals as r
    where r.district = district and (r.sourced_id = any (sourced) or r.sourced_ids && sourced);
    update directory.sync_runs as r set relinks_before = (
        select coalesce(jsonb_agg(was), '[]') from jsonb_array_elements(r.relinks_before) as was
        where (was ->> 'person_id')::integer <> all (ids) and not was ->> 'sourced_id' = any (sourced))
    where r.district = district and r.relinks_before is not null;
    -- Pins, exceptions of lists, absences and approvals go with them.
    delete from directory.people as p where p.person_id = any (ids);
    get diagnostics removed = row_count;
    return removed;
end
$$;
