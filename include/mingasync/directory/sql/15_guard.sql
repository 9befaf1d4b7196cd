-- The share of a school's role is taken of the people there when the run first looked, so that a retry decides the same.
update directory.sync_runs set guard = (
    select coalesce(jsonb_object_agg(concat(school_id, '|', role), people), '{}')
    from (
        select coalesce(school_ids[1], '') as school_id, role, count(*) as people
        from directory.people
        where district = %(district)s and status = 'active' and include_in_sync and (sourced_ids <> '{}' or source = 'sis')
        group by 1, 2
    ) as there
)
where run_no = %(run_no)s and guard is null;

create temp table guarded on commit drop as
select left(key, -length(role) - 1) as school_id, role, value::numeric as people
from directory.sync_runs
cross join lateral jsonb_each_text(guard) as one (key, value)
cross join lateral substring(key from '[^|]*$') as role
where run_no = %(run_no)s;
