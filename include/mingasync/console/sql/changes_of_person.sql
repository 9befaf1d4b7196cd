-- What runs did with a person, or did not and why, newest first.
select runs.night, runs.run_id, runs.kind, changes.action, changes.status, changes.reason, changes.before, changes.after
from directory.changes as changes
join directory.sync_runs as runs using (run_no)
where runs.district = %(district)s and changes.entity = 'person' and changes.entity_no = %(person_id)s
order by runs.run_no desc
limit %(limit)s
