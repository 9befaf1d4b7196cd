-- What people did by hand with a person, newest first.
select h.change_no, h.changed_at, h.changed_by, h.action, cardinality(h.list_ids) as lists, h.before, h.after, h.person_id,
       concat_ws(' ', people.given_name, people.family_name) as person, null::integer as of_lists, null::text as taken_back_by,
       lists.name as list
from directory.hand_changes as h
join directory.people as people using (person_id)
left join directory.user_lists as lists on lists.district = h.district and lists.list_id = h.list_ids[1]
where h.district = %(district)s and h.person_id = %(person_id)s
order by h.change_no desc
limit %(limit)s
