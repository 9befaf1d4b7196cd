-- That somebody was erased: when, by whom, and how many rows of which kind went. Nothing in it says who it was. For the owner alone, as
-- hand_changes is: no role of an application may read it.
create table directory.erasures (
    erasure_no bigint generated always as identity primary key,
    district   text not null,
    erased_at  timestamptz not null default clock_timestamp(),
    erased_by  text not null,
    removed    jsonb not null
);
create index erasures_district on directory.erasures (district, erased_at);

-- What a run that has ended counted of people who were erased since: its rows about them are gone, and its numbers stay.
alter table directory.sync_runs add erased jsonb;
