-- The run whose snapshot is in the directory now, and where the snapshot lies.
select run_id, snapshot_url, snapshot_at from directory.sync_runs
where district = %(district)s and loaded_at is not null
order by snapshot_at desc
limit 1
