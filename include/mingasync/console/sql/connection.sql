select district_name, schools, sis_name, contact_name, contact_email, requested_at, requested_by
from directory.connection_requests
where district = %(district)s
