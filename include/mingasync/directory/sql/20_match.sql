-- Who of the snapshot is who of the directory. Never a guess: what is not unique, or contradicts itself, is set apart. What evidence
-- says is decided in one place, directory.verdict; here it is gathered, and its answers are carried out.

-- Whose row does not say what tonight's record says: everybody but the settled.
create temp table unsettled on commit drop as
select person_id from directory.people as p
where district = %(district)s and not exists (select from s_settled where s_settled.person_id = p.person_id);
analyze unsettled;

-- Most humans have one id on both sides: they meet by a plain join. Lists of ids are taken apart only for the others.
create temp table meeting on commit drop as
with one_here as (select n, sourced_id from s_people where cardinality(sourced_ids) = 1),
several_here as (select n, unnest(sourced_ids) as sourced_id from s_people where cardinality(sourced_ids) > 1),
one_there as (
    select person_id, sourced_ids[1] as sourced_id from directory.people
    where district = %(district)s and cardinality(sourced_ids) = 1 and exists (select from s_people)
),
several_there as (
    select person_id, unnest(sourced_ids) as sourced_id from directory.people
    where district = %(district)s and cardinality(sourced_ids) > 1 and exists (select from s_people)
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

-- Records that the last nights knew whose they are, while the switches kept the sourcedId from being written: it is known all the same,
-- unless a person said otherwise or the entry has other ids by now.
insert into meeting
with unmet as (
    select n, unnest(sourced_ids) as sourced_id from s_people where not exists (select from meeting where meeting.n = s_people.n)
), held_back as (
    select distinct on (ids.sourced_id) ids.sourced_id, c.entity_no as person_id
    from directory.changes as c
    join directory.people as p on p.person_id = c.entity_no
    cross join lateral jsonb_array_elements_text(c.after -> 'sourced_ids') as ids (sourced_id)
    where exists (select from unmet)
      and c.run_no in (select run_no from directory.sync_runs
                       where district = %(district)s and run_no <> %(run_no)s and loaded_at is not null
                       order by run_no desc limit %(remembered_nights)s)
      and c.entity = 'person' and c.action = 'update' and c.status = 'suppressed' and c.after ? 'sourced_ids'
      and c.before -> 'sourced_ids' = to_jsonb(p.sourced_ids)
    order by ids.sourced_id, c.run_no desc
)
select distinct unmet.n, held_back.person_id
from unmet join held_back using (sourced_id)
where not exists (select from directory.relink_proposals as answer
                  where answer.person_id = held_back.person_id and answer.sourced_id = held_back.sourced_id
                    and answer.state = 'rejected');
analyze meeting;

create temp table by_id on commit drop as
select s.n, p.person_id, coalesce(p.sourced_id = any (s.sourced_ids), false) as leads, p.status, p.sourced_id as known_as,
       coalesce(lower(s.given_name) = lower(p.given_name) and lower(s.family_name) = lower(p.family_name), false) as evident
from meeting
join s_people as s using (n)
join directory.people as p using (person_id);
analyze by_id;

-- Records whose person is not evident, with the keys that may identify somebody tonight. With nobody there, there is nothing to ask.
create temp table questioned on commit drop as
select s.n, s.sourced_id, s.role, lower(s.given_name) as given_name, lower(s.family_name) as family_name,
       case when number.value is null then lower(s.identifier) end as identifier,
       case when email.value is null then lower(s.email) end as email,
       case when username.value is null then lower(s.username) end as username,
       case when s.role = 'student' then 'student_identifier' else 'employee_identifier' end as number_of
from s_people as s
left join (select n, bool_and(evident) as evident from by_id group by n) as known on known.n = s.n
left join s_shared as number on number.value = lower(s.identifier)
    and number.field = case when s.role = 'student' then 'student_identifier' else 'employee_identifier' end
left join s_shared as email on email.field = 'email' and email.value = lower(s.email)
left join s_shared as username on username.field = 'username' and username.value = lower(s.username)
where known.evident is not true
  and exists (select from directory.people where district = %(district)s);
analyze questioned;

-- People whom no record is evidently.
create temp table unclaimed on commit drop as
select p.person_id, p.role, p.status, p.include_in_sync, p.source, p.sourced_ids, lower(p.given_name) as given_name,
       lower(p.family_name) as family_name, lower(p.identifier) as identifier, lower(p.email) as email, lower(p.username) as username
from unsettled join directory.people as p using (person_id)
where exists (select from questioned)
  and not exists (select from by_id where by_id.person_id = p.person_id and by_id.evident);
analyze unclaimed;

-- Each record beside each person that it might be: by its sourcedId, by a key, or by the names alone where no key can be compared and
-- the person is about to leave.
create temp table pairs on commit drop as
with candidates as (
    select n, person_id from questioned as q join unclaimed as p using (identifier)
    union
    select n, person_id from questioned as q join unclaimed as p using (email)
    union
    select n, person_id from questioned as q join unclaimed as p using (username)
    union
    select n, person_id from questioned as q join unclaimed as p using (role, given_name, family_name)
    where p.status = 'active' and p.sourced_ids <> '{}'
      and num_nulls(q.identifier, p.identifier) > 0 and num_nulls(q.email, p.email) > 0 and num_nulls(q.username, p.username) > 0
)
select n, person_id, true as known_id from by_id where not evident
union all
select c.n, c.person_id, false from candidates as c
where not exists (select from by_id where by_id.n = c.n and by_id.person_id = c.person_id);
analyze pairs;

-- Records of one human that are joined for the first time: they rest on the identifier.
create temp table newly_joined on commit drop as
select s.n, s.sourced_id, lower(s.identifier) as identifier, case when s.role = 'student' then 'student_identifier' else 'employee_identifier' end as number_of
from s_people as s
where cardinality(s.sourced_ids) > 1 and s.identifier is not null
  and not exists (select from by_id join directory.people as p using (person_id) where by_id.n = s.n and s.sourced_ids <@ p.sourced_ids);

-- Which of the values that would decide something are borne by several names in the directory, and so identify nobody either.
create temp table shared_here on commit drop as
with beside as (
    select q.number_of, q.identifier, q.email, q.username, lower(p.identifier) as known_identifier, lower(p.email) as known_email,
           lower(p.username) as known_username
    from pairs join questioned as q using (n) join directory.people as p using (person_id)
), asked as (
    select number_of as field, identifier as value from beside where identifier = known_identifier
    union
    select 'email', email from beside where email = known_email
    union
    select 'username', username from beside where username = known_username
    union
    select number_of, identifier from newly_joined
), bearers as (
    select asked.field, asked.value, p.person_id
    from directory.people as p
    join asked on asked.value = lower(p.identifier) and asked.field in ('student_identifier', 'employee_identifier')
    where p.district = %(district)s and (p.role = 'student') = (asked.field = 'student_identifier')
    union all
    select asked.field, asked.value, p.person_id
    from directory.people as p join asked on asked.value = lower(p.email) and asked.field = 'email'
    where p.district = %(district)s
    union all
    select asked.field, asked.value, p.person_id
    from directory.people as p join asked on asked.value = lower(p.username) and asked.field = 'username'
    where p.district = %(district)s
), several as (
    select field, value from bearers group by field, value having count(*) > 1
)
select field, value
from bearers join several using (field, value) join directory.people as p using (person_id)
group by field, value
having min(directory.folded(p.given_name)) <> max(directory.folded(p.given_name))
    or min(directory.folded(p.family_name)) <> max(directory.folded(p.family_name));

-- What the evidence says. A pinned name counts as the SIS had it, too; an answer that somebody gave holds while the record says the same.
create temp table judged on commit drop as
with pinned as (
    select person_id, max(sis_value) filter (where field = 'given_name') as given_name,
           max(sis_value) filter (where field = 'family_name') as family_name
    from directory.field_pins where district = %(district)s and exists (select from pairs) group by person_id
), compared as (
    select pairs.n, pairs.person_id, pairs.known_id, s.sourced_id,
           case when s.role = p.role then 'same' when 'student' in (s.role, p.role) then 'other' else 'related' end as role,
           case when said.given_name is null or known.given_name is null then null
                when said.given_name in (known.given_name, known.preferred, known.pinned_given)
                     or said.preferred in (known.given_name, known.pinned_given) then 'same' else 'other' end as given,
           case when said.family_name is null or known.family_name is null then null
                when said.family_name in (known.family_name, known.pinned_family) then 'same' else 'other' end as family,
           -- A student's number and an employee's are not compared for who is known by a sourcedId.
           case when numbers.value is null and not (pairs.known_id and (s.role = 'student') <> (p.role = 'student')) then
                case when q.identifier = lower(p.identifier) then 'same' when q.identifier <> lower(p.identifier) then 'other' end
                end as identifier,
           case when emails.value is null then
                case when q.email = lower(p.email) then 'same' when q.email <> lower(p.email) then 'other' end end as email,
           case when usernames.value is null then
                case when q.username = lower(p.username) then 'same' when q.username <> lower(p.username) then 'other' end
                end as username,
           num_nonnulls(numbers.value, emails.value, usernames.value) > 0 as shared_here,
           answer.state as answer,
           answer.said = directory.said(s.role, s.given_name, s.family_name, s.identifier, s.email, s.username) as answer_holds
    from pairs
    join questioned as q using (n)
    join s_people as s using (n)
    join directory.people as p using (person_id)
    left join pinned using (person_id)
    left join shared_here as numbers on numbers.field = q.number_of and numbers.value = q.identifier and numbers.value = lower(p.identifier)
    left join shared_here as emails on emails.field = 'email' and emails.value = q.email and emails.value = lower(p.email)
    left join shared_here as usernames on usernames.field = 'username' and usernames.value = q.username and usernames.value = lower(p.username)
    left join directory.relink_proposals as answer
        on answer.person_id = pairs.person_id and answer.sourced_id = s.sourced_id and answer.state in ('applied', 'rejected')
    cross join lateral (select directory.folded(s.given_name) as given_name, directory.folded(s.family_name) as family_name,
                               directory.folded(s.preferred_given_name) as preferred) as said
    cross join lateral (select directory.folded(p.given_name) as given_name, directory.folded(p.family_name) as family_name,
                               directory.folded(p.preferred_given_name) as preferred,
                               directory.folded(pinned.given_name) as pinned_given,
                               directory.folded(pinned.family_name) as pinned_family) as known
)
select n, person_id, known_id, shared_here,
       case when identifier = 'same' then 1 when email = 'same' then 2 when username = 'same' then 3 else 4 end as tier,
       case when identifier = 'same' then 'identifier' when email = 'same' then 'email' when username = 'same' then 'username'
            when shared_here then 'shared' else 'names' end as matched_by,
       case when answer = 'rejected' and (answer_holds or not known_id) then 'refused'
            when answer = 'applied' and answer_holds and known_id then 'same'
            else directory.verdict(known_id, role, given, family, identifier, email, username) end as verdict
from compared;
analyze judged;

-- People apart: untouched this night, and why.
create temp table apart (person_id integer, n integer, reason text, matched_by text) on commit drop;

-- Known by a sourcedId, and nothing speaks against it. Of several entries the active one is meant, if there is one only.
create temp table agreed on commit drop as
select *, count(*) over (partition by n) as entries, count(*) filter (where status = 'active') over (partition by n) as active
from (
    select n, person_id, leads, known_as, status from by_id where evident
    union all
    select n, person_id, leads, known_as, status from by_id join judged using (n, person_id) where known_id and verdict = 'same'
) as every;

create temp table matched on commit drop as
select n, person_id, leads, known_as from agreed where entries = 1 or (active = 1 and status = 'active');
analyze matched;

-- Joined for the first time by a number that is several people's here: nothing is joined, and whoever they are here stays as they are.
insert into apart (n, person_id, reason, matched_by)
select j.n, a.person_id, 'identifier_shared', null
from newly_joined as j
join shared_here as shared on shared.field = j.number_of and shared.value = j.identifier
left join agreed as a on a.n = j.n;

insert into apart (n, person_id, reason, matched_by)
select n, person_id, 'two_entries_one_human', 'sourced_id' from agreed
where entries > 1 and active <> 1 and (status = 'active' or active = 0)
  and not exists (select from apart where apart.n = agreed.n);

-- Several records may be one person (a record per school that drifted apart): one of them speaks for all.
create temp table speaks on commit drop as
select distinct on (person_id) person_id, n
from matched join s_people as s using (n)
order by person_id, s.sourced_id <> known_as, leads desc, n;

-- Another human under a known sourcedId. Who else has that sourcedId, and agrees, is its owner: then nothing is asked. Nor do
-- records belong to one person any more that agree in no key at all; one that turned out to be several people's is none.
insert into apart (n, person_id, reason, matched_by)
select j.n, j.person_id, 'sourced_id_reissued', 'sourced_id'
from judged as j
where j.known_id and j.verdict = 'other'
  and not exists (
      select from matched as m
      join directory.people as owner on owner.person_id = m.person_id
      join directory.people as p on p.person_id = j.person_id
      join s_people as s on s.n = j.n
      where m.n = j.n and array(select unnest(p.sourced_ids) intersect select unnest(s.sourced_ids)) <@ owner.sourced_ids)
union all
select m.n, m.person_id, 'sourced_id_reissued', 'sourced_id'
from matched as m
join speaks using (person_id)
join s_people as own on own.n = m.n
join s_people as first on first.n = speaks.n
join directory.people as p on p.person_id = m.person_id
left join directory.relink_proposals as answer
    on answer.person_id = m.person_id and answer.sourced_id = own.sourced_id and answer.state = 'applied'
   and answer.said = directory.said(own.role, own.given_name, own.family_name, own.identifier, own.email, own.username)
left join s_shared as number on number.value = lower(own.identifier)
    and number.field = case when own.role = 'student' then 'student_identifier' else 'employee_identifier' end
left join s_shared as mail on mail.field = 'email' and mail.value = lower(own.email)
left join s_shared as login on login.field = 'username' and login.value = lower(own.username)
cross join lateral (select
    case when number.value is null then lower(own.identifier) end as identifier,
    case when mail.value is null then lower(own.email) end as email,
    case when login.value is null then lower(own.username) end as username
) as sole
where m.n <> speaks.n and answer.person_id is null
  and not coalesce(sole.identifier in (lower(first.identifier), lower(p.identifier)), false)
  and not coalesce(sole.email in (lower(first.email), lower(p.email)), false)
  and not coalesce(sole.username in (lower(first.username), lower(p.username)), false)
  and coalesce(sole.identifier <> lower(first.identifier), sole.email <> lower(first.email),
               sole.username <> lower(first.username), false);
analyze speaks;

delete from matched as m using apart where apart.n = m.n and apart.person_id = m.person_id and apart.reason = 'sourced_id_reissued';
-- Whom nobody claims any more under their sourcedId is absent.
delete from by_id as b using judged as j
where j.n = b.n and j.person_id = b.person_id and j.known_id and j.verdict in ('refused', 'other')
  and not exists (select from apart where apart.n = b.n and apart.person_id = b.person_id);

-- The others fit people by a key: those made by hand, those who are left alone, those who are missing under their own sourcedId.
create temp table fits on commit drop as
select j.n, j.person_id, j.verdict, j.matched_by, j.tier + case when j.verdict = 'same' then 0 else 10 end as rank,
       case when not p.include_in_sync then 'excluded' when p.source = 'manual' and p.sourced_ids = '{}' then 'by_hand' else 'missing' end
           as kind,
       contested.n is not null as is_contested
from judged as j
join directory.people as p using (person_id)
left join (select distinct n from apart) as contested on contested.n = j.n
where not j.known_id and (j.verdict in ('same', 'likely', 'other') or (j.verdict = 'none' and j.shared_here))
  and not exists (select from matched where matched.n = j.n)
  and not exists (select from matched where matched.person_id = j.person_id)
  and not exists (select from apart where apart.n = j.n and apart.reason <> 'sourced_id_reissued')
  and not exists (select from apart where apart.person_id = j.person_id and apart.reason <> 'sourced_id_reissued');

-- The best that each record fits. Whom it would be proposed to needs less evidence than whom it would be made one with.
create temp table best on commit drop as
select *, count(*) over (partition by n) as people, count(*) over (partition by person_id) as records
from (
    select *, min(rank) over (partition by n) as best from fits
    where verdict = 'same' or (verdict = 'likely' and kind = 'missing')
) as ranked
where rank = best;

insert into apart (n, person_id, reason, matched_by)
select n, person_id, 'match_not_unique', matched_by from best where (people > 1 or records > 1) and not is_contested
union all
-- A key of several people made by hand or left alone tells nothing of which, but enough not to make somebody new.
select n, person_id, 'match_not_unique', matched_by from fits
where kind <> 'missing' and verdict = 'none' and not is_contested
  and not exists (select from best where best.n = fits.n)
union all
-- The same people under new SIS ids: proposed, neither archived nor created until somebody decides.
select n, person_id, 'sourced_id_changed', matched_by from best where people = 1 and records = 1 and kind = 'missing'
union all
-- A key of somebody who was made by hand or is left alone, with another role or another name: not them, and not somebody new either.
select n, person_id, 'match_contradicts', matched_by from fits
where kind <> 'missing' and verdict in ('likely', 'other') and not is_contested
  and not exists (select from best where best.n = fits.n)
  and not exists (select from best where best.person_id = fits.person_id and people = 1 and records = 1);

insert into matched
select n, person_id, true, null from best where people = 1 and records = 1 and kind <> 'missing' and not is_contested;
insert into speaks
select person_id, n from best where people = 1 and records = 1 and kind <> 'missing' and not is_contested;
analyze matched;
analyze speaks;
