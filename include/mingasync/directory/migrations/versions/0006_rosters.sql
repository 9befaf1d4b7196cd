-- A teacher's list belongs to the person, whichever of their SIS ids leads.

alter table directory.user_lists add owner_id integer references directory.people on delete set null;

-- Older versions took the leading sourcedId for the teacher, and made another list when it changed: the oldest list is theirs.
with owned as (
    select l.list_id, l.school_id, coalesce(
        (select p.person_id from directory.people as p
         where p.district = l.district and l.source_id = any (p.sourced_ids)
         order by p.sourced_id = l.source_id desc, p.person_id limit 1),
        (select rolls.people[1] from directory.memberships as rolls
         where rolls.list_id = l.list_id and rolls.manager and cardinality(rolls.people) = 1)) as person_id
    from directory.user_lists as l
    where l.kind = 'teacher'
), oldest as (
    select min(list_id) as list_id, person_id from owned where person_id is not null group by person_id, school_id
)
update directory.user_lists as l set owner_id = oldest.person_id
from oldest join directory.people as p on p.person_id = oldest.person_id
where l.list_id = oldest.list_id;

-- Two people may bear the same sourcedId one after the other, so that of teachers' lists the owner is what is unique.
drop index directory.user_lists_source;
create unique index user_lists_source on directory.user_lists
    (district, kind, source_id, (case when kind = 'class' then '' else coalesce(school_id, '') end))
    where kind not in ('manual', 'teacher');
create unique index user_lists_owner on directory.user_lists (owner_id, coalesce(school_id, '')) where owner_id is not null;
