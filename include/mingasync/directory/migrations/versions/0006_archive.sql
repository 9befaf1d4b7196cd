-- Who is missing in the newest loaded snapshot, of the people that its run might archive: since when, and for how many proven nights
-- running. Whoever archives asks here at the last moment; whoever is seen again has no row any more.
create table directory.absences (
    person_id   integer primary key references directory.people on delete cascade,
    district    text not null,
    -- the ids that were missed: a person who has another one by now was not missed by it
    sourced_ids text[] not null,
    reason      text not null,
    first_night date not null,
    last_night  date not null,
    nights      integer not null,
    run_no      integer not null,
    -- the latest runs that missed them, at most 100: what is undone is no proof any more
    runs        integer[] not null default '{}'
);
create index on directory.absences (district);

-- Whose archive was shown to a person for an answer, and what was answered: an approval holds for these and for that run only.
create table directory.approvals (
    run_no      integer not null references directory.sync_runs on delete cascade,
    person_id   integer not null references directory.people on delete cascade,
    district    text not null,
    school_id   text,
    role        text not null,
    asked_at    timestamptz not null default now(),
    -- null: not answered yet; none: nobody answered in time
    answer      text check (answer in ('approved', 'rejected', 'none')),
    answered_by text,
    answered_at timestamptz,
    primary key (run_no, person_id)
);
create index on directory.approvals (person_id);

-- partly: some schools and roles approved, the others rejected; late: approved after a newer night was loaded, so nobody was archived.
alter table directory.sync_runs drop constraint sync_runs_answer_check;
alter table directory.sync_runs add constraint sync_runs_answer_check
    check (answer in ('approved', 'partly', 'rejected', 'none', 'late'));

-- When the run read its settings: a run with older ones is never loaded over a run with newer ones.
alter table directory.sync_runs add settings_at timestamptz;
