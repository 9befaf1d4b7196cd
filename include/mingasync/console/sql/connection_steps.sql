select step, done_at, done_by from directory.connection_steps
where district = %(district)s
