-- The schools and terms that the SIS shares, so that terms can be picked and a lost one be missed.

create temp table catalogue_was on commit drop as
select jsonb_build_object(
    'schools', (select coalesce(jsonb_agg(s order by s.school_id), '[]') from directory.schools as s where s.district = %(district)s),
    'terms', (select coalesce(jsonb_agg(t order by t.term_id), '[]') from directory.terms as t where t.district = %(district)s)
) as was;

insert into directory.schools as known (district, school_id, name, identifier)
select %(district)s, school_id, coalesce(name, school_id), identifier from s_schools
on conflict (district, school_id) do update
    set name = excluded.name, identifier = excluded.identifier
    where (known.name, known.identifier) is distinct from (excluded.name, excluded.identifier);

-- A school is forgotten only on a night that proves it gone, which a person has to confirm.
delete from directory.schools
where district = %(district)s and %(proven)s and school_id not in (select school_id from s_schools)
  and school_id <> all (%(resting_schools)s::text[]);

insert into directory.terms as known
    (district, term_id, title, type, start_date, end_date, parent_id, school_year, classes, shared)
select %(district)s, term_id, coalesce(title, term_id), type, start_date, end_date, parent_id, school_year, classes, true
from s_terms
on conflict (district, term_id) do update
    set title = excluded.title, type = excluded.type, start_date = excluded.start_date, end_date = excluded.end_date,
        parent_id = excluded.parent_id, school_year = excluded.school_year, classes = excluded.classes, shared = true
    where (known.title, known.type, known.start_date, known.end_date, known.parent_id, known.school_year, known.classes,
           known.shared)
          is distinct from
          (excluded.title, excluded.type, excluded.start_date, excluded.end_date, excluded.parent_id,
           excluded.school_year, excluded.classes, true);

update directory.terms set shared = false
where district = %(district)s and shared and %(proven)s and term_id not in (select term_id from s_terms)
  and term_id not in (select sourced_id from s_set_aside where resource = 'academicSessions' and sourced_id is not null);

-- Kept for an undo, where it changed; of several attempts of a run the first one counts.
update directory.sync_runs as r set catalogue_before = was
from catalogue_was
where r.run_no = %(run_no)s and r.catalogue_before is null and was is distinct from jsonb_build_object(
    'schools', (select coalesce(jsonb_agg(s order by s.school_id), '[]') from directory.schools as s where s.district = %(district)s),
    'terms', (select coalesce(jsonb_agg(t order by t.term_id), '[]') from directory.terms as t where t.district = %(district)s));
