-- What the plan itself found out, in words for people; ids only.

-- The answers that a person may give where it is not certain who a record is.
with answers as (
    select a.n, a.person_id, 'directory.relink(' || a.person_id || ', ' || quote_literal(s.sourced_id) || ')' as yes,
           'directory.refuse_relink(' || a.person_id || ', ' || quote_literal(s.sourced_id) || ')' as no
    from (select distinct n, person_id from apart where matched_by is not null) as a join s_people as s using (n)
)
insert into directory.sync_issues (district, run_id, run_no, severity, resource, sourced_id, rule, message, fix, step)
select %(district)s, %(run_id)s, %(run_no)s, found.severity, found.resource, found.sourced_id, found.rule, found.message, found.fix, 'load'
from (
    select 'error', 'users', s.sourced_id, 'users.name_missing',
           'A new ' || s.role || ' has no ' || case when s.given_name is null then 'given' else 'family' end
           || ' name, so no entry was made.',
           'Enter the name in the SIS; the next sync makes the entry.'
    from here as h join s_people as s on s.n = h.n
    where h.person_id is null and h.roster and not h.is_apart and (s.given_name is null or s.family_name is null)
    union all
    select 'warning', 'users', s.sourced_id, 'users.required_blank',
           'The SIS sent no ' || case when s.given_name is null then 'given' else 'family' end
           || ' name for somebody who has one here; the name was kept.',
           'Enter the name in the SIS.'
    from here as h join s_people as s on s.n = h.n
    where h.speaks and h.included and h.roster and not h.is_apart and (s.given_name is null or s.family_name is null)
    union all
    select 'error', 'users', s.sourced_id, 'users.match_not_unique',
           count(*) || case count(*) when 1 then ' person' else ' people' end || ' here may be this record (person '
           || string_agg(a.person_id::text, ', ' order by a.person_id) || '), and others fit as well. None was changed, archived or created.',
           'Say who it is: select ' || min(answers.yes) || '. Or give them different identifiers, e-mails and usernames.'
    from apart as a join s_people as s using (n) join answers using (n, person_id)
    where a.reason = 'match_not_unique'
    group by s.sourced_id
    union all
    select 'error', 'users', s.sourced_id, 'users.match_contradicts',
           count(*) || case count(*) when 1 then ' person' else ' people' end || ' here (person '
           || string_agg(a.person_id::text, ', ' order by a.person_id)
           || ', made by hand or not included in the sync) has a key of this record, but another role, name or number. '
              'Neither was changed, and nobody was created.',
           'The same human: select ' || min(answers.yes) || '. Somebody else: select ' || string_agg(answers.no, ', ' order by a.person_id)
           || '; the next sync then makes the entry.'
    from apart as a join s_people as s using (n) join answers using (n, person_id)
    where a.reason = 'match_contradicts'
    group by s.sourced_id
    union all
    select 'error', 'users', s.sourced_id, 'users.sourced_id_reissued',
           'The SIS gives another human''s data under a sourcedId of person ' || a.person_id
           || ' here: keys and names differ. Neither was changed, archived or created.',
           'Look in the SIS whose it is. The same human: select ' || answers.yes || '; the next sync then follows the record. '
           || 'Another human: select ' || answers.no || '; the sourcedId is taken off person ' || a.person_id
           || ', the next sync makes an entry for its new owner, and person ' || a.person_id
           || case when exists (select from matched where matched.person_id = a.person_id)
                   then ' stays, with the other record that the SIS has of them.'
                   else ' leaves like anybody whom the SIS no longer has.' end
           || ' No task needs to be cleared for it.'
    from apart as a join s_people as s using (n) join answers using (n, person_id)
    where a.reason = 'sourced_id_reissued'
    union all
    select 'warning', 'users', s.sourced_id, 'users.sourced_id_changed',
           'Person ' || a.person_id || ' seems to have the new sourcedId ' || s.sourced_id
           || '; nothing was created, changed or archived for them.',
           case when contested.n is not null then 'First answer users.sourced_id_reissued for this record. ' else '' end
           || 'Confirm: select ' || answers.yes || '. Somebody else: select ' || answers.no || '.'
    from apart as a join s_people as s using (n) join answers using (n, person_id)
    left join (select distinct n from apart where reason = 'sourced_id_reissued') as contested using (n)
    where a.reason = 'sourced_id_changed'
    union all
    select 'error', 'users', s.sourced_id, 'users.two_entries_one_human',
           count(*) || ' entries here (person ' || string_agg(a.person_id::text, ', ' order by a.person_id)
           || ') are one human by what the SIS says now. None was changed or archived.',
           'One human: say which entries are not the one to keep, such as select ' || max(answers.no)
           || '; the next sync joins the records in the other entry and archives this one. Several humans: give them different '
              'identifiers in the SIS.'
    from apart as a join s_people as s using (n) join answers using (n, person_id)
    where a.reason = 'two_entries_one_human'
    group by s.sourced_id
    union all
    select 'error', 'users', s.sourced_id, 'users.identifier_shared_here',
           cardinality(s.sourced_ids) || ' records (' || array_to_string(s.sourced_ids, ', ') || ') look like one human, but people with '
           'other names have their identifier here. Nothing was joined, changed or created.'
           || coalesce(' Known here as person ' || string_agg(a.person_id::text, ', ' order by a.person_id) || '.', ''),
           'Give everybody their own identifier in the SIS, or leave it blank.'
    from apart as a join s_people as s using (n)
    where a.reason = 'identifier_shared'
    group by s.sourced_id, s.sourced_ids
    union all
    select 'warning', 'users', h.sourced_id, 'users.key_shared_here',
           'A new entry was made although ' || count(*) || case count(*) when 1 then ' person' else ' people' end || ' here (person '
           || string_agg(j.person_id::text, ', ' order by j.person_id)
           || ') has a key of this record: people with other names have that key as well, so it tells nothing.',
           'Give everybody their own identifier, e-mail and username in the SIS, or leave them blank. This one stays an entry of '
           'its own; an earlier entry of the same human keeps its history, and leaves like anybody whom the SIS no longer has.'
    from judged as j
    join (select n, s.sourced_id from new_people join s_people as s using (n)) as h using (n)
    where j.shared_here and not j.known_id
    group by h.sourced_id
    union all
    select 'warning', 'users', s.sourced_id, 'lists.manager_excluded',
           count(distinct sm.k) || ' class lists were made without this teacher, who is not included in the SIS sync.',
           'Turn on "Include user in SIS sync" for the teacher.'
    from here as h
    join s_people as s on s.n = h.n
    join s_not_managing as sm on sm.n = h.n
    join s_lists as l on l.k = sm.k and l.kind = 'class'
    where not h.included
      -- Who managed it before the switch was turned off does so still.
      and not exists (select from list_match as m join directory.memberships as rolls using (list_id)
                      where m.k = sm.k and rolls.manager and rolls.people @> array[h.person_id])
    group by s.sourced_id
    union all
    -- What is said of a school that is none is meant for another, of which nobody can say which.
    select 'error', 'settings', school, 'settings.school_unknown',
           'The settings have values for a school that neither the SIS nor the directory has; they apply to nobody.',
           'Correct the id under schools in the settings, or take the school away there.'
    from unnest(%(schools_set)s::text[]) as school
    where exists (select from s_schools)
      and school not in (select school_id from s_schools union all select school_id from directory.schools where district = %(district)s)
    union all
    select 'error', 'academicSessions', term, 'terms.selected_lost',
           'The selected term is no longer shared by the SIS; its lists are frozen as they were.',
           'Share the term again in the SIS, or select another in the settings (class_lists.terms).'
    from unnest(%(lost_terms)s::text[]) as term
    union all
    -- A selected term about to end, or over, with no later one selected: its successor's classes would have no lists.
    select 'warning', 'academicSessions', t.term_id, 'terms.ending',
           'The selected term ' || t.title || case when t.end_date < %(night)s then ' ended on ' else ' ends on ' end || t.end_date
           || ' and none that follows is selected.',
           coalesce('Select the next one too: ' || next.title || ' (' || next.term_id || ').', 'Share the next term in the SIS, then select it.')
    from s_terms as t
    left join lateral (
        select n.term_id, n.title from s_terms as n
        where n.start_date > t.start_date and n.end_date > t.end_date and n.term_id <> all (%(selected)s::text[])
        order by n.start_date, n.term_id limit 1
    ) as next on true
    where t.term_id = any (%(selected)s::text[]) and t.end_date <= %(night)s::date + 14
      and not exists (select from s_terms as f where f.term_id = any (%(selected)s::text[])
                      and f.start_date > t.start_date and f.end_date > t.end_date)
    union all
    select 'warning', 'academicSessions', other.term_id, 'terms.near_miss',
           other.classes || ' classes hang on ' || other.title || ', the ' || case when other.parent_id = t.term_id then 'part' else 'whole' end
           || ' of the selected ' || t.title || ', and have no lists for it.',
           'Select ' || other.title || ' (' || other.term_id || ') as well if these classes are wanted.'
    from s_terms as t
    join s_terms as other on other.parent_id = t.term_id or other.term_id = t.parent_id
    where t.term_id = any (%(selected)s::text[]) and other.term_id <> all (%(selected)s::text[]) and other.classes > 0
    union all
    -- A feed that stands still looks like a quiet week; only the bytes tell.
    select 'warning', same.resource, null, same.resource || '.identical',
           (same.nights + 1) || ' nights in a row the SIS sent the very same ' || same.resource || ', byte for byte.',
           'Outside the holidays, ask whether the SIS still refreshes its OneRoster data.'
    from (
        select today.resource, count(*) as nights, bool_and(before.digest = today.digest) as identical
        from jsonb_each_text(%(digests)s::jsonb) as today (resource, digest)
        cross join lateral (
            select r.collections -> today.resource ->> 'sha256' as digest
            from directory.sync_runs as r
            where r.district = %(district)s and r.run_no < %(run_no)s and r.kind = 'nightly' and r.loaded_at is not null
            order by r.run_no desc limit %(identical_nights)s - 1
        ) as before
        where today.resource in ('users', 'enrollments') and today.digest <> ''
        group by today.resource
    ) as same
    where same.identical and same.nights = %(identical_nights)s - 1
    union all
    select 'warning', one.resource, null, 'snapshot.unproven', one.message, one.fix
    from jsonb_to_recordset(%(unproven)s) as one (resource text, message text, fix text)
) as found (severity, resource, sourced_id, rule, message, fix);
