-- The last changes of a district's settings that were made in the console, newest first.
select changed_at, changed_by, before, after
from directory.settings_history
where district = %(district)s
order by changed_at desc
limit %(limit)s
