-- Takes a pin off: the field keeps its value until the next sync, which follows the SIS.
delete from directory.field_pins
where district = %(district)s and person_id = %(person_id)s and field = %(field)s
returning value, reason, until
