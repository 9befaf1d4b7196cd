-- What the SIS says and what the settings want, for the length of one transaction.

create temp table s_people (
    n integer, sourced_id text, sourced_ids text[], role text, given_name text, family_name text,
    preferred_given_name text, email text, username text, identifier text, grades text[], school_ids text[],
    unsure_org_ids text[] default '{}', maybe_outside boolean default false, unsure_role boolean default false,
    parent_name text, parent_email text, parent_phone text, digest bigint
) on commit drop;
-- Everybody's digest, and who is settled by it; s_people holds only the others.
create temp table s_digests (n integer, digest bigint) on commit drop;
create temp table s_settled (n integer, person_id integer, school_id text, role text) on commit drop;
-- The values that several names share tonight, and that so identify nobody.
create temp table s_shared (field text, value text) on commit drop;
create temp table s_gone (sourced_id text, reason text) on commit drop;
create temp table s_waiting (sourced_id text, reason text, role text, school_id text) on commit drop;
create temp table s_set_aside (resource text, sourced_id text) on commit drop;
create temp table s_lists (
    k integer, kind text, school_id text, source_id text, name text, term_ids text[], grades text[], public boolean,
    owner_n integer, keeps_grades boolean
) on commit drop;
-- A row per list and role, with the ids of the people who ought to be there.
create temp table s_rolls (k integer, manager boolean, people integer[]) on commit drop;
-- The same of people who are on no list for it, but keep their place while the SIS enrolls them.
create temp table s_still (k integer, manager boolean, people integer[]) on commit drop;
-- Managers who are not to be on their list: their records.
create temp table s_not_managing (k integer, n integer) on commit drop;
create temp table s_unlisted (source_id text, reason text) on commit drop;
-- Records set aside of which nobody can say what they were: a class, a user, or both; null is any.
create temp table s_kept (class_id text, user_id text) on commit drop;
-- The memberships of tonight's lists that rest on such a record.
create temp table s_unread (k integer, n integer, manager boolean) on commit drop;
create temp table s_schools (school_id text, name text, identifier text) on commit drop;
create temp table s_terms (
    term_id text, title text, type text, start_date date, end_date date, parent_id text, school_year text, classes integer
) on commit drop;

-- A row per school (the empty one stands for people without) and role.
create temp table s_rules (
    school_id text, role text, roster boolean, auto_update boolean, archive boolean,
    archive_percent numeric, archive_minimum integer, absent_nights integer, parent_contact boolean, quiet boolean,
    paused boolean
) on commit drop;
-- A row per school and kind of list that the settings keep up to date: whether it rests tonight, and what is selected there. Where
-- the school itself is paused it rests whatever is selected.
create temp table s_kinds (
    school_id text, kind text, quiet boolean, rests boolean, paused boolean, terms text[], grades text[]
) on commit drop;
