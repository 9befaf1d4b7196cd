-- Of the names and addresses asked about (lower-case), those that other people of the district have as well.
select distinct one.kind, one.value
from directory.people as p
cross join lateral (values
    ('name', lower(p.given_name)), ('name', lower(p.family_name)), ('name', lower(p.preferred_given_name)), ('address', lower(btrim(p.email)))
) as one (kind, value)
where p.district = %(district)s and p.person_id <> %(person_id)s
  and one.value = any (case one.kind when 'name' then %(names)s::text[] else %(addresses)s::text[] end)
