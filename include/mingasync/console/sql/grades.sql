-- The grades of the people who are there.
select distinct grade
from directory.people cross join unnest(grades) as grade
where district = %(district)s and status = 'active'
order by 1
