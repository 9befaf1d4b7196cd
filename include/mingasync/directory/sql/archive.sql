-- Carries out the planned archives of a run, as far as the newest loaded snapshot still lacks these people.

with leavers as (
    select c.entity_no as person_id,
           case when not %(is_newest)s then 'newer_night'
                when p.status <> 'active' then 'archived_since'
                when not p.include_in_sync then 'excluded'
                when p.sourced_ids <@ a.sourced_ids is not true then 'seen_since' end as stays_for
    from directory.changes as c
    join directory.people as p on p.person_id = c.entity_no
    left join directory.absences as a on a.person_id = p.person_id
    where c.run_no = %(run_no)s and c.entity = 'person' and c.action = 'archive' and c.status = 'planned'
    for update of p
), marked as (
    update directory.changes as c
    set status = case when stays_for is null then 'applied' else 'conflict' end, reason = coalesce(stays_for, reason)
    from leavers
    where c.run_no = %(run_no)s and c.entity = 'person' and c.action = 'archive' and c.status = 'planned'
      and c.entity_no = leavers.person_id
), off as (
    select rolls.list_id, rolls.manager, array_agg(person_id order by person_id) as people
    from leavers
    join (
        select m.list_id, m.manager, unnest(m.people) as person_id
        from directory.memberships as m join directory.user_lists as l using (list_id)
        where l.district = %(district)s and l.kind <> 'manual'
    ) as rolls using (person_id)
    where leavers.stays_for is null
    group by 1, 2
), off_lists as (
    update directory.memberships as m
    set people = array(select unnest(m.people) except select unnest(off.people) order by 1)
    from off where m.list_id = off.list_id and m.manager = off.manager
), kept as (
    insert into directory.membership_changes (run_no, list_id, manager, action, status, reason, people)
    select %(run_no)s, list_id, manager, 'remove', 'applied', 'roster', people from off order by list_id
), no_longer_absent as (
    delete from directory.absences as a using leavers where leavers.stays_for is null and a.person_id = leavers.person_id
)
update directory.people as p set status = 'archived', archived_at = now(), updated_at = now()
from leavers where leavers.stays_for is null and p.person_id = leavers.person_id;

-- Whom an earlier attempt of this run brought back is archived as before it.
with there_and_back as (
    delete from directory.changes as c
    using (select entity_no from directory.changes
           where run_no = %(run_no)s and entity = 'person' and status = 'applied' and action in ('archive', 'restore')
           group by entity_no having count(distinct action) = 2) as again
    where c.run_no = %(run_no)s and c.entity = 'person' and c.status = 'applied' and c.action in ('archive', 'restore')
      and c.entity_no = again.entity_no
    returning c.entity_no, c.action, c.before
)
update directory.people as p set
    archived_at = coalesce((t.before ->> 'archived_at')::timestamptz, p.archived_at),
    role = coalesce(t.before ->> 'role', p.role),
    school_ids = case when t.before ? 'school_ids' then array(select jsonb_array_elements_text(t.before -> 'school_ids'))
                      else p.school_ids end
from there_and_back as t where t.action = 'restore' and p.person_id = t.entity_no;
