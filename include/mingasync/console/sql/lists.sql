-- A page of the user lists that a search finds, by name, and how many there are on all pages.
with matching as materialized (
    select list_id, name from directory.user_lists
    where district = %(district)s
      and (%(patterns)s::text[] = '{}' or lower(source_id) = lower(%(text)s)
           or lower(name) like all (array(select lower(one) from unnest(%(patterns)s::text[]) as one)))
      and (%(kind)s::text is null or kind = %(kind)s)
      and (%(school)s::text is null or coalesce(school_id, '~none') = %(school)s)
      and (%(visibility)s::text is null or visibility = %(visibility)s)
      and (%(state)s::text is null or status = %(state)s)
      and (%(lacks)s::text is null
           or list_id in (select list_id from directory.lists_lacking where district = %(district)s and lacks = %(lacks)s))
), page as (
    select list_id from matching order by name, list_id limit %(limit)s offset %(offset)s
)
select (select count(*) from matching) as size, lists.list_id, lists.name, lists.kind, lists.source_id, lists.school_id,
       coalesce(schools.name, lists.school_id) as school, lists.visibility, lists.status,
       coalesce((select cardinality(rolls.people) from directory.memberships as rolls
                 where rolls.list_id = lists.list_id and not rolls.manager), 0) as members,
       managers.names as managers
from (select) as once
left join (page join directory.user_lists as lists using (list_id)) on true
left join directory.schools as schools on schools.district = lists.district and schools.school_id = lists.school_id
left join lateral (
    select array_agg(concat_ws(' ', people.given_name, people.family_name) order by people.family_name, people.person_id) as names
    from directory.memberships as rolls
    join directory.people as people on people.person_id = any (rolls.people)
    where rolls.list_id = lists.list_id and rolls.manager
) as managers on true
order by lists.name, lists.list_id
