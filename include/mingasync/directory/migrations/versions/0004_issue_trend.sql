-- Per run: how many of its issues are new, how many were there the night before, how many of that night's are gone. Compared are
-- runs that came through their validation; an issue is the same when rule, resource and record are.
create index sync_issues_district on directory.sync_issues (district, run_no);

create view directory.issue_trend with (security_invoker = true) as
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
           count(*) filter (where there and not here) as fixed
    from (
        select bool_or(issues.run_no = now_.run_no) as here, bool_or(issues.run_no = before.run_no) as there
        from directory.sync_issues as issues
        where issues.district = now_.district and issues.run_no in (now_.run_no, before.run_no)
        group by issues.rule, issues.resource, issues.sourced_id
    ) as each
) as counted;

do $$
begin
    if exists (select from pg_roles where rolname = 'mingasync_reader') then
        grant select on directory.issue_trend to mingasync_reader;
    end if;
end
$$;
