-- The last real sync of each district (no preview, no undo), and when its last good night ended: one that was applied, whole or with
-- records set aside, and was not undone since.
select last.*, good.good_at
from unnest(%(districts)s::text[]) as wanted (district)
cross join lateral (
    select district, run_id, kind, night, state, reason, started_at, finished_at, snapshot_at, counts, undone_by, undone_at
    from directory.sync_runs as runs
    where runs.district = wanted.district and runs.kind in ('nightly', 'manual', 'backfill')
    order by run_no desc
    limit 1
) as last
left join lateral (
    select max(least(finished_at, loaded_at)) as good_at
    from directory.sync_runs as runs
    where runs.district = wanted.district
      and runs.kind in ('nightly', 'manual', 'backfill')
      and runs.state in ('success', 'completed_with_errors')
      and runs.undone_at is null
) as good on true
