-- One user list.
select lists.*, coalesce(schools.name, lists.school_id) as school,
       array(select coalesce(terms.title, one) from unnest(lists.term_ids) as one
             left join directory.terms as terms on terms.district = lists.district and terms.term_id = one) as terms,
       coalesce((select cardinality(people) from directory.memberships where list_id = lists.list_id and not manager), 0) as members,
       coalesce((select cardinality(people) from directory.memberships where list_id = lists.list_id and manager), 0) as managers
from directory.user_lists as lists
left join directory.schools as schools on schools.district = lists.district and schools.school_id = lists.school_id
where lists.district = %(district)s and lists.list_id = %(list_id)s
