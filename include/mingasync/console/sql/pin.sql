select directory.pin_field(%(person_id)s, %(field)s, %(value)s, %(reason)s, %(until)s::date)
