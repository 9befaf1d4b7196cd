-- All user lists that a search finds, and those of them that are not visible as they are to be.
select count(*) as matching,
       coalesce(array_agg(list_id order by list_id) filter (where visibility <> %(wanted)s), '{}') as changing
from directory.user_lists
where district = %(district)s
  and (%(patterns)s::text[] = '{}' or lower(source_id) = lower(%(text)s)
       or lower(name) like all (array(select lower(one) from unnest(%(patterns)s::text[]) as one)))
  and (%(kind)s::text is null or kind = %(kind)s)
  and (%(school)s::text is null or coalesce(school_id, '~none') = %(school)s)
  and (%(visibility)s::text is null or visibility = %(visibility)s)
  and (%(state)s::text is null or status = %(state)s)
