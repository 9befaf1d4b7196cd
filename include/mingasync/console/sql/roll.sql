-- A page of the members, or of the managers, of a list, by name; and what a hand decided of each.
select people.person_id, people.given_name, people.family_name, people.role, people.status, people.grades, o.keep
from (select unnest(people) as person_id from directory.memberships where list_id = %(list_id)s and manager = %(manager)s) as rolls
join directory.people as people using (person_id)
left join directory.membership_overrides as o
    on o.list_id = %(list_id)s and o.person_id = people.person_id and o.manager = %(manager)s
where people.district = %(district)s
order by people.family_name, people.given_name, people.person_id
limit %(limit)s offset %(offset)s
