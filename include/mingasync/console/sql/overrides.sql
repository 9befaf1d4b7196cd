-- What people decided by hand about who is on a list: it holds against every sync.
select o.person_id, o.manager, o.keep, o.set_by, o.set_at, concat_ws(' ', people.given_name, people.family_name) as person
from directory.membership_overrides as o
join directory.people as people using (person_id)
where o.list_id = %(list_id)s and people.district = %(district)s
order by o.set_at desc, people.family_name, o.person_id
limit %(limit)s
