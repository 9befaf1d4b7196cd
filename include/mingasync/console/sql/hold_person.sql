-- Holds a person until what is done with them is done.
select person_id from directory.people where district = %(district)s and person_id = %(person_id)s for update
