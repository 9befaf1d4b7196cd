-- The schools that the SIS shares.
select school_id, name from directory.schools where district = %(district)s order by name, school_id
