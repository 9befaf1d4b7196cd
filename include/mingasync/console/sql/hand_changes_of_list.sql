-- What people did by hand with a list, newest first.
select h.change_no, h.changed_at, h.changed_by, h.action, cardinality(h.list_ids) as lists, h.before, h.after, h.person_id,
       concat_ws(' ', people.given_name, people.family_name) as person, null::integer as of_lists, null::text as taken_back_by
from directory.hand_changes as h
left join directory.people as people using (person_id)
where h.district = %(district)s and h.list_ids @> array[%(list_id)s::integer]
order by h.change_no desc
limit %(limit)s
