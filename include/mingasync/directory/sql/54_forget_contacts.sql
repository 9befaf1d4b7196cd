-- Run by a load, and by housekeeping where a district does not run. The index changes_with_parents finds the few rows of earlier runs.

update directory.people as p set parent_name = null, parent_email = null, parent_phone = null, updated_at = now()
where p.district = %(district)s and p.sourced_ids <> '{}' and not coalesce(p.school_ids[1], '') = any (%(contact_schools)s::text[])
  and (p.parent_name is not null or p.parent_email is not null or p.parent_phone is not null);

update directory.changes as c set
    before = nullif(c.before - array['parent_name', 'parent_email', 'parent_phone'], '{}'),
    after = nullif(c.after - array['parent_name', 'parent_email', 'parent_phone'], '{}')
from directory.sync_runs as r
where r.run_no = c.run_no and r.district = %(district)s and c.entity = 'person'
  and (c.before ?| array['parent_name', 'parent_email', 'parent_phone'] or c.after ?| array['parent_name', 'parent_email', 'parent_phone'])
  and not exists (select from directory.people as p
                  where p.person_id = c.entity_no and coalesce(p.school_ids[1], '') = any (%(contact_schools)s::text[]));
