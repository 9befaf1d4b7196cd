-- One run, with the settings it used and what it read.
select run_id, kind, night, state, reason, started_at, finished_at, snapshot_at, snapshot_url, counts,
       settings, collections, proven, unproven_because, answer, answered_by, answered_at, answer_until, undone_by, undone_at
from directory.sync_runs
where district = %(district)s and run_id = %(run_id)s
