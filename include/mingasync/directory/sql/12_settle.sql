-- Who is what they were last night: the row bears the digest of tonight's record, so nobody touched either since.

insert into s_settled
select d.n, p.person_id, coalesce(p.school_ids[1], ''), p.role
from s_digests as d
join directory.people as p on p.digest = d.digest
where p.district = %(district)s and p.status = 'active' and p.include_in_sync;

-- Unless an id of theirs is somebody else's too: whose it is has to be decided again. Most people have one id, which needs no taking apart.
delete from s_settled
using (
    select person_id, sourced_ids[1] as sourced_id from directory.people where district = %(district)s and cardinality(sourced_ids) = 1
    union all
    select person_id, unnest(sourced_ids) from directory.people where district = %(district)s and cardinality(sourced_ids) > 1
) as own
join (
    select distinct unnest(p.sourced_ids) as sourced_id from directory.people as p
    where p.district = %(district)s and not exists (select from s_settled as t where t.person_id = p.person_id)
) as other using (sourced_id)
where s_settled.person_id = own.person_id;

delete from s_settled where n in (select n from s_settled group by n having count(*) > 1);
analyze s_settled;
