-- The lists that somebody is on or manages.
select lists.list_id, lists.name, lists.kind, lists.status, lists.visibility, rolls.manager, o.keep
from directory.memberships as rolls
join directory.user_lists as lists using (list_id)
left join directory.membership_overrides as o
    on o.list_id = rolls.list_id and o.person_id = %(person_id)s and o.manager = rolls.manager
where lists.district = %(district)s and rolls.people @> array[%(person_id)s::integer]
order by rolls.manager desc, lists.status, lists.name, lists.list_id
