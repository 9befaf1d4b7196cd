-- What the plan itself found out, in words for people; ids only.

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
    select distinct 'error', 'users', s.sourced_id, 'users.match_not_unique',
           'The record fits several people here, or several records fit one person, so none was touched.',
           'Give the people different identifiers, e-mails and usernames, or remove the double entry.'
    from apart join s_people as s on s.n = apart.n where apart.reason = 'match_not_unique'
    union all
    select distinct 'error', 'users', s.sourced_id, 'users.sourced_id_reissued',
           'The SIS gives another human''s data under a sourcedId that belongs to person ' || apart.person_id
           || ' here; neither was changed.',
           'Check in the SIS who owns this sourcedId. If it is the same human, correct the entry here by hand once.'
    from apart join s_people as s on s.n = apart.n where apart.reason = 'sourced_id_reissued'
    union all
    select 'warning', 'users', s.sourced_id, 'users.sourced_id_changed',
           'Person ' || apart.person_id || ' seems to have the new sourcedId ' || s.sourced_id
           || '; nothing was created or archived for them.',
           'Confirm with directory.relink(' || apart.person_id || ', ''' || replace(s.sourced_id, '''', '''''') || ''') or refuse with directory.refuse_relink.'
    from apart join s_people as s on s.n = apart.n where apart.reason = 'sourced_id_changed'
    union all
    select 'warning', 'users', null, 'users.two_entries_one_human',
           'Person ' || apart.person_id || ' holds a sourcedId that the SIS now gives to somebody who has another entry here.',
           'Archive or merge the older entry by hand.'
    from apart where apart.reason = 'two_entries_one_human'
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
    select 'warning', 'users', null, 'snapshot.unproven', %(unproven_because)s || ' Nobody was archived or taken off a list.',
           'Find out why in the run''s tasks "extract"; if the smaller numbers are right, run once with {"accept_smaller": true}.'
    where not %(proven)s
) as found (severity, resource, sourced_id, rule, message, fix);
