-- Who is who: the evidence, what it says, and what a person decides where it does not suffice.

-- A name without case, accents, spaces and punctuation; null where nothing is left. rosters/identity.py folds alike. The ranges are
-- spelled out because a database's locale may know no letters beyond ASCII.
create function directory.folded(name text) returns text
language sql immutable parallel safe as $$
    select nullif(regexp_replace(
        case when $1 ~ '^[ -~]*$' then lower($1)
             else replace(replace(replace(replace(
                      translate(lower(normalize($1, NFKD)), 'øØłŁđĐðı', 'oolldddi'), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th') end,
        '[\u0001-\u002F\u003A-\u0040\u005B-\u0060\u007B-\u00BF\u02B0-\u036F\u2000-\u206F\u3000-\u303F\uFE00-\uFE0F]', '', 'g'), '')
$$;

-- What evidence says of a record and a person. Each part is same, other, or null: not known on both sides, or a value that identifies
-- nobody. role is same, related (two employees) or other (a student and an employee). docs/outcomes.md shows the table.
-- same: the same human. likely: a person should decide. other: two humans. none: nothing says that they are one.
create function directory.verdict(
    known_id boolean, role text, given text, family text, identifier text, email text, username text
) returns text language plpgsql immutable parallel safe as $$
declare
    name text := case when 'other' in (given, family) then 'other' when given = 'same' and family = 'same' then 'same' end;
    keys_same integer := num_nonnulls(nullif(identifier, 'other'), nullif(email, 'other'), nullif(username, 'other'));
    keys_other integer := num_nonnulls(nullif(identifier, 'same'), nullif(email, 'same'), nullif(username, 'same'));
begin
    return case
        when known_id then case
            when name = 'same' then 'same'
            -- Nothing but the sourcedId speaks for them.
            when keys_same = 0 then case when name = 'other' or keys_other > 0 then 'other' else 'same' end
            when name is null then 'same'
            -- E-mail and username are often made from the name or inherited with it; the number and the given name are not.
            when given = 'other' and identifier = 'other' then 'other'
            -- Another name and another role: one key beside the sourcedId is too little, unless it is the number.
            when role <> 'same' and keys_same = 1 and identifier is distinct from 'same' then 'other'
            else 'same' end
        when keys_same = 0 then case when name = 'same' and role = 'same' and keys_other = 0 then 'likely' else 'none' end
        when role = 'other' then 'other'
        when role = 'related' then case when name = 'same' and identifier = 'same' then 'likely' else 'other' end
        when name = 'same' then case when identifier = 'other' and keys_same = 1 then 'likely' else 'same' end
        when name is null then case when keys_same > 1 then 'same' else 'likely' end
        when given = 'other' and identifier = 'other' then 'other'
        when keys_same > 1 then 'same'
        when identifier = 'same' and 'same' in (given, family) then 'likely'
        else 'other' end;
end
$$;

-- What a record said of its human when somebody decided about it: a decision holds as long as the record says the same.
create function directory.said(
    role text, given_name text, family_name text, identifier text, email text, username text
) returns text language sql immutable parallel safe as $$
    select md5(jsonb_build_array($1, directory.folded($2), directory.folded($3), lower($4), lower($5), lower($6))::text)
$$;

-- A proposal asks whether a record is a person. It holds what the record said, and under which ids the person was known then.
alter table directory.relink_proposals
    add said text,
    add known_ids text[],
    drop constraint relink_proposals_state_check,
    add constraint relink_proposals_state_check check (state in ('proposed', 'applied', 'rejected', 'withdrawn'));
create index relink_proposals_open on directory.relink_proposals (district, sourced_id) where state = 'proposed';

-- Whoever has several ids, found by any of them; those with one are found by sourced_id.
create index people_several_ids on directory.people using gin (sourced_ids) where cardinality(sourced_ids) > 1;

-- Holds the district of a person alone, as a load does, if the caller may write it: two answers that would give one sourcedId to two people must not
-- pass each other. It comes before check_person, whose lock several may hold: each would then wait for the others.
create function directory.hold_district_of(person_id bigint) returns void
language sql set search_path = pg_catalog, pg_temp as $$
    select directory.lock_district(p.district) from directory.people as p where p.person_id = $1 and directory.may_write(p.district)
$$;

-- The open proposal, for whoever holds the district.
create function directory.open_proposal(person_id bigint, sourced_id text) returns directory.relink_proposals
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
    proposal directory.relink_proposals;
begin
    select * into proposal from directory.relink_proposals as r
    where r.person_id = person_id and r.sourced_id = sourced_id for update;
    if proposal.state is distinct from 'proposed' then
        raise exception 'no relink of person % to % is proposed%', person_id, sourced_id,
            case proposal.state when 'withdrawn' then ': it was withdrawn, because the newest night does not propose it any more'
                                when 'applied' then ': it was confirmed already' when 'rejected' then ': it was refused already'
                                else '' end || '. Nothing was changed.';
    end if;
    return proposal;
end
$$;

-- Says that the record is the person, who is found under its sourcedIds from now on.
create or replace function directory.relink(person_id bigint, sourced_id text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
    proposal directory.relink_proposals;
    person directory.people;
    owner integer;
begin
    perform directory.hold_district_of(person_id);
    perform directory.check_person(person_id);
    proposal := directory.open_proposal(person_id, sourced_id);
    select * into strict person from directory.people as p where p.person_id = person_id for update;
    select min(others.person_id) into owner from (
        select p.person_id from directory.people as p
        where p.district = person.district and p.sourced_id = any (proposal.sourced_ids)
        union all
        select p.person_id from directory.people as p
        where p.district = person.district and cardinality(p.sourced_ids) > 1 and p.sourced_ids && proposal.sourced_ids
    ) as others where others.person_id <> person_id;
    if owner is not null then
        raise exception 'sourcedId % belongs to person %, so person % was not given it. Nothing was changed.',
            sourced_id, owner, person_id
            using hint = format('If it is not person %s, say so first where that is asked: select directory.refuse_relink(%s, %L). '
                                'A question that is out of date is withdrawn by the next sync.', owner, owner, sourced_id);
    end if;
    -- A proposal of an older version does not say which they had.
    if not person.sourced_ids <@ proposal.known_ids then
        raise exception 'person % has other sourcedIds (%) than when this was proposed. Nothing was changed.',
            person_id, array_to_string(person.sourced_ids, ', ')
            using hint = 'The next sync proposes anew what still fits.';
    end if;
    update directory.relink_proposals as r set state = 'applied', decided_by = directory.caller(), decided_at = now()
    where r.person_id = person_id and r.sourced_id = sourced_id;
    update directory.relink_proposals as r set state = 'withdrawn'
    where r.district = person.district and r.sourced_id = sourced_id and r.state = 'proposed';
    if proposal.matched_by <> 'sourced_id' then
        update directory.relink_proposals as r set state = 'withdrawn' where r.person_id = person_id and r.state = 'proposed';
    end if;
    update directory.people as p
    set sourced_id = proposal.sourced_id, updated_at = now(),
        sourced_ids = case when proposal.matched_by <> 'sourced_id' then proposal.sourced_ids
                           else array(select unnest(p.sourced_ids) union select unnest(proposal.sourced_ids) order by 1) end
    where p.person_id = person_id;
end
$$;

-- Says that the record is not the person. Ids of the record that the person is known by are taken off them; from the next sync on the
-- record may be made a person of its own, and the person leaves like anybody whom the SIS no longer has.
create or replace function directory.refuse_relink(person_id bigint, sourced_id text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
    proposal directory.relink_proposals;
begin
    perform directory.hold_district_of(person_id);
    perform directory.check_person(person_id);
    proposal := directory.open_proposal(person_id, sourced_id);
    update directory.relink_proposals as r set state = 'rejected', decided_by = directory.caller(), decided_at = now()
    where r.person_id = person_id and r.sourced_id = sourced_id;
    update directory.people as p
    set sourced_ids = left_over.ids, updated_at = now(),
        sourced_id = case when p.sourced_id = any (left_over.ids) then p.sourced_id else left_over.ids[1] end
    from (select array(select unnest(known.sourced_ids) except select unnest(proposal.sourced_ids) order by 1) as ids
          from directory.people as known where known.person_id = person_id) as left_over
    where p.person_id = person_id and p.sourced_ids && proposal.sourced_ids;
end
$$;
