select count(*) as runs from directory.sync_runs where district = %(district)s
