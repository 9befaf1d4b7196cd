-- What a run changed, or did not change and why, as numbers.
with run as (
    select run_no from directory.sync_runs where district = %(district)s and run_id = %(run_id)s
)
select entity, role, action, status, reason, count(*) as changes
from directory.changes
where run_no = (select run_no from run)
group by entity, role, action, status, reason
union all
select 'membership', null, action, status, reason, sum(cardinality(people))
from directory.membership_changes
where run_no = (select run_no from run)
group by action, status, reason
order by 1 desc, 2, 3, 4, 5
