-- The runs that have ended and counted something of one person.
select r.run_no
from directory.sync_runs as r
where r.district = %(district)s and r.finished_at is not null and r.counts is not null and r.kind <> 'undo'
  and r.run_no in (
      select c.run_no from directory.changes as c
      where c.entity_no = %(person_id)s and c.entity = 'person'
         or c.entity_no is null and c.entity = 'person' and c.after ->> 'sourced_id' = any (%(sourced_ids)s::text[])
         or c.entity = 'list' and c.entity_no in (select list_id from directory.user_lists where owner_id = %(person_id)s)
      union
      select c.run_no from directory.membership_changes as c
      where c.people @> array[%(person_id)s]::integer[]
         or c.list_id in (select list_id from directory.user_lists where owner_id = %(person_id)s)
      union
      select i.run_no from directory.sync_issues as i
      where i.district = %(district)s
        and (i.resource = 'users' and i.sourced_id = any (%(sourced_ids)s::text[])
             or i.resource = 'enrollments' and i.sourced_id = any (%(enrollments)s::text[])
             or concat(i.message, i.fix) ~ %(their_number)s))
order by 1
