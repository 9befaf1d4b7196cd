-- The issues of a run, grouped by cause, the gravest and most frequent first; some of the records of each.
select severity, resource, rule, message, fix, count(*) as records,
       coalesce((array_agg(distinct sourced_id) filter (where sourced_id is not null))[1:%(examples)s], '{}') as sourced_ids
from directory.sync_issues
where district = %(district)s
  and run_no = (select run_no from directory.sync_runs where district = %(district)s and run_id = %(run_id)s)
group by severity, resource, rule, message, fix
order by array_position(array['critical', 'error', 'warning'], severity), records desc, rule, message
limit %(limit)s
