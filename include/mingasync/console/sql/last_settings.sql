-- The settings of the last run that had any.
select settings from directory.sync_runs where district = %(district)s and settings is not null order by run_no desc limit 1
