-- What somebody did by hand: one change, and what became of it.
select h.change_no, h.changed_at, h.changed_by, h.action, cardinality(h.list_ids) as lists, h.before, h.after, h.person_id,
       concat_ws(' ', people.given_name, people.family_name) as person, cardinality(source.list_ids) as of_lists, back.changed_by as taken_back_by
from directory.hand_changes as h
left join directory.people as people using (person_id)
left join directory.hand_changes as source on source.change_no = h.takes_back
left join directory.hand_changes as back on back.takes_back = h.change_no
where h.district = %(district)s and h.change_no = %(change_no)s
