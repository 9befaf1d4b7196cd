-- Writes down what somebody did by hand.
insert into directory.hand_changes (district, changed_by, action, list_ids, person_id, before, after)
values (%(district)s, %(who)s, %(action)s, %(list_ids)s, %(person_id)s, %(before)s, %(after)s)
returning change_no
