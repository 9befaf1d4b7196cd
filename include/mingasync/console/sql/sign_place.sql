-- Who it was, beyond the database role that the console uses.
update directory.membership_overrides set set_by = %(who)s
where list_id = %(list_id)s and person_id = %(person_id)s and manager = %(manager)s
returning keep
