-- Whoever was looked at and found to say what the record says is settled from now on.
update directory.people as p set digest = s.digest
from here as h join s_people as s using (n)
where p.person_id = h.person_id and p.digest is distinct from s.digest
  and h.speaks and h.included and h.roster and h.is_named and not h.is_apart
  and p.status = 'active' and p.sourced_ids = s.sourced_ids and p.role = s.role
  and not exists (select from differing as d where d.person_id = p.person_id)
  and not exists (select from pins where pins.person_id = p.person_id);
