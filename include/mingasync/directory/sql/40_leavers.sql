-- Who is gone from the SIS, and whether they may be archived. Without proof of absence nobody is.

create temp table leavers on commit drop as
select p.person_id, coalesce(p.school_ids[1], '') as school_id, p.role,
       coalesce((select min(reason) from s_gone where s_gone.sourced_id = any (p.sourced_ids)), 'absent') as reason,
       r.archive, r.quiet, r.archive_percent, r.archive_minimum
from directory.people as p
join s_rules as r on r.school_id = coalesce(p.school_ids[1], '') and r.role = p.role and r.roster
where %(proven)s
  and p.district = %(district)s and p.sourced_ids <> '{}' and p.include_in_sync and p.status = 'active'
  -- A night that asked only for changes says who is deleted, and nothing of who is missing.
  and (not %(only_changes)s or not exists (
      select from unnest(p.sourced_ids) as own (sourced_id)
      where not exists (select from s_gone where s_gone.sourced_id = own.sourced_id and s_gone.reason = 'tobedeleted')))
  and not exists (select from s_settled where s_settled.person_id = p.person_id)
  and not exists (select from by_id where by_id.person_id = p.person_id)
  and not exists (select from matched where matched.person_id = p.person_id)
  and not exists (select from apart where apart.person_id = p.person_id)
  and not exists (select from s_set_aside as a where a.resource = 'users' and a.sourced_id = any (p.sourced_ids));

insert into plan_people
select person_id, nullif(school_id, ''), role, 'archive',
       case when quiet or not archive then 'suppressed'
            when leaving >= archive_minimum and leaving * 100.0 > archive_percent * base then 'held'
            else 'planned' end,
       case when quiet then 'quiet'
            when not archive then 'archive_off'
            else leavers.reason end,
       '{"status": "active"}', '{"status": "archived"}'
from (
    select *, count(*) filter (where archive and not quiet) over (partition by school_id, role) as leaving,
           coalesce((select (guard ->> concat(school_id, '|', role))::numeric from directory.sync_runs
                     where run_no = %(run_no)s), 0) as base
    from leavers
) as leavers;
