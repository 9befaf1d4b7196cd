-- Where the snapshot lies that is in the directory now.
select snapshot_url, snapshot_at from directory.sync_runs
where district = %(district)s and loaded_at is not null
order by snapshot_at desc
limit 1
