-- What a run really changed, with names: people, then lists, then memberships.
select changes.entity, changes.action, changes.role,
       coalesce(schools.name, changes.school_id),
       nullif(concat_ws(' ', people.given_name, people.family_name), ''), people.sourced_id,
       lists.name,
       coalesce(changes.after, changes.before) ->> 'member_role', changes.reason
from directory.sync_changes as changes
left join directory.people using (person_id)
left join directory.user_lists as lists on lists.list_id = changes.list_id
left join directory.schools as schools
  on schools.district = changes.district and schools.school_id = changes.school_id
where changes.district = %(district)s and changes.run_id = %(run_id)s and changes.status = 'applied'
  and (%(school)s::text is null or changes.school_id = %(school)s)
order by array_position(array['person', 'list', 'membership'], changes.entity), 2, 3, 5, 7
limit %(limit)s
