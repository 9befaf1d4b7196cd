-- The few people who have a parent's contact, so that a night in whose settings none is wanted finds them without reading the others.
create index people_with_parents on directory.people (person_id)
    where parent_name is not null or parent_email is not null or parent_phone is not null;
