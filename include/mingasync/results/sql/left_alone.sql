-- How many people a run left as they were, by what it did not do and why; of a school only its own.

select 'update_suppressed' as what, reason, count(*) as people
from (
    select distinct on (person_id) person_id, school_id, reason
    from (
        select entity_no as person_id, school_id, reason, 1 as place
        from directory.changes
        where run_no = %(run)s and entity = 'person' and entity_no is not null and action = 'update' and status = 'suppressed'
        union all
        select moved.person_id, p.school_ids[1], moved.reason, 2
        from (select unnest(people) as person_id, reason from directory.membership_changes
              where run_no = %(run)s and status = 'suppressed' and reason <> 'set_aside') as moved
        join directory.people as p using (person_id)
    ) as every
    order by person_id, place, reason
) as held_back
where %(school)s::text is null or school_id = %(school)s
group by reason
union all
select case when action = 'archive' then 'archive_suppressed' else 'skipped' end, reason, count(*)
from directory.changes
where run_no = %(run)s and entity = 'person' and (action = 'skip' or status = 'suppressed' and action in ('archive', 'create'))
  and (%(school)s::text is null or school_id = %(school)s)
group by 1, 2
order by 1, 2
