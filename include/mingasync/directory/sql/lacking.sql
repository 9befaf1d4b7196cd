-- How many people and class lists of a district lack something now; null for what has no meaning without class lists.
select jsonb_build_object(
    'classes_without_teacher', case when has_classes then lists.manager end,
    'classes_without_student', case when has_classes then lists.member end,
    'people_without_email', people.email,
    'people_without_school', people.school)
from (select exists (select from directory.user_lists
                     where district = %(district)s and kind = 'class' and status = 'active') as has_classes) as any_class,
     (select count(*) filter (where email is null) as email, count(*) filter (where school_ids = '{}') as school
      from directory.people where district = %(district)s and status = 'active') as people,
     (select count(*) filter (where lacks = 'manager') as manager, count(*) filter (where lacks = 'member') as member
      from directory.lists_lacking where district = %(district)s) as lists
