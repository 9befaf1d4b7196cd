-- The fields of a person that are pinned by hand; a pin whose last day is over holds no more.
select field, value, sis_value, reason, until, set_by, set_at, coalesce(until < %(today)s, false) as is_over
from directory.field_pins
where district = %(district)s and person_id = %(person_id)s
order by field
