-- Of the names, addresses and signatures asked about (lower-case), those that other people of the district have as well. Students sign
-- nothing.
select distinct one.kind, one.value
from directory.people as p
cross join lateral (values
    ('name', lower(p.given_name)), ('name', lower(p.family_name)), ('name', lower(p.preferred_given_name)), ('address', lower(btrim(p.email))),
    ('signature', case when p.role <> 'student' then lower(btrim(p.username)) end),
    ('signature', case when p.role <> 'student' then lower(p.given_name || ' ' || p.family_name) end),
    ('signature', case when p.role <> 'student' then lower(p.preferred_given_name || ' ' || p.family_name) end)
) as one (kind, value)
where p.district = %(district)s and p.person_id <> %(person_id)s
  and one.value = any (case one.kind when 'name' then %(names)s::text[] when 'address' then %(addresses)s::text[]
                                     else %(signatures)s::text[] end)
