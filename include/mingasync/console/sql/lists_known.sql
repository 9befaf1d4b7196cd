-- Which of some lists are the district's.
select list_id from directory.user_lists where district = %(district)s and list_id = any (%(ids)s::bigint[])
