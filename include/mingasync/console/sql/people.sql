-- A page of the people whom a search finds, by name, and how many there are on all pages.
with matching as not materialized (
    select person_id, family_name, given_name from directory.people
    where district = %(district)s
      and (%(patterns)s::text[] = '{}'
           or lower(concat_ws(' ', given_name, preferred_given_name, family_name, email, username, identifier, sourced_id))
              like all (array(select lower(one) from unnest(%(patterns)s::text[]) as one)))
      and (%(role)s::text is null or role = %(role)s)
      and (%(school)s::text is null or %(school)s = any (school_ids) or %(school)s = '~none' and school_ids = '{}')
      and (%(status)s::text is null or status = %(status)s)
      and (%(sync)s::text is null or include_in_sync = (%(sync)s = 'on'))
      and (%(lacks)s::text is null
           or person_id in (select person_id from directory.people_lacking where district = %(district)s and lacks = %(lacks)s))
)
select (select count(*) from matching) as size, people.person_id, people.given_name, people.family_name, people.preferred_given_name,
       people.role, people.grades, people.email, people.status, people.include_in_sync, people.source,
       array(select coalesce(schools.name, one) from unnest(people.school_ids) as one
             left join directory.schools as schools on schools.district = people.district and schools.school_id = one) as schools
from (select) as once
left join (
    (select person_id from matching order by family_name, given_name, person_id limit %(limit)s offset %(offset)s) as page
    join directory.people as people using (person_id)
) on true
order by people.family_name, people.given_name, people.person_id
