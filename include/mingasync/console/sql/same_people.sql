-- Who may be the one that is about to be added: the same e-mail, username or identifier, or the same name in the same role.
select person_id, given_name, family_name, role, email, username, identifier, status
from directory.people
where district = %(district)s and (
    lower(email) = lower(nullif(%(email)s, '')) or lower(username) = lower(nullif(%(username)s, ''))
    or lower(identifier) = lower(nullif(%(identifier)s, ''))
    or role = %(role)s and lower(given_name) = lower(%(given_name)s) and lower(family_name) = lower(%(family_name)s))
order by status, family_name, given_name, person_id
limit %(limit)s
