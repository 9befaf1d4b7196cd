-- What lacked something after each of a district's last real syncs that were loaded and stand, the newest first.
select night, counts -> 'lacking' as lacking
from directory.sync_runs
where district = %(district)s and kind in ('nightly', 'manual', 'backfill') and undone_at is null
  and jsonb_typeof(counts -> 'lacking') = 'object'
order by run_no desc
limit %(limit)s
