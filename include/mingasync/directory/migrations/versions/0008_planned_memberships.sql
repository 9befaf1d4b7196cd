-- A preview's memberships name the school of the list and the role of the person as the run would leave them. Whom and what it would
-- make are in no table, and what it would change is not changed: its own rows say how they would be. The same rows speak for what an
-- undo took back.
create or replace view directory.sync_changes with (security_invoker = true) as
select runs.district, runs.run_id, changes.entity, changes.entity_no::text as entity_id, changes.school_id, changes.role,
       changes.action, changes.status, changes.reason, changes.before, changes.after,
       case when changes.entity = 'person' then changes.entity_no end as person_id,
       case when changes.entity = 'list' then changes.entity_no end as list_id
from directory.changes
join directory.sync_runs as runs using (run_no)
union all
select runs.district, runs.run_id, 'membership', concat(moves.list_id, ':', one.person_id),
       case when lists.list_id is not null and runs.kind <> 'preview' then lists.school_id
            else coalesce((select planned.school_id from directory.changes as planned
                           where planned.run_no = moves.run_no and planned.entity = 'list' and planned.entity_no = moves.list_id
                             and planned.action in ('create', 'update') and planned.status in ('planned', 'applied', 'undone')
                           limit 1), lists.school_id) end,
       case when people.person_id is not null and runs.kind <> 'preview' then people.role
            else coalesce((select planned.after ->> 'role' from directory.changes as planned
                           where planned.run_no = moves.run_no and planned.entity = 'person' and planned.entity_no = one.person_id
                             and planned.action in ('create', 'update') and planned.status in ('planned', 'applied', 'undone')
                             and planned.after ? 'role'
                           limit 1), people.role) end,
       moves.action, moves.status, moves.reason,
       case when moves.action = 'remove' then as_what.member_role end,
       case when moves.action = 'add' then as_what.member_role end,
       one.person_id, moves.list_id
from directory.membership_changes as moves
cross join lateral unnest(moves.people) as one (person_id)
cross join lateral (
    select jsonb_build_object('member_role', case when moves.manager then 'manager' else 'member' end) as member_role
) as as_what
join directory.sync_runs as runs using (run_no)
left join directory.user_lists as lists using (list_id)
left join directory.people as people using (person_id);
