-- Whom an earlier attempt of a run put on a list and a later one took off, or the other way round: for the run as a whole nothing
-- moved. The rows stay as undone, so that it can be told who was on the list in between. Where a hand moved somebody between the two,
-- all rows stay.

with lists as (
    select list_id, manager from directory.membership_changes
    where run_no = %(run_no)s and status = 'applied'
    group by list_id, manager having count(distinct action) = 2
), moves as (
    select c.change_no, c.list_id, c.manager, c.action, one.person_id
    from directory.membership_changes as c
    join lists using (list_id, manager)
    cross join lateral unnest(c.people) as one (person_id)
    where c.run_no = %(run_no)s and c.status = 'applied'
), there_and_back as (
    select list_id, manager, person_id, min(change_no) as first_no, max(change_no) as last_no,
           count(*) filter (where action = 'add') = count(*) filter (where action = 'remove') as is_nothing
    from moves group by list_id, manager, person_id having count(distinct action) = 2
), cancelled as (
    select m.change_no, array_agg(m.person_id order by m.person_id) as people
    from moves as m
    join there_and_back as t using (list_id, manager, person_id)
    where (t.is_nothing or m.change_no < t.last_no)
      and not exists (
          select from directory.membership_changes as hand
          where hand.run_no is null and hand.list_id = t.list_id and hand.manager = t.manager and hand.status = 'applied'
            and hand.people @> array[t.person_id] and hand.change_no between t.first_no and t.last_no)
    group by m.change_no
), kept as (
    insert into directory.membership_changes (change_no, run_no, list_id, manager, action, status, reason, people, changed_at)
    overriding system value
    select c.change_no, c.run_no, c.list_id, c.manager, c.action, 'undone', 'tried_again', x.people, c.changed_at
    from directory.membership_changes as c join cancelled as x using (change_no)
    where c.run_no = %(run_no)s and c.status = 'applied' and cardinality(c.people) > cardinality(x.people)
)
update directory.membership_changes as c
set status = case when cardinality(c.people) > cardinality(x.people) then 'applied' else 'undone' end,
    reason = case when cardinality(c.people) > cardinality(x.people) then c.reason else 'tried_again' end,
    people = case when cardinality(c.people) > cardinality(x.people)
                  then array(select unnest(c.people) except select unnest(x.people) order by 1) else c.people end
from cancelled as x
where c.run_no = %(run_no)s and c.status = 'applied' and c.change_no = x.change_no;
