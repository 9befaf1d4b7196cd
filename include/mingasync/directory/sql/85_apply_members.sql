insert into directory.memberships (list_id, person_id, manager, from_run)
select list_id, person_id, manager, %(run_no)s from joining where may_join order by list_id, person_id;

update directory.memberships as now_on set to_run = %(run_no)s
from leaving as l
where l.may_leave and now_on.list_id = l.list_id and now_on.person_id = l.person_id and now_on.manager = l.manager
  and now_on.to_run is null and now_on.removed_at is null;
