-- How a district came to be connected. For the owner alone, as settings_history is: no role of an application may read it.
create table directory.connection_requests (
    district      text primary key,
    district_name text not null,
    schools       text[] not null check (cardinality(schools) > 0),
    sis_name      text not null,
    contact_name  text not null,
    contact_email text not null,
    requested_at  timestamptz not null default clock_timestamp(),
    requested_by  text not null
);

-- Each step names the one before it, which has to be there: none is skipped, whoever writes the row.
create table directory.connection_steps (
    district text not null references directory.connection_requests on delete cascade,
    step     text not null check (step in ('requested', 'sent', 'returned', 'verified', 'synced', 'complete')),
    before   text generated always as (case step
        when 'sent' then 'requested' when 'returned' then 'sent' when 'verified' then 'returned'
        when 'synced' then 'verified' when 'complete' then 'synced' end) stored,
    done_at  timestamptz not null default clock_timestamp(),
    done_by  text not null,
    primary key (district, step),
    foreign key (district, before) references directory.connection_steps (district, step) on delete cascade
);

-- One mail of each kind for a request; the row says whether the mail server took it, and if not, why.
create table directory.connection_mails (
    district   text not null references directory.connection_requests on delete cascade,
    kind       text not null check (kind in ('support', 'checklist', 'confirmation')),
    claimed_at timestamptz,
    sent_at    timestamptz,
    problem    text,
    primary key (district, kind)
);

-- What the SIS shared when it was asked last: an array of {collection, shared, required, words}; null where it could not be asked.
create table directory.connection_checks (
    district   text primary key,
    run_id     text not null,
    checked_at timestamptz not null default clock_timestamp(),
    checked_by text not null,
    checks     jsonb,
    problem    text
);
