-- One person.
select people.*,
       array(select coalesce(schools.name, one) from unnest(people.school_ids) as one
             left join directory.schools as schools on schools.district = people.district and schools.school_id = one) as schools
from directory.people as people
where people.district = %(district)s and people.person_id = %(person_id)s
