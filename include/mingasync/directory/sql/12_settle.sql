-- Who is what they were last night: the row bears the digest of tonight's record, so nobody touched either since.

insert into s_settled
select d.n, p.person_id, coalesce(p.school_ids[1], ''), p.role
from s_digests as d
join directory.people as p on p.digest = d.digest
where p.district = %(district)s and p.status = 'active' and p.include_in_sync;

-- Unless an id of theirs is somebody else's too: whose it is has to be decided again.
delete from s_settled as s
using (select person_id, unnest(sourced_ids) as sourced_id from directory.people where district = %(district)s) as own,
      (select unnest(p.sourced_ids) as sourced_id from directory.people as p
       where p.district = %(district)s and not exists (select from s_settled as t where t.person_id = p.person_id)) as other
where s.person_id = own.person_id and own.sourced_id = other.sourced_id;

delete from s_settled where n in (select n from s_settled group by n having count(*) > 1);
analyze s_settled;
