-- Who of the snapshot is who of the directory. Never a guess: what is not unique, or looks like another human, is set apart.

-- Most humans have one id on both sides: they meet by a plain join. Lists of ids are taken apart only for the others.
create temp table meeting on commit drop as
with one_here as (select n, sourced_id from s_people where cardinality(sourced_ids) = 1),
several_here as (select n, unnest(sourced_ids) as sourced_id from s_people where cardinality(sourced_ids) > 1),
one_there as (
    select person_id, sourced_ids[1] as sourced_id from directory.people
    where district = %(district)s and cardinality(sourced_ids) = 1
),
several_there as (
    select person_id, unnest(sourced_ids) as sourced_id from directory.people
    where district = %(district)s and cardinality(sourced_ids) > 1
)
select n, person_id from one_here join one_there using (sourced_id)
union all
select n, person_id from one_here join several_there using (sourced_id)
union all
select distinct n, person_id from (
    select n, person_id from several_here join one_there using (sourced_id)
    union all
    select n, person_id from several_here join several_there using (sourced_id)
) as several;
analyze meeting;

create temp table by_id on commit drop as
select s.n, p.person_id, p.sourced_id = any (s.sourced_ids) as leads, p.status, p.sourced_id as known_as,
       -- Another human under an old id: no part of the name the same, no key the same, and one that differs.
       coalesce(lower(s.given_name) <> lower(p.given_name) and lower(s.family_name) <> lower(p.family_name), false)
       and coalesce(lower(s.identifier) = lower(p.identifier), false) is false
       and coalesce(lower(s.email) = lower(p.email), false) is false
       and coalesce(lower(s.username) = lower(p.username), false) is false
       and (s.identifier is not null and p.identifier is not null
            or s.email is not null and p.email is not null
            or s.username is not null and p.username is not null) as another_human
from meeting
join s_people as s using (n)
join directory.people as p using (person_id);
analyze by_id;

create temp table matched on commit drop as
select distinct on (n) n, person_id, leads, known_as
from by_id where not another_human
order by n, status, leads desc, person_id;

-- Several records may be one person (a record per school that drifted apart): one of them speaks for all.
create temp table speaks on commit drop as
select distinct on (person_id) person_id, n
from matched join s_people as s using (n)
order by person_id, s.sourced_id <> known_as, leads desc, n;

-- People apart: untouched this night, and why.
create temp table apart (person_id integer, n integer, reason text) on commit drop;
insert into apart
select person_id, n, 'sourced_id_reissued' from by_id where another_human
    and person_id not in (select person_id from matched)
union
select person_id, null, 'two_entries_one_human' from by_id where person_id not in (select person_id from matched)
    and not another_human;

-- People made by hand, or never linked: by identifier, else e-mail, else username, folded.
create temp table hand_pairs on commit drop as
with unmatched as (
    select s.* from s_people as s
    where not exists (select from by_id where by_id.n = s.n)
), unlinked as (
    select * from directory.people where district = %(district)s and sourced_ids = '{}'
), pairs as (
    select n, person_id, 1 as tier from unmatched as s join unlinked as p on lower(p.identifier) = lower(s.identifier)
    union all
    select n, person_id, 2 from unmatched as s join unlinked as p on lower(p.email) = lower(s.email)
    union all
    select n, person_id, 3 from unmatched as s join unlinked as p on lower(p.username) = lower(s.username)
), best as (
    select n, person_id, tier from (select *, min(tier) over (partition by n) as best_tier from pairs) as ranked
    where tier = best_tier
)
select n, person_id, tier, count(*) over (partition by n) as people, count(*) over (partition by person_id) as records
from best;

insert into apart select person_id, n, 'match_not_unique' from hand_pairs where people > 1 or records > 1;
insert into matched select n, person_id, true, null from hand_pairs where people = 1 and records = 1;
insert into speaks select person_id, n from hand_pairs where people = 1 and records = 1;

-- The same people under new SIS ids: proposed, neither archived nor created until somebody decides.
create temp table relinks on commit drop as
with unmatched as (
    select s.* from s_people as s
    where not exists (select from by_id where by_id.n = s.n) and not exists (select from hand_pairs where hand_pairs.n = s.n)
), missing as (
    select p.* from directory.people as p
    where p.district = %(district)s and p.sourced_ids <> '{}' and p.include_in_sync
      and not exists (select from by_id where by_id.person_id = p.person_id)
      and not exists (select from s_settled where s_settled.person_id = p.person_id)
), pairs as (
    select s.n, p.person_id, 'identifier' as matched_by
    from unmatched as s join missing as p on lower(p.identifier) = lower(s.identifier) and p.role = s.role
    where lower(p.given_name) = lower(s.given_name) or lower(p.family_name) = lower(s.family_name)
    union
    select s.n, p.person_id, 'email_and_name'
    from unmatched as s join missing as p on lower(p.email) = lower(s.email) and p.role = s.role
    where lower(p.given_name) = lower(s.given_name) and lower(p.family_name) = lower(s.family_name)
)
select n, person_id, min(matched_by) filter (where true) as matched_by
from pairs
where not exists (
    select from directory.relink_proposals as r join s_people as s on r.sourced_id = s.sourced_id
    where s.n = pairs.n and r.person_id = pairs.person_id and r.state = 'rejected'
)
group by n, person_id;

insert into apart
select person_id, n,
       case when count(*) over (partition by n) = 1 and count(*) over (partition by person_id) = 1
            then 'sourced_id_changed' else 'match_not_unique' end
from relinks;
analyze matched;
analyze speaks;
