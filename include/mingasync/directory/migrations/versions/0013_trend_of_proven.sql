-- Whether a collection came whole, from what its run keeps of it; what is no collection always did. Without a name, or with a school in
-- the district's file that is none, only who is gone is open.
create function directory.came_whole(collection jsonb) returns boolean language sql immutable parallel safe
    set search_path = pg_catalog, pg_temp
    return coalesce(collection ->> 'state', 'complete') = 'complete'
       and coalesce(collection ->> 'unproven', 'nameless') in ('nameless', 'misnamed');

-- Per run: how many of its issues are new, how many were there before, how many of those are gone. An issue is the same when rule,
-- resource and record are. Compared are runs that came through their validation; of a collection that did not come whole nothing is
-- fixed, and the next whole one is compared with the last whole one before it.
create or replace view directory.issue_trend with (security_invoker = true) as
select now_.district, now_.run_id, now_.run_no, before.run_no is not null as compared,
       coalesce(counted.new, 0) as new, coalesce(counted.still, 0) as still, coalesce(counted.fixed, 0) as fixed
from directory.sync_runs as now_
left join lateral (
    select earlier.run_no from directory.sync_runs as earlier
    where earlier.district = now_.district and earlier.run_no < now_.run_no and earlier.loaded_at is not null
    order by earlier.run_no desc limit 1
) as before on true
cross join lateral (
    select count(*) filter (where here and not there) as new, count(*) filter (where here and there) as still,
           count(*) filter (where there and not here and is_whole) as fixed
    from (
        select resources.is_whole, coalesce(bool_or(issues.run_no = now_.run_no), false) as here,
               coalesce(bool_or(issues.run_no = resources.before_no), false) as there
        from (
            select named.resource, directory.came_whole(now_.collections -> named.resource) as is_whole,
                   coalesce((select max(earlier.run_no) from directory.sync_runs as earlier
                             where earlier.district = now_.district and earlier.run_no < now_.run_no and earlier.loaded_at is not null
                               and directory.came_whole(earlier.collections -> named.resource)), before.run_no) as before_no
            from (
                select distinct own.resource from directory.sync_issues as own
                where own.district = now_.district and own.run_no in (now_.run_no, before.run_no)
                union
                select jsonb_object_keys(now_.collections)
            ) as named
        ) as resources
        join directory.sync_issues as issues
            on issues.district = now_.district and issues.resource = resources.resource
           and issues.run_no in (now_.run_no, resources.before_no)
        group by resources.is_whole, issues.rule, issues.resource, issues.sourced_id
    ) as each
) as counted;
