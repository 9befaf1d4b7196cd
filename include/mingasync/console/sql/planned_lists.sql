-- What a plan does to lists, per kind.
select c.role as kind,
       count(*) filter (where c.action = 'create') as made,
       count(*) filter (where c.action = 'update' and c.after ->> 'status' = 'active') as back,
       count(*) filter (where c.action = 'update' and c.after ->> 'status' is null and c.after ? 'name') as renamed,
       count(*) filter (where c.action = 'update' and c.after ->> 'status' is null and not c.after ? 'name') as changed,
       count(*) filter (where c.action = 'deactivate') as inactive
from directory.sync_runs as r
join directory.changes as c using (run_no)
where r.district = %(district)s and r.run_id = %(run_id)s and c.entity = 'list' and c.status = 'planned'
group by 1
