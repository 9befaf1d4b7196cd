-- The sourcedIds, of those asked about, that other people of the district have, with every given and family name that these have, had, or
-- were to get.
with others as (
    select p.person_id, ids.sourced_id, p.given_name, p.family_name, p.preferred_given_name
    from directory.people as p
    cross join lateral unnest(p.sourced_ids) as ids (sourced_id)
    where p.district = %(district)s and p.person_id <> %(person_id)s and ids.sourced_id = any (%(sourced_ids)s)
), told as (
    select o.sourced_id, one.key, one.value
    from others as o
    cross join lateral (
        values ('given_name', o.given_name), ('family_name', o.family_name), ('preferred_given_name', o.preferred_given_name)
    ) as one (key, value)
    union all
    select o.sourced_id, one.key, one.value
    from others as o
    join directory.changes as c on c.entity = 'person' and c.entity_no = o.person_id and c.action <> 'skip'
    cross join lateral (values (c.before), (c.after)) as sides (side)
    cross join lateral jsonb_each_text(coalesce(side, '{}')) as one
    union all
    select o.sourced_id, pins.field, one.value
    from others as o
    join directory.field_pins as pins using (person_id)
    cross join lateral (values (pins.value), (pins.sis_value)) as one (value)
)
select sourced_id,
       coalesce(array_agg(distinct value) filter (where key in ('given_name', 'preferred_given_name') and value <> ''), '{}'),
       coalesce(array_agg(distinct value) filter (where key = 'family_name' and value <> ''), '{}')
from told
group by sourced_id
