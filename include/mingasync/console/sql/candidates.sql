-- People who are there and whom a search finds, and whether they are on a list.
select people.person_id, people.given_name, people.family_name, people.role, people.grades, people.email,
       array(select coalesce(schools.name, one) from unnest(people.school_ids) as one
             left join directory.schools as schools on schools.district = people.district and schools.school_id = one) as schools,
       exists (select from directory.memberships where list_id = %(list_id)s and not manager and people @> array[people.person_id]) as is_member,
       exists (select from directory.memberships where list_id = %(list_id)s and manager and people @> array[people.person_id]) as is_manager
from directory.people as people
where people.district = %(district)s and people.status = 'active'
  and lower(concat_ws(' ', given_name, preferred_given_name, family_name, email, username, identifier, sourced_id))
      like all (array(select lower(one) from unnest(%(patterns)s::text[]) as one))
order by people.family_name, people.given_name, people.person_id
limit %(limit)s
