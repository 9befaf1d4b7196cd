-- Who one person is by all that is kept of them: every sourcedId, name and key that they have, had, or were to get.
with own as (
    select * from directory.people where district = %(district)s and person_id = %(person_id)s
), told as (
    select one.key, one.value from own cross join lateral jsonb_each(to_jsonb(own)) as one
    union all
    select one.key, one.value
    from own
    join directory.changes as c on c.entity = 'person' and c.entity_no = own.person_id and c.action <> 'skip'
    cross join lateral (values (c.before), (c.after)) as sides (side)
    cross join lateral jsonb_each(coalesce(side, '{}')) as one
    union all
    select pins.field, to_jsonb(one.value)
    from own join directory.field_pins as pins using (person_id)
    cross join lateral (values (pins.value), (pins.sis_value)) as one (value)
    union all
    select side ->> 'field', side -> 'value'
    from own join directory.hand_changes as hands using (person_id)
    cross join lateral (values (hands.before), (hands.after)) as sides (side)
    where hands.action in ('pin', 'unpin') and side ->> 'field' is not null
    union all
    select 'sourced_ids', to_jsonb(asked.sourced_ids)
    from own join directory.relink_proposals as asked using (person_id) where asked.state = 'applied'
)
select case told.key when 'sourced_ids' then 'sourced_id' else told.key end, array_agg(distinct one.text order by one.text)
from told
cross join lateral jsonb_array_elements_text(
    case jsonb_typeof(told.value) when 'array' then told.value else jsonb_build_array(told.value) end) as one (text)
where told.key in ('sourced_id', 'sourced_ids', 'role', 'given_name', 'family_name', 'preferred_given_name', 'email', 'username',
                   'identifier')
  and btrim(one.text) <> ''
group by 1
