-- Sets lists as private or public, and keeps which of them that changed; nothing where none did.
with changed as (
    update directory.user_lists set visibility = %(visibility)s, updated_at = now()
    where district = %(district)s and list_id = any (%(ids)s::integer[]) and visibility <> %(visibility)s
    returning list_id
)
insert into directory.hand_changes (district, changed_by, action, list_ids, before, after)
select %(district)s, %(who)s, 'set_visibility', array_agg(list_id order by list_id),
       jsonb_build_object('visibility', case %(visibility)s when 'public' then 'private' else 'public' end),
       jsonb_build_object('visibility', %(visibility)s::text)
from changed
having count(*) > 0
returning change_no
