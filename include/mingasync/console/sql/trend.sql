-- The issues of a run beside those of the run before that got as far: new, still there, fixed.
select compared, new, still, fixed from directory.issue_trend where district = %(district)s and run_id = %(run_id)s
