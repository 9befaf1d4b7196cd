-- Takes back what a hand decided of somebody on a list: from the next sync on the SIS decides again.
delete from directory.membership_overrides
where list_id = %(list_id)s and person_id = %(person_id)s and manager = %(manager)s
returning keep
