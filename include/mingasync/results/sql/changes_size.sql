-- How much a run really changed.
select count(*)
from directory.sync_changes as changes
where changes.district = %(district)s and changes.run_id = %(run_id)s and changes.status = 'applied'
  and (%(school)s::text is null or changes.school_id = %(school)s)
