-- What a run counted of absences counts no longer: it was undone, or is tried again and counts anew whom it misses then.

with left_over as (
    select a.person_id, array_remove(a.runs, %(uncounted)s) as runs, min(r.night) as first_night, max(r.night) as last_night,
           coalesce(bool_or(r.night = own.night), false) as counts_still
    from directory.absences as a
    join directory.sync_runs as own on own.run_no = %(uncounted)s
    left join lateral unnest(array_remove(a.runs, %(uncounted)s)) as others (run_no) on true
    left join directory.sync_runs as r on r.run_no = others.run_no
    where a.district = %(district)s and %(uncounted)s = any (a.runs)
    group by a.person_id, own.night
), kept as (
    update directory.absences as a
    set runs = l.runs, nights = a.nights - (not l.counts_still)::integer, last_night = coalesce(l.last_night, a.last_night),
        first_night = case when cardinality(l.runs) >= a.nights - 1 then coalesce(l.first_night, a.first_night) else a.first_night end
    from left_over as l where a.person_id = l.person_id and l.runs <> '{}'
)
delete from directory.absences as a using left_over as l where a.person_id = l.person_id and l.runs = '{}';
