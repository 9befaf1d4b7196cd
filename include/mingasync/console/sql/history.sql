-- A district's runs, newest first.
select run_id, kind, night, state, reason, started_at, finished_at, snapshot_at, counts, undone_by, undone_at
from directory.sync_runs
where district = %(district)s
order by run_no desc
limit %(limit)s offset %(offset)s
