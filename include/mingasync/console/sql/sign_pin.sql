-- Who it was, beyond the database role that the console uses.
update directory.field_pins set set_by = %(who)s where person_id = %(person_id)s and field = %(field)s returning field
