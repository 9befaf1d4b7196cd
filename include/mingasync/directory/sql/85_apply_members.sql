insert into directory.memberships (list_id, manager, people)
select list_id, manager, people from moving where is_new order by list_id;

-- From what the row holds at this moment, so that a hand which was quicker is not overwritten.
insert into directory.memberships as rolls (list_id, manager, people)
select list_id, manager, people from moving where action = 'add' and status = 'planned' and not is_new order by list_id
on conflict (list_id, manager) do update
    set people = array(select unnest(rolls.people) union select unnest(excluded.people) order by 1);

update directory.memberships as rolls
set people = array(select unnest(rolls.people) except select unnest(m.people) order by 1)
from moving as m
where m.action = 'remove' and m.status = 'planned' and rolls.list_id = m.list_id and rolls.manager = m.manager;
