-- How somebody stands to a list: whether they are on it, and what a hand decided.
select people.status,
       exists (select from directory.memberships as rolls
               where rolls.list_id = %(list_id)s and rolls.manager = %(manager)s and rolls.people @> array[people.person_id]) as is_on,
       o.keep
from directory.people as people
left join directory.membership_overrides as o
    on o.list_id = %(list_id)s and o.person_id = people.person_id and o.manager = %(manager)s
where people.district = %(district)s and people.person_id = %(person_id)s
