-- The sourcedIds, of those asked about, that other people of the district have, with what these are called.
select ids.sourced_id, p.given_name, p.family_name
from directory.people as p
cross join lateral unnest(p.sourced_ids) as ids (sourced_id)
where p.district = %(district)s and p.person_id <> %(person_id)s and ids.sourced_id = any (%(sourced_ids)s)
