-- Sets exactly those lists back that a change of visibility changed, but for those that were changed since. Nothing happens where it was
-- taken back already.
with before as materialized (
    select change_no, list_ids, before, after from directory.hand_changes as h
    where district = %(district)s and change_no = %(change_no)s and action = 'set_visibility'
      and not exists (select from directory.hand_changes as done where done.takes_back = h.change_no)
), still as (
    select unnest(list_ids) as list_id from before
    except
    select unnest(later.list_ids)
    from before join directory.hand_changes as later on later.change_no > before.change_no
    where later.district = %(district)s and later.action = 'set_visibility'
), changed as (
    update directory.user_lists as lists set visibility = before.before ->> 'visibility', updated_at = now()
    from before, still
    where lists.district = %(district)s and lists.list_id = still.list_id and lists.visibility = before.after ->> 'visibility'
    returning lists.list_id
)
insert into directory.hand_changes (district, changed_by, action, list_ids, before, after, takes_back)
select %(district)s, %(who)s, 'set_visibility', array(select list_id from changed order by list_id), before.after, before.before,
       before.change_no
from before
on conflict (takes_back) where takes_back is not null do nothing
returning change_no
