-- Gives a list another name, if it still has the one that the page showed.
with changed as (
    update directory.user_lists set name = %(name)s, updated_at = now()
    where district = %(district)s and list_id = %(list_id)s and name = %(was)s and name <> %(name)s
    returning list_id
)
insert into directory.hand_changes (district, changed_by, action, list_ids, before, after)
select %(district)s, %(who)s, 'rename', array[list_id], jsonb_build_object('name', %(was)s::text),
       jsonb_build_object('name', %(name)s::text)
from changed
returning change_no
