-- Parents' contacts that are not wanted any more, whatever the other switches say (privacy): of everybody whom the SIS ever sent, also
-- of those archived, not included, or just moved to a school that does not want them. What stood there is not kept anywhere.

create temp table contacts_off on commit drop as
select p.person_id, nullif(p.school_ids[1], '') as school_id, p.role
from directory.people as p
where p.district = %(district)s and p.sourced_ids <> '{}' and not coalesce(p.school_ids[1], '') = any (%(contact_schools)s::text[])
  and (p.parent_name is not null or p.parent_email is not null or p.parent_phone is not null);

insert into plan_people
select person_id, school_id, role, 'update', 'applied', 'parent_contact_off', null, '{"parent_contact": "cleared"}' from contacts_off;
