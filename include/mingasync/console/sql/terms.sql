-- The terms that the SIS shares or once shared, the latest first.
select term_id, title, type, start_date, end_date, parent_id, school_year, classes, shared
from directory.terms
where district = %(district)s
order by shared desc, start_date desc nulls last, end_date nulls last, title
