-- What people did by hand in the console with lists and people: who, when, and what was there before and after. For the owner alone, as
-- settings_history is: no role of an application may read it.
create table directory.hand_changes (
    change_no  bigint generated always as identity primary key,
    district   text not null,
    changed_at timestamptz not null default clock_timestamp(),
    changed_by text not null,
    action     text not null check (action in (
        'set_visibility', 'rename', 'add', 'remove', 'release', 'add_person', 'set_include_in_sync', 'pin', 'unpin')),
    -- the lists whose row or members it changed, and only these
    list_ids   integer[] not null default '{}',
    person_id  integer references directory.people on delete cascade,
    before     jsonb,
    after      jsonb,
    -- the change that this one took back
    takes_back bigint references directory.hand_changes on delete set null
);
create index hand_changes_district on directory.hand_changes (district, change_no);
create index hand_changes_lists on directory.hand_changes using gin (list_ids) with (fastupdate = off);
create index hand_changes_person on directory.hand_changes (person_id);
-- Nothing is taken back twice.
create unique index hand_changes_takes_back on directory.hand_changes (takes_back) where takes_back is not null;

-- A list's name may hold its teacher's: nothing of a name stays of somebody who is removed.
create function directory.forget_renames() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    update directory.hand_changes as h set before = null, after = null
    where h.action = 'rename' and h.after is not null and (
        exists (select from gone
                where gone.district = h.district and length(gone.family_name) > 0
                  and position(lower(gone.family_name) in lower(concat(h.before ->> 'name', ' ', h.after ->> 'name'))) > 0)
        -- Their own lists went before them.
        or not exists (select from directory.user_lists as l where l.list_id = h.list_ids[1]));
    return null;
end
$$;

create trigger forget_renames after delete on directory.people referencing old table as gone
for each statement execute function directory.forget_renames();
