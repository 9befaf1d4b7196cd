-- The first sync of a district that was loaded and ended well.
select run_id, loaded_at from directory.sync_runs
where district = %(district)s and kind in ('nightly', 'manual', 'backfill') and loaded_at is not null
  and state in ('success', 'completed_with_errors') and undone_at is null
order by loaded_at
limit 1
