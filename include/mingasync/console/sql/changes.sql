-- What a run changed, or did not change and why, as numbers: memberships from their own validity.
with run as (
    select run_no from directory.sync_runs where district = %(district)s and run_id = %(run_id)s
)
select entity, role, action, status, reason, count(*) as changes
from directory.changes
where run_no = (select run_no from run)
group by entity, role, action, status, reason
union all
select 'membership', null, 'add', 'applied', null, count(*)
from directory.memberships
where from_run = (select run_no from run)
having count(*) > 0
union all
select 'membership', null, 'remove', 'applied', null, count(*)
from directory.memberships
where to_run = (select run_no from run)
having count(*) > 0
union all
select 'membership', null, action, status, reason, count(*)
from directory.membership_changes
where run_no = (select run_no from run)
group by action, status, reason
order by 1 desc, 2, 3, 4, 5
