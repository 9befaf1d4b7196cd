-- The mails of a district's connection; one that has been on its way for 15 minutes was left there, and may be sent again.
select kind, sent_at, problem,
       sent_at is null and (claimed_at is null or claimed_at < now() - interval '15 minutes') as may_send
from directory.connection_mails
where district = %(district)s
