-- The first people and lists that an undo leaves alone, by their ids.
with own as (
    select run_no from directory.sync_runs where district = %(district)s and run_id = %(run_id)s
), left_alone as (
    select entity, entity_no from directory.changes join own using (run_no) where status = 'conflict' and entity_no is not null
    union
    select 'list', list_id from directory.membership_changes join own using (run_no) where status = 'conflict'
)
select array(select entity_no from left_alone where entity = 'person' order by 1 limit 20) as people,
       array(select entity_no from left_alone where entity = 'list' order by 1 limit 20) as lists
