-- Whom the SIS calls otherwise than the directory does: a name may be pinned by hand, or held back. Lists are called as people are here.

create temp table called on commit drop as
select distinct on (s.n) s.n, p.family_name, trim(concat(coalesce(p.preferred_given_name, p.given_name), ' ', p.family_name)) as full_name
from (
    select n, person_id from matched
    union all
    -- While it is asked whose a sourcedId is, whoever had it lends the name that they had.
    select n, min(person_id) from apart where matched_by = 'sourced_id' group by n having count(distinct person_id) = 1
) as known
join s_people as s using (n)
join directory.people as p using (person_id)
where s.role <> 'student' and p.family_name is not null
  and (s.given_name, s.family_name, s.preferred_given_name) is distinct from (p.given_name, p.family_name, p.preferred_given_name)
order by s.n;

create temp table s_names (k integer, name text) on commit drop;
