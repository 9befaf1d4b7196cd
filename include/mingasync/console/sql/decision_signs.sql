-- What else of a run's night tells why people are missing: the sizes of what it read and of what the night before read, enrollments of
-- users who were not sent, and the school year that ended last or ends next.
select (r.collections #>> '{users,rows}')::integer as users, (before.collections #>> '{users,rows}')::integer as users_before,
       (r.collections #>> '{enrollments,rows}')::integer as enrollments,
       (before.collections #>> '{enrollments,rows}')::integer as enrollments_before,
       before.night as night_before,
       (select count(*) from directory.sync_issues as i where i.run_no = r.run_no and i.rule = 'enrollments.user_unknown') as orphans,
       (select max(t.end_date) from directory.terms as t
        where t.district = r.district and lower(t.type) = 'schoolyear' and t.end_date between r.night - 60 and r.night + 14) as year_ends,
       (select coalesce(jsonb_object_agg(key, value), '{}') from jsonb_each_text(r.guard)) as guard
from directory.sync_runs as r
left join lateral (
    select collections, night from directory.sync_runs as other
    where other.district = r.district and other.loaded_at is not null and other.run_no < r.run_no and other.undone_at is null
    order by other.run_no desc
    limit 1
) as before on true
where r.district = %(district)s and r.run_id = %(run_id)s
