select run_id, checked_at, checked_by, checks, problem from directory.connection_checks
where district = %(district)s
